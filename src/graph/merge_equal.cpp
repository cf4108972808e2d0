#include <algorithm>
#include <limits>
#include <map>
#include <numeric>
#include <vector>

#include "base/index.h"
#include "graph/passes.h"

namespace trimtab {
namespace {

[[nodiscard]] bool counts_up(const std::vector<std::int64_t>& numbers) {
  std::vector<std::int64_t> expected(numbers.size());
  std::iota(expected.begin(), expected.end(), 0);
  return numbers == expected;
}

[[nodiscard]] bool all_are(const Tensor& tensor, float value) {
  return std::all_of(tensor.data.begin(), tensor.data.end(), [value](float x) { return x == value; });
}

/// Whether the operator gives back its first input, of that shape. `before` makes the input; null for the network's.
[[nodiscard]] bool changes_nothing(const Operator& op, const Shape& from, const Shape& to, const Operator* before) {
  constexpr float endless = std::numeric_limits<float>::infinity();
  if (from != to) return false;
  return std::visit(
      overloaded{[](const Affine& f) { return all_are(f.scale, 1) && all_are(f.offset, 0); },
                 [&](const Relu&) {
                   const auto* clip = before == nullptr ? nullptr : std::get_if<Clip>(before);
                   return before != nullptr && (*before == op || (clip != nullptr && clip->low >= 0));
                 },
                 [&](const Clip& f) {
                   return (f.low == -endless && f.high == endless) || (before != nullptr && *before == op);
                 },
                 [](const LeakyRelu& f) { return f.alpha == 1; },
                 [](const Pool& pool) {
                   return pool.kernel == std::array<std::int64_t, 2>{1, 1};
                 },
                 [](const GlobalAveragePool&) { return true; }, [](const Concat&) { return true; },
                 [](const Reshape&) { return true; }, [](const Pad&) { return true; },
                 [](const Gather& gather) { return counts_up(gather.indices); },
                 [](const Permute& permute) { return counts_up(permute.order); }, [](const auto&) { return false; }},
      op);
}

}  // namespace

Graph merge_equal(Graph graph) {
  std::vector<ValueId> same(graph.values.size());  // by value: the value that has its numbers
  std::iota(same.begin(), same.end(), 0);
  std::map<ValueId, const Operator*> maker;
  std::map<std::vector<ValueId>, std::vector<const Node*>> readers;
  for (Node& node : graph.nodes) {
    for (ValueId& input : node.inputs) input = nth(same, input);
    const ValueId first = node.inputs[0];
    const auto before = maker.find(first);
    // where a network has grids of its own, another grid is a change
    const auto& grid = nth(graph.values, node.output).grid;
    const bool same_grid = !grid.has_value() || grid == nth(graph.values, first).grid;
    if (same_grid && changes_nothing(node.op, graph.shape_of(first), graph.shape_of(node.output),
                                     before == maker.end() ? nullptr : before->second)) {
      nth(same, node.output) = first;
      continue;
    }
    std::vector<const Node*>& others = readers[node.inputs];
    const auto equal = std::find_if(others.begin(), others.end(), [&](const Node* other) {
      return other->op == node.op && nth(graph.values, other->output).grid == grid;
    });
    if (equal != others.end()) {
      nth(same, node.output) = (*equal)->output;
      continue;
    }
    others.push_back(&node);
    maker[node.output] = &node.op;
  }
  if (nth(same, graph.output) != graph.input) graph.output = nth(same, graph.output);
  return remove_unused(std::move(graph));
}

}  // namespace trimtab
