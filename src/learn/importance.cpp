#include "learn/importance.h"

#include <cmath>
#include <map>

#include "base/error.h"
#include "base/index.h"
#include "base/progress.h"
#include "learn/evaluate_executor.h"
#include "learn/executor.h"
#include "learn/integer_network.h"
#include "learn/task_loss.h"
#include "plan/layers.h"

namespace trimtab {

namespace {

constexpr std::int64_t importance_batch = 64;

/// Layers whose Conv or Linear makes units, by the value they leave.
std::map<ValueId, std::size_t> makers(const Graph& graph, const ChannelGroups& groups) {
  std::vector<bool> makes(graph.nodes.size(), false);
  for (const ChannelGroup& group : groups.groups) {
    for (const std::int64_t node : group.nodes) {
      nth(makes, node) = true;
    }
  }
  std::map<ValueId, std::size_t> result;
  for (const Layer& layer : fuse_layers(graph)) {
    if (nth(makes, layer.node)) {
      result[layer.output] = static_cast<std::size_t>(layer.node);
    }
  }
  return result;
}

std::vector<double> taylor(const Graph& graph, const ChannelGroups& groups, const Dataset& data,
                           const ImportanceOptions& options) {
  std::vector<double> importance(groups.units.size(), 0.0);
  const std::map<ValueId, std::size_t> watched = makers(graph, groups);
  const Dataset samples = data.size() > options.samples ? data.sample(options.samples, 1) : data;
  const Task task = options.task ? *options.task : choose_task({}, output_of(graph), samples, {});
  check_answers(task, samples);
  Executor executor(graph);
  std::map<ValueId, torch::Tensor> seen;
  executor.value_hook = [&](ValueId value, const torch::Tensor& tensor) {
    if (watched.contains(value)) {
      tensor.retain_grad();
      seen[value] = tensor;
    }
    return tensor;
  };
  Progress progress("importance of channels", samples.size());
  for (std::int64_t start = 0; start < samples.size(); start += importance_batch) {
    const std::int64_t size = std::min(importance_batch, samples.size() - start);
    const torch::Tensor input = raw_batch(samples, start, size);
    const torch::Tensor targets = target_tensor(task, samples, numbers_from(start, size), input, {});
    task_loss(task, executor.forward(input, false, measured_value(task, graph)), targets).backward();
    for (auto& [value, tensor] : seen) {
      const torch::Tensor product = tensor.detach() * tensor.grad();
      const torch::Tensor change = (product.dim() == 4 ? product.sum({2, 3}) : product).square().sum(0);
      const auto& units = nth(groups.of_value, value);
      for (std::size_t c = 0; c < units.size(); ++c) {
        nth(importance, units[c]) +=
            change[static_cast<std::int64_t>(c)].item<double>() / static_cast<double>(samples.size());
      }
    }
    seen.clear();
    for (const TrainedTensor& parameter : executor.parameters()) {
      torch::Tensor own = parameter.tensor;
      own.mutable_grad().reset();
    }
    progress.update(start + size);
  }
  return importance;
}

/// Mean magnitude of a filter's weights, or of its normalization's scale.
std::vector<double> magnitudes(const Graph& graph, const Layer& layer, ImportanceMeasure measure) {
  const Operator& op = nth(graph.nodes, layer.node).op;
  const Tensor& weight = *weight_of(op);
  const Tensor* tensor = &weight;
  if (measure == ImportanceMeasure::batch_norm && layer.normalization >= 0) {
    const Operator& norm = nth(graph.nodes, layer.normalization).op;
    if (const auto* batch_norm = std::get_if<BatchNormalization>(&norm)) {
      tensor = &batch_norm->scale;
    }
  }
  const auto channels = static_cast<std::size_t>(weight.shape[0]);
  const std::size_t size = tensor->data.size() / channels;
  std::vector<double> result(channels, 0.0);
  for (std::size_t i = 0; i < tensor->data.size(); ++i) {
    result[i / size] += std::abs(static_cast<double>(tensor->data[i])) / static_cast<double>(size);
  }
  return result;
}

std::vector<double> by_magnitude(const Graph& graph, const ChannelGroups& groups, ImportanceMeasure measure) {
  std::map<std::int64_t, std::vector<double>> of_node;
  for (const Layer& layer : fuse_layers(graph)) {
    const Operator& op = nth(graph.nodes, layer.node).op;
    if (weight_of(op) == nullptr) continue;
    std::vector<double> own = magnitudes(graph, layer, measure);
    double mean = 0;
    for (const double magnitude : own) {
      mean += magnitude / static_cast<double>(own.size());
    }
    for (double& magnitude : own) {  // layers that make a unit together speak equally
      magnitude = mean > 0 ? magnitude / mean : 0.0;
    }
    of_node[layer.node] = std::move(own);
  }
  std::vector<double> importance(groups.units.size(), 0.0);
  for (std::size_t u = 0; u < groups.units.size(); ++u) {
    for (const ChannelUnit::Filter& filter : groups.units[u].filters) {
      importance[u] += nth(of_node.at(filter.node), filter.channel);
    }
  }
  return importance;
}

}  // namespace

ImportanceMeasure parse_importance(const std::string& word) {
  if (word == "taylor") {
    return ImportanceMeasure::taylor;
  }
  if (word == "batch-norm") {
    return ImportanceMeasure::batch_norm;
  }
  if (word != "l1") {
    throw bad_input("the importance '{}' is unknown; use taylor, batch-norm or l1", word);
  }
  return ImportanceMeasure::l1;
}

std::vector<double> unit_importance(const Graph& prepared, const ChannelGroups& groups, const Dataset& data,
                                    const ImportanceOptions& options) {
  if (options.measure != ImportanceMeasure::taylor) {
    return by_magnitude(prepared, groups, options.measure);
  }
  if (data.size() == 0) {
    throw bad_input("there are no samples to rate the channels of {} with", prepared.name);
  }
  configure_threads(options.threads);
  return taylor(prepared, groups, data, options);
}

}  // namespace trimtab
