#pragma once

#include <string>
#include <vector>

#include "graph/graph.h"

namespace trimtab {

/// Answers to questions that a file leaves open about its network.
struct ImportOptions {
  Shape input_shape{};  ///< the input's dimensions behind the batch, as the file orders them; empty: the file's own
  /// Names of the outputs to keep; several are joined in one vector (Graph::parts). Empty: the only one.
  std::vector<std::string> outputs{};
};

/// Why a network cannot be read.
struct Obstacle {
  std::string node;           ///< empty: the network as a whole
  std::string operator_name;  ///< empty: the network as a whole
  std::string reason;         ///< a sentence that names the node
};

}  // namespace trimtab
