#include "plan/clean_up.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "base/index.h"
#include "base/units.h"
#include "graph/passes.h"
#include "plan/channel_groups.h"
#include "plan/prune.h"

namespace trimtab {
namespace {

/// A Conv or Linear whose outputs sum over several input channels.
struct Summing {
  Tensor* weight;
  Tensor* bias;
  const Conv* conv;  ///< null for a Linear

  [[nodiscard]] std::int64_t inputs_of_group() const { return weight->shape[1]; }
  [[nodiscard]] std::int64_t window() const {
    return element_count(weight->shape) / weight->shape[0] / weight->shape[1];
  }
  /// The first filter that reads an input channel, and how many do.
  [[nodiscard]] std::pair<std::int64_t, std::int64_t> filters_of(std::int64_t channel) const {
    const std::int64_t count = weight->shape[0] / (conv == nullptr ? 1 : conv->groups);
    return {channel / inputs_of_group() * count, count};
  }
  /// The weights of a filter for an input channel.
  [[nodiscard]] std::span<const float> window_of(std::int64_t filter, std::int64_t channel) const {
    const std::int64_t first = (filter * inputs_of_group() + channel % inputs_of_group()) * window();
    return std::span(weight->data).subspan(static_cast<std::size_t>(first), static_cast<std::size_t>(window()));
  }
  [[nodiscard]] bool reads(std::int64_t channel) const {
    const auto [first, count] = filters_of(channel);
    for (std::int64_t o = first; o < first + count; ++o) {
      if (std::ranges::any_of(window_of(o, channel), [](float w) { return w != 0; })) return true;
    }
    return false;
  }
  /// Whether the channel's constant can go into the biases.
  [[nodiscard]] bool absorbs(std::int64_t channel, double constant) const {
    if (conv == nullptr || conv->padding == Padding{}) return true;
    return constant == (conv->padding_value.empty() ? 0.0 : double{nth(conv->padding_value.data, channel)});
  }
};

[[nodiscard]] std::optional<Summing> summing_layer(Node& node) {
  if (auto* linear = std::get_if<Linear>(&node.op)) return Summing{&linear->weight, &linear->bias, nullptr};
  auto* conv = std::get_if<Conv>(&node.op);
  if (conv == nullptr || (conv->groups > 1 && conv->weight.shape[1] == 1)) return std::nullopt;
  return Summing{&conv->weight, &conv->bias, conv};
}

/// Puts what the removed channels of its input make into the biases of a layer.
void absorb(const Summing& reader, const std::vector<UnitId>& units, const std::vector<bool>& keep,
            const std::vector<Range>& ranges) {
  const std::int64_t outputs = reader.weight->shape[0];
  std::vector<double> bias(reader.bias->data.begin(), reader.bias->data.end());
  bias.resize(static_cast<std::size_t>(outputs), 0.0);
  bool changed = false;
  for (std::size_t c = 0; c < units.size(); ++c) {
    const auto channel = static_cast<std::int64_t>(c);
    if (nth(keep, units[c]) || !reader.reads(channel)) continue;
    changed = true;
    const auto [first, count] = reader.filters_of(channel);
    for (std::int64_t o = first; o < first + count; ++o) {
      for (const float w : reader.window_of(o, channel)) nth(bias, o) += w * ranges[c].low;
    }
  }
  if (!changed) return;
  *reader.bias = {{outputs}, {}};
  for (const double b : bias) reader.bias->data.push_back(static_cast<float>(b));
}

/// The units that stay: those that some layer needs to read, and the first of a group that would lose all.
[[nodiscard]] std::vector<bool> needed_units(Graph& graph, const ChannelGroups& groups,
                                             const std::vector<std::vector<Range>>& ranges) {
  std::vector<bool> keep(groups.units.size());
  for (std::size_t u = 0; u < keep.size(); ++u) keep[u] = groups.units[u].group < 0;
  for (Node& node : graph.nodes) {
    const std::optional<Summing> reader = summing_layer(node);
    if (!reader.has_value()) continue;
    const std::vector<UnitId>& units = nth(groups.of_value, node.inputs[0]);
    const std::vector<Range>& of_input = nth(ranges, node.inputs[0]);
    for (std::size_t c = 0; c < units.size(); ++c) {
      const auto channel = static_cast<std::int64_t>(c);
      if (nth(keep, units[c]) || !reader->reads(channel)) continue;
      if (!of_input[c].is_constant() || !reader->absorbs(channel, of_input[c].low)) nth(keep, units[c]) = true;
    }
  }
  for (const ChannelGroup& group : groups.groups) {
    const bool some = std::ranges::any_of(group.units, [&](UnitId unit) { return nth(keep, unit); });
    if (!some) nth(keep, group.units.front()) = true;
  }
  return keep;
}

/// One round. False where nothing can go.
[[nodiscard]] bool remove_dead_channels(Graph& graph, const std::vector<Range>& input) {
  const ChannelGroups groups = find_channel_groups(graph);
  const std::vector<std::vector<Range>> ranges = find_channel_ranges(graph, input);
  const std::vector<bool> keep = needed_units(graph, groups, ranges);
  if (std::ranges::find(keep, false) == keep.end()) return false;
  for (Node& node : graph.nodes) {
    const std::optional<Summing> reader = summing_layer(node);
    if (!reader.has_value()) continue;
    absorb(*reader, nth(groups.of_value, node.inputs[0]), keep, nth(ranges, node.inputs[0]));
  }
  graph = prune(graph, groups, keep);
  return true;
}

struct Size {
  std::int64_t filters = 0;
  std::int64_t weights = 0;
};

[[nodiscard]] Size size_of(const Graph& graph) {
  Size size;
  for (const Node& node : graph.nodes) {
    const Tensor* weight = weight_of(node.op);
    if (weight == nullptr) continue;
    size.filters += weight->shape[0];
    size.weights += std::ssize(weight->data);
  }
  return size;
}

}  // namespace

CleanUp clean_up(const Graph& prepared, const std::vector<Range>& input) {
  const Size before = size_of(prepared);
  CleanUp result{merge_equal(prepared), before.filters, 0, before.weights, 0, 0};
  result.removed_nodes = std::ssize(prepared.nodes) - std::ssize(result.graph.nodes);
  while (remove_dead_channels(result.graph, input)) {
  }
  const Size after = size_of(result.graph);
  result.removed_filters = before.filters - after.filters;
  result.removed_weights = before.weights - after.weights;
  return result;
}

std::vector<Range> input_ranges(const Graph& prepared, const Dataset& samples) {
  Range range;
  if (samples.is_pixels()) {
    range = {0, 255};
  } else if (const auto& grid = nth(prepared.values, prepared.input).grid; grid.has_value()) {
    range = {double{grid->scale} * (grid->minimum() - grid->zero_point),
             double{grid->scale} * (grid->maximum() - grid->zero_point)};
  }
  return std::vector<Range>(static_cast<std::size_t>(prepared.input_shape()[0]), range);
}

std::string describe(const CleanUp& clean_up, double difference) {
  std::string text;
  if (clean_up.removed_filters > 0) {
    text = fmt::format("{} dead filters of {}, {:.0f} % of the weights", format_count(clean_up.removed_filters),
                       format_count(clean_up.filters),
                       100.0 * static_cast<double>(clean_up.removed_weights) / static_cast<double>(clean_up.weights));
  }
  if (clean_up.removed_nodes > 0) {
    text += fmt::format("{}{} operators without effect", text.empty() ? "" : ", and ", clean_up.removed_nodes);
  }
  return fmt::format("removed {}; outputs differ by at most {:.2g}", text, difference);
}

}  // namespace trimtab
