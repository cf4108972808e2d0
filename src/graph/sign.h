#pragma once

#include "graph/graph.h"

namespace trimtab {

/// Whether the operator makes values >= 0 whatever it reads.
[[nodiscard]] bool rectifies(const Operator& op);

/// Whether the operator makes values >= 0 from inputs that are all >= 0.
[[nodiscard]] bool keeps_sign(const Operator& op);

/// Whether the graph's own operators make the value >= 0 for any input. O(nodes).
[[nodiscard]] bool is_non_negative(const Graph& graph, ValueId value);

}  // namespace trimtab
