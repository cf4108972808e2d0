#pragma once

#include <limits>
#include <vector>

#include "graph/graph.h"

namespace trimtab {

/// The range of a channel's numbers: low <= x <= high. Either end may be infinite.
struct Range {
  double low = -std::numeric_limits<double>::infinity();
  double high = std::numeric_limits<double>::infinity();

  [[nodiscard]] bool is_constant() const { return low == high; }
  bool operator==(const Range&) const = default;
};

/// By ValueId, then by channel (dimension 0 of the shape): ranges that hold for every input within `input`, proved by
/// interval arithmetic in double precision, up to the rounding of the network itself. `graph` is valid, `input` has a
/// range for every channel of its input.
[[nodiscard]] std::vector<std::vector<Range>> find_channel_ranges(const Graph& graph, const std::vector<Range>& input);

}  // namespace trimtab
