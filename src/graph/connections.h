#pragma once

#include <cstdint>
#include <vector>

#include "graph/graph.h"

namespace trimtab {

/// Who makes and who reads every value of a graph, found in one walk over its nodes. It answers what the graph's own
/// functions answer, which walk over all nodes for every question.
class Connections {
 public:
  explicit Connections(const Graph& graph);

  /// Index of the node that makes the value, or -1.
  [[nodiscard]] std::int64_t producer(ValueId value) const;
  /// Indices of the nodes that read the value, rising.
  [[nodiscard]] const std::vector<std::int64_t>& consumers(ValueId value) const;
  /// Index of the node that alone reads the value, or -1 where none or several do or it is the graph's output.
  [[nodiscard]] std::int64_t only_consumer(ValueId value) const;

  /// A pass has made a node that read `from` a reader of `to`.
  void redirect(std::int64_t node, ValueId from, ValueId to);

 private:
  ValueId output_;
  std::vector<std::int64_t> producer_;
  std::vector<std::vector<std::int64_t>> consumers_;
};

}  // namespace trimtab
