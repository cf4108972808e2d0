#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "data/dataset.h"
#include "graph/channel_ranges.h"
#include "graph/graph.h"

namespace trimtab {

/// A network without what its outputs do not need, and how much that was.
struct CleanUp {
  Graph graph;
  std::int64_t filters = 0;  ///< before: output channels of all Convs and Linears, depthwise ones included
  std::int64_t removed_filters = 0;
  std::int64_t weights = 0;  ///< before
  std::int64_t removed_weights = 0;
  std::int64_t removed_nodes = 0;  ///< that change nothing, or do what another does

  [[nodiscard]] bool is_empty() const { return removed_filters == 0 && removed_nodes == 0; }
};

/// Removes what cannot change the outputs for any input within `input` (a range per channel), so that they stay what
/// they were up to the rounding of float32:
///   - operators that change nothing, and those that do what another one does to the same value;
///   - channels that nobody reads or that are constant (graph/channel_ranges.h) wherever they are read, all of a unit
///     (plan/channel_groups.h) together. A constant goes into the biases of the layers that read it. Under padding
///     these differ at the border, so a channel stays there unless the padding has its constant.
/// Of every group at least one unit stays. `prepared` comes from prepare_for_deployment.
[[nodiscard]] CleanUp clean_up(const Graph& prepared, const std::vector<Range>& input);

/// The range of a prepared network's input, by channel: pixels, else what the network itself says of its input.
[[nodiscard]] std::vector<Range> input_ranges(const Graph& prepared, const Dataset& samples);

/// "removed 978 dead filters of 2,736, 86 % of the weights; outputs differ by at most 2.4e-07".
[[nodiscard]] std::string describe(const CleanUp& clean_up, double difference);

}  // namespace trimtab
