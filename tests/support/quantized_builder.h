#pragma once

#include <optional>
#include <string>
#include <vector>

#include "plan/quantized_network.h"
#include "program/lower.h"

namespace trimtab {

/// Builds quantized networks layer by layer; the last value is the output.
class QuantizedBuilder {
 public:
  QuantizedBuilder() = default;
  QuantizedBuilder(const Shape& input, const ActivationGrid& grid) { start(input, grid); }

  ValueId start(const Shape& input, const ActivationGrid& grid) {
    network.graph.name = "hand";
    return network.graph.input = value("input", input, grid);
  }
  ValueId value(const std::string& name, const Shape& shape, const std::optional<ActivationGrid>& grid) {
    network.graph.values.push_back({name, shape});
    network.values.push_back(grid);
    return network.graph.output = static_cast<ValueId>(network.graph.values.size() - 1);
  }
  ValueId add(const std::string& name, const Operator& op, const std::vector<ValueId>& inputs,
              const std::optional<ActivationGrid>& grid, const std::optional<WeightGrid>& weights = {}) {
    Node node{name, op, inputs, -1};
    std::vector<Shape> shapes;
    for (const ValueId input : inputs) shapes.push_back(network.graph.shape_of(input));
    node.output = value(name, infer_shape(node, shapes), grid);
    network.graph.nodes.push_back(node);
    network.weights.push_back(weights);
    return node.output;
  }
  [[nodiscard]] Program lowered() const { return lower(network, {}, {}); }

  QuantizedNetwork network;
};

}  // namespace trimtab
