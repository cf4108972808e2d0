#include "plan/plan.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <set>
#include <sstream>

#include "base/error.h"
#include "base/toml_file.h"
#include "plan/layers.h"

namespace trimtab {
namespace {

template <typename Layers>
auto* find_in(Layers& layers, std::string_view name) {
  const auto found =
      std::find_if(layers.begin(), layers.end(), [&](const LayerPlan& candidate) { return candidate.layer == name; });
  return found == layers.end() ? nullptr : &*found;
}

void check_bits(int weight_bits, int activation_bits, const std::string& where) {
  if ((weight_bits < 2 || weight_bits > 8) && weight_bits != 16) {
    throw bad_input("{} has {} weight bits; 2 to 8 and 16 can be deployed", where, weight_bits);
  }
  constexpr std::array<int, 4> widths{2, 4, 8, 16};
  if (std::find(widths.begin(), widths.end(), activation_bits) == widths.end()) {
    throw bad_input("{} has {} activation bits; 2, 4, 8 and 16 can be deployed", where, activation_bits);
  }
}

std::int64_t integer(const toml::node& node, const std::string& key, const std::string& where) {
  const auto number = node.value_exact<std::int64_t>();
  if (!number.has_value()) throw bad_input("{}: '{}' must be a whole number", where, key);
  return *number;
}

void read_layer(const toml::table& table, Plan& plan, std::set<std::string>& seen, const std::string& source) {
  const auto name = table["name"].value_exact<std::string>();
  if (!name.has_value()) throw bad_input("{}: a [[layer]] has no name", source);
  const std::string where = fmt::format("{}, layer '{}'", source, *name);
  LayerPlan* entry = find_layer(plan, *name);
  if (entry == nullptr) throw bad_input("{}: the network has no such layer; 'trimtab inspect' lists its layers", where);
  if (!seen.insert(*name).second) throw bad_input("{} is given twice", where);
  for (const auto& [key, node] : table) {
    if (key == "name") continue;
    const std::string word(key.str());
    const std::int64_t number = integer(node, word, where);
    if (number < 0 || number > 1 << 20) throw bad_input("{}: '{}' is {}, which is out of range", where, word, number);
    if (word == "filters") {
      entry->filters = number;
    } else if (word == "weight_bits") {
      entry->weight_bits = static_cast<int>(number);
    } else if (word == "activation_bits") {
      entry->activation_bits = static_cast<int>(number);
    } else {
      throw bad_input("{} has the unknown key '{}'; known are name, filters, weight_bits and activation_bits", where,
                      word);
    }
  }
  check_bits(entry->weight_bits, entry->activation_bits, where);
}

}  // namespace

const LayerPlan* find_layer(const Plan& plan, std::string_view layer) { return find_in(plan.layers, layer); }
LayerPlan* find_layer(Plan& plan, std::string_view layer) { return find_in(plan.layers, layer); }

Plan uniform_plan(const Graph& graph, int weight_bits, int activation_bits) {
  check_bits(weight_bits, activation_bits, "the plan");
  Plan plan;
  for (const Layer& layer : fuse_layers(graph)) {
    const bool last = layer.output == graph.output;
    plan.layers.push_back({layer.name, 0, weight_bits, last ? 16 : activation_bits});
  }
  return plan;
}

std::string to_toml(const Plan& plan) {
  std::string text;
  for (const LayerPlan& layer : plan.layers) {
    toml::table table{{"name", layer.layer}};
    text += "[[layer]]\nname = ";
    std::ostringstream name;
    name << toml::node_view<toml::node>(table["name"]);
    text += name.str();
    if (layer.filters > 0) text += fmt::format("\nfilters = {}", layer.filters);
    text += fmt::format("\nweight_bits = {}\nactivation_bits = {}\n\n", layer.weight_bits, layer.activation_bits);
  }
  return text;
}

Plan parse_plan(std::string_view text, const Graph& graph, const Plan& defaults, const std::string& source) {
  Plan plan = defaults;
  if (plan.layers.empty()) plan = uniform_plan(graph, 8, 8);
  const toml::table table = parse_toml(text, source);
  std::set<std::string> seen;
  for (const auto& [key, node] : table) {
    const toml::array* layers = key == "layer" ? node.as_array() : nullptr;
    if (layers == nullptr)
      throw bad_input("{} has the unknown key '{}'; a plan is a list of [[layer]]", source, std::string(key.str()));
    for (const toml::node& layer : *layers) {
      if (!layer.is_table()) throw bad_input("{}: 'layer' must be a list of tables, [[layer]]", source);
      read_layer(*layer.as_table(), plan, seen, source);
    }
  }
  return plan;
}

}  // namespace trimtab
