#pragma once

#include <cstdint>
#include <vector>

#include "data/dataset.h"
#include "graph/graph.h"
#include "learn/quantize.h"

namespace trimtab {

/// Accuracy of a network, without training, when the low bits of its stored 8-bit weights are dropped everywhere.
/// Activations have 8 bits. Percent of the samples.
struct TruncationRow {
  int weight_bits = 8;
  double twos_complement = 0;
  double nested = 0;
  double twos_complement_corrected = 0;  ///< with the biases corrected
  double nested_corrected = 0;
  double nested_learned = 0;  ///< corrected, with the digits of nested_rounding.h instead of the nearest
};
struct TruncationTable {
  double top1_float = 0;
  std::int64_t samples = 0;
  std::vector<TruncationRow> rows;
};

/// Measured in simulation. Grids and biases come from `tune`, the shares from `test`; both are raw samples.
/// Throws Error as make_nested does.
[[nodiscard]] TruncationTable compare_truncation(const Graph& prepared, const Dataset& tune, const Dataset& test,
                                                 const std::vector<int>& bits, const CalibrationOptions& options);

}  // namespace trimtab
