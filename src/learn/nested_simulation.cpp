#include "learn/nested_simulation.h"

#include <algorithm>
#include <array>

#include "base/error.h"
#include "base/index.h"
#include "learn/executor.h"
#include "learn/fake_quantize.h"
#include "learn/grid_plan.h"
#include "learn/integer_network.h"

namespace trimtab {

class NestedSimulation::Implementation {
 public:
  Implementation(const NestedNetwork& network, const Dataset& samples, bool correct_biases)
      : network_(network),
        correct_biases_(correct_biases),
        layers_(fuse_layers(network.graph)),
        samples_(raw_batch(samples, 0, samples.size())),
        executor_(without_fused_activations(network.graph, layers_)) {
    const Graph& graph = executor_.graph();
    layer_of_value_.resize(graph.values.size(), -1);
    layer_of_node_.resize(graph.nodes.size(), -1);
    for (std::size_t l = 0; l < layers_.size(); ++l) {
      nth(layer_of_value_, layers_[l].output) = static_cast<int>(l);
      for (std::size_t n = 0; n < graph.nodes.size(); ++n) {
        if (graph.nodes[n].name == layers_[l].name) layer_of_node_[n] = static_cast<int>(l);
      }
    }
    weights_.resize(layers_.size());
    kept_.resize(graph.values.size());
    last_.resize(graph.values.size());
    means_.resize(layers_.size());
    biases_.resize(layers_.size());
    run_float();
    if (network.reference) run_reference(*network.reference);
  }

  std::vector<float> run(const std::vector<Precision>& precision, bool keep) {
    if (precision.size() != layers_.size()) throw failure("a precision for {} layers", precision.size());
    const torch::NoGradGuard no_gradients;
    if (keep && precision == last_precision_) return keep_last();
    const std::size_t first = first_difference(precision);
    executor_.weight_hook = [&](std::size_t node, const torch::Tensor& weight) {
      return weights_at(node, precision, weight);
    };
    std::size_t node_now = 0;
    executor_.node_hook = [&](std::size_t node, const std::vector<torch::Tensor>&, bool) {
      node_now = node;
      return node < first ? nth(kept_, executor_.graph().nodes[node].output) : torch::Tensor();
    };
    executor_.value_hook = [&](ValueId value, const torch::Tensor& tensor) {
      if (value == executor_.graph().input || node_now < first) return tensor;
      torch::Tensor result = finish(value, tensor, precision);
      nth(last_, value) = result;
      return result;
    };
    std::fill(last_.begin(), last_.end(), torch::Tensor());
    last_outputs_ = numbers_of(executor_.forward(samples_, false));
    last_precision_ = precision;
    return keep ? keep_last() : last_outputs_;
  }

  OperatingPoint point(const std::vector<Precision>& precision) {
    kept_precision_.clear();  // the biases in front of a difference may be those of another run
    last_precision_.clear();
    (void)run(precision, true);
    OperatingPoint result{precision, std::vector<std::vector<float>>(network_.graph.nodes.size())};
    for (std::size_t l = 0; l < layers_.size(); ++l) {
      if (!biases_[l].defined()) continue;
      const torch::Tensor bias = biases_[l].contiguous();
      nth(result.bias, layers_[l].node).assign(bias.data_ptr<float>(), bias.data_ptr<float>() + bias.numel());
    }
    return result;
  }

  void replace(const NestedNetwork& network) {
    network_ = network;
    kept_precision_.clear();
    last_precision_.clear();
    for (auto& by_bits : weights_) by_bits.fill({});
  }

  std::vector<float> float_outputs;

 private:
  /// Keeps the values of the last run: a candidate that was measured need not run again to be taken.
  const std::vector<float>& keep_last() {
    for (std::size_t value = 0; value < last_.size(); ++value) {
      if (last_[value].defined()) kept_[value] = last_[value];
    }
    kept_precision_ = last_precision_;
    return last_outputs_;
  }

  [[nodiscard]] static std::vector<float> numbers_of(const torch::Tensor& tensor) {
    const torch::Tensor rows = tensor.reshape({tensor.size(0), -1}).contiguous();
    return {rows.data_ptr<float>(), rows.data_ptr<float>() + rows.numel()};
  }

  [[nodiscard]] bool is_weighted(int layer) const {
    return layer >= 0 && nth(network_.weights, nth(layers_, layer).node).has_value();
  }

  [[nodiscard]] static torch::Tensor channel_means(const torch::Tensor& tensor) {
    return tensor.dim() == 4 ? tensor.mean({0, 2, 3}) : tensor.mean(0);
  }

  /// The float network, for its outputs and the means of its channels in front of the activation functions.
  void run_float() {
    const torch::NoGradGuard no_gradients;
    executor_.value_hook = [&](ValueId value, const torch::Tensor& tensor) {
      const int layer = nth(layer_of_value_, value);
      if (layer < 0) return tensor;
      const auto l = static_cast<std::size_t>(layer);
      if (is_weighted(layer)) means_[l] = channel_means(tensor);
      const Saturation saturation = saturation_of(network_.graph, layers_[l]);
      return layers_[l].activation < 0 ? tensor : torch::clamp(tensor, saturation.low, saturation.high);
    };
    float_outputs = numbers_of(executor_.forward(samples_, false));
  }

  /// The network as it was trained, for the means of its channels: behind the grids the float network is another one.
  void run_reference(const Precision& precision) {
    measures_reference_ = true;
    (void)run(std::vector<Precision>(layers_.size(), precision), false);
    measures_reference_ = false;
    last_precision_.clear();
  }

  /// Nodes in front of this one compute what they did for the point that was kept.
  [[nodiscard]] std::size_t first_difference(const std::vector<Precision>& precision) const {
    if (kept_precision_.empty()) return 0;
    for (std::size_t n = 0; n < layer_of_node_.size(); ++n) {
      const int layer = layer_of_node_[n];
      if (layer >= 0 && nth(precision, layer) != nth(kept_precision_, layer)) {
        return n;
      }
    }
    return layer_of_node_.size();
  }

  torch::Tensor weights_at(std::size_t node, const std::vector<Precision>& precision, const torch::Tensor& real) {
    const auto l = static_cast<std::size_t>(layer_of_node_[node]);
    const int bits = precision[l].weights;
    torch::Tensor& weight = weights_[l].at(static_cast<std::size_t>(bits));
    if (!weight.defined()) {
      const StoredWeights& stored = *nth(network_.weights, layers_[l].node);
      torch::Tensor dense = torch::empty(real.sizes(), torch::kFloat32);
      for (std::size_t i = 0; i < stored.digits.size(); ++i) dense.data_ptr<float>()[i] = stored.weight(i, bits);
      weight = dense.dim() == 4 ? dense.contiguous(torch::MemoryFormat::ChannelsLast) : dense;
    }
    return weight;
  }

  /// Bias correction and the output's grid.
  torch::Tensor finish(ValueId value, const torch::Tensor& tensor, const std::vector<Precision>& precision) {
    const int layer = nth(layer_of_value_, value);
    if (layer < 0) return tensor;
    const auto l = static_cast<std::size_t>(layer);
    torch::Tensor x = tensor;
    if (is_weighted(layer)) {
      const torch::Tensor own = executor_.parameters_of(node_of(l)).bias;
      biases_[l] = own.defined() ? own.detach().clone() : torch::zeros({tensor.size(1)});
      if (measures_reference_) {
        means_[l] = channel_means(tensor);
      } else if (correct_biases_) {
        const torch::Tensor change = means_[l] - channel_means(tensor);
        biases_[l] += change;
        x = tensor + (tensor.dim() == 4 ? change.view({1, -1, 1, 1}) : change);
      }
    }
    const auto& grid = nth(network_.values, value);
    const bool passes = !computes(network_.graph, layers_[l]);
    const Saturation saturation = saturation_of(network_.graph, layers_[l]);
    if (passes || grid->grid.bits > stored_activation_bits) {
      return layers_[l].activation < 0 ? x : torch::clamp(x, saturation.low, saturation.high);
    }
    const ActivationGrid at = grid->at(precision[l].activations);
    return fake_quantize_activation(x, torch::tensor({at.scale}), {at.lowest_step(), at.highest_step(), saturation}, 1);
  }

  [[nodiscard]] std::size_t node_of(std::size_t layer) const {
    return static_cast<std::size_t>(std::find(layer_of_node_.begin(), layer_of_node_.end(), static_cast<int>(layer)) -
                                    layer_of_node_.begin());
  }

  NestedNetwork network_;
  bool correct_biases_;
  bool measures_reference_ = false;
  std::vector<Layer> layers_;
  torch::Tensor samples_;
  Executor executor_;                ///< its graph lacks the fused activation functions
  std::vector<int> layer_of_value_;  ///< -1: a value inside a layer
  std::vector<int> layer_of_node_;   ///< by node of the executor's graph, where it is a layer's main node
  std::vector<std::array<torch::Tensor, 9>> weights_;  ///< by layer and bits
  std::vector<Precision> kept_precision_;              ///< empty: nothing is kept
  std::vector<torch::Tensor> kept_;                    ///< by value, as its readers get it
  std::vector<Precision> last_precision_;              ///< of the last run
  std::vector<torch::Tensor> last_;                    ///< by value: what the last run has computed anew
  std::vector<float> last_outputs_;
  std::vector<torch::Tensor> means_;   ///< by layer, per channel
  std::vector<torch::Tensor> biases_;  ///< by layer, of the last run
};

NestedSimulation::NestedSimulation(const NestedNetwork& network, const Dataset& samples, bool correct_biases,
                                   int threads) {
  configure_threads(threads);
  implementation_ = std::make_unique<Implementation>(network, samples, correct_biases);
}
NestedSimulation::~NestedSimulation() = default;
NestedSimulation::NestedSimulation(NestedSimulation&&) noexcept = default;
NestedSimulation& NestedSimulation::operator=(NestedSimulation&&) noexcept = default;

const std::vector<float>& NestedSimulation::float_outputs() const { return implementation_->float_outputs; }
std::vector<float> NestedSimulation::outputs(const std::vector<Precision>& precision) {
  return implementation_->run(precision, false);
}
std::vector<float> NestedSimulation::keep(const std::vector<Precision>& precision) {
  return implementation_->run(precision, true);
}
OperatingPoint NestedSimulation::point(const std::vector<Precision>& precision) {
  return implementation_->point(precision);
}
void NestedSimulation::replace(const NestedNetwork& network) { implementation_->replace(network); }

}  // namespace trimtab
