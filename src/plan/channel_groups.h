#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "graph/graph.h"
#include "plan/plan.h"

namespace trimtab {

/// Index into ChannelGroups::units.
using UnitId = std::int32_t;

/// Channels that can only be removed together: those that an addition, a product or a grouped convolution ties to each
/// other, wherever in the network they are.
struct ChannelUnit {
  /// An output channel of a Conv or Linear that makes new numbers (not of a depthwise Conv, which follows its input).
  struct Filter {
    std::int64_t node = -1;  ///< index into Graph::nodes
    std::int64_t channel = 0;
  };
  std::vector<Filter> filters;
  std::int32_t group =
      -1;  ///< index into ChannelGroups::groups; -1: it has to stay (the network's input or output, ...)
};

/// Units that the same nodes make: how many of them stay is one decision.
struct ChannelGroup {
  std::vector<std::int64_t> nodes;  ///< the Convs and Linears that make them, in the order of execution
  std::vector<UnitId> units;        ///< in the order of the first node's channels
};

/// The channels of a network that must be pruned together.
struct ChannelGroups {
  std::vector<ChannelUnit> units;
  std::vector<ChannelGroup> groups;
  std::vector<std::vector<UnitId>> of_value;  ///< by ValueId: the unit of every channel (dimension 0 of the shape)
};

/// Finds them for any valid graph: residual additions and products tie the channels of their inputs, a depthwise
/// convolution its outputs to its inputs, a grouped one the channels at the same place of every group (so that the
/// groups stay equal), a concatenation puts channels in a row, a flatten repeats each for its pixels. Fixed are the
/// network's input and output, what a Softmax reads and what a Reshape scatters in any other way.
[[nodiscard]] ChannelGroups find_channel_groups(const Graph& graph);

/// How many units of every group a plan leaves, by group: `filters` of the nodes' layers (0: all). Throws Error (bad
/// input), naming `source` and the layer, where layers of one group are given different numbers, more than there are,
/// or a layer whose channels cannot be removed is given fewer than it has.
[[nodiscard]] std::vector<std::int64_t> kept_of_plan(const Graph& graph, const ChannelGroups& groups, const Plan& plan,
                                                     const std::string& source);

}  // namespace trimtab
