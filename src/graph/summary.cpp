#include "graph/summary.h"

#include <algorithm>
#include <numeric>

#include "base/index.h"

namespace trimtab {
namespace {

/// Whether the node's output can take the place of its input: each element depends on that same element alone.
[[nodiscard]] bool can_run_in_place(const Operator& op) {
  return std::visit(overloaded{
                        [](const Conv&) { return false; },
                        [](const Linear&) { return false; },
                        [](const Pool&) { return false; },
                        [](const GlobalAveragePool&) { return false; },
                        [](const Concat&) { return false; },
                        [](const Pad&) { return false; },
                        [](const auto&) { return true; },
                    },
                    op);
}

/// Which values share memory: the representative of each, where operators run in place.
[[nodiscard]] std::vector<std::size_t> shared_buffers(const Graph& graph, const std::vector<std::int64_t>& last_read) {
  std::vector<std::size_t> buffer(graph.values.size());
  std::iota(buffer.begin(), buffer.end(), std::size_t{0});
  for (std::size_t i = 0; i < graph.nodes.size(); ++i) {
    const Node& node = graph.nodes[i];
    if (!can_run_in_place(node.op)) continue;
    for (const ValueId input : node.inputs) {
      const auto value = static_cast<std::size_t>(input);
      const bool dies = last_read[value] == static_cast<std::int64_t>(i);
      if (!dies || element_count(graph.shape_of(input)) != element_count(graph.shape_of(node.output))) continue;
      nth(buffer, node.output) = buffer[value];
      break;
    }
  }
  return buffer;
}

}  // namespace

GraphSummary summarize(const Graph& graph) {
  const auto end = static_cast<std::int64_t>(graph.nodes.size());
  std::vector<std::int64_t> last_read(graph.values.size(), -1);
  for (std::int64_t i = 0; i < end; ++i) {
    for (const ValueId input : nth(graph.nodes, i).inputs) {
      nth(last_read, input) = i;
    }
  }
  nth(last_read, graph.output) = end;

  // A buffer lives from its first value's making to its last value's last reading.
  const auto buffer = shared_buffers(graph, last_read);
  std::vector<std::int64_t> dies(graph.values.size(), -1);
  for (std::size_t value = 0; value < buffer.size(); ++value) {
    dies[buffer[value]] = std::max(dies[buffer[value]], last_read[value]);
  }

  GraphSummary summary;
  const auto bytes_of = [&](ValueId value) { return element_count(graph.shape_of(value)); };
  summary.activation_bytes = bytes_of(graph.input);
  std::vector<std::size_t> alive{static_cast<std::size_t>(graph.input)};
  for (std::int64_t i = 0; i < end; ++i) {
    const Node& node = nth(graph.nodes, i);
    const auto output = static_cast<std::size_t>(node.output);
    std::erase_if(alive, [&](std::size_t value) { return dies[value] < i; });
    if (buffer[output] == output) alive.push_back(output);
    NodeSummary& item = summary.nodes.emplace_back();
    item.name = node.name;
    item.type = operator_name(node.op);
    item.output = graph.shape_of(node.output);
    item.parameters = parameter_count(node);
    item.multiply_accumulates = multiply_accumulates(graph, node);
    item.weight_bytes = item.parameters * static_cast<std::int64_t>(sizeof(float));
    item.activation_bytes = bytes_of(node.output);
    for (const std::size_t value : alive) item.live_bytes += bytes_of(static_cast<ValueId>(value));
    summary.parameters += item.parameters;
    summary.multiply_accumulates += item.multiply_accumulates;
    summary.weight_bytes += item.weight_bytes;
    summary.activation_bytes += item.activation_bytes;
    if (item.live_bytes > summary.peak_ram_bytes) {
      summary.peak_ram_bytes = item.live_bytes;
      summary.peak_node = item.name;
    }
  }
  return summary;
}

}  // namespace trimtab
