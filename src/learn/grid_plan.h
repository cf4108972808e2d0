#pragma once

#include <limits>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "graph/graph.h"
#include "plan/layers.h"
#include "plan/plan.h"
#include "plan/quantized_network.h"

namespace trimtab {

/// The plan's entry for a layer. Throws Error (bad input) where it has none, or its bits are out of range.
[[nodiscard]] const LayerPlan& layer_plan(const Plan& plan, const std::string& layer);

/// What is known of every grid before any number is: bits and sign, by ValueId, of the graph's input and of every
/// layer's output. Values that share a grid (shared_grids) get the most bits that the plan gives to one of them, and a
/// sign where one of them needs it. Scales are 0, to be found, except where `pixels` fixes them: then the input, and
/// what shares its grid, is raw 8-bit pixels with scale 1. Features are 8 bits signed.
[[nodiscard]] std::vector<std::optional<ActivationGrid>> plan_grids(const Graph& graph,
                                                                    const std::vector<Layer>& layers, const Plan& plan,
                                                                    bool pixels);

/// Where a layer's own activation function saturates its output, in real numbers.
struct Saturation {
  float low = -std::numeric_limits<float>::infinity();
  float high = std::numeric_limits<float>::infinity();
};
[[nodiscard]] Saturation saturation_of(const Graph& graph, const Layer& layer);

/// The same as integers of the output's grid: the least and the greatest that the layer makes.
struct IntegerRange {
  std::int32_t low;
  std::int32_t high;
};
[[nodiscard]] IntegerRange integer_range(const Saturation& saturation, const ActivationGrid& grid);

/// Calls `function(weight, bias)` where the operator is a Conv or Linear.
template <typename Function>
void for_weighted(Operator& op, const Function& function) {
  std::visit(overloaded{[&](Conv& own) { function(own.weight, own.bias); },
                        [&](Linear& own) { function(own.weight, own.bias); }, [](auto&) {}},
             op);
}

/// Whether the layer computes new numbers, rather than passing on those of its inputs on the same grid.
[[nodiscard]] bool computes(const Graph& graph, const Layer& layer);

/// The graph without the activation functions that are part of a layer: whoever quantizes the layer's output saturates
/// there anyway. Ids of the layers' outputs stay the same.
[[nodiscard]] Graph without_fused_activations(Graph graph, const std::vector<Layer>& layers);

/// The grids of the layers of a graph, by ValueId, and of its input, by the ids of another graph that has the same
/// layers.
template <typename Grid>
[[nodiscard]] std::vector<std::optional<Grid>> by_layer(const std::vector<std::optional<Grid>>& grids,
                                                        const Graph& from, const Graph& to) {
  std::map<std::string, ValueId> outputs;
  for (const Layer& layer : fuse_layers(from)) outputs[layer.name] = layer.output;
  std::vector<std::optional<Grid>> result(to.values.size());
  result[static_cast<std::size_t>(to.input)] = grids[static_cast<std::size_t>(from.input)];
  for (const Layer& layer : fuse_layers(to)) {
    result[static_cast<std::size_t>(layer.output)] = grids[static_cast<std::size_t>(outputs.at(layer.name))];
  }
  return result;
}

/// The way back after training: the graph with the parameters that nodes of the same name have in `trained`.
[[nodiscard]] Graph with_parameters(Graph graph, const Graph& trained);

}  // namespace trimtab
