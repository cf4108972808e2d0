#include "program/lowering_input.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"

namespace trimtab {
namespace {

/// The integers on the grid that are nearest to the real weights.
std::vector<std::int16_t> integers_on(const WeightGrid& grid, const Tensor& real) {
  const long long low = -(1LL << (grid.bits - 1));
  const std::size_t size = real.data.size() / grid.scale.size();
  std::vector<std::int16_t> integers;
  integers.reserve(real.data.size());
  for (std::size_t i = 0; i < real.data.size(); ++i) {
    const double scale = grid.scale[i / size];
    integers.push_back(
        static_cast<std::int16_t>(std::clamp(std::llround(double{real.data[i]} / scale), low, -low - 1)));
  }
  return integers;
}

NumbersAtPoint numbers_in(const QuantizedNetwork& network) {
  NumbersAtPoint numbers{network.plan, network.values, network.weights, {}};
  for (const Node& node : network.graph.nodes) {
    const Tensor* bias = bias_of(node.op);
    numbers.bias.push_back(bias == nullptr ? std::vector<float>() : bias->data);
  }
  return numbers;
}

}  // namespace

LoweringInput lowering_input(const QuantizedNetwork& network) {
  LoweringInput input;
  input.graph = &network.graph;
  input.formats = network.values;
  input.points = {numbers_in(network)};
  for (std::size_t n = 0; n < network.weights.size(); ++n) {
    input.weights.emplace_back();
    if (!network.weights[n].has_value()) continue;
    const Tensor& real = *weight_of(network.graph.nodes[n].op);
    input.weights.back() = {WeightCode::integer, integers_on(*network.weights[n], real)};
  }
  return input;
}

LoweringInput lowering_input(const NestedNetwork& network, const std::vector<OperatingPoint>& points) {
  if (points.empty()) throw failure("a program needs at least one operating point");
  LoweringInput input;
  input.graph = &network.graph;
  for (const std::optional<NestedActivationGrid>& value : network.values) {
    input.formats.push_back(value.has_value() ? std::optional(value->grid) : std::nullopt);
  }
  for (const std::optional<StoredWeights>& stored : network.weights) {
    input.weights.emplace_back();
    if (!stored.has_value()) continue;
    if (stored->grid != StoredWeights::Grid::nested) throw failure("only nested weights can be lowered");
    input.weights.back() = {WeightCode::nested, {stored->digits.begin(), stored->digits.end()}};
  }
  for (const OperatingPoint& point : points) {
    NumbersAtPoint& numbers = input.points.emplace_back(numbers_in(at_point(network, point)));
    for (std::optional<WeightGrid>& grid : numbers.weights) {
      if (grid.has_value()) --grid->bits;  // b bits of digits make odd integers of b + 1
    }
  }
  return input;
}

}  // namespace trimtab
