#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "graph/graph.h"
#include "plan/channel_groups.h"
#include "plan/plan.h"

namespace trimtab {

/// The numbers that a network keeps in memory, all of the same width: the accounting of the published experiment.
struct CountedNumbers {
  std::int64_t weights = 0;  ///< with biases; BatchNormalization folded
  std::int64_t activations = 0;
  [[nodiscard]] std::int64_t total() const { return weights + activations; }
  /// At so many bits each, rounded up to whole bytes.
  [[nodiscard]] std::int64_t bytes(int bits) const { return dense_bytes(total(), bits); }
};

/// Counts a prepared graph. `activations` is the most that are alive at once. A layer's output lives together with its
/// inputs, with whatever is read later, and with the output of the pool that alone follows it. Caffe's cifar10_quick
/// has 89,578 weights and biases; input 3,072 + first convolution's output 32,768 + its pooled output 8,192.
[[nodiscard]] CountedNumbers count_numbers(const Graph& prepared);

/// How filters are chosen.
enum class PruningRule {
  uniform,    ///< the same share of every group; the most important of each stay
  importance  ///< the filters with the least importance for the numbers they take go first, wherever they are
};
[[nodiscard]] std::string name_of(PruningRule rule);
/// "uniform" or "importance". Throws Error (bad input) for another word.
[[nodiscard]] PruningRule parse_pruning_rule(const std::string& word);

/// Filters that stay, by the name of the node that makes a group first. Groups that keep all are not named.
using KeptFilters = std::map<std::string, std::int64_t>;

/// The most filters, by the rule, with which the pruned graph has at most `numbers`. `importance` is by UnitId and
/// comparable between groups (taylor). Throws Error (bound not met), with the least that can be reached, where even one
/// filter per group is too many.
[[nodiscard]] KeptFilters choose_filters(const Graph& prepared, const ChannelGroups& groups,
                                         const std::vector<double>& importance, PruningRule rule, std::int64_t numbers);

/// The graph with the most important filters of every group, as many as `kept` says. Throws Error (bad input) for a
/// node that leads no group.
[[nodiscard]] Graph prune_to(const Graph& prepared, const ChannelGroups& groups, const std::vector<double>& importance,
                             const KeptFilters& kept);

}  // namespace trimtab
