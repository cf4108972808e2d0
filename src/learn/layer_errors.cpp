#include "learn/layer_errors.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <unordered_map>

#include "base/index.h"
#include "base/progress.h"
#include "graph/passes.h"
#include "learn/executor.h"
#include "learn/grid_plan.h"
#include "learn/integer_network.h"
#include "plan/layers.h"

namespace trimtab {
namespace {

constexpr std::int64_t error_batch = 16;

/// Sums over the numbers of a value and of its approximation.
struct ErrorSums {
  double signal = 0;
  double answer = 0;
  double product = 0;
  double error = 0;
  double largest = 0;

  void add(const torch::Tensor& reference, const torch::Tensor& approximation) {
    const torch::Tensor r = reference.to(torch::kFloat64);
    const torch::Tensor a = approximation.to(torch::kFloat64);
    const torch::Tensor difference = a - r;
    signal += r.square().sum().item<double>();
    answer += a.square().sum().item<double>();
    product += (r * a).sum().item<double>();
    error += difference.square().sum().item<double>();
    largest = std::max(largest, difference.abs().max().item<double>());
  }
  [[nodiscard]] std::optional<double> sqnr_db() const {
    return signal > 0 && error > 0 ? std::optional(10 * std::log10(signal / error)) : std::nullopt;
  }
  [[nodiscard]] std::optional<double> cosine() const {
    return signal > 0 && answer > 0 ? std::optional(product / std::sqrt(signal * answer)) : std::nullopt;
  }
};

/// A layer of both networks.
struct ComparedLayer {
  std::size_t node = 0;            ///< main node in the float network
  std::size_t quantized_node = 0;  ///< ... in the quantized network
  ValueId output = -1;             ///< in the float network
  ValueId quantized_output = -1;   ///< in the quantized network
  bool computes = false;           ///< makes new numbers: rounding them costs something
  ErrorSums gathered;
  ErrorSums weights;
  ErrorSums activations;
  ErrorSums alone;
};

/// The numbers rounded to the grid, as real numbers; halves upward, as requantization rounds.
torch::Tensor rounded(const torch::Tensor& reals, const ActivationGrid& grid) {
  return (reals / grid.scale).add_(0.5).floor_().clamp_(grid.lowest_step(), grid.highest_step()).mul_(grid.scale);
}

class Comparison {
 public:
  Comparison(const Graph& before, const QuantizedNetwork& network, const Dataset& data,
             const LayerErrorOptions& options)
      : network_(network),
        options_(options),
        reference_(options.trained ? network.graph : fold_batch_normalization(before)),
        executor_(reference_),
        integers_(network) {
    match_layers();
    result_.samples = affordable_samples(data);
    data_ = data.size() > result_.samples ? data.sample(result_.samples, 1) : data;
    result_.samples = data_.size();
    values_.resize(reference_.values.size());
    integer_values_.resize(network.graph.values.size());
  }

  LayerErrors run() {
    const torch::NoGradGuard no_gradients;
    find_ranges();
    Progress progress("errors by layer", data_.size());
    for (std::int64_t start = 0; start < data_.size(); start += error_batch) {
      const torch::Tensor batch = raw_batch(data_, start, std::min(error_batch, data_.size() - start));
      const torch::Tensor outputs = run_float(batch);
      run_integers(batch);
      for (std::size_t l = 0; l < layers_.size(); ++l) compare(layers_[l], result_.layers[l]);
      for (ComparedLayer& layer : layers_) quantize_alone(layer, batch, outputs);
      progress.update(std::min(start + error_batch, data_.size()));
    }
    for (std::size_t l = 0; l < layers_.size(); ++l) finish(layers_[l], result_.layers[l]);
    return std::move(result_);
  }

 private:
  void match_layers() {
    std::unordered_map<std::string, Layer> quantized;
    for (const Layer& layer : fuse_layers(network_.graph)) quantized.emplace(layer.name, layer);
    for (const Layer& layer : fuse_layers(reference_)) {
      const auto other = quantized.find(layer.name);
      const Node& node = nth(reference_.nodes, layer.node);
      if (other == quantized.end() || reference_.joins_outputs(node) || reference_.cuts_inputs(node)) continue;
      const auto& grid = nth(network_.values, other->second.output);
      if (!grid || reference_.shape_of(layer.output) != network_.graph.shape_of(other->second.output)) continue;
      layers_.push_back({static_cast<std::size_t>(layer.node),
                         static_cast<std::size_t>(other->second.node),
                         layer.output,
                         other->second.output,
                         computes(reference_, layer),
                         {},
                         {},
                         {},
                         {}});
      LayerError& own = result_.layers.emplace_back();
      own.layer = layer.name;
      own.grid = *grid;
      own.low = std::numeric_limits<double>::infinity();
      own.high = -own.low;
      own.counts.assign(options_.bins, 0);
    }
  }

  [[nodiscard]] std::int64_t affordable_samples(const Dataset& data) const {
    double products = 1;
    for (const Node& node : reference_.nodes) products += static_cast<double>(multiply_accumulates(reference_, node));
    const double passes = 3 + 3 * static_cast<double>(layers_.size());
    const double affordable = options_.most_multiply_accumulates / (products * passes);
    return std::min({std::max<std::int64_t>(8, static_cast<std::int64_t>(std::min(affordable, 1e9))),
                     options_.most_samples, data.size()});
  }

  /// Keeps the values of all compared layers; returns the outputs.
  torch::Tensor run_float(const torch::Tensor& batch) {
    executor_.value_hook = [this](ValueId value, const torch::Tensor& tensor) {
      nth(values_, value) = tensor;
      return tensor;
    };
    torch::Tensor outputs = executor_.forward(batch, false);
    executor_.value_hook = nullptr;
    return outputs;
  }

  void run_integers(const torch::Tensor& batch) {
    integers_.value_observer = [this](ValueId value, const torch::Tensor& tensor) {
      if (value < static_cast<ValueId>(integer_values_.size())) nth(integer_values_, value) = tensor;
    };
    (void)integers_.forward(batch);
    integers_.value_observer = nullptr;
  }

  void find_ranges() {
    for (std::int64_t start = 0; start < data_.size(); start += error_batch) {
      (void)run_float(raw_batch(data_, start, std::min(error_batch, data_.size() - start)));
      for (std::size_t l = 0; l < layers_.size(); ++l) {
        const torch::Tensor& value = nth(values_, layers_[l].output);
        LayerError& own = result_.layers[l];
        own.low = std::min(own.low, value.min().item<double>());
        own.high = std::max(own.high, value.max().item<double>());
      }
    }
  }

  /// The layer's output in both networks.
  void compare(ComparedLayer& layer, LayerError& own) {
    const torch::Tensor& real = nth(values_, layer.output);
    const double scale = own.grid.scale;
    layer.gathered.add(real, nth(integer_values_, layer.quantized_output).to(torch::kFloat64) * scale);
    const double low = (own.grid.lowest_step() - 0.5) * scale;
    const double high = (own.grid.highest_step() + 0.5) * scale;
    own.saturated_percent += (real.lt(low).sum() + real.gt(high).sum()).item<double>();
    if (!(own.high > own.low)) return;
    const torch::Tensor counts =
        torch::histc(real.to(torch::kFloat64).flatten(), static_cast<std::int64_t>(options_.bins), own.low, own.high);
    for (std::size_t bin = 0; bin < options_.bins; ++bin)
      own.counts[bin] += std::llround(counts[static_cast<std::int64_t>(bin)].item<double>());
  }

  /// The outputs with nothing quantized but this layer.
  void quantize_alone(ComparedLayer& layer, const torch::Tensor& batch, const torch::Tensor& outputs) {
    const ActivationGrid& grid = *nth(network_.values, layer.quantized_output);
    const auto round_output = [&](ValueId value, const torch::Tensor& tensor) {
      return value == layer.output ? rounded(tensor, grid) : tensor;
    };
    const Operator& quantized = network_.graph.nodes[layer.quantized_node].op;
    const Tensor* weight = options_.trained ? nullptr : weight_of(quantized);
    if (layer.computes) {
      executor_.value_hook = round_output;
      layer.activations.add(outputs, executor_.forward(batch, false));
      executor_.value_hook = nullptr;
    }
    if (weight == nullptr) {
      layer.alone = layer.activations;
      return;
    }
    const torch::Tensor replaced = torch::tensor(weight->data).reshape(weight->shape);
    // The bias stays: calibration corrects it for what the layers before it lose, too, and here they lose nothing.
    executor_.weight_hook = [&](std::size_t node, const torch::Tensor& own) {
      return node == layer.node ? replaced : own;
    };
    layer.weights.add(outputs, executor_.forward(batch, false));
    executor_.value_hook = round_output;
    layer.alone.add(outputs, executor_.forward(batch, false));
    executor_.value_hook = nullptr;
    executor_.weight_hook = nullptr;
  }

  void finish(const ComparedLayer& layer, LayerError& own) const {
    own.sqnr_db = layer.gathered.sqnr_db();
    own.cosine = layer.gathered.cosine();
    own.largest_error = layer.gathered.largest;
    own.weights_alone_sqnr_db = layer.weights.sqnr_db();
    own.activations_alone_sqnr_db = layer.activations.sqnr_db();
    own.alone_sqnr_db = layer.alone.sqnr_db();
    const auto numbers =
        static_cast<double>(element_count(reference_.shape_of(layer.output)) * std::max<std::int64_t>(data_.size(), 1));
    own.saturated_percent *= 100 / numbers;
    const double scale = own.grid.scale;
    const double low = own.grid.lowest_step() * scale;
    const double high = own.grid.highest_step() * scale;
    const double used = std::clamp(own.high, low, high) - std::clamp(own.low, low, high);
    own.unused_percent = high > low ? 100 * (1 - used / (high - low)) : 0;
  }

  const QuantizedNetwork& network_;
  LayerErrorOptions options_;
  Graph reference_;
  Executor executor_;
  IntegerNetwork integers_;
  Dataset data_;
  std::vector<ComparedLayer> layers_;
  std::vector<torch::Tensor> values_;          ///< of the float network in the last pass, by ValueId
  std::vector<torch::Tensor> integer_values_;  ///< of the integer network, counted from zero
  LayerErrors result_;
};

}  // namespace

LayerErrors measure_layer_errors(const Graph& before, const QuantizedNetwork& network, const Dataset& data,
                                 const LayerErrorOptions& options) {
  configure_threads(options.threads);
  return Comparison(before, network, data, options).run();
}

}  // namespace trimtab
