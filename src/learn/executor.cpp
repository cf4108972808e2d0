#include "learn/executor.h"

#include <ATen/Parallel.h>
#include <torch/cuda.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <thread>
#include <utility>

#include "base/error.h"
#include "base/index.h"
#include "graph/connections.h"

namespace trimtab {
namespace {

std::vector<std::int64_t> batch_of(const Shape& shape, std::int64_t count) {
  std::vector<std::int64_t> sizes{count};
  sizes.insert(sizes.end(), shape.begin(), shape.end());
  return sizes;
}

torch::Tensor channels_last(const torch::Tensor& tensor) {
  return tensor.dim() == 4 ? tensor.contiguous(torch::MemoryFormat::ChannelsLast) : tensor;
}

torch::Tensor pad(const torch::Tensor& input, const Padding& padding, double value) {
  return torch::constant_pad_nd(input, {padding.left, padding.right, padding.top, padding.bottom}, value);
}

/// A parameter {C} shaped so that it broadcasts along the channels of `like`.
torch::Tensor per_channel(const torch::Tensor& parameter, const torch::Tensor& like) {
  if (like.dim() == 2) return parameter;
  std::vector<std::int64_t> sizes(static_cast<std::size_t>(like.dim()), 1);
  sizes[1] = -1;
  return parameter.view(sizes);
}

torch::Tensor apply(const FunctionStep& step, const torch::Tensor& a, const torch::Tensor& b) {
  using Kind = FunctionStep::Kind;
  switch (step.kind) {
    case Kind::affine:
      return a * step.alpha + step.beta;
    case Kind::clip:
      return torch::clamp(a, step.alpha, step.beta);
    case Kind::leaky:
      return torch::leaky_relu(a, step.alpha);
    case Kind::elu:
      return torch::elu(a, step.alpha) * step.beta;
    case Kind::power:
      return torch::pow(a, step.alpha);
    case Kind::greater:
      return torch::gt(a, step.alpha).to(a.scalar_type());
    case Kind::less:
      return torch::lt(a, step.alpha).to(a.scalar_type());
    case Kind::sigmoid:
      return torch::sigmoid(a);
    case Kind::tanh:
      return torch::tanh(a);
    case Kind::exp:
      return torch::exp(a);
    case Kind::log:
      return torch::log(a);
    case Kind::sqrt:
      return torch::sqrt(a);
    case Kind::abs:
      return torch::abs(a);
    case Kind::erf:
      return torch::erf(a);
    case Kind::softplus:
      return torch::softplus(a);
    case Kind::sin:
      return torch::sin(a);
    case Kind::cos:
      return torch::cos(a);
    case Kind::floor:
      return torch::floor(a);
    case Kind::ceil:
      return torch::ceil(a);
    case Kind::sign:
      return torch::sign(a);
    case Kind::reciprocal:
      return torch::reciprocal(a);
    case Kind::add:
      return a + b;
    case Kind::multiply:
      return a * b;
  }
  return a;
}

torch::Tensor apply(const ScalarFunction& f, const torch::Tensor& x) {
  std::vector<torch::Tensor> results;
  const auto operand = [&](std::int32_t index) { return index < 0 ? x : nth(results, index); };
  for (const FunctionStep& step : f.steps) results.push_back(apply(step, operand(step.a), operand(step.b)));
  return results.back();
}

bool is_symmetric(const Padding& padding) { return padding.top == padding.bottom && padding.left == padding.right; }

/// Rows or columns behind the end that the last window of a pool reads.
std::int64_t reach_behind(std::int64_t size, std::int64_t outputs, std::int64_t kernel, std::int64_t stride,
                          std::int64_t dilation, std::int64_t before) {
  return std::max<std::int64_t>(0, (outputs - 1) * stride + dilation * (kernel - 1) + 1 - size - before);
}

/// How many windows libtorch makes (and ONNX: a window that starts in the padding behind the end is dropped).
std::int64_t window_count(std::int64_t size, std::int64_t kernel, std::int64_t stride, std::int64_t dilation,
                          std::int64_t padding, bool ceil_mode) {
  const std::int64_t room = size + 2 * padding - dilation * (kernel - 1) - 1;
  std::int64_t outputs = (room + (ceil_mode ? stride - 1 : 0)) / stride + 1;
  if (ceil_mode && (outputs - 1) * stride >= size + padding) --outputs;
  return outputs;
}

/// 1 / number of elements that an average divides by, for every window along one dimension.
std::vector<float> counts(std::int64_t size, std::int64_t outputs, std::int64_t kernel, std::int64_t stride,
                          std::int64_t before, std::int64_t after, bool count_padding) {
  std::vector<float> result;
  const std::int64_t first = count_padding ? -before : 0;
  const std::int64_t end = count_padding ? size + after : size;
  for (std::int64_t i = 0; i < outputs; ++i) {
    const std::int64_t start = i * stride - before;
    const std::int64_t count = std::min(start + kernel, end) - std::max(start, first);
    result.push_back(static_cast<float>(std::max<std::int64_t>(count, 1)));
  }
  return result;
}

/// An operator whose gradient does not need its own output, so that the next node may overwrite it.
bool output_is_free(const Operator& op) {
  return weight_of(op) != nullptr || std::holds_alternative<BatchNormalization>(op) || std::holds_alternative<Add>(op);
}

void download(const torch::Tensor& from, trimtab::Tensor& to) {
  if (!from.defined()) return;
  const torch::Tensor flat = from.detach().to(torch::kCPU).contiguous();
  const float* data = flat.data_ptr<float>();
  to.data.assign(data, data + flat.numel());
}

}  // namespace

Executor::Executor(Graph graph, torch::Device device)
    : graph_(std::move(graph)), device_(device), nodes_(graph_.nodes.size()) {
  for (std::size_t i = 0; i < nodes_.size(); ++i) prepare(i);
  plan_lifetimes();
}

torch::Tensor Executor::upload(const trimtab::Tensor& tensor, bool trainable) const {
  if (tensor.empty()) return {};
  torch::Tensor result =
      torch::from_blob(const_cast<float*>(tensor.data.data()), tensor.shape, torch::kFloat32).clone().to(device_);
  return channels_last(result).requires_grad_(trainable);
}

void Executor::prepare(std::size_t index) {
  const Node& node = graph_.nodes[index];
  NodeState& state = nodes_[index];
  NodeParameters& own = state.parameters;
  const auto layer = [&](const auto& op) {
    own.weight = upload(op.weight, true);
    own.bias = upload(op.bias, true);
  };
  std::visit(overloaded{[&](const Conv& op) {
                          layer(op);
                          const std::vector<float>& value = op.padding_value.data;
                          const bool zeros = std::all_of(value.begin(), value.end(), [](float v) { return v == 0; });
                          if (!zeros) state.padding_value = torch::tensor(value).view({1, -1, 1, 1}).to(device_);
                          if (!zeros || !is_symmetric(op.padding)) state.explicit_pads = op.padding;
                        },
                        [&](const Linear& op) { layer(op); },
                        [&](const BatchNormalization& op) {
                          own.weight = upload(op.scale, true);
                          own.bias = upload(op.bias, true);
                          own.mean = upload(op.mean, false);
                          own.variance = upload(op.variance, false);
                        },
                        [&](const Affine& op) {
                          own.weight = upload(op.scale, false);
                          own.bias = upload(op.offset, false);
                        },
                        [&](const Pool& op) { prepare_pool(op, index); }, [](const auto&) {}},
             node.op);
}

void Executor::prepare_pool(const Pool& op, std::size_t index) {
  const Node& node = graph_.nodes[index];
  const Shape& in = graph_.shape_of(node.inputs[0]);
  const Shape& out = graph_.shape_of(node.output);
  const Padding& padding = op.padding;
  const bool native =
      is_symmetric(padding) && 2 * padding.top <= op.kernel[0] && 2 * padding.left <= op.kernel[1] &&
      window_count(in[1], op.kernel[0], op.stride[0], op.dilation[0], padding.top, op.ceil_mode) == out[1] &&
      window_count(in[2], op.kernel[1], op.stride[1], op.dilation[1], padding.left, op.ceil_mode) == out[2];
  if (native) return;
  const bool max = op.kind == PoolKind::max;
  nodes_[index].explicit_pads =
      Padding{padding.top, padding.left,
              reach_behind(in[1], out[1], op.kernel[0], op.stride[0], max ? op.dilation[0] : 1, padding.top),
              reach_behind(in[2], out[2], op.kernel[1], op.stride[1], max ? op.dilation[1] : 1, padding.left)};
  if (max) return;
  const auto rows =
      counts(in[1], out[1], op.kernel[0], op.stride[0], padding.top, padding.bottom, op.count_include_pad);
  const auto columns =
      counts(in[2], out[2], op.kernel[1], op.stride[1], padding.left, padding.right, op.count_include_pad);
  nodes_[index].reciprocal_count =
      (torch::tensor(rows).view({1, 1, -1, 1}) * torch::tensor(columns).view({1, 1, 1, -1})).reciprocal().to(device_);
}

void Executor::plan_lifetimes() {
  std::vector<std::int64_t> last(graph_.values.size(), -1);
  std::vector<std::int64_t> reads(graph_.values.size(), 0);
  for (std::size_t i = 0; i < graph_.nodes.size(); ++i) {
    for (const ValueId input : graph_.nodes[i].inputs) {
      nth(last, input) = static_cast<std::int64_t>(i);
      ++nth(reads, input);
    }
  }
  for (std::size_t value = 0; value < last.size(); ++value) {
    if (last[value] >= 0 && static_cast<ValueId>(value) != graph_.output) {
      nth(nodes_, last[value]).last_read.push_back(static_cast<ValueId>(value));
    }
  }
  const Connections connections(graph_);
  for (std::size_t i = 0; i < graph_.nodes.size(); ++i) {
    const Node& node = graph_.nodes[i];
    if (!std::holds_alternative<Relu>(node.op) && !std::holds_alternative<Clip>(node.op)) continue;
    const std::int64_t producer = connections.producer(node.inputs[0]);
    nodes_[i].in_place = producer >= 0 && nth(reads, node.inputs[0]) == 1 && node.inputs[0] != graph_.output &&
                         output_is_free(nth(graph_.nodes, producer).op);
  }
}

torch::Tensor Executor::forward(torch::Tensor input, bool training, ValueId until) {
  if (until < 0) until = graph_.output;
  std::vector<torch::Tensor> values(graph_.values.size());
  const auto set = [&](ValueId value, torch::Tensor tensor) {
    nth(values, value) = value_hook ? value_hook(value, tensor) : std::move(tensor);
  };
  const std::int64_t count = input.size(0);
  const torch::Tensor first = channels_last(input.to(device_).view(batch_of(graph_.input_shape(), count)));
  set(graph_.input, bfloat16 ? first.to(torch::kBFloat16) : first);
  for (std::size_t i = 0; i < graph_.nodes.size() && !nth(values, until).defined(); ++i) {
    const Node& node = graph_.nodes[i];
    std::vector<torch::Tensor> inputs;
    for (const ValueId value : node.inputs) inputs.push_back(nth(values, value));
    for (const ValueId value : nodes_[i].last_read) {
      if (value != until) nth(values, value).reset();
    }
    torch::Tensor output;
    if (node_hook) output = node_hook(i, inputs, training);
    if (!output.defined()) output = run_node(i, inputs, training);
    set(node.output, std::move(output));
  }
  return nth(values, until).to(torch::kFloat);
}

torch::Tensor pad_images(const torch::Tensor& input, const Padding& around, const torch::Tensor& value) {
  if (!value.defined()) return pad(input, around, 0);
  const std::int64_t height = input.size(2);
  const std::int64_t width = input.size(3);
  torch::Tensor padded = torch::empty(
      {input.size(0), input.size(1), height + around.top + around.bottom, width + around.left + around.right},
      input.options(), torch::MemoryFormat::ChannelsLast);
  padded.copy_(value.expand_as(padded));
  padded.slice(2, around.top, around.top + height).slice(3, around.left, around.left + width).copy_(input);
  return padded;
}

torch::Tensor Executor::to_computed(const torch::Tensor& tensor) const {
  return bfloat16 && tensor.defined() ? tensor.to(torch::kBFloat16) : tensor;
}

torch::Tensor Executor::weight_of(std::size_t index) const {
  const torch::Tensor& own = nodes_[index].parameters.weight;
  return to_computed(weight_hook ? weight_hook(index, own) : own);
}

torch::Tensor Executor::convolve(const Conv& op, std::size_t index, const torch::Tensor& input) {
  const NodeState& state = nodes_[index];
  torch::Tensor x = input;
  std::array<std::int64_t, 2> padding{op.padding.top, op.padding.left};
  if (state.explicit_pads) {
    padding = {0, 0};
    x = pad_images(x, *state.explicit_pads, state.padding_value);
  }
  return torch::conv2d(to_computed(x), weight_of(index), to_computed(state.parameters.bias), op.stride, padding,
                       op.dilation, op.groups);
}

torch::Tensor Executor::pool(const Pool& op, const NodeState& state, torch::Tensor input) const {
  const bool max = op.kind == PoolKind::max;
  if (!state.explicit_pads) {
    const std::array<std::int64_t, 2> padding{op.padding.top, op.padding.left};
    return max ? torch::max_pool2d(input, op.kernel, op.stride, padding, op.dilation, op.ceil_mode)
               : torch::avg_pool2d(input, op.kernel, op.stride, padding, op.ceil_mode, op.count_include_pad);
  }
  if (max) {
    const torch::Tensor padded = pad(input, *state.explicit_pads, -std::numeric_limits<double>::infinity());
    return torch::max_pool2d(padded, op.kernel, op.stride, 0, op.dilation);
  }
  const torch::Tensor sum =
      torch::avg_pool2d(pad(input, *state.explicit_pads, 0), op.kernel, op.stride, 0, false, true, 1);
  return sum * state.reciprocal_count;
}

torch::Tensor Executor::run_node(std::size_t index, const std::vector<torch::Tensor>& inputs, bool training) {
  const Node& node = graph_.nodes[index];
  const NodeState& state = nodes_[index];
  const NodeParameters& own = state.parameters;
  torch::Tensor x = inputs[0];
  const bool in_place = state.in_place && !value_hook && !node_hook;
  return std::visit(
      overloaded{
          [&](const Conv& op) { return convolve(op, index, x); },
          [&](const Linear&) { return torch::linear(to_computed(x), weight_of(index), to_computed(own.bias)); },
          [&](const BatchNormalization& op) {
            return torch::batch_norm(x, own.weight, own.bias, own.mean, own.variance, training, batch_norm_momentum,
                                     static_cast<double>(op.epsilon), true);
          },
          [&](const Affine&) { return torch::addcmul(per_channel(own.bias, x), x, per_channel(own.weight, x)); },
          [&](const Relu&) { return in_place ? torch::relu_(x) : torch::relu(x); },
          [&](const Clip& op) {
            return in_place ? torch::clamp_(x, op.low, op.high) : torch::clamp(x, op.low, op.high);
          },
          [&](const LeakyRelu& op) { return torch::leaky_relu(x, op.alpha); },
          [&](const HardSigmoid& op) { return torch::clamp(x * op.alpha + op.beta, 0, 1); },
          [&](const HardSwish&) { return torch::hardswish(x); },
          [&](const Sigmoid&) { return torch::sigmoid(x); },
          [&](const Pool& op) { return pool(op, state, x); },
          [&](const GlobalAveragePool& op) {
            return x.mean({2, 3}, op.keep_dimensions);
          },
          [&](const Add&) { return inputs[0] + inputs[1]; },
          [&](const Mul&) { return inputs[0] * inputs[1]; },
          [&](const Concat& op) { return torch::cat(inputs, 1 + op.axis); },
          [&](const Reshape& op) { return x.reshape(batch_of(op.shape, x.size(0))); },
          [&](const Pad& op) { return trimtab::pad(x, op.padding, op.value); },
          [&](const Softmax& op) { return op.logarithm ? torch::log_softmax(x, 1) : torch::softmax(x, 1); },
          [&](const ScalarFunction& op) { return apply(op, x); },
          [&](const Gather& op) { return x.index_select(1 + op.axis, torch::tensor(op.indices).to(x.device())); },
          [&](const Permute& op) {
            std::vector<std::int64_t> order{0};
            for (const std::int64_t axis : op.order) order.push_back(1 + axis);
            const torch::Tensor cut = x.reshape(batch_of(op.from, x.size(0))).permute(order);
            return channels_last(cut.reshape(batch_of(op.shape, x.size(0))));
          }},
      node.op);
}

std::vector<TrainedTensor> Executor::parameters() const {
  std::vector<TrainedTensor> result;
  for (std::size_t i = 0; i < nodes_.size(); ++i) {
    const bool weights = trimtab::weight_of(graph_.nodes[i].op) != nullptr;
    const NodeParameters& own = nodes_[i].parameters;
    if (own.weight.defined() && own.weight.requires_grad())
      result.push_back({graph_.nodes[i].name + ".weight", own.weight, weights});
    if (own.bias.defined() && own.bias.requires_grad())
      result.push_back({graph_.nodes[i].name + ".bias", own.bias, false});
  }
  return result;
}

std::vector<torch::Tensor> Executor::state() const {
  std::vector<torch::Tensor> result;
  for (const NodeState& node : nodes_) {
    const NodeParameters& own = node.parameters;
    for (const torch::Tensor& tensor : {own.weight, own.bias, own.mean, own.variance}) {
      if (tensor.defined() && (tensor.requires_grad() || own.mean.defined())) result.push_back(tensor.detach());
    }
  }
  return result;
}

Graph Executor::to_graph() const {
  Graph result = graph_;
  for (std::size_t i = 0; i < nodes_.size(); ++i) {
    const NodeParameters& own = nodes_[i].parameters;
    std::visit(overloaded{[&](Conv& op) {
                            download(own.weight, op.weight);
                            download(own.bias, op.bias);
                          },
                          [&](Linear& op) {
                            download(own.weight, op.weight);
                            download(own.bias, op.bias);
                          },
                          [&](BatchNormalization& op) {
                            download(own.weight, op.scale);
                            download(own.bias, op.bias);
                            download(own.mean, op.mean);
                            download(own.variance, op.variance);
                          },
                          [](auto&) {}},
               result.nodes[i].op);
  }
  return result;
}

ValueId logits_of(const Graph& graph) {
  const std::int64_t producer = graph.producer(graph.output);
  if (producer < 0) return graph.output;
  const Node& node = nth(graph.nodes, producer);
  return std::holds_alternative<Softmax>(node.op) ? node.inputs[0] : graph.output;
}

torch::Device parse_device(const std::string& name) {
  if (name == "auto") return torch::cuda::is_available() ? torch::Device(torch::kCUDA) : torch::Device(torch::kCPU);
  if (name == "cpu") return torch::kCPU;
  const bool numbered = name.rfind("cuda:", 0) == 0 && name.size() > 5 && name.size() < 8 &&
                        std::all_of(name.begin() + 5, name.end(), [](char c) { return c >= '0' && c <= '9'; });
  if (name != "cuda" && !numbered) throw bad_input("the device '{}' is unknown; use auto, cpu, cuda or cuda:N", name);
  const int index = numbered ? std::stoi(name.substr(5)) : 0;
  if (index >= static_cast<int>(torch::cuda::device_count())) {
    throw bad_input("there is no device {}: this machine has {} that libtorch can use", name,
                    torch::cuda::device_count());
  }
  return {torch::kCUDA, static_cast<torch::DeviceIndex>(index)};
}

void configure_threads(int threads) {
  const int count = threads > 0 ? threads : static_cast<int>(std::max(1U, std::thread::hardware_concurrency()));
  at::set_num_threads(count);
  at::globalContext().setFlushDenormal(true);
  at::parallel_for(0, count, 1, [](std::int64_t, std::int64_t) { at::globalContext().setFlushDenormal(true); });
}

}  // namespace trimtab
