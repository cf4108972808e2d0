#include "learn/grid_plan.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "base/index.h"
#include "graph/sign.h"

namespace trimtab {

PlanByLayer::PlanByLayer(const Plan& plan) {
  for (const LayerPlan& entry : plan.layers) entries_.emplace(entry.layer, &entry);
}

const LayerPlan& PlanByLayer::of(const std::string& layer) const {
  const auto entry = entries_.find(layer);
  if (entry == entries_.end()) {
    throw bad_input("the plan says nothing about the layer {}; give it weight_bits and activation_bits", layer);
  }
  const LayerPlan* found = entry->second;
  const auto in_range = [](int bits) { return bits >= 2 && bits <= 16; };
  if (!in_range(found->weight_bits) || !in_range(found->activation_bits)) {
    throw bad_input("the plan gives the layer {} {} weight bits and {} activation bits; both have to be from 2 to 16",
                    layer, found->weight_bits, found->activation_bits);
  }
  return *found;
}

namespace {

/// The grid of a quantized network in the form whose zero point is nearest to 0: bytes of either sign hold it.
ActivationGrid adopted(const SourceGrid& source) {
  const std::int32_t half = 1 << (source.bits - 1);
  const std::int32_t as_signed = source.zero_point - (source.is_signed ? 0 : half);
  const bool is_signed = std::abs(as_signed) <= std::abs(as_signed + half);
  return {source.scale, source.bits, is_signed, is_signed ? as_signed : as_signed + half};
}

}  // namespace

namespace {

/// Several outputs lie in one vector: they get the same bits and sign. Each keeps a scale of its own.
template <typename SetOf>
void unify_outputs(const Graph& graph, const SetOf& set_of, std::vector<std::optional<ActivationGrid>>& sets) {
  for (const Node& node : graph.nodes) {
    if (!graph.joins_outputs(node)) continue;
    ActivationGrid& whole = *sets[set_of(node.output)];
    for (const ValueId input : node.inputs) {
      whole.bits = std::max(whole.bits, sets[set_of(input)]->bits);
      whole.is_signed = whole.is_signed || sets[set_of(input)]->is_signed;
    }
    for (const ValueId input : node.inputs) {
      ActivationGrid& part = *sets[set_of(input)];
      const bool moves = part.bits == whole.bits && part.bits <= 8 && part.scale != 0;
      if (!moves) {
        part = {0, whole.bits, whole.is_signed};
      } else if (part.is_signed != whole.is_signed) {  // the same real numbers
        part = {part.scale, part.bits, true, part.zero_point - (1 << (part.bits - 1))};
      }
    }
  }
}

}  // namespace

std::vector<std::optional<ActivationGrid>> plan_grids(const Graph& graph, const std::vector<Layer>& layers,
                                                      const Plan& plan, bool pixels) {
  const std::vector<ValueId> representative = shared_grids(graph);
  const std::vector<bool> non_negative = non_negative_values(graph);
  const auto set_of = [&](ValueId value) { return static_cast<std::size_t>(nth(representative, value)); };
  std::vector<std::optional<ActivationGrid>> sets(graph.values.size());
  const PlanByLayer planned(plan);
  for (const Layer& layer : layers) {
    const bool is_signed = !nth(non_negative, layer.output);
    const int bits = planned.of(layer.name).activation_bits;
    std::optional<ActivationGrid>& set = sets[set_of(layer.output)];
    set = set ? ActivationGrid{0, std::max(set->bits, bits), set->is_signed || is_signed}
              : ActivationGrid{0, bits, is_signed};
  }
  sets[set_of(graph.input)] = pixels ? ActivationGrid{1, 8, false} : ActivationGrid{0, 8, true};
  for (const Node& node : graph.nodes) {
    if (graph.cuts_inputs(node)) sets[set_of(node.output)] = ActivationGrid{0, 8, true};
  }
  // Of several grids of a set, as the inputs of a Concat may have them, the widest holds all numbers.
  for (std::size_t value = 0; value < graph.values.size(); ++value) {
    const std::optional<SourceGrid>& source = graph.values[value].grid;
    std::optional<ActivationGrid>& set = sets[set_of(static_cast<ValueId>(value))];
    const bool fixed = pixels && nth(representative, graph.input) == representative[value];
    if (!source || !set || fixed || source->bits != set->bits || source->scale <= set->scale) continue;
    if (const ActivationGrid grid = adopted(*source); has_zero(grid)) set = grid;
  }
  unify_outputs(graph, set_of, sets);
  // A vector of several inputs or outputs has no scale.
  if (!graph.input_parts.empty()) sets[set_of(graph.input)]->scale = 1;
  if (!graph.output_parts.empty()) sets[set_of(graph.output)]->scale = 1;
  std::vector<std::optional<ActivationGrid>> result(graph.values.size());
  nth(result, graph.input) = sets[set_of(graph.input)];
  for (const Layer& layer : layers) nth(result, layer.output) = sets[set_of(layer.output)];
  return result;
}

bool computes(const Graph& graph, const Layer& layer) {
  const Node& node = nth(graph.nodes, layer.node);
  return !device_traits(node.op).passes_through || graph.cuts_inputs(node);
}

Graph without_fused_activations(Graph graph, const std::vector<Layer>& layers) {
  std::vector<bool> removed(graph.nodes.size(), false);
  for (const Layer& layer : layers) {
    if (layer.activation < 0) continue;
    const auto last = static_cast<std::size_t>(layer.normalization >= 0 ? layer.normalization : layer.node);
    graph.nodes[last].output = layer.output;
    nth(removed, layer.activation) = true;
  }
  std::vector<Node> kept;
  for (std::size_t i = 0; i < graph.nodes.size(); ++i) {
    if (!removed[i]) kept.push_back(std::move(graph.nodes[i]));
  }
  graph.nodes = std::move(kept);
  return graph;
}

Graph with_parameters(Graph graph, const Graph& trained) {
  std::unordered_map<std::string_view, const Operator*> operators;
  for (const Node& node : trained.nodes) operators[node.name] = &node.op;
  for (Node& node : graph.nodes) {
    if (const auto found = operators.find(node.name); found != operators.end()) node.op = *found->second;
  }
  return graph;
}

}  // namespace trimtab
