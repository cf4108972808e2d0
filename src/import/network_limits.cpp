#include "import/network_limits.h"

#include <unistd.h>

#include <algorithm>
#include <span>
#include <variant>

#include "base/error.h"

namespace trimtab {
namespace {

constexpr std::int64_t longest_step = 65535;                        ///< of a window, in rows or columns
constexpr std::int64_t most_numbers = (std::int64_t{1} << 31) - 1;  ///< of a map

void check_steps(const Node& node, const char* what, std::span<const std::int64_t> steps) {
  for (const std::int64_t step : steps) {
    if (step > longest_step) {
      throw bad_input("the layer '{}' has a {} of {}; at most {} are taken", node.name, what, step, longest_step);
    }
  }
}

void check_padding(const Node& node, const Padding& padding) {
  const std::int64_t sides[] = {padding.top, padding.left, padding.bottom, padding.right};
  check_steps(node, "padding", sides);
}

}  // namespace

std::int64_t machine_memory_bytes() {
  return static_cast<std::int64_t>(::sysconf(_SC_PHYS_PAGES)) * static_cast<std::int64_t>(::sysconf(_SC_PAGESIZE));
}

void check_network_limits(const Graph& graph, std::int64_t memory_bytes) {
  const std::int64_t memory = memory_bytes > 0 ? memory_bytes : machine_memory_bytes() / 4;
  for (const Node& node : graph.nodes) {
    if (const auto* conv = std::get_if<Conv>(&node.op)) {
      check_steps(node, "stride", conv->stride);
      check_steps(node, "dilation", conv->dilation);
      check_padding(node, conv->padding);
    } else if (const auto* pool = std::get_if<Pool>(&node.op)) {
      check_steps(node, "window", pool->kernel);
      check_steps(node, "stride", pool->stride);
      check_steps(node, "dilation", pool->dilation);
      check_padding(node, pool->padding);
    } else if (const auto* pad = std::get_if<Pad>(&node.op)) {
      check_padding(node, pad->padding);
    }
    const std::int64_t output = element_count(graph.shape_of(node.output));
    std::int64_t numbers = output;
    for (const ValueId input : node.inputs) numbers += element_count(graph.shape_of(input));
    if (output > most_numbers) {
      throw bad_input("the layer '{}' makes a map of {}, {} numbers; at most {} are taken", node.name,
                      to_string(graph.shape_of(node.output)), output, most_numbers);
    }
    if (numbers > memory / 4) {
      throw bad_input(
          "the layer '{}' needs {} bytes for the maps of one sample; --memory-limit allows {}, by default a quarter "
          "of what the machine has",
          node.name, 4 * numbers, memory);
    }
  }
}

}  // namespace trimtab
