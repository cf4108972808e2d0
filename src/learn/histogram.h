#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "learn/range_method.h"
#include "plan/quantized_network.h"

namespace trimtab {

/// How often a value takes which numbers. The range is given first (from a pass that only looks for it).
class Histogram {
 public:
  /// Bins between `low` and `high`, one of them centred on zero.
  Histogram(float low, float high, int bins = 4096);

  void add(std::span<const float> numbers);

  [[nodiscard]] float low() const { return low_; }
  [[nodiscard]] float high() const { return high_; }

  /// Scale of the grid with these bits and sign that the method wants. `fraction` of the numbers does not saturate
  /// (percentile only). 1 where there was nothing but zeros.
  [[nodiscard]] float scale(int bits, bool is_signed, RangeMethod method, double fraction) const;

  /// Mean squared error of quantizing the numbers (each taken as the centre of its bin) to the grid.
  [[nodiscard]] double squared_error(const ActivationGrid& grid) const;

 private:
  float low_;
  float high_;
  float width_;        ///< of a bin
  std::int64_t zero_;  ///< index of the bin centred on zero
  std::vector<std::int64_t> counts_;
};

}  // namespace trimtab
