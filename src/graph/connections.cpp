#include "graph/connections.h"

#include <algorithm>

#include "base/index.h"

namespace trimtab {
namespace {

void insert(std::vector<std::int64_t>& rising, std::int64_t node) {
  const auto place = std::lower_bound(rising.begin(), rising.end(), node);
  if (place == rising.end() || *place != node) rising.insert(place, node);
}

}  // namespace

Connections::Connections(const Graph& graph)
    : output_(graph.output), producer_(graph.values.size(), -1), consumers_(graph.values.size()) {
  for (std::size_t i = 0; i < graph.nodes.size(); ++i) {
    const auto node = static_cast<std::int64_t>(i);
    for (const ValueId input : graph.nodes[i].inputs) insert(nth(consumers_, input), node);
    std::int64_t& producer = nth(producer_, graph.nodes[i].output);
    if (producer < 0) producer = node;
  }
}

std::int64_t Connections::producer(ValueId value) const { return nth(producer_, value); }

const std::vector<std::int64_t>& Connections::consumers(ValueId value) const { return nth(consumers_, value); }

std::int64_t Connections::only_consumer(ValueId value) const {
  const std::vector<std::int64_t>& readers = consumers(value);
  return readers.size() == 1 && value != output_ ? readers[0] : -1;
}

void Connections::redirect(std::int64_t node, ValueId from, ValueId to) {
  std::erase(nth(consumers_, from), node);
  insert(nth(consumers_, to), node);
}

}  // namespace trimtab
