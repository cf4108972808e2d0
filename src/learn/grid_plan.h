#pragma once

#include <optional>
#include <vector>

#include "graph/graph.h"
#include "plan/layers.h"
#include "plan/plan.h"
#include "plan/quantized_network.h"

namespace trimtab {

/// The plan's entry for a layer. Throws Error (bad input) where it has none, or its bits are out of range.
[[nodiscard]] const LayerPlan& layer_plan(const Plan& plan, const std::string& layer);

/// The bits and the sign of every grid, which are known before any number is. By ValueId, for the graph's input and
/// every layer's output. Values that share a grid (shared_grids) get the most bits that the plan gives to one of them,
/// and a sign where one of them needs it. Scales are 0, since they are still to be found. With `pixels` the input, and
/// all values that share its grid, are raw 8-bit pixels with scale 1. Features are 8 bits signed.
[[nodiscard]] std::vector<std::optional<ActivationGrid>> plan_grids(const Graph& graph,
                                                                    const std::vector<Layer>& layers, const Plan& plan,
                                                                    bool pixels);

/// Whether the layer computes new numbers, rather than passing on those of its inputs on the same grid.
[[nodiscard]] bool computes(const Graph& graph, const Layer& layer);

/// The graph without the activation functions that are part of a layer: the quantization of the layer's output
/// saturates there anyway. Ids of the layers' outputs stay the same.
[[nodiscard]] Graph without_fused_activations(Graph graph, const std::vector<Layer>& layers);

}  // namespace trimtab
