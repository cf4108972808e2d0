#include "plan/quantized_network.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "base/index.h"
#include "graph/sign.h"

namespace trimtab {

namespace {

/// Index of the layer that makes the value, or -1.
std::int64_t layer_of(const std::vector<Layer>& layers, ValueId value) {
  for (std::size_t i = 0; i < layers.size(); ++i) {
    if (layers[i].output == value) {
      return static_cast<std::int64_t>(i);
    }
  }
  return -1;
}

}  // namespace

std::int32_t quantize(float real, const ActivationGrid& grid) {
  const double nearest =
      std::floor(static_cast<double>(real) / static_cast<double>(grid.scale) + 0.5) + grid.zero_point;
  return static_cast<std::int32_t>(
      std::clamp(nearest, static_cast<double>(grid.minimum()), static_cast<double>(grid.maximum())));
}

Saturation saturation_of(const Graph& graph, const Layer& layer) {
  if (layer.activation < 0) return {};
  const auto* clip = std::get_if<Clip>(&nth(graph.nodes, layer.activation).op);
  return clip != nullptr ? Saturation{clip->low, clip->high} : Saturation{0, std::numeric_limits<float>::infinity()};
}

IntegerRange integer_range(const Saturation& saturation, const ActivationGrid& grid) {
  return {quantize(saturation.low, grid), quantize(saturation.high, grid)};
}

std::vector<ValueId> shared_grids(const Graph& graph) {
  std::vector<ValueId> parent(graph.values.size());
  std::iota(parent.begin(), parent.end(), 0);
  const auto find = [&parent](ValueId value) {
    while (nth(parent, value) != value) {
      value = nth(parent, value);
    }
    return value;
  };
  for (const Node& node : graph.nodes) {
    if (!device_traits(node.op).passes_through) continue;
    for (const ValueId input : node.inputs) {
      const ValueId a = find(input);
      const ValueId b = find(node.output);
      nth(parent, std::max(a, b)) = std::min(a, b);
    }
  }
  std::vector<ValueId> representative(parent.size());
  for (std::size_t i = 0; i < parent.size(); ++i) {
    representative[i] = find(static_cast<ValueId>(i));
  }
  return representative;
}

bool is_non_negative(const Graph& graph, const std::vector<Layer>& layers, ValueId value) {
  const std::int64_t index = layer_of(layers, value);
  if (index < 0) {
    return false;  // the graph's input: nothing is known of it here
  }
  const Layer& layer = nth(layers, index);
  if (layer.activation >= 0) {
    return rectifies(nth(graph.nodes, layer.activation).op);
  }
  const Operator& op = nth(graph.nodes, layer.node).op;
  if (rectifies(op)) {
    return true;
  }
  return layer.normalization < 0 && keeps_sign(op) &&
         std::all_of(layer.inputs.begin(), layer.inputs.end(),
                     [&](ValueId input) { return is_non_negative(graph, layers, input); });
}

}  // namespace trimtab
