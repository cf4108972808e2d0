#include "learn/integer_network.h"

#include <ATen/Parallel.h>

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "base/index.h"
#include "learn/weight_grid.h"
#include "plan/adopted_grid.h"

namespace trimtab {

namespace {

const ActivationGrid& grid_of(const QuantizedNetwork& network, ValueId value) {
  const auto& grid = network.values.at(static_cast<std::size_t>(value));
  if (!grid) {
    throw failure("the value {} has no grid", nth(network.graph.values, value).name);
  }
  return *grid;
}

float integer_of(float real, float scale, const Node& node) {
  const float integer = std::round(real / scale);
  if (std::abs(integer * scale - real) > std::abs(scale) * 1e-3F) {
    throw failure("a weight of {} does not lie on its grid", node.name);
  }
  return integer;
}

/// Replaces weights, bias and padding of a Conv or Linear by integers; returns the units of its accumulators.
std::vector<double> to_integers(Node& node, const WeightGrid& grid, const ActivationGrid& input) {
  std::vector<float>& weight = weight_of(node.op)->data;
  std::vector<float>& bias = bias_of(node.op)->data;
  std::vector<double> unit;
  const std::size_t per_channel = weight.size() / grid.scale.size();
  for (std::size_t i = 0; i < weight.size(); ++i) {
    weight[i] = integer_of(weight[i], grid.scale[i / per_channel], node);
  }
  for (std::size_t c = 0; c < grid.scale.size(); ++c) {
    unit.push_back(static_cast<double>(input.scale) * static_cast<double>(grid.scale[c]));
    if (!bias.empty()) bias[c] = static_cast<float>(std::floor(static_cast<double>(bias[c]) / unit[c] + 0.5));
  }
  if (auto* conv = std::get_if<Conv>(&node.op)) {
    for (float& value : conv->padding_value.data) value = static_cast<float>(quantize(value, input) - input.zero_point);
  }
  return unit;
}

}  // namespace

IntegerNetwork::IntegerNetwork(const QuantizedNetwork& network)
    : layers_(fuse_layers(network.graph)),
      input_(grid_of(network, network.graph.input)),
      quantizes_input_(network.graph.input_parts.empty() && input_ != ActivationGrid{1, 8, false}) {
  build(network);
}

void IntegerNetwork::build(const QuantizedNetwork& network) {
  Graph graph = network.graph;
  requantizations_.resize(graph.values.size());
  // node by node of the original graph: real numbers in, for operators that are a table on the device
  std::vector<bool> wants_reals(graph.nodes.size(), false);
  std::vector<std::optional<std::array<double, 2>>> factors(graph.nodes.size());
  for (std::size_t l = 0; l < layers_.size(); ++l) {
    const Layer& layer = layers_[l];
    const auto index = static_cast<std::size_t>(layer.node);
    Node& node = graph.nodes[index];
    const ActivationGrid& output = grid_of(network, layer.output);
    const ActivationGrid& input = grid_of(network, layer.inputs.at(0));
    const double in = input.scale;
    const double out = output.scale;
    IntegerRange range = integer_range(saturation_of(graph, layer), output);
    range = {range.low - output.zero_point, range.high - output.zero_point};
    Requantization how{l, false, {in}, {}, range};
    bool copies = false;
    switch (device_form(node.op)) {
      case DeviceForm::convolution: {
        const auto& weights = network.weights.at(index);
        if (!weights) throw failure("the weights of {} have no grid", node.name);
        how.accumulates = true;
        how.unit = to_integers(node, *weights, input);
        break;
      }
      case DeviceForm::channel_scale:
        for (float& offset : std::get<Affine>(node.op).offset.data) {
          offset = static_cast<float>(static_cast<double>(offset) / in);
        }
        break;
      case DeviceForm::average_pool:
        if (const auto center = stored_zero(graph, layer.output, output); center && input == output) {
          // counted from the stored 0 and a little farther from it, so that halves go away from it
          how.zero_point = output.zero_point - *center;
          how.unit = {in * (1 + std::ldexp(1.0, -32))};
        }
        break;
      case DeviceForm::max_pool:
      case DeviceForm::view:
      case DeviceForm::movement:
        copies = input == output;
        if (!graph.cuts_inputs(node)) break;
        how.unit = {1};  // of several inputs each real one is quantized to its own grid
        copies = false;
        break;
      case DeviceForm::addition:
        factors[index] = {in, static_cast<double>(grid_of(network, layer.inputs.at(1)).scale)};
        how.unit = {1};
        break;
      case DeviceForm::multiplication:
        how.unit = {in * static_cast<double>(grid_of(network, layer.inputs.at(1)).scale)};
        break;
      case DeviceForm::concatenation:
        copies = graph.joins_outputs(node) || std::all_of(layer.inputs.begin(), layer.inputs.end(),
                                                          [&](ValueId v) { return grid_of(network, v) == output; });
        if (!copies) throw failure("the inputs of {} do not share the grid of its output", node.name);
        break;
      case DeviceForm::padding: {
        auto& pad = std::get<Pad>(node.op);
        pad.value = static_cast<float>(quantize(pad.value, input) - input.zero_point);
        copies = input == output;
        break;
      }
      case DeviceForm::saturation:
      case DeviceForm::table:
      case DeviceForm::shares:
        wants_reals[index] = true;
        how.unit = {1};
        break;
      case DeviceForm::normalization:
      case DeviceForm::probabilities:
        throw failure("layer '{}' is a {}, which has no integer form", node.name, operator_name(node.op));
    }
    if (!copies) {
      for (const double unit : how.unit) {
        how.multiplier.push_back(unit / out);
      }
      nth(requantizations_, layer.output) = std::move(how);
    }
  }
  // fused activation functions go, conversions to reals come
  Graph integers = without_fused_activations(graph, layers_);
  std::vector<Node> nodes;
  for (Node& node : integers.nodes) {
    const auto original = static_cast<std::size_t>(
        std::find_if(graph.nodes.begin(), graph.nodes.end(), [&](const Node& n) { return n.name == node.name; }) -
        graph.nodes.begin());
    if (wants_reals[original]) {
      const Shape shape = integers.shape_of(node.inputs[0]);
      const auto real = static_cast<ValueId>(integers.values.size());
      integers.values.push_back({node.name + ":real", shape});
      Affine affine{{{shape[0]}, {}}, {{shape[0]}, {}}};
      affine.scale.data.assign(static_cast<std::size_t>(shape[0]), grid_of(network, node.inputs[0]).scale);
      affine.offset.data.assign(static_cast<std::size_t>(shape[0]), 0.0F);
      nodes.push_back({node.name + ":to_real", std::move(affine), {node.inputs[0]}, real});
      add_factors_.emplace_back();
      node.inputs[0] = real;
    }
    nodes.push_back(std::move(node));
    add_factors_.push_back(factors[original]);
  }
  integers.nodes = std::move(nodes);
  requantizations_.resize(integers.values.size());

  executor_ = std::make_unique<Executor>(std::move(integers));
  executor_->node_hook = [this](std::size_t node, const std::vector<torch::Tensor>& inputs, bool) {
    return add_factors_[node] ? add(node, inputs) : torch::Tensor();
  };
  executor_->value_hook = [this](ValueId value, const torch::Tensor& tensor) {
    const auto& how = nth(requantizations_, value);
    torch::Tensor numbers = how ? requantize(tensor, *how) : tensor;
    if (value_observer) value_observer(value, numbers);
    return numbers;
  };
}

torch::Tensor IntegerNetwork::add(std::size_t node, const std::vector<torch::Tensor>& inputs) const {
  // in double precision: a sum that is exactly a half must stay one
  const std::array<double, 2>& factor = *add_factors_[node];
  return inputs[0].to(torch::kFloat64) * factor[0] + inputs[1].to(torch::kFloat64) * factor[1];
}

torch::Tensor IntegerNetwork::requantize(torch::Tensor tensor, const Requantization& how) const {
  if (how.accumulates && accumulator_hook) {
    accumulator_hook(how.layer, tensor, how.unit);
  }
  if (tensor.scalar_type() == torch::kFloat64) {
    return tensor.mul_(how.multiplier[0]).add_(0.5).floor_().clamp_(how.range.low, how.range.high).to(torch::kFloat32);
  }
  tensor = tensor.contiguous(tensor.suggest_memory_format());
  torch::Tensor result = torch::empty_like(tensor);
  const float* from = tensor.data_ptr<float>();
  float* to = result.data_ptr<float>();
  const double low = how.range.low;
  const double high = how.range.high;
  const double zero = how.zero_point;
  const auto round = [low, high, zero](double value) {
    return static_cast<float>(std::clamp(std::floor(value + 0.5) - zero, low, high));
  };
  const std::int64_t channels = tensor.size(1);
  // neighbours are channels where the layout is channels last (or a vector), and pixels of one channel otherwise
  const bool last = tensor.dim() == 2 || tensor.is_contiguous(torch::MemoryFormat::ChannelsLast);
  const std::int64_t run = last ? channels : tensor.numel() / std::max<std::int64_t>(1, tensor.size(0) * channels);
  const bool uniform = how.multiplier.size() == 1;
  at::parallel_for(0, tensor.numel() / run, std::max<std::int64_t>(1, 16384 / run),
                   [&](std::int64_t begin, std::int64_t end) {
                     for (std::int64_t row = begin; row < end; ++row) {
                       const float* source = from + row * run;
                       float* target = to + row * run;
                       if (uniform || !last) {
                         const auto channel = uniform ? 0 : static_cast<std::size_t>(row % channels);
                         const double factor = how.multiplier[channel];
                         for (std::int64_t i = 0; i < run; ++i) {
                           target[i] = round((static_cast<double>(source[i]) + zero) * factor);
                         }
                       } else {
                         for (std::int64_t i = 0; i < run; ++i) {
                           const auto channel = static_cast<std::size_t>(i);
                           target[i] = round((static_cast<double>(source[i]) + zero) * how.multiplier[channel]);
                         }
                       }
                     }
                   });
  return result;
}

torch::Tensor IntegerNetwork::forward(const torch::Tensor& raw) {
  const torch::NoGradGuard no_gradients;
  torch::Tensor integers = raw;
  if (quantizes_input_) {
    integers = (raw.to(torch::kFloat64) / static_cast<double>(input_.scale))
                   .add_(0.5)
                   .floor_()
                   .clamp_(input_.lowest_step(), input_.highest_step())
                   .to(torch::kFloat32);
  }
  return executor_->forward(integers, false);
}

torch::Tensor raw_batch(const Dataset& data, std::int64_t first, std::int64_t count) {
  std::vector<std::int64_t> sizes{count};
  sizes.insert(sizes.end(), data.shape.begin(), data.shape.end());
  torch::Tensor batch = torch::empty(sizes, torch::kFloat32);
  const auto sample_size = static_cast<std::size_t>(element_count(data.shape));
  const std::span values(batch.data_ptr<float>(), static_cast<std::size_t>(count) * sample_size);
  for (std::int64_t i = 0; i < count; ++i) {
    data.read(first + i, {}, values.subspan(static_cast<std::size_t>(i) * sample_size, sample_size));
  }
  return batch;
}

}  // namespace trimtab
