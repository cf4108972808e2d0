#include "learn/nested_training_network.h"

#include <algorithm>
#include <cmath>
#include <map>

#include "base/index.h"
#include "graph/passes.h"
#include "learn/channel_normalization.h"
#include "learn/evaluate_executor.h"
#include "learn/fake_quantize.h"
#include "learn/grid_plan.h"
#include "learn/nested_grid.h"

namespace trimtab {
namespace {

/// Share of its first value below which no step falls.
constexpr float least_step_share = 0.05F;

/// The weights at `bits` bits of the nested grid of `scale` {channels, 1, ...}, straight through.
torch::Tensor nested_weight(const torch::Tensor& weight, const torch::Tensor& scale, int bits) {
  const double limit = std::ldexp(1.0, bits - 1);
  const torch::Tensor step = scale * std::ldexp(1.0, stored_weight_bits - bits);
  const torch::Tensor inside = torch::clamp(weight / step, -limit, limit - 1e-3);
  return (inside + (inside.floor() + 0.5 - inside).detach()) * step;
}

}  // namespace

NestedTrainingNetwork::NestedTrainingNetwork(const Graph& prepared, const NestedNetwork& start,
                                             const Precision& leading)
    : prepared_(prepared),
      layers_(fuse_layers(prepared)),
      executor_(without_fused_activations(prepared, layers_)),
      groups_(activation_groups(prepared, layers_)),
      layer_of_node_(executor_.graph().nodes.size(), -1),
      layer_of_value_(executor_.graph().values.size(), -1),
      scales_(layers_.size()),
      steps_(layers_.size()),
      grids_(by_layer(start.values, start.graph, prepared)),
      leading_(leading),
      variances_(executor_.graph().nodes.size()) {
  const Graph& graph = executor_.graph();
  const std::vector<ValueId> set = shared_grids(prepared);
  std::map<ValueId, torch::Tensor> of_set;
  for (std::size_t l = 0; l < layers_.size(); ++l) {
    const Layer& layer = layers_[l];
    nth(layer_of_value_, layer.output) = static_cast<int>(l);
    for (std::size_t n = 0; n < graph.nodes.size(); ++n) {
      if (graph.nodes[n].name == layer.name) layer_of_node_[n] = static_cast<int>(l);
    }
    if (const Tensor* weight = weight_of(nth(prepared.nodes, layer.node).op)) {
      const StoredWeights stored = store_weights(*weight, NestedRange::balanced);
      std::vector<std::int64_t> shape(weight->shape.size(), 1);
      shape[0] = static_cast<std::int64_t>(stored.scale.size());
      scales_[l] = torch::tensor(stored.scale).view(shape).requires_grad_(true);
      least_steps_.push_back({scales_[l], scales_[l].detach() * least_step_share});
    }
    const ActivationGrid& grid = nth(grids_, layer.output)->grid;
    if (computes(prepared, layer) && grid.bits == stored_activation_bits) {
      torch::Tensor& step = of_set[nth(set, layer.output)];
      if (!step.defined()) {
        step = torch::tensor({grid.scale}).requires_grad_(true);
        least_steps_.push_back({step, step.detach() * least_step_share});
      }
      steps_[l] = step;
    }
  }
  executor_.weight_hook = [this](std::size_t node, const torch::Tensor& weight) {
    const auto l = static_cast<std::size_t>(layer_of_node_[node]);
    return nested_weight(weight, scales_[l], precision_[l].weights);
  };
  executor_.node_hook = [this](std::size_t node, const std::vector<torch::Tensor>& inputs, bool training) {
    return normalize(node, inputs[0], training);
  };
  executor_.value_hook = [this](ValueId value, const torch::Tensor& tensor) {
    const int layer = nth(layer_of_value_, value);
    return layer < 0 ? tensor : activate(static_cast<std::size_t>(layer), tensor);
  };
}

void NestedTrainingNetwork::run_at(const std::vector<Precision>& precision) {
  precision_ = precision;
  leads_ = false;
}

void NestedTrainingNetwork::run_at(const Precision& precision) {
  run_at(std::vector<Precision>(layers_.size(), precision));
}

void NestedTrainingNetwork::lead() {
  run_at(leading_);
  leads_ = true;
}

std::vector<TrainedTensor> NestedTrainingNetwork::trained(double input_size) const {
  const torch::NoGradGuard no_gradients;
  std::vector<TrainedTensor> result = executor_.parameters();
  for (TrainedTensor& own : result) {
    if (own.decays && is_first(own.name)) own.learning_rate_scale = 1 / (input_size * input_size);
  }
  const auto add = [&](const std::string& name, const torch::Tensor& tensor) {
    const bool known = std::any_of(result.begin(), result.end(),
                                   [&](const TrainedTensor& other) { return other.tensor.is_same(tensor); });
    if (tensor.defined() && !known) result.push_back({name, tensor, false, tensor.square().mean().item<double>()});
  };
  for (std::size_t l = 0; l < layers_.size(); ++l) add(layers_[l].name + ".scale", scales_[l]);
  for (std::size_t l = 0; l < layers_.size(); ++l) add(layers_[l].name + ".step", steps_[l]);
  return result;
}

void NestedTrainingNetwork::keep_steps_up() {
  const torch::NoGradGuard no_gradients;
  for (const auto& [tensor, least] : least_steps_) tensor.copy_(torch::maximum(tensor, least));
}

void NestedTrainingNetwork::measure_statistics(const Precision& precision, const Dataset& samples,
                                               const BatchOptions& as_trained) {
  const torch::NoGradGuard no_gradients;
  const bool leads = precision == leading_;
  leads ? lead() : run_at(precision);
  statistics_.assign(executor_.graph().nodes.size(), {});
  tracks_ = true;
  BatchOptions options = as_trained;
  options.batch_size = std::min<std::int64_t>(256, samples.size());
  options.epochs = 1;
  options.first_batch = 0;
  const std::int64_t batches = batches_per_epoch(samples.size(), options);
  BatchLoader loader(samples, {}, options);
  Batch batch;
  while (loader.next(batch)) (void)executor_.forward(input_tensor(batch, samples.shape), leads);
  tracks_ = false;
  for (std::size_t n = 0; n < statistics_.size(); ++n) {
    if (!statistics_[n].mean.defined()) continue;
    const torch::Tensor mean = statistics_[n].mean / static_cast<double>(batches);
    executor_.parameters_of(n).mean.copy_(mean);
    if (!leads) continue;
    executor_.parameters_of(n).variance.copy_(statistics_[n].square / static_cast<double>(batches) - mean * mean);
  }
}

NestedNetwork NestedTrainingNetwork::finish() const {
  const Graph trained = with_parameters(prepared_, executor_.to_graph());
  NestedNetwork network;
  network.reference = leading_;
  network.graph = fold_batch_normalization(trained);
  network.weights.resize(network.graph.nodes.size());
  std::vector<std::optional<NestedActivationGrid>> grids = grids_;
  const std::vector<ValueId> set = shared_grids(prepared_);
  std::map<std::string, std::size_t> before;
  for (std::size_t l = 0; l < layers_.size(); ++l) {
    before[layers_[l].name] = l;
    for (std::size_t v = 0; v < grids.size(); ++v) {
      const bool shares = set[v] == nth(set, layers_[l].output);
      if (steps_[l].defined() && grids[v] && shares) grids[v]->grid.scale = steps_[l].item<float>();
    }
  }
  nth(grids, prepared_.input) = nth(grids_, prepared_.input);
  network.values = by_layer(grids, prepared_, network.graph);
  for (const Layer& layer : fuse_layers(network.graph)) {
    const auto node = static_cast<std::size_t>(layer.node);
    if (weight_of(network.graph.nodes[node].op) == nullptr) continue;
    network.weights[node] = stored(before.at(layer.name), trained);
  }
  return network;
}

void NestedTrainingNetwork::Statistics::add(const torch::Tensor& batch_mean, const torch::Tensor& batch_square) {
  mean = mean.defined() ? mean + batch_mean : batch_mean;
  square = square.defined() ? square + batch_square : batch_square;
}

bool NestedTrainingNetwork::is_first(const std::string& parameter) const {
  return std::any_of(layers_.begin(), layers_.end(), [&](const Layer& layer) {
    return layer.inputs.at(0) == prepared_.input && parameter == layer.name + ".weight";
  });
}

torch::Tensor NestedTrainingNetwork::normalize(std::size_t node, const torch::Tensor& x, bool training) {
  const auto* norm = std::get_if<BatchNormalization>(&executor_.graph().nodes[node].op);
  if (norm == nullptr || !(training || tracks_)) return {};  // the executor's own
  const NodeParameters& own = executor_.parameters_of(node);
  // The variance of others is not detached: only where every precision follows the variance do the weights' gradients
  // stay at right angles to the weights, as BatchNormalization's do.
  const bool leads = training && leads_;
  const torch::Tensor others = training ? variances_[node] : own.variance;
  const NormalizedChannels made =
      normalize_channels(x, own.weight, own.bias, leads ? torch::Tensor() : others, static_cast<double>(norm->epsilon));
  if (leads) variances_[node] = made.variance;
  if (tracks_) statistics_[node].add(made.mean, made.variance + made.mean * made.mean);
  return made.output;
}

torch::Tensor NestedTrainingNetwork::activate(std::size_t l, const torch::Tensor& x) const {
  const Saturation saturation = saturation_of(prepared_, layers_[l]);
  if (!steps_[l].defined()) return layers_[l].activation < 0 ? x : torch::clamp(x, saturation.low, saturation.high);
  const int bits = groups_[l] < 0 ? stored_activation_bits : precision_[l].activations;
  const NestedActivationGrid& grid = *nth(grids_, layers_[l].output);
  const ActivationGrid at = grid.at(bits);
  const double growth = static_cast<double>(at.scale) / static_cast<double>(grid.grid.scale);
  return fake_quantize_activation(x, steps_[l] * growth, {at.lowest_step(), at.highest_step(), saturation}, 1);
}

/// Digits of the unfolded weights; normalization moves into the scale, and its sign into the digits: on the mid-rise
/// grid -(2q + 1) = 2(-q - 1) + 1, at every precision.
StoredWeights NestedTrainingNetwork::stored(std::size_t l, const Graph& trained) const {
  const Layer& layer = layers_[l];
  const Tensor& weight = *weight_of(nth(trained.nodes, layer.node).op);
  const torch::Tensor own = scales_[l].detach().contiguous();
  StoredWeights result;
  result.scale.assign(own.data_ptr<float>(), own.data_ptr<float>() + own.numel());
  const std::size_t size = weight.data.size() / result.scale.size();
  for (std::size_t i = 0; i < weight.data.size(); ++i) {
    result.digits.push_back(quantize_nested(weight.data[i], result.scale[i / size]));
  }
  if (layer.normalization < 0) return result;
  const Operator& op = nth(trained.nodes, layer.normalization).op;
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

}  // namespace trimtab
