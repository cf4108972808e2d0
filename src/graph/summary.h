#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "graph/graph.h"

namespace trimtab {

/// One node of a network, and its costs.
struct NodeSummary {
  std::string name;
  std::string type;  ///< see operator_name
  Shape output;
  std::int64_t parameters = 0;
  std::int64_t multiply_accumulates = 0;
  std::int64_t weight_bytes = 0;      ///< as float32
  std::int64_t activation_bytes = 0;  ///< of the output, at 8 bits
  std::int64_t live_bytes = 0;        ///< all values alive while the node runs, at 8 bits
};

struct GraphSummary {
  std::vector<NodeSummary> nodes;
  std::int64_t parameters = 0;
  std::int64_t multiply_accumulates = 0;
  std::int64_t weight_bytes = 0;
  std::int64_t activation_bytes = 0;  ///< all values including the network's input, at 8 bits
  /// The most bytes alive at once, at 8 bits per activation: no order of buffers needs less, unless operators run in
  /// place or in parts. Operators that a device always merges into the one before (element by element, alone reading
  /// its output) and Reshapes are in place here, so this is a lower bound for programs that run whole operators.
  std::int64_t peak_ram_bytes = 0;
  std::string peak_node;  ///< where that is
};

/// Prices every node of a valid graph, one sample at a time.
[[nodiscard]] GraphSummary summarize(const Graph& graph);

}  // namespace trimtab
