#include "plan/channel_groups.h"

#include <algorithm>
#include <cmath>
#include <map>

#include "base/error.h"
#include "base/index.h"
#include "plan/layers.h"

namespace trimtab {
namespace {

/// Union-find over channels while the network is walked through; the smaller number stands for a set.
class Ties {
 public:
  UnitId make() {
    parent_.push_back(static_cast<UnitId>(parent_.size()));
    fixed_.push_back(false);
    return parent_.back();
  }
  UnitId find(UnitId unit) {
    while (parent_[at(unit)] != unit) unit = parent_[at(unit)] = parent_[at(parent_[at(unit)])];
    return unit;
  }
  void tie(UnitId a, UnitId b) {
    a = find(a);
    b = find(b);
    if (a == b) return;
    if (b < a) std::swap(a, b);
    parent_[at(b)] = a;
    fixed_[at(a)] = fixed_[at(a)] || fixed_[at(b)];
  }
  void fix(UnitId unit) { fixed_[at(find(unit))] = true; }
  [[nodiscard]] bool is_fixed(UnitId unit) { return fixed_[at(find(unit))]; }

 private:
  static std::size_t at(UnitId unit) { return static_cast<std::size_t>(unit); }
  std::vector<UnitId> parent_;
  std::vector<bool> fixed_;
};

/// A channel made by a node, and the set it was put into.
struct Made {
  ChannelUnit::Filter filter;
  UnitId unit;
};

class Walk {
 public:
  explicit Walk(const Graph& graph) : graph_(graph), of_value_(graph.values.size()) {
    of(graph.input) = make(graph.input_shape()[0]);
    fix(graph.input);
    for (std::size_t i = 0; i < graph.nodes.size(); ++i) visit(static_cast<std::int64_t>(i));
    fix(graph.output);
  }

  ChannelGroups result() {
    ChannelGroups result;
    std::map<UnitId, UnitId> number;
    const auto number_of = [&](UnitId unit) {
      const auto [entry, is_new] = number.try_emplace(ties_.find(unit), static_cast<UnitId>(result.units.size()));
      if (is_new) result.units.emplace_back();
      return entry->second;
    };
    for (const std::vector<UnitId>& channels : of_value_) {
      std::vector<UnitId>& numbered = result.of_value.emplace_back();
      for (const UnitId unit : channels) numbered.push_back(number_of(unit));
    }
    for (const Made& made : made_) {
      const UnitId id = number_of(made.unit);
      nth(result.units, id).filters.push_back(made.filter);
    }
    std::vector<bool> fixed(result.units.size());
    for (const auto& [unit, id] : number) nth(fixed, id) = ties_.is_fixed(unit);
    std::map<std::vector<std::int64_t>, std::int32_t> by_nodes;
    for (const Made& made : made_) {
      const UnitId id = number_of(made.unit);
      ChannelUnit& unit = nth(result.units, id);
      if (nth(fixed, id) || unit.group >= 0) continue;
      std::vector<std::int64_t> nodes;
      for (const ChannelUnit::Filter& filter : unit.filters) nodes.push_back(filter.node);
      std::sort(nodes.begin(), nodes.end());
      nodes.erase(std::unique(nodes.begin(), nodes.end()), nodes.end());
      const auto [entry, is_new] = by_nodes.try_emplace(nodes, static_cast<std::int32_t>(result.groups.size()));
      if (is_new) result.groups.push_back({nodes, {}});
      unit.group = entry->second;
      nth(result.groups, unit.group).units.push_back(id);
    }
    return result;
  }

 private:
  std::vector<UnitId>& of(ValueId value) { return nth(of_value_, value); }

  std::vector<UnitId> make(std::int64_t count) {
    std::vector<UnitId> units;
    for (std::int64_t i = 0; i < count; ++i) units.push_back(ties_.make());
    return units;
  }
  void fix(ValueId value) {
    for (const UnitId unit : of(value)) ties_.fix(unit);
  }

  /// New channels of a Conv or Linear.
  std::vector<UnitId> filters(std::int64_t node, std::int64_t count) {
    std::vector<UnitId> units = make(count);
    for (std::int64_t c = 0; c < count; ++c) made_.push_back({{node, c}, nth(units, c)});
    return units;
  }
  /// Ties the channels at the same place of every group.
  void tie_groups(const std::vector<UnitId>& units, std::int64_t groups) {
    const std::size_t size = units.size() / static_cast<std::size_t>(groups);
    for (std::size_t c = size; c < units.size(); ++c) ties_.tie(units[c % size], units[c]);
  }

  std::vector<UnitId> convolve(const Conv& conv, std::int64_t node, const std::vector<UnitId>& input) {
    const std::int64_t outputs = conv.weight.shape[0];
    if (conv.groups == 1) return filters(node, outputs);
    if (conv.weight.shape[1] == 1) {  // depthwise: outputs follow their input
      std::vector<UnitId> units;
      const std::int64_t multiplier = outputs / conv.groups;
      for (std::int64_t c = 0; c < outputs; ++c) units.push_back(nth(input, c / multiplier));
      return units;
    }
    tie_groups(input, conv.groups);
    std::vector<UnitId> units = filters(node, outputs);
    tie_groups(units, conv.groups);
    return units;
  }

  std::vector<UnitId> reshape(ValueId from, const Shape& to) {
    const std::vector<UnitId> input = of(from);
    const std::int64_t pixels = element_count(graph_.shape_of(from)) / static_cast<std::int64_t>(input.size());
    if (element_count(to) == to[0]) {  // a vector, or an image of one pixel: every channel its pixels
      std::vector<UnitId> units;
      for (const UnitId unit : input) units.insert(units.end(), static_cast<std::size_t>(pixels), unit);
      return units;
    }
    if (to[0] == static_cast<std::int64_t>(input.size())) return input;
    return move(from, to);
  }

  /// Channels get parts of several: none of them can go.
  std::vector<UnitId> move(ValueId from, const Shape& to) {
    fix(from);
    std::vector<UnitId> units = make(to[0]);
    for (const UnitId unit : units) ties_.fix(unit);
    return units;
  }

  /// Which channels stand where decides the indices: none of them can go.
  std::vector<UnitId> gather(const Gather& op, const std::vector<UnitId>& input) {
    if (op.axis != 0) return input;
    for (const UnitId unit : input) ties_.fix(unit);
    std::vector<UnitId> units;
    for (const std::int64_t index : op.indices) units.push_back(nth(input, index));
    return units;
  }

  /// Element by element, or channel by channel.
  std::vector<UnitId> tied(const Node& node) {
    const std::vector<UnitId> first = of(node.inputs[0]);
    for (std::size_t i = 1; i < node.inputs.size(); ++i) {
      for (std::size_t c = 0; c < first.size(); ++c) ties_.tie(first[c], of(node.inputs[i])[c]);
    }
    return first;
  }

  void visit(std::int64_t index) {
    const Node& node = nth(graph_.nodes, index);
    const std::vector<UnitId> first = of(node.inputs.at(0));
    of(node.output) = std::visit(overloaded{[&](const Conv& op) { return convolve(op, index, first); },
                                            [&](const Linear& op) { return filters(index, op.weight.shape[0]); },
                                            [&](const Reshape& op) { return reshape(node.inputs[0], op.shape); },
                                            [&](const Gather& op) { return gather(op, first); },
                                            [&](const Permute& op) { return move(node.inputs[0], op.shape); },
                                            [&](const Concat& op) {
                                              if (op.axis != 0) return tied(node);
                                              std::vector<UnitId> units;
                                              for (const ValueId input : node.inputs)
                                                units.insert(units.end(), of(input).begin(), of(input).end());
                                              return units;
                                            },
                                            [&](const Softmax&) {
                                              fix(node.inputs[0]);
                                              return first;
                                            },
                                            [&](const auto&) { return tied(node); }},
                                 node.op);
  }

  const Graph& graph_;
  Ties ties_;
  std::vector<std::vector<UnitId>> of_value_;
  std::vector<Made> made_;
};

}  // namespace

ChannelGroups find_channel_groups(const Graph& graph) { return Walk(graph).result(); }

std::vector<std::int64_t> kept_of_plan(const Graph& graph, const ChannelGroups& groups, const Plan& plan,
                                       const std::string& source) {
  std::map<std::string, const LayerPlan*> by_name;
  for (const LayerPlan& layer : plan.layers) by_name[layer.layer] = &layer;
  std::vector<std::int64_t> kept(groups.groups.size(), 0);
  std::vector<std::string> said_by(groups.groups.size());
  struct Check {
    const LayerPlan* wanted;
    const std::vector<UnitId>* channels;
  };
  std::vector<Check> checks;
  for (const Layer& layer : fuse_layers(graph)) {
    const auto found = by_name.find(layer.name);
    if (found == by_name.end() || found->second->filters <= 0) continue;
    const LayerPlan& wanted = *found->second;
    const std::vector<UnitId>& channels = nth(groups.of_value, layer.output);
    const auto count = static_cast<std::int64_t>(channels.size());
    if (wanted.filters > count) {
      throw bad_input("{}, layer '{}': {} filters are to stay and it has {}", source, layer.name, wanted.filters,
                      count);
    }
    checks.push_back({&wanted, &channels});
    const std::int32_t group = nth(groups.units, channels[0]).group;
    const bool alone = group >= 0 && std::all_of(channels.begin(), channels.end(),
                                                 [&](UnitId unit) { return nth(groups.units, unit).group == group; });
    if (!alone) continue;
    const auto units = static_cast<std::int64_t>(nth(groups.groups, group).units.size());
    std::int64_t& stays = nth(kept, group);
    const std::int64_t share = wanted.filters * units / count;
    if (stays > 0 && stays != share) {
      throw bad_input(
          "{}, layer '{}': {} filters are to stay, but it is added to or follows layer '{}', which keeps {}", source,
          layer.name, wanted.filters, nth(said_by, group), stays);
    }
    stays = share;
    nth(said_by, group) = layer.name;
  }
  for (std::size_t g = 0; g < kept.size(); ++g) {
    if (said_by[g].empty()) kept[g] = static_cast<std::int64_t>(groups.groups[g].units.size());
  }
  // what several groups share, or nobody may remove, has to come out as it was said
  for (const Check& check : checks) {
    double stays = 0;
    for (const UnitId unit : *check.channels) {
      const std::int32_t group = nth(groups.units, unit).group;
      stays += group < 0 ? 1.0
                         : static_cast<double>(nth(kept, group)) /
                               static_cast<double>(nth(groups.groups, group).units.size());
    }
    if (std::llround(stays) != check.wanted->filters) {
      throw bad_input("{}, layer '{}': {} filters are to stay, but {} of its {} can or do", source, check.wanted->layer,
                      check.wanted->filters, std::llround(stays), check.channels->size());
    }
  }
  return kept;
}

}  // namespace trimtab
