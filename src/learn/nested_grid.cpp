#include "learn/nested_grid.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "base/error.h"
#include "base/index.h"
#include "graph/passes.h"
#include "learn/executor.h"
#include "learn/grid_plan.h"
#include "learn/integer_network.h"
#include "learn/weight_grid.h"

namespace trimtab {
namespace {

constexpr std::array balanced_bits{8, 6, 5, 4};
/// Bits of activations for which the power of two of the scale is chosen.
constexpr std::array fewer_activation_bits{7, 6, 5, 4, 3, 2};
constexpr std::int64_t numbers_per_observation = 16 << 20;

double midpoint_error(std::span<const float> weights, float scale, int bits) {
  const float step = std::ldexp(scale, stored_weight_bits - bits);
  const float limit = std::ldexp(1.0F, bits - 1);
  double sum = 0;
  for (const float weight : weights) {
    const float level = std::clamp(std::floor(weight / step), -limit, limit - 1) + 0.5F;
    const double error = static_cast<double>(weight) - static_cast<double>(level * step);
    sum += error * error;
  }
  return sum;
}

/// For every value with 8 bits, and fewer bits, the power of two by which the scale grows with the least squared error:
/// the whole range, or a half or a quarter of it.
void choose_exponents(NestedNetwork& network, const Dataset& samples) {
  const Graph& graph = network.graph;
  const std::vector<Layer> layers = fuse_layers(graph);
  // Values that are added keep the ratio of their scales, so that all of a group grow alike.
  const std::vector<int> groups = activation_groups(graph, layers);
  using Errors = std::array<std::array<double, 3>, 9>;
  std::vector<Errors> errors(layers.size(), Errors{});  // by group
  std::vector<int> watched(graph.values.size(), -1);    // by value: its group
  for (std::size_t l = 0; l < layers.size(); ++l) {
    if (computes(graph, layers[l])) nth(watched, layers[l].output) = groups[l];
  }
  const torch::NoGradGuard no_gradients;
  Executor executor(graph);
  executor.value_hook = [&](ValueId value, const torch::Tensor& tensor) {
    const auto id = static_cast<std::size_t>(value);
    if (watched[id] < 0) return tensor;
    const NestedActivationGrid& grid = *network.values[id];
    for (const int bits : fewer_activation_bits) {
      for (std::size_t less = 0; less < 3; ++less) {
        const ActivationGrid fewer{std::ldexp(grid.grid.scale, stored_activation_bits - bits - static_cast<int>(less)),
                                   bits, grid.grid.is_signed};
        const torch::Tensor quantized = torch::mul(tensor, 1 / fewer.scale)
                                            .add_(0.5)
                                            .floor_()
                                            .clamp_(fewer.minimum(), fewer.maximum())
                                            .mul_(fewer.scale);
        nth(nth(errors, watched[id]), bits)[less] += quantized.sub_(tensor).square_().sum().item<double>();
      }
    }
    return tensor;
  };
  std::int64_t largest = 1;
  for (const Value& value : graph.values) largest = std::max(largest, element_count(value.shape));
  const std::int64_t batch = std::clamp<std::int64_t>(numbers_per_observation / largest, 1, 128);
  for (std::int64_t first = 0; first < samples.size(); first += batch) {
    (void)executor.forward(raw_batch(samples, first, std::min(batch, samples.size() - first)), false);
  }
  for (std::size_t l = 0; l < layers.size(); ++l) {
    if (groups[l] < 0) continue;
    for (const int bits : fewer_activation_bits) {
      const auto& of_bits = nth(nth(errors, groups[l]), bits);
      const auto less = std::min_element(of_bits.begin(), of_bits.end()) - of_bits.begin();
      nth(network.values, layers[l].output)->exponent.at(static_cast<std::size_t>(bits)) =
          stored_activation_bits - bits - static_cast<int>(less);
    }
  }
}

bool is_zero(const Tensor& weight) {
  return std::ranges::all_of(weight.data, [](float w) { return w == 0; });
}

/// Weights that are all 0, which the grid does not have: half steps that are small beside the biases. Every second one
/// is below 0, so that they nearly cancel each other.
StoredWeights store_zeros(const Tensor& weight, const Tensor* bias, float input_scale) {
  constexpr float bias_units = 4194304.0F;  // that the largest bias takes
  float most = 0;
  if (bias != nullptr) {
    for (const float b : bias->data) most = std::max(most, std::abs(b));
  }
  StoredWeights stored;
  stored.scale.assign(static_cast<std::size_t>(weight.shape.at(0)),
                      most > 0 ? 2 * most / (input_scale * bias_units) : 1e-6F);
  for (std::size_t i = 0; i < weight.data.size(); ++i) stored.digits.push_back(i % 2 == 0 ? 0 : -1);
  return stored;
}

}  // namespace

float nested_scale(std::span<const float> weights, NestedRange range) {
  float largest = 0;
  for (const float weight : weights) largest = std::max(largest, std::abs(weight));
  if (largest == 0) return 1;
  const float whole = largest / 128;
  if (range == NestedRange::whole) return whole;
  float best = whole;
  double least = std::numeric_limits<double>::infinity();
  constexpr int steps = 60;
  for (int step = 0; step < steps; ++step) {
    const float scale = whole * (1.15F - 0.8F * static_cast<float>(step) / steps);
    double product = 0;  // its logarithm
    for (const int bits : balanced_bits) product += std::log(midpoint_error(weights, scale, bits) + 1e-30);
    if (product < least) {
      least = product;
      best = scale;
    }
  }
  return best;
}

std::int8_t quantize_nested(float weight, float scale) {
  return static_cast<std::int8_t>(std::clamp(std::floor(weight / scale), -128.0F, 127.0F));
}

StoredWeights store_weights(const Tensor& weight, NestedRange range) {
  StoredWeights stored;
  const auto channels = static_cast<std::size_t>(weight.shape.at(0));
  const std::size_t size = weight.data.size() / channels;
  // A dead channel still gets +-scale / 2: of a size that changes nothing.
  const float largest = std::abs(*std::max_element(weight.data.begin(), weight.data.end(),
                                                   [](float a, float b) { return std::abs(a) < std::abs(b); }));
  const float least = largest > 0 ? largest * 1e-6F : 1.0F;
  for (std::size_t c = 0; c < channels; ++c) {
    const auto filter = std::span(weight.data).subspan(c * size, size);
    const bool dead = std::all_of(filter.begin(), filter.end(), [](float w) { return w == 0; });
    const float scale = dead ? least : std::max(least, nested_scale(filter, range));
    stored.scale.push_back(scale);
    for (const float w : filter) stored.digits.push_back(quantize_nested(w, scale));
  }
  return stored;
}

StoredWeights store_weights_twos_complement(const Tensor& weight) {
  StoredWeights stored;
  stored.grid = StoredWeights::Grid::twos_complement;
  stored.scale = make_weight_grid(weight, {}, 1, stored_weight_bits, RangeMethod::mse).scale;
  const std::size_t size = weight.data.size() / stored.scale.size();
  for (std::size_t i = 0; i < weight.data.size(); ++i) {
    stored.digits.push_back(
        static_cast<std::int8_t>(quantize_weight(weight.data[i], stored.scale[i / size], stored_weight_bits)));
  }
  return stored;
}

NestedNetwork make_nested(const Graph& prepared, const Dataset& calibration, const CalibrationOptions& options,
                          StoredWeights::Grid grid, NestedRange range) {
  check_nested(prepared);
  CalibrationOptions grids_only = options;
  grids_only.zero_points = false;  // grids with fewer bits have the same zero
  grids_only.bias_correction = false;
  const Plan plan = uniform_plan(prepared, stored_weight_bits, stored_activation_bits);
  const QuantizedNetwork quantized = quantize_post_training(prepared, plan, calibration, grids_only);

  NestedNetwork network;
  network.graph = fold_batch_normalization(prepared);
  network.values.resize(quantized.values.size());
  for (std::size_t i = 0; i < quantized.values.size(); ++i) {
    if (quantized.values[i]) network.values[i].emplace().grid = *quantized.values[i];
  }
  network.weights.resize(network.graph.nodes.size());
  for (std::size_t i = 0; i < network.graph.nodes.size(); ++i) {
    const Tensor* weight = weight_of(network.graph.nodes[i].op);
    if (weight == nullptr) continue;
    if (grid == StoredWeights::Grid::twos_complement) {
      network.weights[i] = store_weights_twos_complement(*weight);
    } else if (is_zero(*weight)) {
      const auto& input = nth(network.values, network.graph.nodes[i].inputs[0]);
      network.weights[i] =
          store_zeros(*weight, bias_of(network.graph.nodes[i].op), input.has_value() ? input->grid.scale : 1.0F);
    } else {
      network.weights[i] = store_weights(*weight, range);
    }
  }
  choose_exponents(network, calibration_samples(calibration, options));
  return network;
}

}  // namespace trimtab
