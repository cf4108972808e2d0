#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/index.h"
#include "graph/graph.h"
#include "plan/layers.h"
#include "plan/plan.h"
#include "plan/quantized_network.h"

namespace trimtab {

/// The entries of a plan, which outlives this, by the names of their layers.
class PlanByLayer {
 public:
  explicit PlanByLayer(const Plan& plan);

  /// Throws Error (bad input) where the plan has no entry for the layer, or its bits are out of range.
  [[nodiscard]] const LayerPlan& of(const std::string& layer) const;

 private:
  std::unordered_map<std::string_view, const LayerPlan*> entries_;
};

/// The bits and the sign of every grid, which are known before any number is. By ValueId, for the graph's input and
/// every layer's output. Where the graph was read from a quantized network, values that keep their bits keep their
/// grid. Other values that share a grid (shared_grids) get the most bits that the plan gives to one of them, and a sign
/// where one of them needs it. Their scales are 0, since they are still to be found. With `pixels` the input, and all
/// values that share its grid, are raw 8-bit pixels with scale 1. Features are 8 bits signed.
[[nodiscard]] std::vector<std::optional<ActivationGrid>> plan_grids(const Graph& graph,
                                                                    const std::vector<Layer>& layers, const Plan& plan,
                                                                    bool pixels);

/// Calls `function(weight, bias)` where the operator is a Conv or Linear.
template <typename Function>
void for_weighted(Operator& op, const Function& function) {
  std::visit(overloaded{[&](Conv& own) { function(own.weight, own.bias); },
                        [&](Linear& own) { function(own.weight, own.bias); }, [](auto&) {}},
             op);
}

/// Whether the layer's output has numbers or a grid of its own, rather than passing on those of its inputs.
[[nodiscard]] bool computes(const Graph& graph, const Layer& layer);

/// The graph without the activation functions that are part of a layer: the quantization of the layer's output
/// saturates there anyway. Ids of the layers' outputs stay the same.
[[nodiscard]] Graph without_fused_activations(Graph graph, const std::vector<Layer>& layers);

/// The grids of the layers of a graph, by ValueId, and of its input, by the ids of another graph that has the same
/// layers.
template <typename Grid>
[[nodiscard]] std::vector<std::optional<Grid>> by_layer(const std::vector<std::optional<Grid>>& grids,
                                                        const Graph& from, const Graph& to) {
  std::map<std::string, ValueId> outputs;
  for (const Layer& layer : fuse_layers(from)) outputs[layer.name] = layer.output;
  std::vector<std::optional<Grid>> result(to.values.size());
  nth(result, to.input) = nth(grids, from.input);
  for (const Layer& layer : fuse_layers(to)) {
    nth(result, layer.output) = nth(grids, outputs.at(layer.name));
  }
  return result;
}

/// The way back after training: the graph with the parameters that nodes of the same name have in `trained`.
[[nodiscard]] Graph with_parameters(Graph graph, const Graph& trained);

}  // namespace trimtab
