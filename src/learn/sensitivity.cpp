#include "learn/sensitivity.h"

#include <algorithm>
#include <optional>

#include "base/error.h"
#include "base/index.h"
#include "base/progress.h"
#include "graph/passes.h"
#include "learn/evaluate_executor.h"
#include "learn/executor.h"
#include "learn/grid_plan.h"
#include "learn/integer_network.h"
#include "learn/quantize.h"
#include "learn/task_loss.h"
#include "learn/weight_grid.h"
#include "plan/layers.h"

namespace trimtab {

namespace {

constexpr std::int64_t sensitivity_batch = 128;
/// Of Fisher's matrix: the squared mean over a small batch stands for the mean of squares.
constexpr std::int64_t fisher_batch_size = 8;

/// The weights on their grid of so many bits, as a tensor.
torch::Tensor quantized(const Tensor& weight, int bits) {
  Tensor rounded = weight;
  round_to_grid(rounded, make_weight_grid(weight, {}, 1, bits, RangeMethod::mse));
  return torch::tensor(rounded.data).reshape(rounded.shape);
}

class Probe {
 public:
  Probe(const Graph& prepared, const Dataset& data, const SensitivityOptions& options)
      : options_(options),
        graph_(fold_batch_normalization(prepared)),
        prepared_(prepared),
        data_(data.size() > options.samples ? data.sample(options.samples, 1) : data),
        task_(options.task ? *options.task : choose_task({}, output_of(graph_), data_, {})),
        layers_(fuse_layers(graph_)),
        executor_(graph_) {
    if (data.size() == 0) {
      throw bad_input("there are no samples to measure the sensitivities of {} with", prepared.name);
    }
    reference_ = outputs();
  }

  std::vector<LayerSensitivity> run() {
    std::vector<LayerSensitivity> result;
    for (const Layer& layer : layers_) {
      LayerSensitivity& own = result.emplace_back();
      own.layer = layer.name;
      if (const Tensor* weight = weight_of(nth(graph_.nodes, layer.node).op)) {
        own.weight_count = element_count(weight->shape);
      }
    }
    if (options_.measure == SensitivityMeasure::fisher) {
      weights_by_fisher(result);
    } else {
      weights_by_kl(result);
    }
    activations_by_kl(result);
    return result;
  }

 private:
  /// The outputs of all samples, or their logits, with the hooks as they are.
  torch::Tensor outputs() {
    const torch::NoGradGuard no_gradients;
    std::vector<torch::Tensor> parts;
    for (std::int64_t start = 0; start < data_.size(); start += sensitivity_batch) {
      const std::int64_t size = std::min(sensitivity_batch, data_.size() - start);
      parts.push_back(executor_.forward(raw_batch(data_, start, size), false, measured_value(task_, graph_)));
    }
    return torch::cat(parts);
  }

  double divergence() {
    return task_divergence(task_, outputs(), reference_).item<double>() / static_cast<double>(data_.size());
  }

  void weights_by_kl(std::vector<LayerSensitivity>& result) {
    Progress progress("sensitivity of weights", static_cast<std::int64_t>(layers_.size()));
    for (std::size_t l = 0; l < layers_.size(); ++l) {
      const auto node = static_cast<std::size_t>(layers_[l].node);
      if (const Tensor* weight = weight_of(graph_.nodes[node].op)) {
        for (const int bits : options_.weight_bits) {
          const torch::Tensor replaced = quantized(*weight, bits);
          executor_.weight_hook = [&](std::size_t index, const torch::Tensor& own) {
            return index == node ? replaced : own;
          };
          result[l].weights[bits] = divergence();
        }
      }
      progress.update(static_cast<std::int64_t>(l) + 1);
    }
    executor_.weight_hook = nullptr;
  }

  void weights_by_fisher(std::vector<LayerSensitivity>& result) {
    check_answers(task_, data_);
    std::vector<torch::Tensor> squares(graph_.nodes.size());
    Progress progress("sensitivity of weights", data_.size());
    for (std::int64_t start = 0; start < data_.size(); start += fisher_batch_size) {
      const std::int64_t size = std::min(fisher_batch_size, data_.size() - start);
      const torch::Tensor input = raw_batch(data_, start, size);
      const torch::Tensor targets = target_tensor(task_, data_, numbers_from(start, size), input, {});
      task_loss(task_, executor_.forward(input, false, measured_value(task_, graph_)), targets).backward();
      for (std::size_t i = 0; i < squares.size(); ++i) {
        torch::Tensor weight = executor_.parameters_of(i).weight;
        if (weight_of(graph_.nodes[i].op) == nullptr) {
          continue;
        }
        const torch::Tensor square = weight.grad().square() / static_cast<double>(data_.size());
        squares[i] = squares[i].defined() ? squares[i] + square : square;
      }
      for (const TrainedTensor& parameter : executor_.parameters()) {
        torch::Tensor own = parameter.tensor;
        own.mutable_grad().reset();
      }
      progress.update(start + size);
    }
    for (std::size_t l = 0; l < layers_.size(); ++l) {
      const auto node = static_cast<std::size_t>(layers_[l].node);
      const Tensor* weight = weight_of(graph_.nodes[node].op);
      if (weight == nullptr) {
        continue;
      }
      for (const int bits : options_.weight_bits) {
        const torch::Tensor error = quantized(*weight, bits) - executor_.parameters_of(node).weight.detach();
        result[l].weights[bits] = 0.5 * (error.square() * squares[node]).sum().item<double>();
      }
    }
  }

  void activations_by_kl(std::vector<LayerSensitivity>& result) {
    CalibrationOptions calibration;
    calibration.bias_correction = false;
    calibration.samples = std::min<std::int64_t>(options_.samples, 256);
    calibration.threads = options_.threads;
    for (const int bits : options_.activation_bits) {
      Plan plan = uniform_plan(prepared_, 8, 8);
      for (LayerPlan& layer : plan.layers) {
        layer.activation_bits = bits;
      }
      const QuantizedNetwork network = quantize_post_training(prepared_, plan, data_, calibration);
      for (std::size_t l = 0; l < layers_.size(); ++l) {
        const ValueId output = layers_[l].output;
        if (!computes(graph_, layers_[l]) || output == graph_.output) {
          continue;
        }
        const ActivationGrid grid = *nth(network.values, output);
        executor_.value_hook = [&](ValueId value, const torch::Tensor& tensor) {
          if (value != output) {
            return tensor;
          }
          return (tensor / grid.scale)
              .add_(0.5)
              .floor_()
              .clamp_(grid.lowest_step(), grid.highest_step())
              .mul_(grid.scale);
        };
        result[l].activations[bits] = divergence();
      }
    }
    executor_.value_hook = nullptr;
  }

  SensitivityOptions options_;
  Graph graph_;
  const Graph& prepared_;
  Dataset data_;
  Task task_;
  std::vector<Layer> layers_;
  Executor executor_;
  torch::Tensor reference_;
};

}  // namespace

std::vector<LayerSensitivity> measure_sensitivities(const Graph& prepared, const Dataset& data,
                                                    const SensitivityOptions& options) {
  configure_threads(options.threads);
  return Probe(prepared, data, options).run();
}

}  // namespace trimtab
