#include "plan/prune.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "base/index.h"

namespace trimtab {
namespace {

using Indices = std::vector<std::int64_t>;

/// The tensor with these indices only of one of its dimensions (0 or 1).
Tensor pick(const Tensor& tensor, std::size_t dimension, const Indices& indices) {
  if (tensor.empty()) return tensor;
  std::int64_t outer = 1;
  std::int64_t inner = 1;
  for (std::size_t d = 0; d < tensor.shape.size(); ++d) (d < dimension ? outer : inner) *= tensor.shape[d];
  const std::int64_t size = tensor.shape[dimension];
  inner /= size;
  Tensor result{tensor.shape, {}};
  result.shape[dimension] = static_cast<std::int64_t>(indices.size());
  result.data.reserve(static_cast<std::size_t>(outer * result.shape[dimension] * inner));
  for (std::int64_t o = 0; o < outer; ++o) {
    for (const std::int64_t index : indices) {
      const auto first = tensor.data.begin() + (o * size + index) * inner;
      result.data.insert(result.data.end(), first, first + inner);
    }
  }
  return result;
}

class Pruning {
 public:
  Pruning(const Graph& graph, const ChannelGroups& groups, const std::vector<bool>& keep)
      : graph_(graph), groups_(groups), keep_(keep) {}

  Graph run() {
    for (Value& value : graph_.values) {
      value.shape[0] = static_cast<std::int64_t>(kept(static_cast<ValueId>(&value - graph_.values.data())).size());
    }
    for (Node& node : graph_.nodes) {
      const Indices inputs = kept(node.inputs.at(0));
      const Indices outputs = kept(node.output);
      const auto channels = static_cast<std::int64_t>(all(node.inputs[0]).size());
      std::visit(
          overloaded{[&](Conv& op) { slice(op, inputs, outputs, channels); },
                     [&](Linear& op) {
                       op.weight = pick(pick(op.weight, 0, outputs), 1, inputs);
                       op.bias = pick(op.bias, 0, outputs);
                     },
                     [&](BatchNormalization& op) {
                       for (Tensor* tensor : {&op.scale, &op.bias, &op.mean, &op.variance})
                         *tensor = pick(*tensor, 0, outputs);
                     },
                     [&](Affine& op) {
                       op.scale = pick(op.scale, 0, outputs);
                       op.offset = pick(op.offset, 0, outputs);
                     },
                     [&](Reshape& op) { op.shape[0] = static_cast<std::int64_t>(outputs.size()); }, [](auto&) {}},
          node.op);
    }
    validate(graph_);
    return std::move(graph_);
  }

 private:
  [[nodiscard]] const std::vector<UnitId>& all(ValueId value) const {
    return groups_.of_value.at(static_cast<std::size_t>(value));
  }
  /// Channels of a value that stay.
  [[nodiscard]] Indices kept(ValueId value) const {
    Indices indices;
    const std::vector<UnitId>& units = all(value);
    for (std::size_t c = 0; c < units.size(); ++c) {
      if (nth(keep_, units[c])) indices.push_back(static_cast<std::int64_t>(c));
    }
    return indices;
  }

  static void slice(Conv& op, const Indices& inputs, const Indices& outputs, std::int64_t channels) {
    op.weight = pick(op.weight, 0, outputs);
    op.bias = pick(op.bias, 0, outputs);
    op.padding_value = pick(op.padding_value, 0, inputs);
    if (op.weight.shape[1] == 1 && op.groups > 1) {  // depthwise
      op.groups = static_cast<std::int64_t>(inputs.size());
      return;
    }
    Indices of_group;  // the same of every group
    for (const std::int64_t index : inputs) {
      if (index < channels / op.groups) of_group.push_back(index);
    }
    op.weight = pick(op.weight, 1, of_group);
  }

  Graph graph_;
  const ChannelGroups& groups_;
  const std::vector<bool>& keep_;
};

}  // namespace

Graph prune(const Graph& graph, const ChannelGroups& groups, const std::vector<bool>& keep) {
  for (std::size_t u = 0; u < groups.units.size(); ++u) {
    if (!keep.at(u) && groups.units[u].group < 0)
      throw bad_input("a channel of {} is to be removed that its input, output or layout needs", graph.name);
  }
  for (const ChannelGroup& group : groups.groups) {
    if (std::none_of(group.units.begin(), group.units.end(), [&](UnitId unit) { return nth(keep, unit); })) {
      throw bad_input("layer '{}' of {} would lose all its filters", nth(graph.nodes, group.nodes[0]).name, graph.name);
    }
  }
  return Pruning(graph, groups, keep).run();
}

std::vector<bool> most_important(const ChannelGroups& groups, const std::vector<double>& importance,
                                 const std::vector<std::int64_t>& kept) {
  std::vector<bool> keep(groups.units.size(), true);
  for (std::size_t g = 0; g < groups.groups.size(); ++g) {
    std::vector<UnitId> units = groups.groups[g].units;
    std::stable_sort(units.begin(), units.end(),
                     [&](UnitId a, UnitId b) { return nth(importance, a) > nth(importance, b); });
    for (std::size_t i = static_cast<std::size_t>(std::max<std::int64_t>(kept.at(g), 1)); i < units.size(); ++i)
      nth(keep, units[i]) = false;
  }
  return keep;
}

std::int64_t round_filters(double filters, std::int64_t multiple, std::int64_t most) {
  const auto multiples = static_cast<std::int64_t>(std::floor(filters / static_cast<double>(multiple)));
  return std::min(std::max<std::int64_t>(multiples, 1) * multiple, most);
}

}  // namespace trimtab
