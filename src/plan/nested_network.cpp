#include "plan/nested_network.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>

#include "base/error.h"
#include "base/index.h"
#include "graph/device_form.h"
#include "graph/passes.h"

namespace trimtab {

float nested_level(int digit, int bits) {
  return static_cast<float>(2 * (digit >> (stored_weight_bits - bits)) + 1) *
         std::ldexp(1.0F, stored_weight_bits - 1 - bits);
}

float StoredWeights::weight(std::size_t index, int bits) const {
  const float unit = scale[index / (digits.size() / scale.size())];
  if (grid == Grid::nested) return nested_level(digits[index], bits) * unit;
  return static_cast<float>(digits[index] >> (stored_weight_bits - bits)) * std::ldexp(unit, stored_weight_bits - bits);
}

ActivationGrid NestedActivationGrid::at(int bits) const {
  if (bits >= grid.bits || grid.bits > stored_activation_bits) return grid;
  return {std::ldexp(grid.scale, exponent.at(static_cast<std::size_t>(bits))), bits, grid.is_signed};
}

QuantizedNetwork at_point(const NestedNetwork& network, const OperatingPoint& point) {
  QuantizedNetwork result;
  result.graph = network.graph;
  const std::vector<Layer> layers = fuse_layers(network.graph);
  if (point.precision.size() != layers.size()) {
    throw failure("an operating point of {} layers was given to a network of {}", point.precision.size(),
                  layers.size());
  }
  result.values.resize(network.values.size());
  result.weights.resize(network.weights.size());
  const auto input = static_cast<std::size_t>(network.graph.input);
  result.values[input] = network.values[input]->grid;
  for (std::size_t l = 0; l < layers.size(); ++l) {
    const Precision& precision = point.precision[l];
    const auto output = static_cast<std::size_t>(layers[l].output);
    result.values[output] = network.values[output]->at(precision.activations);
    result.plan.layers.push_back({layers[l].name, 0, precision.weights, result.values[output]->bits});
    const auto node = static_cast<std::size_t>(layers[l].node);
    if (!network.weights[node]) continue;
    const StoredWeights& stored = *network.weights[node];
    const bool nested = stored.grid == StoredWeights::Grid::nested;
    WeightGrid& grid = result.weights[node].emplace();
    grid.bits = precision.weights + (nested ? 1 : 0);
    for (const float scale : stored.scale) {
      grid.scale.push_back(std::ldexp(scale, stored_weight_bits - precision.weights - (nested ? 1 : 0)));
    }
    std::vector<float>& weights = weight_of(result.graph.nodes[node].op)->data;
    for (std::size_t i = 0; i < weights.size(); ++i) weights[i] = stored.weight(i, precision.weights);
    *bias_of(result.graph.nodes[node].op) = {{std::ssize(stored.scale)}, point.bias.at(node)};
  }
  return result;
}

std::vector<int> activation_groups(const Graph& graph, const std::vector<Layer>& layers) {
  std::vector<ValueId> set = shared_grids(graph);
  const auto join = [&set](ValueId a, ValueId b) {
    const ValueId from = nth(set, a);
    const ValueId to = nth(set, b);
    std::replace(set.begin(), set.end(), from, to);
  };
  for (const Layer& layer : layers) {
    if (device_form(nth(graph.nodes, layer.node).op) == DeviceForm::addition) {
      for (const ValueId input : layer.inputs) join(layer.inputs.front(), input);
    }
  }
  std::map<ValueId, int> numbers;
  std::vector<int> groups;
  for (const Layer& layer : layers) {
    const ValueId own = nth(set, layer.output);
    const bool fixed = own == nth(set, graph.input) || own == nth(set, graph.output);
    groups.push_back(fixed ? -1 : numbers.emplace(own, static_cast<int>(numbers.size())).first->second);
  }
  return groups;
}

std::vector<std::string> layers_without_nested_form(const Graph& prepared) {
  return layers_without(&FormTraits::nested, fold_batch_normalization(prepared));
}

void check_nested(const Graph& prepared) {
  if (!prepared.input_parts.empty() || !prepared.output_parts.empty())
    throw bad_input("{} has several inputs or outputs; precision at run time needs one of each", prepared.name);
  const std::vector<std::string> names = layers_without_nested_form(prepared);
  if (names.empty()) return;
  std::vector<std::string> scalable;
  for (const Operator& op : all_operators()) {
    if (device_traits(op).nested) scalable.push_back(operator_name(op));
  }
  throw bad_input("{} has layers without a scalable form: {}; scalable are {}, with Relu or Clip from 0 behind them",
                  prepared.name, fmt::join(names, ", "), fmt::join(scalable, ", "));
}

}  // namespace trimtab
