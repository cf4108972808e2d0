#pragma once

#include <algorithm>
#include <cmath>
#include <map>
#include <optional>
#include <utility>
#include <vector>

#include "support/reference.h"

// A graph whose values keep the grids of a quantized network, run as ONNX defines that: in real numbers, each rounded
// to its grid.
namespace trimtab::reference {

/// QuantizeLinear and DequantizeLinear as ONNX defines them: halves to even.
inline Values on_grid(Values x, const SourceGrid& grid) {
  const double least = grid.is_signed ? -std::ldexp(1.0, grid.bits - 1) : 0;
  const double most = least + std::ldexp(1.0, grid.bits) - 1;
  for (float& number : x) {
    const double level = std::nearbyint(static_cast<double>(number) / static_cast<double>(grid.scale));
    const double integer = std::clamp(level + grid.zero_point, least, most);
    number = grid.scale * static_cast<float>(integer - grid.zero_point);
  }
  return x;
}

/// The output of one sample, every value with a grid rounded to it.
inline Values run_on_grids(const Graph& graph, const Values& sample) {
  std::map<ValueId, Values> values;
  const auto set = [&](ValueId id, Values x) {
    const std::optional<SourceGrid>& grid = graph.values.at(static_cast<std::size_t>(id)).grid;
    values[id] = grid.has_value() ? on_grid(std::move(x), *grid) : std::move(x);
  };
  set(graph.input, sample);
  for (const Node& node : graph.nodes) {
    std::vector<Values> inputs;
    for (const ValueId input : node.inputs) inputs.push_back(values.at(input));
    set(node.output, run(node, inputs, graph.shape_of(node.inputs[0]), graph.shape_of(node.output)));
  }
  return values.at(graph.output);
}

}  // namespace trimtab::reference
