#include "graph/graph.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <set>
#include <string_view>
#include <utility>

#include "base/error.h"
#include "base/index.h"

namespace trimtab {
namespace {

/// No dimension, kernel, stride or padding is longer and no value has more elements: sums and products of two of these
/// never overflow.
constexpr std::int64_t limit = std::int64_t{1} << 31U;

[[nodiscard]] std::string describe(const Node& node) {
  return fmt::format("node '{}' ({})", node.name, operator_name(node.op));
}

/// Throws where a dimension is not positive, or where the shape is empty or has too many elements.
void check_shape(const Shape& shape, const std::string& what) {
  if (shape.empty()) throw bad_input("{} has no dimension besides the batch; at least one is needed", what);
  std::int64_t count = 1;
  for (const std::int64_t dimension : shape) {
    if (dimension < 1) throw bad_input("{} has shape {}; every dimension must be at least 1", what, to_string(shape));
    if (dimension > limit || (count *= dimension) > limit) {
      throw bad_input("{} has shape {}, which is more than {} elements", what, to_string(shape), limit);
    }
  }
}

void check_range(const Node& node, std::string_view what, std::int64_t value, std::int64_t least) {
  if (value < least || value > limit) {
    throw bad_input("{} has {} {}; it must be between {} and {}", describe(node), what, value, least, limit);
  }
}

void check_padding(const Node& node, const Padding& padding) {
  for (const std::int64_t side : {padding.top, padding.left, padding.bottom, padding.right}) {
    check_range(node, "padding", side, 0);
  }
}

void check_tensor(const Node& node, std::string_view what, const Tensor& tensor) {
  check_shape(tensor.shape, fmt::format("the {} of {}", what, describe(node)));
  if (element_count(tensor.shape) != static_cast<std::int64_t>(tensor.data.size())) {
    throw bad_input("the {} of {} has shape {} but {} numbers", what, describe(node), to_string(tensor.shape),
                    tensor.data.size());
  }
}

void check_vector(const Node& node, std::string_view what, const Tensor& tensor, std::int64_t length) {
  check_tensor(node, what, tensor);
  if (tensor.shape != Shape{length}) {
    throw bad_input("the {} of {} has shape {}; {} is needed", what, describe(node), to_string(tensor.shape), length);
  }
}

void check_optional_vector(const Node& node, std::string_view what, const Tensor& tensor, std::int64_t length) {
  if (!tensor.empty()) check_vector(node, what, tensor, length);
}

void check_image(const Node& node, const Shape& shape) {
  if (shape.size() != 3) {
    throw bad_input("{} reads a value of shape {}; it needs channels x height x width", describe(node),
                    to_string(shape));
  }
}

/// Output length along one axis; `extent` is that of the window with its dilation.
[[nodiscard]] std::int64_t windows(const Node& node, std::int64_t padded, std::int64_t extent, std::int64_t stride) {
  if (padded < extent) {
    throw bad_input("{} has a window of {} over a padded input of {}; the window must fit", describe(node), extent,
                    padded);
  }
  return (padded - extent) / stride + 1;
}

[[nodiscard]] Shape shape_after(const Node& node, const Conv& conv, const Shape& input) {
  check_image(node, input);
  check_tensor(node, "weight", conv.weight);
  const Shape& weight = conv.weight.shape;
  if (weight.size() != 4) {
    throw bad_input("the weight of {} has shape {}; four dimensions are needed", describe(node), to_string(weight));
  }
  check_range(node, "groups", conv.groups, 1);
  if (input[0] % conv.groups != 0 || weight[0] % conv.groups != 0 || input[0] / conv.groups != weight[1]) {
    throw bad_input("{} with {} groups and a weight of shape {} does not fit an input of shape {}", describe(node),
                    conv.groups, to_string(weight), to_string(input));
  }
  check_optional_vector(node, "bias", conv.bias, weight[0]);
  check_optional_vector(node, "padding value", conv.padding_value, input[0]);
  check_padding(node, conv.padding);
  Shape output{weight[0], 0, 0};
  const std::array padded{input[1] + conv.padding.top + conv.padding.bottom,
                          input[2] + conv.padding.left + conv.padding.right};
  for (std::size_t axis = 0; axis < 2; ++axis) {
    check_range(node, "stride", conv.stride[axis], 1);
    check_range(node, "dilation", conv.dilation[axis], 1);
    const std::int64_t extent = conv.dilation[axis] * (weight[2 + axis] - 1) + 1;
    output[1 + axis] = windows(node, padded[axis], extent, conv.stride[axis]);
  }
  return output;
}

[[nodiscard]] Shape shape_after(const Node& node, const Linear& linear, const Shape& input) {
  check_tensor(node, "weight", linear.weight);
  const Shape& weight = linear.weight.shape;
  if (weight.size() != 2 || input.size() != 1 || weight[1] != input[0]) {
    throw bad_input("{} with a weight of shape {} does not fit an input of shape {}", describe(node), to_string(weight),
                    to_string(input));
  }
  check_optional_vector(node, "bias", linear.bias, weight[0]);
  return {weight[0]};
}

[[nodiscard]] Shape shape_after(const Node& node, const BatchNormalization& op, const Shape& input) {
  check_vector(node, "scale", op.scale, input[0]);
  check_vector(node, "bias", op.bias, input[0]);
  check_vector(node, "mean", op.mean, input[0]);
  check_vector(node, "variance", op.variance, input[0]);
  return input;
}

[[nodiscard]] Shape shape_after(const Node& node, const Affine& op, const Shape& input) {
  check_vector(node, "scale", op.scale, input[0]);
  check_vector(node, "offset", op.offset, input[0]);
  return input;
}

[[nodiscard]] Shape shape_after(const Node& node, const Pool& pool, const Shape& input) {
  check_image(node, input);
  check_padding(node, pool.padding);
  Shape output{input[0], 0, 0};
  const std::array before{pool.padding.top, pool.padding.left};
  const std::array after{pool.padding.bottom, pool.padding.right};
  for (std::size_t axis = 0; axis < 2; ++axis) {
    const std::int64_t length = input[1 + axis];
    check_range(node, "kernel", pool.kernel[axis], 1);
    check_range(node, "stride", pool.stride[axis], 1);
    check_range(node, "dilation", pool.dilation[axis], 1);
    if (pool.dilation[axis] > 1 && pool.kind == PoolKind::average) {
      throw bad_input("{} has a dilation of {}; only max pools may be dilated", describe(node), pool.dilation[axis]);
    }
    const std::int64_t extent = pool.dilation[axis] * (pool.kernel[axis] - 1) + 1;
    // Otherwise a window could lie in the padding altogether and its maximum or mean be of nothing.
    if (before[axis] >= extent || after[axis] >= extent || pool.dilation[axis] > std::max<std::int64_t>(length, 1)) {
      throw bad_input("{} has windows that lie in the padding; padding must be less than the window of {}",
                      describe(node), extent);
    }
    const std::int64_t padded = length + before[axis] + after[axis];
    std::int64_t& count = output[1 + axis];
    count = windows(node, padded, extent, pool.stride[axis]);
    if (pool.ceil_mode && (padded - extent) % pool.stride[axis] != 0 &&
        count * pool.stride[axis] < length + before[axis]) {  // a further window that starts before the end's padding
      ++count;
    }
  }
  return output;
}

[[nodiscard]] Shape shape_after(const Node& node, const GlobalAveragePool& op, const Shape& input) {
  check_image(node, input);
  return op.keep_dimensions ? Shape{input[0], 1, 1} : Shape{input[0]};
}

[[nodiscard]] Shape shape_after_two(const Node& node, const std::vector<Shape>& inputs) {
  const Shape& a = inputs[0];
  const Shape& b = inputs[1];
  if (a == b) return a;
  const auto broadcasts = [](const Shape& small, const Shape& large) {
    return large.size() == 3 && small == Shape{large[0], 1, 1};
  };
  if (broadcasts(b, a)) return a;
  if (broadcasts(a, b)) return b;
  throw bad_input("{} reads values of shapes {} and {}; they must be the same, or one channels x 1 x 1", describe(node),
                  to_string(a), to_string(b));
}

[[nodiscard]] std::size_t checked_axis(const Node& node, std::int64_t axis, const Shape& shape) {
  if (axis < 0 || axis >= static_cast<std::int64_t>(shape.size())) {
    throw bad_input("{} works along axis {}, which shape {} does not have", describe(node), axis, to_string(shape));
  }
  return static_cast<std::size_t>(axis);
}

[[nodiscard]] Shape shape_after_concat(const Node& node, const std::vector<Shape>& inputs) {
  Shape output = inputs[0];
  const std::size_t axis = checked_axis(node, std::get<Concat>(node.op).axis, output);
  for (std::size_t i = 1; i < inputs.size(); ++i) {
    Shape expected = inputs[0];
    if (inputs[i].size() == expected.size()) expected[axis] = inputs[i][axis];
    if (inputs[i] != expected) {
      throw bad_input("{} reads values of shapes {} and {}; all but axis {} must be the same", describe(node),
                      to_string(inputs[0]), to_string(inputs[i]), axis);
    }
    output[axis] += inputs[i][axis];
    check_range(node, "length", output[axis], 1);
  }
  return output;
}

[[nodiscard]] Shape shape_after(const Node& node, const Gather& op, const Shape& input) {
  const std::size_t axis = checked_axis(node, op.axis, input);
  for (const std::int64_t index : op.indices) {
    if (index < 0 || index >= input[axis]) {
      throw bad_input("{} reads element {} of an axis of {}", describe(node), index, input[axis]);
    }
  }
  Shape output = input;
  output[axis] = static_cast<std::int64_t>(op.indices.size());
  return output;
}

[[nodiscard]] Shape shape_after(const Node& node, const Permute& op, const Shape& input) {
  check_shape(op.from, fmt::format("the input of {}", describe(node)));
  check_shape(op.shape, fmt::format("the output of {}", describe(node)));
  std::vector<std::int64_t> sorted = op.order;
  std::sort(sorted.begin(), sorted.end());
  bool complete = sorted.size() == op.from.size();
  for (std::size_t i = 0; complete && i < sorted.size(); ++i) complete = sorted[i] == static_cast<std::int64_t>(i);
  const std::int64_t count = element_count(input);
  if (!complete || element_count(op.from) != count || element_count(op.shape) != count) {
    throw bad_input("{} cannot turn shape {} over {} into {}", describe(node), to_string(input), to_string(op.from),
                    to_string(op.shape));
  }
  return op.shape;
}

[[nodiscard]] Shape shape_after(const Node& node, const Reshape& op, const Shape& input) {
  check_shape(op.shape, fmt::format("the output of {}", describe(node)));
  if (element_count(op.shape) != element_count(input)) {
    throw bad_input("{} turns shape {} into {}; the number of elements must stay", describe(node), to_string(input),
                    to_string(op.shape));
  }
  return op.shape;
}

[[nodiscard]] Shape shape_after(const Node& node, const Pad& op, const Shape& input) {
  check_image(node, input);
  check_padding(node, op.padding);
  return {input[0], input[1] + op.padding.top + op.padding.bottom, input[2] + op.padding.left + op.padding.right};
}

void check_inputs(const Node& node, const std::vector<Shape>& inputs) {
  const bool two = std::holds_alternative<Add>(node.op) || std::holds_alternative<Mul>(node.op);
  const bool any = std::holds_alternative<Concat>(node.op);
  if (any ? inputs.empty() : inputs.size() != (two ? 2U : 1U)) {
    throw bad_input("{} has {} inputs; {} needed", describe(node), inputs.size(),
                    any ? "at least one is" : (two ? "two are" : "one is"));
  }
  for (const Shape& shape : inputs) check_shape(shape, fmt::format("an input of {}", describe(node)));
}

void check_finite(const Node& node, std::string_view what, const Tensor& tensor) {
  if (!std::all_of(tensor.data.begin(), tensor.data.end(), [](float x) { return std::isfinite(x); })) {
    throw bad_input("the {} of {} has numbers that are not finite", what, describe(node));
  }
}

void check_finite(const Node& node, std::string_view what, float number) {
  if (!std::isfinite(number)) throw bad_input("{} has {} {}; it must be finite", describe(node), what, number);
}

void check_parameters(const Node& node) {
  std::visit(overloaded{
                 [&](const Conv& op) {
                   check_finite(node, "weight", op.weight);
                   check_finite(node, "bias", op.bias);
                   check_finite(node, "padding value", op.padding_value);
                 },
                 [&](const Linear& op) {
                   check_finite(node, "weight", op.weight);
                   check_finite(node, "bias", op.bias);
                 },
                 [&](const BatchNormalization& op) {
                   check_finite(node, "scale", op.scale);
                   check_finite(node, "bias", op.bias);
                   check_finite(node, "mean", op.mean);
                   check_finite(node, "variance", op.variance);
                   check_finite(node, "epsilon", op.epsilon);
                   for (const float variance : op.variance.data) {
                     if (!(variance >= 0) || !(variance + op.epsilon > 0)) {
                       throw bad_input("{} has a variance of {} with epsilon {}; their sum must be above 0",
                                       describe(node), variance, op.epsilon);
                     }
                   }
                 },
                 [&](const Affine& op) {
                   check_finite(node, "scale", op.scale);
                   check_finite(node, "offset", op.offset);
                 },
                 [&](const Clip& op) {
                   if (!(op.low <= op.high)) {
                     throw bad_input("{} clips to [{}, {}]; the low end must not be above the high one", describe(node),
                                     op.low, op.high);
                   }
                 },
                 [&](const LeakyRelu& op) { check_finite(node, "alpha", op.alpha); },
                 [&](const HardSigmoid& op) {
                   check_finite(node, "alpha", op.alpha);
                   check_finite(node, "beta", op.beta);
                 },
                 [&](const Pad& op) { check_finite(node, "value", op.value); },
                 [&](const ScalarFunction& op) {
                   if (const std::string fault = find_fault(op); !fault.empty()) {
                     throw bad_input("{} {}", describe(node), fault);
                   }
                 },
                 [](const auto&) {},
             },
             node.op);
}

void check_id(const Graph& graph, ValueId value, const std::string& what) {
  if (value < 0 || static_cast<std::size_t>(value) >= graph.values.size()) {
    throw bad_input("{} is value {}, which the network '{}' does not have", what, value, graph.name);
  }
}

}  // namespace

std::int64_t element_count(const Shape& shape) {
  std::int64_t count = 1;
  for (const std::int64_t dimension : shape) count *= dimension;
  return count;
}

std::string to_string(const Shape& shape) {
  return shape.empty() ? "scalar" : fmt::format("{}", fmt::join(shape, "x"));
}

std::string operator_name(const Operator& op) {
  return std::visit(overloaded{
                        [](const Conv&) { return "Conv"; },
                        [](const Linear&) { return "Gemm"; },
                        [](const BatchNormalization&) { return "BatchNormalization"; },
                        [](const Affine&) { return "Affine"; },
                        [](const Relu&) { return "Relu"; },
                        [](const Clip&) { return "Clip"; },
                        [](const LeakyRelu&) { return "LeakyRelu"; },
                        [](const HardSigmoid&) { return "HardSigmoid"; },
                        [](const HardSwish&) { return "HardSwish"; },
                        [](const Sigmoid&) { return "Sigmoid"; },
                        [](const Pool& pool) { return pool.kind == PoolKind::max ? "MaxPool" : "AveragePool"; },
                        [](const GlobalAveragePool&) { return "GlobalAveragePool"; },
                        [](const Add&) { return "Add"; },
                        [](const Mul&) { return "Mul"; },
                        [](const Concat&) { return "Concat"; },
                        [](const Reshape&) { return "Reshape"; },
                        [](const Pad&) { return "Pad"; },
                        [](const Softmax&) { return "Softmax"; },
                        [](const ScalarFunction&) { return "ScalarFunction"; },
                        [](const Gather&) { return "Gather"; },
                        [](const Permute&) { return "Transpose"; },
                    },
                    op);
}

std::vector<Operator> all_operators() {
  std::vector<Operator> all;
  [&]<std::size_t... index>(std::index_sequence<index...>) {
    const auto add = [&](Operator op) {
      all.push_back(op);
      if (auto* pool = std::get_if<Pool>(&op)) {
        pool->kind = PoolKind::average;
        all.push_back(op);
      }
    };
    (add(Operator(std::in_place_index<index>)), ...);
  }
  (std::make_index_sequence<std::variant_size_v<Operator>>());
  return all;
}

std::int64_t Graph::producer(ValueId value) const {
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    if (nodes[i].output == value) return static_cast<std::int64_t>(i);
  }
  return -1;
}

std::vector<std::int64_t> Graph::consumers(ValueId value) const {
  std::vector<std::int64_t> found;
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    const auto& inputs = nodes[i].inputs;
    if (std::find(inputs.begin(), inputs.end(), value) != inputs.end()) found.push_back(static_cast<std::int64_t>(i));
  }
  return found;
}

std::int64_t Graph::only_consumer(ValueId value) const {
  const std::vector<std::int64_t> readers = consumers(value);
  return readers.size() == 1 && value != output ? readers[0] : -1;
}

Shape infer_shape(const Node& node, const std::vector<Shape>& inputs) {
  check_inputs(node, inputs);
  Shape output = std::visit(overloaded{
                                [&](const Conv& op) { return shape_after(node, op, inputs[0]); },
                                [&](const Linear& op) { return shape_after(node, op, inputs[0]); },
                                [&](const BatchNormalization& op) { return shape_after(node, op, inputs[0]); },
                                [&](const Affine& op) { return shape_after(node, op, inputs[0]); },
                                [&](const Pool& op) { return shape_after(node, op, inputs[0]); },
                                [&](const GlobalAveragePool& op) { return shape_after(node, op, inputs[0]); },
                                [&](const Add&) { return shape_after_two(node, inputs); },
                                [&](const Mul&) { return shape_after_two(node, inputs); },
                                [&](const Concat&) { return shape_after_concat(node, inputs); },
                                [&](const Reshape& op) { return shape_after(node, op, inputs[0]); },
                                [&](const Gather& op) { return shape_after(node, op, inputs[0]); },
                                [&](const Permute& op) { return shape_after(node, op, inputs[0]); },
                                [&](const Pad& op) { return shape_after(node, op, inputs[0]); },
                                [&](const auto&) { return inputs[0]; },  // element by element
                            },
                            node.op);
  check_shape(output, fmt::format("the output of {}", describe(node)));
  return output;
}

void validate(const Graph& graph) {
  check_id(graph, graph.input, "the input");
  check_id(graph, graph.output, "the output");
  check_shape(graph.input_shape(), fmt::format("the input of the network '{}'", graph.name));
  std::vector<bool> made(graph.values.size(), false);
  nth(made, graph.input) = true;
  std::set<std::string_view> names;
  for (const Node& node : graph.nodes) {
    if (node.name.empty()) throw bad_input("the network '{}' has a node without a name", graph.name);
    if (!names.insert(node.name).second) {
      throw bad_input("the network '{}' has two nodes named '{}'; names must be unique", graph.name, node.name);
    }
    std::vector<Shape> shapes;
    for (const ValueId input : node.inputs) {
      check_id(graph, input, fmt::format("an input of {}", describe(node)));
      if (!nth(made, input)) {
        throw bad_input("{} reads value '{}' before it is made", describe(node), nth(graph.values, input).name);
      }
      shapes.push_back(graph.shape_of(input));
    }
    check_id(graph, node.output, fmt::format("the output of {}", describe(node)));
    const auto output = static_cast<std::size_t>(node.output);
    if (made[output]) throw bad_input("{} makes value '{}' a second time", describe(node), graph.values[output].name);
    made[output] = true;
    const Shape shape = infer_shape(node, shapes);
    if (shape != graph.values[output].shape) {
      throw bad_input("{} makes a value of shape {}, but '{}' has shape {}", describe(node), to_string(shape),
                      graph.values[output].name, to_string(graph.values[output].shape));
    }
    check_parameters(node);
  }
  if (!nth(made, graph.output)) {
    throw bad_input("no node makes the output of the network '{}'", graph.name);
  }
}

const Tensor* weight_of(const Operator& op) {
  if (const auto* conv = std::get_if<Conv>(&op)) return &conv->weight;
  const auto* linear = std::get_if<Linear>(&op);
  return linear != nullptr ? &linear->weight : nullptr;
}
Tensor* weight_of(Operator& op) { return const_cast<Tensor*>(weight_of(std::as_const(op))); }

const Tensor* bias_of(const Operator& op) {
  if (const auto* conv = std::get_if<Conv>(&op)) return &conv->bias;
  const auto* linear = std::get_if<Linear>(&op);
  return linear != nullptr ? &linear->bias : nullptr;
}
Tensor* bias_of(Operator& op) { return const_cast<Tensor*>(bias_of(std::as_const(op))); }

std::int64_t multiply_accumulates(const Graph& graph, const Node& node) {
  if (const auto* conv = std::get_if<Conv>(&node.op)) {
    const Shape& output = graph.shape_of(node.output);
    return static_cast<std::int64_t>(conv->weight.data.size()) * output.at(1) * output.at(2);
  }
  if (const auto* linear = std::get_if<Linear>(&node.op)) return static_cast<std::int64_t>(linear->weight.data.size());
  return 0;
}

std::int64_t parameter_count(const Node& node) {
  const std::size_t count = std::visit(
      overloaded{
          [](const Conv& op) { return op.weight.data.size() + op.bias.data.size(); },
          [](const Linear& op) { return op.weight.data.size() + op.bias.data.size(); },
          [](const BatchNormalization& op) {
            return op.scale.data.size() + op.bias.data.size() + op.mean.data.size() + op.variance.data.size();
          },
          [](const Affine& op) { return op.scale.data.size() + op.offset.data.size(); },
          [](const auto&) { return std::size_t{0}; },
      },
      node.op);
  return static_cast<std::int64_t>(count);
}

}  // namespace trimtab
