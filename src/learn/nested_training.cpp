#include "learn/nested_training.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <map>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/file.h"
#include "base/progress.h"
#include "base/random.h"
#include "base/settings.h"
#include "graph/passes.h"
#include "learn/channel_normalization.h"
#include "learn/checkpoint.h"
#include "learn/evaluate_executor.h"
#include "learn/executor.h"
#include "learn/fake_quantize.h"
#include "learn/grid_plan.h"
#include "learn/nested_grid.h"
#include "learn/optimizer.h"
#include "learn/training.h"

namespace trimtab {
namespace {

/// Samples over which the channels' means and variances are measured.
constexpr std::int64_t statistics_samples = 2048;
/// Of the loss, what all bits contribute; the least and the random precision share the rest. Few bits lose more and
/// pull harder: with equal shares the network at all bits pays for them (results/scale.md).
constexpr double leading_share = 0.5;
/// Share of its first value below which no step falls.
constexpr float least_scale_share = 0.05F;

/// The weights at `bits` bits of the nested grid of `scale` {channels, 1, ...}, straight through.
torch::Tensor nested_weight(const torch::Tensor& weight, const torch::Tensor& scale, int bits) {
  const double limit = std::ldexp(1.0, bits - 1);
  const torch::Tensor step = scale * std::ldexp(1.0, stored_weight_bits - bits);
  const torch::Tensor inside = torch::clamp(weight / step, -limit, limit - 1e-3);
  return (inside + (inside.floor() + 0.5 - inside).detach()) * step;
}

/// Sums over batches of a channel's mean and mean square.
struct Statistics {
  torch::Tensor mean;
  torch::Tensor square;
  void add(const torch::Tensor& batch_mean, const torch::Tensor& batch_square) {
    mean = mean.defined() ? mean + batch_mean : batch_mean;
    square = square.defined() ? square + batch_square : batch_square;
  }
};

/// A network that is trained at changing precisions: an executor with the hooks that quantize.
class NestedTrainingNetwork {
 public:
  /// `start` holds the grids at which training begins; `prepared` is not folded; `leading`: the precision whose
  /// variances all use.
  NestedTrainingNetwork(const Graph& prepared, const NestedNetwork& start, const Precision& leading)
      : prepared_(prepared),
        layers_(fuse_layers(prepared)),
        executor_(without_fused_activations(prepared, layers_)),
        groups_(activation_groups(prepared, layers_)),
        leading_(leading) {
    const Graph& graph = executor_.graph();
    layer_of_node_.assign(graph.nodes.size(), -1);
    layer_of_value_.assign(graph.values.size(), -1);
    scales_.resize(layers_.size());
    steps_.resize(layers_.size());
    grids_.resize(layers_.size());
    std::map<std::string, ValueId> folded_outputs;
    for (const Layer& layer : fuse_layers(start.graph)) folded_outputs[layer.name] = layer.output;
    const std::vector<ValueId> set = shared_grids(prepared);
    std::map<ValueId, torch::Tensor> of_set;
    for (std::size_t l = 0; l < layers_.size(); ++l) {
      const Layer& layer = layers_[l];
      layer_of_value_[static_cast<std::size_t>(layer.output)] = static_cast<int>(l);
      for (std::size_t n = 0; n < graph.nodes.size(); ++n) {
        if (graph.nodes[n].name == layer.name) layer_of_node_[n] = static_cast<int>(l);
      }
      if (const Tensor* weight = weight_of(prepared.nodes[static_cast<std::size_t>(layer.node)].op)) {
        const StoredWeights stored = store_weights(*weight, NestedRange::balanced);
        std::vector<std::int64_t> shape(weight->shape.size(), 1);
        shape[0] = static_cast<std::int64_t>(stored.scale.size());
        scales_[l] = torch::tensor(stored.scale).view(shape).requires_grad_(true);
        least_scales_.push_back({scales_[l], scales_[l].detach() * least_scale_share});
      }
      grids_[l] = *start.values[static_cast<std::size_t>(folded_outputs.at(layer.name))];
      if (computes(prepared, layer) && grids_[l]->grid.bits == stored_activation_bits) {
        torch::Tensor& step = of_set[set[static_cast<std::size_t>(layer.output)]];
        if (!step.defined()) {
          step = torch::tensor({grids_[l]->grid.scale}).requires_grad_(true);
          least_scales_.push_back({step, step.detach() * least_scale_share});
        }
        steps_[l] = step;
      }
    }
    precision_.resize(layers_.size());
    executor_.weight_hook = [this](std::size_t node, const torch::Tensor& weight) {
      const auto l = static_cast<std::size_t>(layer_of_node_[node]);
      return nested_weight(weight, scales_[l], precision_[l].weights);
    };
    variances_.resize(graph.nodes.size());
    executor_.node_hook = [this](std::size_t node, const std::vector<torch::Tensor>& inputs, bool training) {
      return normalize(node, inputs[0], training);
    };
    executor_.value_hook = [this](ValueId value, const torch::Tensor& tensor) {
      const int layer = layer_of_value_[static_cast<std::size_t>(value)];
      return layer < 0 ? tensor : activate(static_cast<std::size_t>(layer), tensor);
    };
  }

  void set_precision(const std::vector<Precision>& precision) { precision_ = precision; }
  void set_precision(const Precision& precision) { precision_.assign(layers_.size(), precision); }
  /// Whether the batches to come set the variances that all precisions use.
  void set_leading(bool leads) { leads_ = leads; }
  [[nodiscard]] Executor& executor() { return executor_; }
  [[nodiscard]] std::size_t layers() const { return layers_.size(); }
  [[nodiscard]] const std::vector<int>& groups() const { return groups_; }

  /// What is trained. Inputs of the first layer may be far from 1 (raw pixels): dividing them by d and multiplying its
  /// weights by d would be the same network, whose learning rate for these weights is d^2 times as large. Scales and
  /// steps learn as their logarithms would, with the gradient of a relative change, which is the same at all precisions
  /// that use them: with LSQ's rule, made for one precision, the scales of ResNet-8 ran away within ten steps.
  [[nodiscard]] std::vector<TrainedTensor> tensors(double input_size) const {
    const torch::NoGradGuard no_gradients;
    std::vector<TrainedTensor> result;
    for (const Executor::Parameter& own : executor_.parameters()) {
      const bool first = own.decays && is_first(own.name);
      result.push_back({own.name, own.tensor, own.decays, first ? 1 / (input_size * input_size) : 1});
    }
    for (std::size_t l = 0; l < layers_.size(); ++l) {
      if (!scales_[l].defined()) continue;
      result.push_back({layers_[l].name + ".scale", scales_[l], false, scales_[l].square().mean().item<double>()});
    }
    std::vector<const void*> seen;
    for (std::size_t l = 0; l < layers_.size(); ++l) {
      if (!steps_[l].defined()) continue;
      const void* storage = steps_[l].data_ptr();
      if (std::find(seen.begin(), seen.end(), storage) != seen.end()) continue;
      seen.push_back(storage);
      result.push_back({layers_[l].name + ".step", steps_[l], false, steps_[l].square().item<double>()});
    }
    return result;
  }

  void keep_steps_up() {
    const torch::NoGradGuard no_gradients;
    for (const auto& [tensor, least] : least_scales_) tensor.copy_(torch::maximum(tensor, least));
  }

  /// The trained network, folded with the statistics that were measured last, with the stored digits exactly those it
  /// was trained with.
  [[nodiscard]] NestedNetwork finish() const {
    const Graph trained = with_parameters();
    NestedNetwork network;
    network.reference = leading_;
    network.graph = fold_batch_normalization(trained);
    network.values.resize(network.graph.values.size());
    network.weights.resize(network.graph.nodes.size());
    std::map<std::string, std::size_t> before;
    for (std::size_t l = 0; l < layers_.size(); ++l) before[layers_[l].name] = l;
    for (const Layer& layer : fuse_layers(network.graph)) {
      const std::size_t l = before.at(layer.name);
      NestedActivationGrid grid = *grids_[l];
      if (steps_[l].defined()) grid.grid.scale = steps_[l].item<float>();
      network.values[static_cast<std::size_t>(layer.output)] = grid;
      const auto node = static_cast<std::size_t>(layer.node);
      if (weight_of(network.graph.nodes[node].op) != nullptr) network.weights[node] = stored(l, trained);
    }
    share_scales(network);
    return network;
  }

  /// Puts the means over the samples at a precision into BatchNormalization and, at the leading one, which has to come
  /// first, the variances. Samples are augmented as in training: the borders that shifts bring in are part of the
  /// statistics that the network was trained with.
  void measure_statistics(const Precision& precision, const Dataset& samples, const BatchOptions& as_trained) {
    const torch::NoGradGuard no_gradients;
    const bool leads = precision == leading_;
    set_precision(precision);
    statistics_.assign(executor_.graph().nodes.size(), {});
    tracks_ = true;
    set_leading(leads);
    BatchOptions options = as_trained;
    options.batch_size = std::min<std::int64_t>(256, samples.size());
    options.epochs = 1;
    options.first_batch = 0;
    const std::int64_t batches = batches_per_epoch(samples.size(), options);
    BatchLoader loader(samples, {}, options);
    Batch batch;
    for (std::int64_t i = 0; i < batches && loader.next(batch); ++i) {
      (void)executor_.forward(input_tensor(batch, samples.shape), leads);
    }
    tracks_ = false;
    set_leading(false);
    for (std::size_t n = 0; n < statistics_.size(); ++n) {
      if (!statistics_[n].mean.defined()) continue;
      const torch::Tensor mean = statistics_[n].mean / static_cast<double>(batches);
      executor_.parameters_of(n).mean.copy_(mean);
      if (!leads) continue;
      executor_.parameters_of(n).variance.copy_(statistics_[n].square / static_cast<double>(batches) - mean * mean);
    }
  }
  [[nodiscard]] const Precision& leading() const { return leading_; }

  void set_input_grid(NestedNetwork& network, const NestedActivationGrid& grid) const {
    network.values[static_cast<std::size_t>(network.graph.input)] = grid;
  }

 private:
  [[nodiscard]] bool is_first(const std::string& parameter) const {
    return std::any_of(layers_.begin(), layers_.end(), [&](const Layer& layer) {
      return layer.inputs.at(0) == prepared_.input && parameter == layer.name + ".weight";
    });
  }

  torch::Tensor normalize(std::size_t node, const torch::Tensor& x, bool training) {
    const auto* norm = std::get_if<BatchNormalization>(&executor_.graph().nodes[node].op);
    if (norm == nullptr || !(training || tracks_)) return {};  // the executor's own
    const NodeParameters& own = executor_.parameters_of(node);
    // The variance of others is not detached: only where every precision follows the variance do the weights'
    // gradients stay at right angles to the weights, as BatchNormalization's do.
    const bool leads = training && leads_;
    const torch::Tensor others = training ? variances_[node] : own.variance;
    const NormalizedChannels made = normalize_channels(x, own.weight, own.bias, leads ? torch::Tensor() : others,
                                                       static_cast<double>(norm->epsilon));
    if (leads) variances_[node] = made.variance;
    if (tracks_) statistics_[node].add(made.mean, made.variance + made.mean * made.mean);
    return made.output;
  }

  torch::Tensor activate(std::size_t l, const torch::Tensor& x) {
    const Saturation saturation = saturation_of(prepared_, layers_[l]);
    if (!steps_[l].defined()) {
      return layers_[l].activation < 0 ? x : torch::clamp(x, saturation.low, saturation.high);
    }
    const int bits = groups_[l] < 0 ? stored_activation_bits : precision_[l].activations;
    const ActivationGrid at = grids_[l]->at(bits);
    const double growth = static_cast<double>(at.scale) / static_cast<double>(grids_[l]->grid.scale);
    return fake_quantize_activation(x, steps_[l] * growth, {at.minimum(), at.maximum(), saturation}, 1);
  }

  [[nodiscard]] Graph with_parameters() const {
    const Graph trained = executor_.to_graph();
    Graph graph = prepared_;
    for (Node& node : graph.nodes) {
      for (const Node& other : trained.nodes) {
        if (other.name == node.name) node.op = other.op;
      }
    }
    return graph;
  }

  /// Digits of the unfolded weights; normalization moves into the scale, and its sign into the digits: on the mid-rise
  /// grid -(2q + 1) = 2(-q - 1) + 1, at every precision.
  [[nodiscard]] StoredWeights stored(std::size_t l, const Graph& trained) const {
    const Layer& layer = layers_[l];
    const Tensor& weight = *weight_of(trained.nodes[static_cast<std::size_t>(layer.node)].op);
    const torch::Tensor own = scales_[l].detach().contiguous();
    StoredWeights result;
    result.scale.assign(own.data_ptr<float>(), own.data_ptr<float>() + own.numel());
    const std::size_t size = weight.data.size() / result.scale.size();
    for (std::size_t i = 0; i < weight.data.size(); ++i) {
      result.digits.push_back(quantize_nested(weight.data[i], result.scale[i / size]));
    }
    if (layer.normalization < 0) return result;
    const Operator& op = trained.nodes[static_cast<std::size_t>(layer.normalization)].op;
    for (std::size_t c = 0; c < result.scale.size(); ++c) {
      float factor = 1;
      if (const auto* norm = std::get_if<BatchNormalization>(&op)) {
        factor = norm->scale.data[c] / std::sqrt(norm->variance.data[c] + norm->epsilon);
      } else {
        factor = std::get<Affine>(op).scale.data[c];
      }
      result.scale[c] *= std::max(std::abs(factor), 1e-12F);
      if (factor >= 0) continue;
      for (std::size_t i = c * size; i < (c + 1) * size; ++i) {
        result.digits[i] = static_cast<std::int8_t>(-result.digits[i] - 1);
      }
    }
    return result;
  }

  /// Values that pass numbers on have the scale of those they share a grid with.
  static void share_scales(NestedNetwork& network) {
    const std::vector<ValueId> set = shared_grids(network.graph);
    for (const Layer& layer : fuse_layers(network.graph)) {
      if (!computes(network.graph, layer)) continue;
      const auto from = static_cast<std::size_t>(layer.output);
      for (std::size_t v = 0; v < network.values.size(); ++v) {
        if (network.values[v] && set[v] == set[from]) network.values[v] = network.values[from];
      }
    }
  }

  Graph prepared_;
  std::vector<Layer> layers_;
  Executor executor_;
  std::vector<int> groups_;
  std::vector<int> layer_of_node_;
  std::vector<int> layer_of_value_;
  std::vector<torch::Tensor> scales_;  ///< by layer: of the unfolded weights, {channels, 1, ...}
  std::vector<torch::Tensor> steps_;   ///< by layer: of the output's grid at 8 bits; shared within a set
  std::vector<std::optional<NestedActivationGrid>> grids_;
  std::vector<std::pair<torch::Tensor, torch::Tensor>> least_scales_;
  std::vector<Precision> precision_;
  Precision leading_;
  bool leads_ = false;
  std::vector<torch::Tensor> variances_;  ///< by node: of the last batch that led
  bool tracks_ = false;
  std::vector<Statistics> statistics_;  ///< by node
};

/// Root of the mean square of the raw numbers.
double input_size(const Dataset& data) {
  double squares = 0;
  std::vector<float> sample(static_cast<std::size_t>(element_count(data.shape)));
  const std::int64_t samples = std::min<std::int64_t>(data.size(), 256);
  for (std::int64_t i = 0; i < samples; ++i) {
    data.read(i, {}, sample);
    for (const double raw : sample) squares += raw * raw;
  }
  const std::int64_t count = samples * std::ssize(sample);
  return std::max(1e-6, std::sqrt(squares / static_cast<double>(std::max<std::int64_t>(count, 1))));
}

std::vector<Precision> random_precision(const NestedTrainingNetwork& network, const Precision& least, Random& random) {
  const auto pick = [&random](const std::vector<int>& choices) {
    return choices[static_cast<std::size_t>(random.integer(0, std::ssize(choices) - 1))];
  };
  const std::vector<int> weight_bits{8, 6, 5, 4, 3};
  const std::vector<int> activation_bits{8, 6, 4};
  std::vector<Precision> result(network.layers());
  if (random.uniform() < 0.5) {
    const int bits = least.weights < 6 ? pick({5, 6}) : 6;
    result.assign(network.layers(), Precision{bits, 6});
    return result;
  }
  std::map<int, int> of_group;
  for (std::size_t l = 0; l < result.size(); ++l) {
    const auto group = of_group.emplace(network.groups()[l], pick(activation_bits)).first;
    result[l] = Precision{pick(weight_bits), group->second};
  }
  return result;
}

class NestedTraining {
 public:
  NestedTraining(const Graph& prepared, const NestedNetwork& start, const Dataset& train_data, const Dataset& test_data,
                 const NestedTrainOptions& options)
      : network_(prepared, start, options.only.value_or(Precision{})),
        teacher_(prepared),
        train_(train_data),
        test_(test_data),
        options_(options),
        logits_(logits_of(prepared)),
        tensors_(network_.tensors(input_size(train_data))),
        sgd_(tensors_, options.training.momentum, options.training.weight_decay),
        average_(watched(), options.training.average_decay) {
    teacher_.bfloat16 = options.training.bfloat16;
    batches_.batch_size = options.training.batch_size;
    batches_.training = true;
    batches_.augmentation = options.training.augmentation;
    batches_.seed = options.training.seed;
    batches_.epochs = options.training.epochs;
    per_epoch_ = batches_per_epoch(train_data.size(), batches_);
    steps_ = per_epoch_ * options.training.epochs;
    statistics_ = train_data.sample(std::min(statistics_samples, train_data.size()), 1);
  }

  NestedTrainingNetwork& run() {
    load();
    batches_.first_batch = step_;
    BatchLoader loader(train_, {}, batches_);
    Progress progress("training for all precisions", steps_ - step_);
    const std::int64_t first = step_;
    auto saved = std::chrono::steady_clock::now();
    Batch batch;
    while (step_ < steps_ && loader.next(batch)) {
      train(batch);
      if (step_ % per_epoch_ == 0) finish_epoch();
      const auto now = std::chrono::steady_clock::now();
      if (step_ % per_epoch_ == 0 || std::chrono::duration<double>(now - saved).count() > 60) {
        save();
        saved = now;
      }
      progress.update(step_ - first);
    }
    average_.swap();
    network_.keep_steps_up();
    network_.measure_statistics(network_.leading(), statistics_, batches_);
    return network_;
  }

 private:
  [[nodiscard]] std::vector<torch::Tensor> watched() const {
    std::vector<torch::Tensor> result;
    for (const TrainedTensor& tensor : tensors_) result.push_back(tensor.tensor.detach());
    return result;
  }

  [[nodiscard]] torch::Tensor divergence(const torch::Tensor& logits, const torch::Tensor& taught) const {
    const double t = options_.training.temperature;
    return torch::kl_div(torch::log_softmax(logits / t, 1), torch::log_softmax(taught / t, 1), at::Reduction::Sum,
                         true) *
           (t * t / static_cast<double>(logits.size(0)));
  }

  void train(const Batch& batch) {
    Random random(options_.training.seed * 0x9e3779b97f4a7c15U + static_cast<std::uint64_t>(step_) + 1);
    const torch::Tensor input = input_tensor(batch, train_.shape);
    const torch::Tensor labels = label_tensor(batch);
    torch::Tensor taught;
    {
      const torch::NoGradGuard no_gradients;
      taught = teacher_.forward(input, false, logits_of(teacher_.graph())).reshape({batch.size(), -1});
    }
    const double share = options_.training.distillation_weight;
    network_.executor().bfloat16 = options_.training.bfloat16;
    std::vector<torch::Tensor> losses;
    const auto learn = [&](const torch::Tensor& from, double weight) {
      const torch::Tensor logits = network_.executor().forward(input, true, logits_).reshape({batch.size(), -1});
      losses.push_back(torch::cross_entropy_loss(logits, labels) * (weight * (1 - share)) +
                       divergence(logits, from) * (weight * share));
      return logits.detach();
    };
    network_.set_precision(network_.leading());
    network_.set_leading(true);
    const torch::Tensor own = learn(taught, options_.only ? 1 : leading_share);
    network_.set_leading(false);
    if (!options_.only) {
      network_.set_precision(options_.least);
      (void)learn(own, (1 - leading_share) / 2);
      network_.set_precision(random_precision(network_, options_.least, random));
      (void)learn(own, (1 - leading_share) / 2);
    }
    network_.executor().bfloat16 = false;
    const torch::Tensor loss = torch::stack(losses).sum();
    loss.backward();
    loss_ += loss.item<double>();
    if (!std::isfinite(loss_)) throw failure("training for all precisions diverged: the loss is not a number");
    sgd_.step(learning_rate_at(options_.training.learning_rate,
                               options_.training.warmup_epochs * static_cast<double>(per_epoch_), step_, steps_));
    network_.keep_steps_up();
    ++step_;
    average_.update(step_);
  }

  void finish_epoch() {
    std::string line = fmt::format("{},{:.5f}", step_ / per_epoch_, loss_ / static_cast<double>(per_epoch_));
    loss_ = 0;
    average_.swap();
    Precision measured = network_.leading();  // first, for the variances
    network_.measure_statistics(measured, statistics_, batches_);
    for (const Precision precision : {Precision{8, 8}, Precision{6, 6}, Precision{4, 4}}) {
      if (precision != measured) network_.measure_statistics(precision, statistics_, batches_);
      measured = precision;
      network_.set_precision(precision);
      line += test_.size() == 0 ? "," : fmt::format(",{:.2f}", evaluate(network_.executor(), test_, {}, {}).top1);
    }
    average_.swap();
    log_.push_back(line);
    if (options_.directory.empty()) return;
    std::string text = "epoch,loss,top1_8x8,top1_6x6,top1_4x4\n";
    for (const std::string& row : log_) text += row + "\n";
    write_file(options_.directory / "training.csv", text);
  }

  [[nodiscard]] std::vector<torch::Tensor> saved_tensors() const {
    std::vector<torch::Tensor> result = watched();
    for (const auto* more : {&sgd_.velocities(), &average_.averages()}) {
      result.insert(result.end(), more->begin(), more->end());
    }
    return result;
  }

  [[nodiscard]] nlohmann::json settings() const {
    nlohmann::json settings = training_settings(teacher_.graph(), train_, {}, options_.training);
    settings["least"] = {options_.least.weights, options_.least.activations};
    if (options_.only) settings["only"] = {options_.only->weights, options_.only->activations};
    return settings;
  }

  void save() const {
    if (options_.directory.empty()) return;
    save_checkpoint({{{"step", step_}, {"loss", loss_}, {"log", log_}, {"settings", settings()}}, saved_tensors()},
                    options_.directory / "checkpoint.bin");
  }

  void load() {
    const std::filesystem::path path = options_.directory / "checkpoint.bin";
    if (options_.directory.empty() || !std::filesystem::exists(path)) return;
    const Checkpoint checkpoint = load_checkpoint(path);
    check_same_settings(checkpoint.header.value("settings", nlohmann::json()), settings(), path.string());
    const torch::NoGradGuard no_gradients;
    if (restore(checkpoint.tensors, 0, saved_tensors(), path) != checkpoint.tensors.size()) {
      throw bad_input("{} does not hold the state of this training; remove it to start anew", path.string());
    }
    try {
      step_ = checkpoint.header.at("step");
      loss_ = checkpoint.header.at("loss");
      log_ = checkpoint.header.at("log").get<std::vector<std::string>>();
    } catch (const nlohmann::json::exception&) {
      throw bad_input("{} is damaged; remove it to start anew", path.string());
    }
  }

  NestedTrainingNetwork network_;
  Executor teacher_;
  const Dataset& train_;
  const Dataset& test_;
  Dataset statistics_;  ///< samples over which means and variances are measured
  const NestedTrainOptions& options_;
  ValueId logits_;
  std::vector<TrainedTensor> tensors_;
  Sgd sgd_;
  MovingAverage average_;
  BatchOptions batches_;
  std::int64_t per_epoch_ = 0;
  std::int64_t steps_ = 0;
  std::int64_t step_ = 0;
  double loss_ = 0;  ///< over the steps of this epoch
  std::vector<std::string> log_;
};

}  // namespace

NestedNetwork train_nested(const Graph& prepared, const Dataset& train_data, const Dataset& test_data,
                           const NestedTrainOptions& options) {
  NestedTrainOptions own = options;
  if (!train_data.is_pixels()) own.training.augmentation = {};
  if (!own.directory.empty()) make_directory(own.directory);
  configure_threads(own.training.threads);
  const NestedNetwork start = make_nested(prepared, train_data, own.calibration);
  NestedTraining training(prepared, start, train_data, test_data, own);
  NestedTrainingNetwork& trained = training.run();
  NestedNetwork network = trained.finish();
  trained.set_input_grid(network, *start.values[static_cast<std::size_t>(start.graph.input)]);
  return network;
}

}  // namespace trimtab
