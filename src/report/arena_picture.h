#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "report/markup.h"

namespace trimtab {

/// A value in the working memory, or scratch memory.
struct ArenaValue {
  /// `bytes` from `offset` on, from one operation to another, both included.
  struct Use {
    double offset = 0;
    double bytes = 0;
    std::int64_t first = 0;
    std::int64_t last = 0;
  };
  std::string name;
  std::string layer;  ///< that makes it
  bool scratch = false;
  std::vector<Use> uses;
};

/// The working memory over the operations of one inference.
struct ArenaMap {
  double bytes = 0;
  std::vector<std::string> operations;  ///< by operation: its layer
  std::vector<ArenaValue> values;
};

/// The operation at which the most bytes are in use; each byte counts once, where values lie over each other.
struct FullestOperation {
  std::size_t operation = 0;
  double bytes = 0;
  std::vector<std::pair<std::string, double>> alive;  ///< the values and their bytes, the largest first
};
[[nodiscard]] FullestOperation fullest_operation(const ArenaMap& map);

/// Addresses over operations, a colour for every value, and the fullest operation marked.
[[nodiscard]] Markup arena_picture(const ArenaMap& map, const FullestOperation& fullest);

}  // namespace trimtab
