#include "assess/space.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>

#include "base/error.h"
#include "base/index.h"
#include "plan/layers.h"
#include "plan/prune.h"

namespace trimtab {
namespace {

std::int64_t weights_of(const Operator& op) {
  const Tensor* weight = weight_of(op);
  return weight == nullptr ? 0 : std::ssize(weight->data) + weight->shape[0];
}

/// Layers by the value they make, -1 for the others; Reshapes make no numbers of their own.
class Liveness {
 public:
  explicit Liveness(const Graph& graph) : graph_(graph), layers_(fuse_layers(graph)), buffer_(graph.values.size()) {
    for (std::size_t v = 0; v < buffer_.size(); ++v) buffer_[v] = v;
    last_read_.assign(graph.values.size(), -1);
    made_.assign(graph.values.size(), std::numeric_limits<std::int64_t>::max());
    nth(made_, graph.input) = -1;
    for (std::size_t i = 0; i < layers_.size(); ++i) {
      const Layer& layer = layers_[i];
      const auto output = static_cast<std::size_t>(layer.output);
      if (std::holds_alternative<Reshape>(nth(graph.nodes, layer.node).op))
        buffer_[output] = nth(buffer_, layer.inputs[0]);
      made_[buffer_[output]] = std::min(made_[buffer_[output]], static_cast<std::int64_t>(i));
      for (const ValueId input : layer.inputs) last_read_[nth(buffer_, input)] = static_cast<std::int64_t>(i);
    }
  }

  [[nodiscard]] std::int64_t peak() const {
    std::int64_t most = 0;
    for (std::size_t i = 0; i < layers_.size(); ++i) {
      const auto index = static_cast<std::int64_t>(i);
      std::int64_t alive = 0;
      for (std::size_t v = 0; v < buffer_.size(); ++v) {
        if (made_[v] == index || (made_[v] < index && last_read_[v] >= index)) alive += size(v);
      }
      if (i + 1 < layers_.size() && is_pool(layers_[i + 1]) && layers_[i + 1].inputs[0] == layers_[i].output)
        alive += size(static_cast<std::size_t>(layers_[i + 1].output));
      most = std::max(most, alive);
    }
    return most;
  }

 private:
  [[nodiscard]] std::int64_t size(std::size_t value) const { return element_count(graph_.values[value].shape); }
  [[nodiscard]] bool is_pool(const Layer& layer) const {
    return std::holds_alternative<Pool>(nth(graph_.nodes, layer.node).op);
  }

  const Graph& graph_;
  std::vector<Layer> layers_;
  std::vector<std::size_t> buffer_;  ///< by ValueId: the value whose memory it uses
  std::vector<std::int64_t> last_read_;
  std::vector<std::int64_t> made_;
};

using Kept = std::vector<std::int64_t>;  ///< by group

std::int64_t numbers_of(const Graph& prepared, const ChannelGroups& groups, const std::vector<double>& importance,
                        const Kept& kept) {
  return count_numbers(prune(prepared, groups, most_important(groups, importance, kept))).total();
}

Kept all_of(const ChannelGroups& groups) {
  Kept kept;
  for (const ChannelGroup& group : groups.groups) kept.push_back(static_cast<std::int64_t>(group.units.size()));
  return kept;
}

Kept share_of(const ChannelGroups& groups, double share) {
  Kept kept = all_of(groups);
  for (std::int64_t& count : kept) count = std::max<std::int64_t>(1, std::llround(share * static_cast<double>(count)));
  return kept;
}

/// The units of every group, the least important first.
std::vector<std::vector<double>> sorted_importance(const ChannelGroups& groups, const std::vector<double>& importance) {
  std::vector<std::vector<double>> sorted;
  for (const ChannelGroup& group : groups.groups) {
    std::vector<double>& own = sorted.emplace_back();
    for (const UnitId unit : group.units) own.push_back(nth(importance, unit));
    std::sort(own.begin(), own.end());
  }
  return sorted;
}

/// One step of the rule `importance`: removes units of the group where that costs least for the numbers it saves.
/// False where no group can lose more.
bool remove_least(const Graph& prepared, const ChannelGroups& groups, const std::vector<double>& importance,
                  const std::vector<std::vector<double>>& sorted, std::int64_t now, Kept& kept) {
  std::optional<std::size_t> best;
  double best_price = 0;
  for (std::size_t g = 0; g < kept.size(); ++g) {
    const auto size = static_cast<std::int64_t>(sorted[g].size());
    // large groups lose several at a time, so that large networks take no longer than small ones
    const std::int64_t step = std::min(std::max<std::int64_t>(1, size / 64), kept[g] - 1);
    if (step < 1) continue;
    Kept fewer = kept;
    fewer[g] -= step;
    const std::int64_t saved = now - numbers_of(prepared, groups, importance, fewer);
    double lost = 0;
    for (std::int64_t i = size - kept[g]; i < size - fewer[g]; ++i) lost += nth(sorted[g], i);
    const double price = lost / static_cast<double>(std::max<std::int64_t>(saved, 1));
    if (best.has_value() && price >= best_price) continue;
    best = g;
    best_price = price;
  }
  if (!best.has_value()) return false;
  const auto size = static_cast<std::int64_t>(sorted[*best].size());
  kept[*best] -= std::min(std::max<std::int64_t>(1, size / 64), kept[*best] - 1);
  return true;
}

}  // namespace

CountedNumbers count_numbers(const Graph& prepared) {
  CountedNumbers counted;
  for (const Node& node : prepared.nodes) counted.weights += weights_of(node.op);
  counted.activations = Liveness(prepared).peak();
  return counted;
}

std::string name_of(PruningRule rule) { return rule == PruningRule::uniform ? "uniform" : "importance"; }

PruningRule parse_pruning_rule(const std::string& word) {
  if (word == "uniform") return PruningRule::uniform;
  if (word == "importance") return PruningRule::importance;
  throw bad_input("there is no pruning rule '{}'; it is uniform or importance", word);
}

KeptFilters choose_filters(const Graph& prepared, const ChannelGroups& groups, const std::vector<double>& importance,
                           PruningRule rule, std::int64_t numbers) {
  const auto count = [&](const Kept& kept) { return numbers_of(prepared, groups, importance, kept); };
  const Kept all = all_of(groups);
  const std::int64_t least = count(Kept(all.size(), 1));
  if (least > numbers)
    throw bound_not_met("{} has {} numbers even with one filter in every layer; {} are allowed", prepared.name, least,
                        numbers);
  Kept kept = all;
  if (rule == PruningRule::uniform) {
    constexpr int steps = 256;
    for (int share = steps; share >= 0 && count(kept) > numbers; --share)
      kept = share_of(groups, static_cast<double>(share) / steps);
  } else {
    const std::vector<std::vector<double>> sorted = sorted_importance(groups, importance);
    for (std::int64_t now = count(kept); now > numbers; now = count(kept)) {
      if (!remove_least(prepared, groups, importance, sorted, now, kept)) break;
    }
  }
  KeptFilters filters;
  for (std::size_t g = 0; g < kept.size(); ++g) {
    if (kept[g] < all[g]) filters[nth(prepared.nodes, groups.groups[g].nodes[0]).name] = kept[g];
  }
  return filters;
}

Graph prune_to(const Graph& prepared, const ChannelGroups& groups, const std::vector<double>& importance,
               const KeptFilters& kept) {
  Kept counts = all_of(groups);
  for (const auto& [name, count] : kept) {
    bool found = false;
    for (std::size_t g = 0; g < counts.size(); ++g) {
      if (nth(prepared.nodes, groups.groups[g].nodes[0]).name != name) continue;
      found = true;
      if (count < 1 || count > counts[g])
        throw bad_input("{} of {} filters of '{}' cannot stay", count, counts[g], name);
      counts[g] = count;
    }
    if (!found) throw bad_input("the node '{}' of {} leads no group of filters", name, prepared.name);
  }
  return prune(prepared, groups, most_important(groups, importance, counts));
}

}  // namespace trimtab
