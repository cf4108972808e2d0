#pragma once

#include <cstdint>
#include <limits>
#include <span>
#include <vector>

#include "learn/range_method.h"
#include "plan/quantized_network.h"

namespace trimtab {

/// A histogram of the numbers of a value. The range is given first (from a pass that only looks for it).
class Histogram {
 public:
  /// Bins between `low` and `high`, one of them centred on zero.
  Histogram(float low, float high, int bins = 4096);

  void add(std::span<const float> numbers);

  [[nodiscard]] float low() const { return low_; }
  [[nodiscard]] float high() const { return high_; }

  /// The scale that the method gives to the grid with these bits and sign. `fraction` of the numbers does not saturate
  /// (percentile only). The scale is 1 where all numbers were zeros.
  [[nodiscard]] float scale(int bits, bool is_signed, RangeMethod method, double fraction) const;

  /// The grid of these bits with a zero point that loses the least: both ends of the range are chosen, too. At most 8
  /// bits. Its scale is 1 where all numbers were zeros.
  [[nodiscard]] ActivationGrid grid_with_zero_point(int bits, bool is_signed) const;

  /// Mean squared error of quantizing the numbers (each taken as the centre of its bin) to the grid.
  [[nodiscard]] double squared_error(const ActivationGrid& grid) const;

 private:
  /// The bins that hold numbers: their centres and counts.
  struct Occupied {
    std::vector<double> centre;
    std::vector<double> count;
    double total = 0;
  };
  [[nodiscard]] Occupied occupied() const;
  [[nodiscard]] static double squared_error(const Occupied& bins, const ActivationGrid& grid,
                                            double limit = std::numeric_limits<double>::infinity());

  float low_;
  float high_;
  float width_;        ///< of a bin
  std::int64_t zero_;  ///< index of the bin centred on zero
  std::vector<std::int64_t> counts_;
};

}  // namespace trimtab
