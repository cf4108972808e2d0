#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "data/dataset.h"
#include "plan/quantized_network.h"

namespace trimtab {

/// Runs a quantized network in libtorch on the integers of the deployed program: integer weights and biases, exact
/// accumulators (as long as they stay below 2^24), requantization halves upward, saturation. It differs from the
/// program only where the program's fixed-point multipliers round an output that lies within 1e-6 of a half to the
/// other side. It is much faster than the program on large batches. The accuracy that is reported is the program's.
class QuantizedSimulation {
 public:
  /// Throws Error (failure) where a layer has no grid or its weights do not lie on theirs.
  explicit QuantizedSimulation(const QuantizedNetwork& network);
  ~QuantizedSimulation();
  QuantizedSimulation(QuantizedSimulation&&) noexcept;
  QuantizedSimulation& operator=(QuantizedSimulation&&) noexcept;

  /// Outputs {count, outputs} as integers on the grid of the network's output, for the raw samples
  /// [first, first + count).
  [[nodiscard]] std::vector<std::int32_t> run(const Dataset& data, std::int64_t first, std::int64_t count) const;

  /// Share of the samples whose largest output is their label's, 0..1. The first of equal outputs counts as largest.
  [[nodiscard]] double top1(const Dataset& data) const;

 private:
  class Implementation;
  std::unique_ptr<Implementation> implementation_;
};

}  // namespace trimtab
