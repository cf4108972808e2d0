#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "data/dataset.h"
#include "measure/score.h"
#include "plan/quantized_network.h"

namespace trimtab {

/// Runs a quantized network in libtorch on the integers of the deployed program: integer weights and biases, exact
/// accumulators (as long as they stay below 2^24), requantization halves upward, saturation. It differs from the
/// program only where the program's fixed-point multipliers round an output that lies within 1e-6 of a half to the
/// other side, and by a step where an inner Softmax rounds its powers. It is much faster than the program on large
/// batches. The accuracy that is reported is the program's.
class QuantizedSimulation {
 public:
  /// Throws Error (failure) where a layer has no grid or its weights do not lie on theirs.
  explicit QuantizedSimulation(const QuantizedNetwork& network);
  ~QuantizedSimulation();
  QuantizedSimulation(QuantizedSimulation&&) noexcept;
  QuantizedSimulation& operator=(QuantizedSimulation&&) noexcept;

  /// Outputs {count, outputs}, channels first, as integers on the grids of the network's outputs, for the raw samples
  /// [first, first + count).
  [[nodiscard]] std::vector<std::int32_t> run(const Dataset& data, std::int64_t first, std::int64_t count) const;

  /// How good the network is on raw samples; a task that is not given is the one that follows from network and data.
  [[nodiscard]] Score score(const Dataset& data, const std::optional<Task>& task = {}) const;

 private:
  class Implementation;
  std::unique_ptr<Implementation> implementation_;
};

}  // namespace trimtab
