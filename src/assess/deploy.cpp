#include <algorithm>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "assess/assess.h"
#include "base/index.h"
#include "cost/plan_layers.h"

namespace trimtab {
namespace {

class Deploying {
 public:
  Deploying(const Graph& pruned, const Pricer& pricer) : pruned_(pruned), pricer_(pricer) {}

  [[nodiscard]] DeployablePlan price(Plan plan) const {
    const QuantizedNetwork network = pricer_.sketch(pruned_, plan);
    return {std::move(plan), weights_bytes(pricer_.program_of(network)), pricer_.smallest_arena(network)};
  }

  [[nodiscard]] const Graph& pruned() const { return pruned_; }

 private:
  const Graph& pruned_;
  const Pricer& pricer_;
};

/// Activations of 2, 4 or 8 bits: the plan with the next width below or above for these layers, or nothing where they
/// have the last.
std::optional<Plan> with_activations(Plan plan, const std::vector<std::string>& layers, bool wider) {
  bool changed = false;
  for (LayerPlan& layer : plan.layers) {
    const int bits = layer.activation_bits;
    if (std::find(layers.begin(), layers.end(), layer.layer) == layers.end() || (wider ? bits >= 8 : bits <= 2))
      continue;
    layer.activation_bits = wider ? bits * 2 : bits / 2;
    changed = true;
  }
  if (!changed) return std::nullopt;
  return plan;
}

/// Narrows activations until the plan fits. The activations that free most memory go first. Where no set of layers
/// frees any memory alone, all are narrowed together. Bits that this took in vain are given back.
DeployablePlan fitted(const Deploying& deploying, DeployablePlan now, std::int64_t budget_bytes) {
  const std::vector<std::vector<std::string>> sets = activation_sets(deploying.pruned(), {deploying.pruned().output});
  std::vector<std::string> all;
  for (const std::vector<std::string>& set : sets) all.insert(all.end(), set.begin(), set.end());
  while (now.memory_bytes() > budget_bytes) {
    std::optional<DeployablePlan> best;
    for (const std::vector<std::string>& set : sets) {
      const std::optional<Plan> plan = with_activations(now.plan, set, false);
      if (!plan.has_value()) continue;
      DeployablePlan priced = deploying.price(*plan);
      if (priced.memory_bytes() < (best ? *best : now).memory_bytes()) best = std::move(priced);
    }
    if (!best.has_value()) {
      const std::optional<Plan> plan = with_activations(now.plan, all, false);
      if (!plan.has_value()) break;
      best = deploying.price(*plan);
    }
    now = std::move(*best);
  }
  for (bool changed = true; std::exchange(changed, false);) {
    for (const std::vector<std::string>& set : sets) {
      const std::optional<Plan> plan = with_activations(now.plan, set, true);
      if (!plan.has_value()) continue;
      DeployablePlan priced = deploying.price(*plan);
      if (priced.memory_bytes() > budget_bytes) continue;
      now = std::move(priced);
      changed = true;
    }
  }
  return now;
}

/// More bits for the weights of single layers, those first that cost least memory, while the plan fits.
DeployablePlan refined(const Deploying& deploying, DeployablePlan now, std::int64_t budget_bytes) {
  const std::vector<WeightLayer> weighted = weight_layers(deploying.pruned());
  while (true) {
    std::optional<DeployablePlan> best;
    for (const WeightLayer& layer : weighted) {
      Plan plan = now.plan;
      int& bits = find_layer(plan, layer.name)->weight_bits;
      if (bits >= 8) continue;
      ++bits;
      DeployablePlan priced = deploying.price(std::move(plan));
      if (priced.memory_bytes() <= budget_bytes && (!best || priced.memory_bytes() < best->memory_bytes()))
        best = std::move(priced);
    }
    if (!best.has_value()) return now;
    now = std::move(*best);
  }
}

}  // namespace

DeployablePlan deployable_plan(const Graph& prepared, const std::vector<double>& importance, const AssessPoint& point,
                               std::int64_t budget_bytes, const Pricer& pricer) {
  const ChannelGroups groups = find_channel_groups(prepared);
  const Graph pruned = prune_to(prepared, groups, importance, point.filters);
  const Deploying deploying(pruned, pricer);
  DeployablePlan result =
      fitted(deploying, deploying.price(uniform_plan(pruned, std::min(point.bits, 8), 8)), budget_bytes);
  for (int bits = std::min(point.bits, 8) + 1; bits <= 8; ++bits) {
    Plan plan = result.plan;
    for (LayerPlan& layer : plan.layers) layer.weight_bits = bits;
    DeployablePlan priced = deploying.price(std::move(plan));
    if (priced.memory_bytes() > budget_bytes) break;
    result = std::move(priced);
  }
  result = refined(deploying, std::move(result), budget_bytes);
  for (const ChannelGroup& group : groups.groups) {
    const auto name = [&](std::int64_t node) { return nth(prepared.nodes, node).name; };
    const auto kept = point.filters.find(name(group.nodes[0]));
    if (kept == point.filters.end()) continue;
    for (LayerPlan& layer : result.plan.layers) {
      if (std::any_of(group.nodes.begin(), group.nodes.end(),
                      [&](std::int64_t node) { return name(node) == layer.layer; }))
        layer.filters = kept->second;
    }
  }
  return result;
}

}  // namespace trimtab
