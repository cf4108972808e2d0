#include "learn/quantize.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/error.h"
#include "base/index.h"
#include "base/progress.h"
#include "graph/passes.h"
#include "learn/executor.h"
#include "learn/grid_plan.h"
#include "learn/histogram.h"
#include "learn/integer_network.h"
#include "learn/weight_grid.h"

namespace trimtab {

namespace {

/// Numbers of the largest value that one forward pass may hold: 64 MB of them, a few such values at a time.
constexpr std::int64_t numbers_per_pass = 16 << 20;
/// The same for bias correction, which wants all its samples in one pass.
constexpr std::int64_t numbers_per_correction = 96 << 20;

/// A zero point is worth its subtractions where it leaves less than this share of the squared error (1.5 dB).
constexpr double worthwhile_error = 0.7;

std::int64_t largest_value(const Graph& graph) {
  std::int64_t largest = 1;
  for (const Value& value : graph.values) {
    largest = std::max(largest, element_count(value.shape));
  }
  return largest;
}

std::span<const float> numbers_of(const torch::Tensor& tensor) {
  return {tensor.data_ptr<float>(), static_cast<std::size_t>(tensor.numel())};
}

/// Calls `visit(value, tensor)` with every value of the float network, batch by batch over the samples.
template <typename Visit>
void run_float(Executor& executor, const Dataset& samples, const std::string& what, const Visit& visit) {
  const torch::NoGradGuard no_gradients;
  executor.value_hook = [&](ValueId value, const torch::Tensor& tensor) {
    visit(value, tensor);
    return tensor;
  };
  const std::int64_t batch = std::clamp<std::int64_t>(numbers_per_pass / largest_value(executor.graph()), 1, 128);
  Progress progress(what, samples.size());
  for (std::int64_t start = 0; start < samples.size(); start += batch) {
    const std::int64_t size = std::min(batch, samples.size() - start);
    (void)executor.forward(raw_batch(samples, start, size), false);
    progress.update(start + size);
  }
  executor.value_hook = nullptr;
}

/// Values whose numbers a grid is chosen from: those that some layer computes, and the input.
std::vector<bool> values_to_watch(const Graph& graph, const std::vector<Layer>& layers) {
  std::vector<bool> watch(graph.values.size(), false);
  nth(watch, graph.input) = graph.input_parts.empty();
  for (const Layer& layer : layers) {
    nth(watch, layer.output) = computes(graph, layer);
  }
  return watch;
}

/// Least and greatest number of every value whose grid is not fixed, sets of values that share a grid together. They do
/// not depend on a plan.
using Ranges = std::vector<std::array<float, 2>>;

/// Whose numbers decide a scale: those that a layer computes, or the input, unless pixels fix its grid.
std::vector<bool> open_values(const Graph& graph, const std::vector<Layer>& layers, bool pixels) {
  std::vector<bool> open = values_to_watch(graph, layers);
  const std::vector<ValueId> set = shared_grids(graph);
  const ValueId input_set = nth(set, graph.input);
  for (std::size_t value = 0; pixels && value < open.size(); ++value) {
    if (set[value] == input_set) open[value] = false;
  }
  return open;
}

Ranges find_ranges(Executor& executor, const Dataset& samples, const std::vector<bool>& open) {
  const Graph& graph = executor.graph();
  const std::vector<ValueId> set = shared_grids(graph);
  Ranges range(graph.values.size(), {0, 0});
  run_float(executor, samples, "calibration, ranges", [&](ValueId value, const torch::Tensor& tensor) {
    if (!nth(open, value)) {
      return;
    }
    const auto [low, high] = torch::aminmax(tensor);
    auto& ends = nth(range, nth(set, value));
    ends = {std::min(ends[0], low.item<float>()), std::max(ends[1], high.item<float>())};
    if (!std::isfinite(ends[0]) || !std::isfinite(ends[1])) {
      throw bad_input("the value {} of the network becomes infinite on the calibration samples",
                      nth(graph.values, value).name);
    }
  });
  return range;
}

/// Finds the scales that plan_grids left open, and zero points where they are worth it.
ZeroPointGain find_scales(Executor& executor, const std::vector<Layer>& layers, const Dataset& samples,
                          const CalibrationOptions& options, std::vector<std::optional<ActivationGrid>>& grids) {
  const Graph& graph = executor.graph();
  const std::vector<ValueId> set = shared_grids(graph);
  const std::vector<bool> open = open_values(graph, layers, samples.is_pixels());
  const auto is_open = [&](ValueId value) { return nth(open, value); };
  const auto set_of = [&](ValueId value) { return static_cast<std::size_t>(nth(set, value)); };
  const Ranges range = find_ranges(executor, samples, open);
  std::vector<std::optional<Histogram>> histograms(graph.values.size());
  for (std::size_t i = 0; i < range.size(); ++i) {
    if (nth(set, i) == static_cast<ValueId>(i)) histograms[i].emplace(range[i][0], range[i][1]);
  }
  if (options.activations != RangeMethod::min_max) {
    run_float(executor, samples, "calibration, histograms", [&](ValueId value, const torch::Tensor& tensor) {
      if (is_open(value)) {
        // any order of the numbers will do, so a dense tensor of any layout is taken as it is
        histograms[set_of(value)]->add(
            numbers_of(tensor.is_non_overlapping_and_dense() ? tensor : tensor.contiguous()));
      }
    });
  }
  ZeroPointGain gain;
  for (std::size_t i = 0; i < grids.size(); ++i) {
    if (!grids[i] || grids[i]->scale != 0) continue;
    ActivationGrid& grid = *grids[i];
    const Histogram& histogram = *histograms[set_of(static_cast<ValueId>(i))];
    grid.scale = histogram.scale(grid.bits, grid.is_signed, options.activations, options.percentile);
    if (!options.zero_points || options.activations != RangeMethod::mse || !grid.is_signed || grid.bits > 8) continue;
    const ActivationGrid other = histogram.grid_with_zero_point(grid.bits, grid.is_signed);
    const double before = histogram.squared_error(grid);
    const double after = histogram.squared_error(other);
    if (!(after < worthwhile_error * before)) continue;
    grid = other;
    if (set_of(static_cast<ValueId>(i)) != i) continue;  // the values of a set count once
    ++gain.grids;
    gain.decibels += after > 0 ? 10 * std::log10(before / after) : 0;
  }
  if (gain.grids > 0) gain.decibels /= gain.grids;
  return gain;
}

/// Mean per output channel of what every Conv and Linear makes, before its activation function.
std::vector<std::vector<double>> float_means(Executor& executor, const Dataset& samples) {
  const Graph& graph = executor.graph();
  std::vector<std::vector<double>> means(graph.nodes.size());
  std::vector<std::int64_t> producer(graph.values.size(), -1);
  for (std::size_t i = 0; i < graph.nodes.size(); ++i) {
    if (weight_of(graph.nodes[i].op) != nullptr) {
      nth(producer, graph.nodes[i].output) = static_cast<std::int64_t>(i);
    }
  }
  run_float(executor, samples, "bias correction, means", [&](ValueId value, const torch::Tensor& tensor) {
    const std::int64_t node = nth(producer, value);
    if (node < 0) {
      return;
    }
    auto& mean = nth(means, node);
    mean.resize(static_cast<std::size_t>(tensor.size(1)));
    const torch::Tensor batch = (tensor.dim() == 4 ? tensor.mean({2, 3}) : tensor).sum(0).to(torch::kFloat64);
    for (std::size_t c = 0; c < mean.size(); ++c) {
      mean[c] += batch[static_cast<std::int64_t>(c)].item<double>() / static_cast<double>(samples.size());
    }
  });
  return means;
}

/// One pass through the integer network; every bias is corrected before its layer's output goes on.
void correct_biases(QuantizedNetwork& network, Executor& executor, const Dataset& calibration) {
  const std::int64_t limit = std::max<std::int64_t>(1, numbers_per_correction / largest_value(network.graph));
  const Dataset samples = calibration.size() > limit ? calibration.sample(limit, 1) : calibration;
  const std::vector<std::vector<double>> wanted = float_means(executor, samples);
  IntegerNetwork integers(network);
  const std::vector<Layer> layers = integers.layers();
  integers.accumulator_hook = [&](std::size_t layer, torch::Tensor& accumulators, const std::vector<double>& unit) {
    const auto node = static_cast<std::size_t>(layers[layer].node);
    const torch::Tensor mean =
        (accumulators.dim() == 4 ? accumulators.mean({2, 3}) : accumulators).to(torch::kFloat64).mean(0).contiguous();
    torch::Tensor change = torch::zeros_like(mean);
    Tensor& bias = *bias_of(network.graph.nodes[node].op);
    for (std::size_t c = 0; c < unit.size(); ++c) {
      const auto channel = static_cast<std::int64_t>(c);
      const double steps = std::floor(wanted[node][c] / unit[c] - mean[channel].item<double>() + 0.5);
      change[channel] = steps;
      bias.data[c] += static_cast<float>(steps * unit[c]);
    }
    change = change.to(torch::kFloat32);
    accumulators += accumulators.dim() == 4 ? change.view({1, -1, 1, 1}) : change;
  };
  (void)integers.forward(raw_batch(samples, 0, samples.size()));
}

/// Rounds all weights to grids of the plan's bits, and completes the network's plan.
void quantize_weights(QuantizedNetwork& network, const std::vector<Layer>& layers, const Plan& plan,
                      RangeMethod method) {
  network.weights.resize(network.graph.nodes.size());
  const PlanByLayer planned(plan);
  for (const Layer& layer : layers) {
    LayerPlan of_layer = planned.of(layer.name);
    of_layer.activation_bits = nth(network.values, layer.output)->bits;
    network.plan.layers.push_back(of_layer);
    const auto index = static_cast<std::size_t>(layer.node);
    const float input_scale = nth(network.values, layer.inputs.at(0))->scale;
    Tensor* weight = weight_of(network.graph.nodes[index].op);
    if (weight == nullptr) continue;
    Tensor& bias = *bias_of(network.graph.nodes[index].op);
    const WeightGrid grid = make_weight_grid(*weight, bias, input_scale, of_layer.weight_bits, method);
    round_to_grid(*weight, grid);
    if (bias.empty()) bias = {{weight->shape.at(0)}, std::vector<float>(grid.scale.size(), 0.0F)};
    network.weights[index] = grid;
  }
}

void check_samples(const Graph& graph, const Dataset& data) {
  if (data.size() == 0) {
    throw bad_input("there are no samples to calibrate {} with", graph.name);
  }
  if (element_count(data.shape) != element_count(graph.input_shape())) {
    throw bad_input("the samples are {} and the network {} wants {}", to_string(data.shape), graph.name,
                    to_string(graph.input_shape()));
  }
}

}  // namespace

Dataset calibration_samples(const Dataset& data, const CalibrationOptions& options) {
  const bool all = options.samples <= 0 || options.samples >= data.size();
  return all ? data : data.sample(options.samples, 1);
}

QuantizedNetwork quantize_post_training(const Graph& prepared, const Plan& plan, const Dataset& calibration,
                                        const CalibrationOptions& options) {
  check_samples(prepared, calibration);
  configure_threads(options.threads);
  const Dataset samples = calibration_samples(calibration, options);

  QuantizedNetwork network;
  network.graph = fold_batch_normalization(prepared);
  const std::vector<Layer> layers = fuse_layers(network.graph);
  network.values = plan_grids(network.graph, layers, plan, calibration.is_pixels());
  const auto known = std::ranges::count_if(network.values, [](const auto& grid) { return grid && grid->scale != 0; });
  const auto open = std::ranges::count_if(network.values, [](const auto& grid) { return grid && grid->scale == 0; });
  const bool adopted = known > open;  // the network came quantized
  Executor executor(network.graph);
  if (open > 0) network.zero_points = find_scales(executor, layers, samples, options, network.values);

  quantize_weights(network, layers, plan, options.weights);
  // Biases that came with their grids are integers already.
  if (options.bias_correction && !adopted) {
    correct_biases(network, executor, samples);
  }
  return network;
}

struct QuickQuantizer::Known {
  Graph graph;  ///< folded
  std::vector<Layer> layers;
  Ranges ranges;
  bool pixels;
};

QuickQuantizer::QuickQuantizer(const Graph& prepared, const Dataset& samples) {
  check_samples(prepared, samples);
  configure_threads(1);  // so few samples are faster than threads are woken
  Graph folded = fold_batch_normalization(prepared);
  std::vector<Layer> layers = fuse_layers(folded);
  Executor executor(folded);
  Ranges ranges = find_ranges(executor, samples, open_values(folded, layers, samples.is_pixels()));
  known_ = std::make_shared<const Known>(
      Known{std::move(folded), std::move(layers), std::move(ranges), samples.is_pixels()});
}

QuantizedNetwork QuickQuantizer::quantize(const Plan& plan) const {
  QuantizedNetwork network;
  network.graph = known_->graph;
  network.values = plan_grids(network.graph, known_->layers, plan, known_->pixels);
  const std::vector<ValueId> set = shared_grids(network.graph);
  for (std::size_t i = 0; i < network.values.size(); ++i) {
    std::optional<ActivationGrid>& grid = network.values[i];
    if (!grid || grid->scale != 0) continue;
    const auto& [low, high] = nth(known_->ranges, set[i]);
    grid->scale = Histogram(low, high, 4).scale(grid->bits, grid->is_signed, RangeMethod::min_max, 1);
  }
  quantize_weights(network, known_->layers, plan, RangeMethod::min_max);
  return network;
}

}  // namespace trimtab
