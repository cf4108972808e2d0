#include "learn/quantization_aware.h"

#include <algorithm>
#include <cmath>
#include <map>

#include "base/error.h"
#include "base/file.h"
#include "base/index.h"
#include "base/json_text.h"
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

/// Gives every BatchNormalization the mean and variance of its input over training samples, as the averaged network is
/// now. The samples are augmented as in training: ResNet-8 at 4 bits gets 86.5 % with them, 86.3 % with the average of
/// the running statistics, and 83.8 % with statistics of plain samples, which its weights have never seen.
void measure_statistics(Executor& executor, const Dataset& data, const Preprocessing& preprocessing,
                        const TrainOptions& training, std::int64_t batches) {
  const torch::NoGradGuard no_gradients;
  BatchOptions options = batch_options(training);
  options.seed = training.seed + 1;
  options.epochs = 1;
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
    if (!grids[i] || grids[i]->bits <= 8) continue;
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
  if (layer.normalization < 0) return result;
  const Operator& op = nth(graph.nodes, layer.normalization).op;
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

/// Folds a trained Conv or Linear: its weights stay the integers they are; normalization moves into scales and bias.
void fold_layer(const Graph& trained, const Layer& layer, const std::vector<float>& step, float input_scale,
                WeightGrid& grid, Tensor& weight, Tensor& bias) {
  const Operator& op = nth(trained.nodes, layer.node).op;
  const std::size_t channels = step.size();
  const std::size_t per_channel = weight_of(op)->data.size() / channels;
  const Normalization normalization = normalization_of(trained, layer, channels);
  const Tensor* before = bias_of(op);
  bias = {{static_cast<std::int64_t>(channels)}, std::vector<float>(channels)};
  weight = *weight_of(op);
  grid.scale.resize(channels);
  for (std::size_t c = 0; c < channels; ++c) {
    const double own = before->empty() ? 0.0 : static_cast<double>(before->data[c]);
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

/// The finished network. `trained` and `prepared` take raw inputs, the steps and grids are those for divided ones.
QuantizedNetwork fold(const Graph& prepared, const Graph& trained, const Plan& plan, const LearnedSteps& steps,
                      const Executor& executor, const std::vector<std::optional<ActivationGrid>>& grids,
                      float divisor) {
  QuantizedNetwork network;
  network.graph = fold_batch_normalization(prepared);
  network.values = by_layer(grids, prepared, network.graph);
  auto& input = nth(network.values, network.graph.input);
  input->scale *= divisor;
  network.weights.resize(network.graph.nodes.size());
  std::map<std::string, Layer> before;
  for (const Layer& layer : fuse_layers(trained)) before[layer.name] = layer;
  std::map<std::string, std::size_t> executed;
  for (std::size_t i = 0; i < executor.graph().nodes.size(); ++i) executed[executor.graph().nodes[i].name] = i;
  const PlanByLayer planned(plan);
  for (const Layer& layer : fuse_layers(network.graph)) {
    LayerPlan of_layer = planned.of(layer.name);
    of_layer.activation_bits = nth(network.values, layer.output)->bits;
    network.plan.layers.push_back(of_layer);
    const auto index = static_cast<std::size_t>(layer.node);
    for_weighted(network.graph.nodes[index].op, [&](Tensor& weight, Tensor& bias) {
      const Layer& original = before.at(layer.name);
      const torch::Tensor tensor = steps.weight_step(executed.at(layer.name)).step.detach().contiguous();
      std::vector<float> step(tensor.data_ptr<float>(), tensor.data_ptr<float>() + tensor.numel());
      for (float& size : step) size /= original.inputs.at(0) == trained.input ? divisor : 1;
      WeightGrid& grid = network.weights[index].emplace();
      grid.bits = of_layer.weight_bits;
      const float input_scale = nth(network.values, layer.inputs.at(0))->scale;
      fold_layer(trained, original, step, input_scale, grid, weight, bias);
    });
  }
  return network;
}

}  // namespace

QuantizedNetwork train_quantized(const Graph& prepared, const Plan& plan, const Dataset& train_data,
                                 const Dataset& test_data, const QatOptions& options, Graph* latent) {
  const bool kept = !options.directory.empty();
  const std::filesystem::path finished = options.directory / "quantized.network";
  const std::filesystem::path finished_settings = options.directory / "quantized.json";
  TrainOptions training = training_in(options.directory, train_data, options.training);
  configure_threads(training.threads);

  CalibrationOptions calibration = options.calibration;
  calibration.bias_correction = false;
  calibration.threads = training.threads;
  const QuantizedNetwork start = quantize_post_training(prepared, plan, train_data, calibration);

  const float divisor = input_divisor(prepared, train_data);
  const Graph divided = for_divided_input(prepared, divisor);
  const Preprocessing divide = division_by(divisor, train_data);
  training.teacher = nullptr;
  if (options.distill) {
    training.teacher =
        std::make_shared<const Graph>(options.teacher ? for_divided_input(*options.teacher, divisor) : divided);
  }
  nlohmann::json settings = grid_training_settings(prepared, train_data, training, options.calibration);
  settings["plan"] = to_toml(plan);
  settings["step_learning_rate_scale"] = options.step_learning_rate_scale;
  if (kept && std::filesystem::exists(finished) && std::filesystem::exists(finished_settings)) {
    check_same_settings(nlohmann::json::parse(read_text(finished_settings), nullptr, false), settings,
                        finished_settings.string());
    return load_quantized_network(finished);
  }

  std::vector<std::optional<ActivationGrid>> grids = by_layer(start.values, start.graph, prepared);
  const std::vector<ValueId> set = shared_grids(prepared);
  for (std::size_t i = 0; i < grids.size(); ++i) {
    if (grids[i] && set[i] == nth(set, prepared.input)) grids[i]->scale /= divisor;
  }
  const std::vector<Layer> layers = fuse_layers(divided);
  Executor executor(without_fused_activations(divided, layers));
  LearnedSteps steps(divided, layers, plan, grids, executor);
  TrainingTask task{train_data, test_data, divide, training, settings, executor.parameters()};
  const std::vector<TrainedTensor> grid_steps = steps.tensors(options.step_learning_rate_scale);
  task.trained.insert(task.trained.end(), grid_steps.begin(), grid_steps.end());
  task.tests = {{"", [&] { measure_statistics(executor, train_data, divide, training, quick_statistics_batches); }}};
  task.passes = {{[&](Random&) { steps.keep_apart_from_zero(); }}};  // the average takes them as they came
  run_training(executor, task);
  steps.keep_apart_from_zero();
  measure_statistics(executor, train_data, divide, training, statistics_batches);
  grids = steps.grids();
  calibrate_wide_values(executor, train_data, divide, grids);

  const Graph trained = for_divided_input(with_parameters(divided, executor.to_graph()), 1 / divisor);
  if (latent != nullptr) *latent = trained;
  const QuantizedNetwork network = fold(prepared, trained, plan, steps, executor, grids, divisor);
  if (kept) {
    write_file(finished_settings, json_text(settings, 2));
    save_quantized_network(network, finished);
  }
  return network;
}

}  // namespace trimtab
