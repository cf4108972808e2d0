#include "learn/quantization_aware.h"

#include <algorithm>
#include <cmath>
#include <map>

#include "base/error.h"
#include "base/file.h"
#include "base/settings.h"
#include "graph/passes.h"
#include "learn/divided_input.h"
#include "learn/evaluate_executor.h"
#include "learn/executor.h"
#include "learn/learned_steps.h"
#include "learn/training.h"
#include "learn/weight_grid.h"
#include "plan/quantized_network_file.h"

namespace trimtab {

namespace {

/// Batches whose statistics BatchNormalization gets at the end.
constexpr std::int64_t statistics_batches = 64;
/// And before the test after every epoch.
constexpr std::int64_t quick_statistics_batches = 16;

void multiply(Tensor& tensor, float factor) {
  for (float& number : tensor.data) {
    number *= factor;
  }
}

/// The grids of one graph's layers by the ids of another graph that has the same layers.
std::vector<std::optional<ActivationGrid>> by_layer(const std::vector<std::optional<ActivationGrid>>& grids,
                                                    const Graph& from, const Graph& to) {
  std::map<std::string, ValueId> outputs;
  for (const Layer& layer : fuse_layers(from)) {
    outputs[layer.name] = layer.output;
  }
  std::vector<std::optional<ActivationGrid>> result(to.values.size());
  result[static_cast<std::size_t>(to.input)] = grids[static_cast<std::size_t>(from.input)];
  for (const Layer& layer : fuse_layers(to)) {
    result[static_cast<std::size_t>(layer.output)] = grids[static_cast<std::size_t>(outputs.at(layer.name))];
  }
  return result;
}

/// Gives every BatchNormalization the mean and variance of its input over training samples, as the averaged network is
/// now. The samples are augmented as in training: ResNet-8 at 4 bits gets 86.5 % with them, 86.3 % with the average of
/// the running statistics, and 83.8 % with statistics of plain samples, which its weights have never seen.
void measure_statistics(Executor& executor, const Dataset& data, const Preprocessing& preprocessing,
                        const TrainOptions& training, std::int64_t batches) {
  const torch::NoGradGuard no_gradients;
  BatchOptions options;
  options.batch_size = training.batch_size;
  options.training = true;
  options.augmentation = training.augmentation;
  options.seed = training.seed + 1;
  BatchLoader loader(data, preprocessing, options);
  const double momentum = executor.batch_norm_momentum;
  Batch batch;
  for (std::int64_t i = 0; i < batches && loader.next(batch); ++i) {
    executor.batch_norm_momentum = 1 / static_cast<double>(i + 1);  // the mean of all so far
    (void)executor.forward(input_tensor(batch, data.shape), true);
  }
  executor.batch_norm_momentum = momentum;
}

/// Largest magnitude of the values that keep more than 8 bits, from the quantized network itself.
void calibrate_wide_values(Executor& executor, const Dataset& data, const Preprocessing& preprocessing,
                           std::vector<std::optional<ActivationGrid>>& grids) {
  const torch::NoGradGuard no_gradients;
  std::vector<float> largest(grids.size(), 0.0F);
  const auto hook = executor.value_hook;
  executor.value_hook = [&](ValueId value, const torch::Tensor& tensor) {
    const auto id = static_cast<std::size_t>(value);
    if (id < grids.size() && grids[id] && grids[id]->bits > 8) {
      largest[id] = std::max(largest[id], tensor.abs().max().item<float>());
    }
    return hook(value, tensor);
  };
  BatchOptions options;
  BatchLoader loader(data, preprocessing, options);
  Batch batch;
  for (std::int64_t i = 0; i < 8 && loader.next(batch); ++i) {
    (void)executor.forward(input_tensor(batch, data.shape), false);
  }
  executor.value_hook = hook;
  const std::vector<ValueId> set = shared_grids(executor.graph());
  for (std::size_t i = 0; i < grids.size(); ++i) {
    if (!grids[i] || grids[i]->bits <= 8) {
      continue;
    }
    float all = 0;
    for (std::size_t other = 0; other < set.size() && other < largest.size(); ++other) {
      all = set[other] == set[i] ? std::max(all, largest[other]) : all;
    }
    // as in post-training calibration: so fine a grid has bins to spare
    grids[i]->scale = all > 0 ? 2 * all / static_cast<float>(grids[i]->maximum()) : 1.0F;
  }
}

/// Scale and offset per channel of what follows a Conv or Linear in its layer.
struct Normalization {
  std::vector<double> factor;
  std::vector<double> offset;
};

Normalization normalization_of(const Graph& graph, const Layer& layer, std::size_t channels) {
  Normalization result{std::vector<double>(channels, 1.0), std::vector<double>(channels, 0.0)};
  if (layer.normalization < 0) {
    return result;
  }
  const Operator& op = graph.nodes[static_cast<std::size_t>(layer.normalization)].op;
  for (std::size_t c = 0; c < channels; ++c) {
    if (const auto* affine = std::get_if<Affine>(&op)) {
      result.factor[c] = affine->scale.data[c];
      result.offset[c] = affine->offset.data[c];
    } else {
      const auto& norm = std::get<BatchNormalization>(op);
      result.factor[c] = static_cast<double>(norm.scale.data[c]) /
                         std::sqrt(static_cast<double>(norm.variance.data[c]) + static_cast<double>(norm.epsilon));
      result.offset[c] =
          static_cast<double>(norm.bias.data[c]) - static_cast<double>(norm.mean.data[c]) * result.factor[c];
    }
  }
  return result;
}

const Tensor& bias_of(const Operator& op) {
  const auto* conv = std::get_if<Conv>(&op);
  return conv != nullptr ? conv->bias : std::get<Linear>(op).bias;
}

/// Folds a trained Conv or Linear: its weights stay the integers they are; normalization moves into scales and bias.
void fold_layer(const Graph& trained, const Layer& layer, const std::vector<float>& step, float input_scale,
                WeightGrid& grid, Tensor& weight, Tensor& bias) {
  const Operator& op = trained.nodes[static_cast<std::size_t>(layer.node)].op;
  const std::size_t channels = step.size();
  const std::size_t per_channel = weight_of(op)->data.size() / channels;
  const Normalization normalization = normalization_of(trained, layer, channels);
  bias = {{static_cast<std::int64_t>(channels)}, std::vector<float>(channels)};
  weight = *weight_of(op);
  grid.scale.resize(channels);
  for (std::size_t c = 0; c < channels; ++c) {
    const double own = bias_of(op).empty() ? 0.0 : static_cast<double>(bias_of(op).data[c]);
    bias.data[c] = static_cast<float>(own * normalization.factor[c] + normalization.offset[c]);
    grid.scale[c] = static_cast<float>(static_cast<double>(step[c]) * normalization.factor[c]);
  }
  const std::vector<float> exact = grid.scale;
  keep_scales_up(grid, bias, input_scale);
  for (std::size_t i = 0; i < weight.data.size(); ++i) {
    const std::size_t c = i / per_channel;
    int integer = quantize_weight(weight.data[i], step[c], grid.bits);
    if (exact[c] != grid.scale[c]) {  // a channel that is as good as dead
      integer = quantize_weight(static_cast<float>(integer) * exact[c], grid.scale[c], grid.bits);
    }
    weight.data[i] = static_cast<float>(integer) * grid.scale[c];
  }
}

/// The finished network. `trained` takes divided inputs, `prepared` raw ones.
QuantizedNetwork fold(const Graph& prepared, Graph trained, const Plan& plan, const LearnedSteps& steps,
                      const Executor& executor, const std::vector<std::optional<ActivationGrid>>& grids,
                      float divisor) {
  QuantizedNetwork network;
  network.graph = fold_batch_normalization(prepared);
  network.values = by_layer(grids, prepared, network.graph);
  auto& input = network.values[static_cast<std::size_t>(network.graph.input)];
  input->scale *= divisor;
  network.weights.resize(network.graph.nodes.size());
  std::map<std::string, Layer> before;
  for (const Layer& layer : fuse_layers(trained)) {
    before[layer.name] = layer;
  }
  std::map<std::string, std::size_t> executed;
  for (std::size_t i = 0; i < executor.graph().nodes.size(); ++i) {
    executed[executor.graph().nodes[i].name] = i;
  }
  for (const Layer& layer : fuse_layers(network.graph)) {
    LayerPlan of_layer = layer_plan(plan, layer.name);
    of_layer.activation_bits = network.values[static_cast<std::size_t>(layer.output)]->bits;
    network.plan.layers.push_back(of_layer);
    const auto index = static_cast<std::size_t>(layer.node);
    Operator& op = network.graph.nodes[index].op;
    if (!std::holds_alternative<Conv>(op) && !std::holds_alternative<Linear>(op)) {
      continue;
    }
    const torch::Tensor tensor = steps.weight_step(executed.at(layer.name)).step.detach().contiguous();
    std::vector<float> step(tensor.data_ptr<float>(), tensor.data_ptr<float>() + tensor.numel());
    Tensor& weight = std::holds_alternative<Conv>(op) ? std::get<Conv>(op).weight : std::get<Linear>(op).weight;
    Tensor& bias = std::holds_alternative<Conv>(op) ? std::get<Conv>(op).bias : std::get<Linear>(op).bias;
    const Layer& original = before.at(layer.name);
    if (original.inputs.at(0) == trained.input) {
      Operator& first = trained.nodes[static_cast<std::size_t>(original.node)].op;
      std::visit(overloaded{[&](Conv& own) { multiply(own.weight, 1 / divisor); },
                            [&](Linear& own) { multiply(own.weight, 1 / divisor); }, [](auto&) {}},
                 first);
      for (float& size : step) {
        size /= divisor;
      }
    }
    WeightGrid& grid = network.weights[index].emplace();
    grid.bits = of_layer.weight_bits;
    const float input_scale = network.values[static_cast<std::size_t>(layer.inputs.at(0))]->scale;
    fold_layer(trained, original, step, input_scale, grid, weight, bias);
  }
  return network;
}

/// The trained parameters in the graph that still has its fused activation functions.
Graph with_parameters(Graph graph, const Graph& trained) {
  std::map<std::string, const Operator*> operators;
  for (const Node& node : trained.nodes) {
    operators[node.name] = &node.op;
  }
  for (Node& node : graph.nodes) {
    const auto found = operators.find(node.name);
    if (found != operators.end()) {
      node.op = *found->second;
    }
  }
  return graph;
}

nlohmann::json settings_of(const Graph& prepared, const Plan& plan, const Dataset& data, const TrainOptions& training,
                           const QatOptions& options) {
  nlohmann::json settings = training_settings(prepared, data, {}, training);
  settings["plan"] = to_toml(plan);
  settings["step_learning_rate_scale"] = options.step_learning_rate_scale;
  settings["calibration"] = {static_cast<int>(options.calibration.activations), options.calibration.percentile,
                             options.calibration.samples};
  return settings;
}

}  // namespace

QuantizedNetwork train_quantized(const Graph& prepared, const Plan& plan, const Dataset& train_data,
                                 const Dataset& test_data, const QatOptions& options, Graph* latent) {
  const bool kept = !options.directory.empty();
  const std::filesystem::path finished = options.directory / "quantized.network";
  const std::filesystem::path finished_settings = options.directory / "quantized.json";
  TrainOptions training = options.training;
  if (!train_data.is_pixels()) {
    training.augmentation = {};
  }
  if (kept) {
    make_directory(options.directory);
    training.checkpoint = options.directory / "training.checkpoint";
    training.log = options.directory / "training.csv";
  }
  configure_threads(training.threads);

  CalibrationOptions calibration = options.calibration;
  calibration.bias_correction = false;
  calibration.threads = training.threads;
  const QuantizedNetwork start = quantize_post_training(prepared, plan, train_data, calibration);

  const float divisor = input_divisor(prepared, train_data);
  const Graph divided = for_divided_input(prepared, divisor);
  const Preprocessing divide = division_by(divisor, train_data);
  if (options.distill) {
    training.teacher =
        std::make_shared<const Graph>(options.teacher ? for_divided_input(*options.teacher, divisor) : divided);
  } else {
    training.teacher = nullptr;
  }
  const nlohmann::json settings = settings_of(prepared, plan, train_data, training, options);
  if (kept && std::filesystem::exists(finished) && std::filesystem::exists(finished_settings)) {
    check_same_settings(nlohmann::json::parse(read_text(finished_settings), nullptr, false), settings,
                        finished_settings.string());
    return load_quantized_network(finished);
  }

  std::vector<std::optional<ActivationGrid>> grids = by_layer(start.values, start.graph, prepared);
  const std::vector<ValueId> set = shared_grids(prepared);
  for (std::size_t i = 0; i < grids.size(); ++i) {
    if (grids[i] && set[i] == set[static_cast<std::size_t>(prepared.input)]) {
      grids[i]->scale /= divisor;
    }
  }
  const std::vector<Layer> layers = fuse_layers(divided);
  Executor executor(without_fused_activations(divided, layers));
  LearnedSteps steps(divided, layers, plan, grids, executor);
  const TrainingTask task{
      train_data,
      test_data,
      divide,
      training,
      settings,
      steps.tensors(options.step_learning_rate_scale),
      [&](std::int64_t, std::int64_t) { steps.keep_apart_from_zero(); },
      [&] { measure_statistics(executor, train_data, divide, training, quick_statistics_batches); }};
  run_training(executor, task);
  steps.keep_apart_from_zero();
  measure_statistics(executor, train_data, divide, training, statistics_batches);
  grids = steps.grids();
  calibrate_wide_values(executor, train_data, divide, grids);

  const Graph trained = with_parameters(divided, executor.to_graph());
  if (latent != nullptr) {
    *latent = for_divided_input(trained, 1 / divisor);
  }
  const QuantizedNetwork network = fold(prepared, trained, plan, steps, executor, grids, divisor);
  if (kept) {
    write_file(finished_settings, settings.dump(2));
    save_quantized_network(network, finished);
  }
  return network;
}

}  // namespace trimtab
