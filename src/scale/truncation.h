#pragma once

#include <cstdint>
#include <vector>

#include "data/dataset.h"
#include "graph/graph.h"
#include "learn/quantize.h"
#include "measure/task.h"

namespace trimtab {

/// The task's first measure of a network, without training, when the low bits of its stored 8-bit weights are dropped
/// everywhere. Activations have 8 bits.
struct TruncationRow {
  int weight_bits = 8;
  double twos_complement = 0;
  double nested = 0;
  double twos_complement_corrected = 0;  ///< with the biases corrected
  double nested_corrected = 0;
  double nested_learned = 0;  ///< corrected, with the digits of nested_rounding.h instead of the nearest
};
struct TruncationTable {
  double real = 0;  ///< of the float network
  std::int64_t samples = 0;
  std::vector<TruncationRow> rows;
};

/// Measured in simulation. Grids and biases come from `tune`, the measures from `test`; both are raw samples. The task
/// is labelled. Throws Error as make_nested and primary() do.
[[nodiscard]] TruncationTable compare_truncation(const Graph& prepared, const Task& task, const Dataset& tune,
                                                 const Dataset& test, const std::vector<int>& bits,
                                                 const CalibrationOptions& options);

}  // namespace trimtab
