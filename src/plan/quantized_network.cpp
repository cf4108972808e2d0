#include "plan/quantized_network.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "base/index.h"

namespace trimtab {

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
    if (!device_traits(node.op).passes_through || graph.cuts_inputs(node) || graph.joins_outputs(node)) continue;
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

std::vector<ActivationGrid> output_grids(const QuantizedNetwork& network) {
  const Graph& graph = network.graph;
  const std::int64_t producer = graph.producer(graph.output);
  const bool joined = producer >= 0 && graph.joins_outputs(nth(graph.nodes, producer));
  std::vector<ActivationGrid> grids;
  for (const ValueId part : joined ? nth(graph.nodes, producer).inputs : std::vector{graph.output}) {
    grids.insert(grids.end(), static_cast<std::size_t>(element_count(graph.shape_of(part))),
                 nth(network.values, part).value());
  }
  return grids;
}

}  // namespace trimtab
