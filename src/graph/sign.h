#pragma once

#include <vector>

#include "graph/graph.h"

namespace trimtab {

/// By ValueId, whether the graph's own operators make the value >= 0 for any input. O(nodes).
[[nodiscard]] std::vector<bool> non_negative_values(const Graph& graph);

}  // namespace trimtab
