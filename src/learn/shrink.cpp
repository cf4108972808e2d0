#include "learn/shrink.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <memory>

#include "base/index.h"
#include "learn/recover.h"
#include "plan/prune.h"

namespace trimtab {

namespace {

std::int64_t weight_count(const Graph& graph) {
  std::int64_t count = 0;
  for (const Node& node : graph.nodes) {
    if (weight_of(node.op) != nullptr) count += parameter_count(node);
  }
  return count;
}

/// Weights that a unit brings: of its filters and of whatever reads it, as long as nothing else is removed.
std::vector<double> weights_of_units(const Graph& graph, const ChannelGroups& groups) {
  std::vector<double> weights(groups.units.size(), 0.0);
  for (std::size_t i = 0; i < graph.nodes.size(); ++i) {
    const Node& node = graph.nodes[i];
    const auto* conv = std::get_if<Conv>(&node.op);
    const auto* linear = std::get_if<Linear>(&node.op);
    if (conv == nullptr && linear == nullptr) {
      continue;
    }
    const Tensor& weight = conv != nullptr ? conv->weight : linear->weight;
    const auto count = static_cast<double>(element_count(weight.shape));
    const auto& outputs = nth(groups.of_value, node.output);
    for (const UnitId unit : outputs) {
      nth(weights, unit) += count / static_cast<double>(outputs.size());
    }
    if (conv != nullptr && conv->groups > 1 && weight.shape[1] == 1) {
      continue;  // depthwise: its outputs are its inputs
    }
    const auto& inputs = nth(groups.of_value, node.inputs[0]);
    for (const UnitId unit : inputs) {
      nth(weights, unit) += count / static_cast<double>(inputs.size());
    }
  }
  return weights;
}

}  // namespace

Graph shrink(const Graph& prepared, const std::vector<std::int64_t>& kept, const Dataset& train_data,
             const Dataset& test_data, const ShrinkOptions& options) {
  const auto teacher = std::make_shared<const Graph>(prepared);
  const std::int64_t epochs = options.recovery.epochs;
  const std::int64_t steps =
      std::clamp<std::int64_t>(options.steps, 1, std::max<std::int64_t>(epochs, 1));  // each portion is trained
  Graph graph = prepared;
  for (std::int64_t step = 1; step <= steps; ++step) {
    const ChannelGroups groups = find_channel_groups(graph);
    std::vector<std::int64_t> now;
    bool smaller = false;
    for (std::size_t g = 0; g < groups.groups.size(); ++g) {
      const auto size = static_cast<std::int64_t>(groups.groups[g].units.size());
      now.push_back(kept.at(g) + (size - kept[g]) * (steps - step) / (steps - step + 1));
      smaller = smaller || now.back() < size;
    }
    if (!smaller) {
      continue;
    }
    graph = prune(graph, groups,
                  most_important(groups, unit_importance(graph, groups, train_data, options.importance), now));
    TrainOptions recovery = options.recovery;
    recovery.epochs = epochs * step / steps - epochs * (step - 1) / steps;
    recovery.seed = options.recovery.seed + static_cast<std::uint64_t>(step) - 1;
    if (!recovery.checkpoint.empty()) {
      recovery.checkpoint += fmt::format(".{}", step);
    }
    if (!recovery.log.empty()) {
      recovery.log.replace_filename(fmt::format("{}.{}.csv", recovery.log.stem().string(), step));
    }
    if (recovery.epochs > 0) {
      graph = recover(graph, teacher, train_data, test_data, recovery).graph;
    }
  }
  return graph;
}

std::vector<std::int64_t> allocate_widths(const Graph& prepared, const ChannelGroups& groups,
                                          const std::vector<double>& importance, double share, std::int64_t multiple) {
  const std::vector<double> weights = weights_of_units(prepared, groups);
  // of every group: what its units are worth per weight, the best first
  std::vector<std::vector<double>> worth;
  for (const ChannelGroup& group : groups.groups) {
    std::vector<double>& own = worth.emplace_back();
    for (const UnitId unit : group.units) {
      const auto u = static_cast<std::size_t>(unit);
      own.push_back(importance[u] / std::max(weights[u], 1.0));
    }
    std::sort(own.begin(), own.end(), std::greater<>());
  }
  const auto widths_at = [&](double least) {
    std::vector<std::int64_t> kept;
    for (const std::vector<double>& own : worth) {
      const auto above = static_cast<double>(
          std::find_if(own.begin(), own.end(), [&](double unit) { return unit < least; }) - own.begin());
      const auto size = static_cast<std::int64_t>(own.size());
      kept.push_back(round_filters(
          std::max(above, std::ceil(static_cast<double>(size) / 4)) + static_cast<double>(multiple) / 2 - 0.5, multiple,
          size));
    }
    return kept;
  };
  const std::vector<double> any(groups.units.size(), 1.0);
  const auto share_at = [&](const std::vector<std::int64_t>& kept) {
    return static_cast<double>(weight_count(prune(prepared, groups, most_important(groups, any, kept)))) /
           static_cast<double>(weight_count(prepared));
  };
  double low = -60;  // exponents of two of the least worth that stays
  double high = 60;
  for (int i = 0; i < 40; ++i) {
    const double middle = (low + high) / 2;
    (share_at(widths_at(std::exp2(middle))) > share ? low : high) = middle;
  }
  return widths_at(std::exp2(high));
}

std::vector<std::int64_t> uniform_widths(const ChannelGroups& groups, double share, std::int64_t multiple) {
  std::vector<std::int64_t> kept;
  for (const ChannelGroup& group : groups.groups) {
    const auto size = static_cast<std::int64_t>(group.units.size());
    kept.push_back(
        round_filters(static_cast<double>(size) * share + static_cast<double>(multiple) / 2 - 0.5, multiple, size));
  }
  return kept;
}

}  // namespace trimtab
