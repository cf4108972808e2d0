#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "plan/nested_network.h"
#include "plan/quantized_network.h"
#include "program/program.h"

namespace trimtab {

/// The stored weights of a Conv or Linear, in the order of its weight tensor.
struct IntegerWeights {
  WeightCode code = WeightCode::integer;
  std::vector<std::int16_t> stored;
};

/// A network's numbers at one operating point.
struct NumbersAtPoint {
  Plan plan;                                          ///< in the order of fuse_layers(graph)
  std::vector<std::optional<ActivationGrid>> values;  ///< by ValueId
  std::vector<std::optional<WeightGrid>> weights;     ///< by index into graph.nodes; scale: of integer_weight()
  std::vector<std::vector<float>> bias;               ///< by index into graph.nodes; empty: none
};

/// A network as lowering takes it: one structure and one set of stored weights, numbers for every operating point.
struct LoweringInput {
  const Graph* graph = nullptr;
  std::vector<std::optional<ActivationGrid>> formats;  ///< by ValueId: bits and sign in memory, scale with all bits
  std::vector<std::optional<IntegerWeights>> weights;  ///< by index into graph->nodes
  std::vector<NumbersAtPoint> points;                  ///< at least one
};

/// `network` must outlive the result.
[[nodiscard]] LoweringInput lowering_input(const QuantizedNetwork& network);
[[nodiscard]] LoweringInput lowering_input(const NestedNetwork& network, const std::vector<OperatingPoint>& points);

}  // namespace trimtab
