#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "graph/function.h"

namespace trimtab {

/// Dimensions of one sample, without the batch: {channels, height, width} of an image, {features} of a vector. Every
/// value of a graph has an implied, free batch dimension in front of them.
using Shape = std::vector<std::int64_t>;

/// Product of the dimensions (1 for an empty shape).
[[nodiscard]] std::int64_t element_count(const Shape& shape);

/// "3x32x32".
[[nodiscard]] std::string to_string(const Shape& shape);

/// Dense float parameters, C order.
struct Tensor {
  Shape shape;
  std::vector<float> data;

  [[nodiscard]] bool empty() const { return data.empty(); }
  bool operator==(const Tensor&) const = default;
};

/// Zeros or explicit values around the spatial dimensions, in rows and columns.
struct Padding {
  std::int64_t top = 0;
  std::int64_t left = 0;
  std::int64_t bottom = 0;
  std::int64_t right = 0;
  bool operator==(const Padding&) const = default;
};

// The operators. Parameters are held by the operator that uses them. Image values are channels x height x width (ONNX's
// NCHW); a graph that came in with layout Transposes has been rid of them by the importer.

/// weight {output channels, input channels / groups, kernel height, kernel width}; bias {output channels} or empty.
/// Pads with `padding_value`, one number per input channel ({input channels}), or with zeros where that is empty.
struct Conv {
  Tensor weight;
  Tensor bias;
  std::array<std::int64_t, 2> stride{1, 1};    ///< rows, columns
  std::array<std::int64_t, 2> dilation{1, 1};  ///< rows, columns
  Padding padding;
  std::int64_t groups = 1;
  Tensor padding_value;
  bool operator==(const Conv&) const = default;
};

/// y = W x + b on a vector. weight {outputs, inputs}; bias {outputs} or empty.
struct Linear {
  Tensor weight;
  Tensor bias;
  bool operator==(const Linear&) const = default;
};

/// Per channel: scale * (x - mean) / sqrt(variance + epsilon) + bias; each {channels}.
struct BatchNormalization {
  Tensor scale;
  Tensor bias;
  Tensor mean;
  Tensor variance;
  float epsilon = 1e-5F;
  bool operator==(const BatchNormalization&) const = default;
};

/// Per channel: scale * x + offset; each {channels}. What additions of and multiplications by constants become.
struct Affine {
  Tensor scale;
  Tensor offset;
  bool operator==(const Affine&) const = default;
};

struct Relu {
  bool operator==(const Relu&) const = default;
};
/// min(max(x, low), high); ReLU6 is Clip{0, 6}. Either end may be infinite.
struct Clip {
  float low = 0;
  float high = 6;
  bool operator==(const Clip&) const = default;
};
struct LeakyRelu {
  float alpha = 0.01F;
  bool operator==(const LeakyRelu&) const = default;
};
/// min(max(alpha * x + beta, 0), 1)
struct HardSigmoid {
  float alpha = 1.0F / 6;
  float beta = 0.5F;
  bool operator==(const HardSigmoid&) const = default;
};
/// x * HardSigmoid(x) with alpha 1/6 and beta 1/2
struct HardSwish {
  bool operator==(const HardSwish&) const = default;
};
struct Sigmoid {
  bool operator==(const Sigmoid&) const = default;
};

enum class PoolKind { max, average };
struct Pool {
  PoolKind kind = PoolKind::max;
  std::array<std::int64_t, 2> kernel{2, 2};    ///< rows, columns
  std::array<std::int64_t, 2> stride{2, 2};    ///< rows, columns
  std::array<std::int64_t, 2> dilation{1, 1};  ///< rows, columns; max only
  Padding padding;
  bool ceil_mode = false;
  bool count_include_pad = false;  ///< average only: padding counts in the divisor
  bool operator==(const Pool&) const = default;
};

/// Mean over height and width: {C,H,W} to {C,1,1}, or to {C} where `keep_dimensions` is false.
struct GlobalAveragePool {
  bool keep_dimensions = true;
  bool operator==(const GlobalAveragePool&) const = default;
};

/// Element-wise sum of two values; a {C,1,1} input is broadcast.
struct Add {
  bool operator==(const Add&) const = default;
};
/// Element-wise product of two values; a {C,1,1} input is broadcast.
struct Mul {
  bool operator==(const Mul&) const = default;
};
/// Along the channels (axis 0 of a sample), rows (1) or columns (2).
struct Concat {
  std::int64_t axis = 0;
  bool operator==(const Concat&) const = default;
};
/// Element i along the axis of a sample is element indices[i] of the input: parts, other orders, repetitions.
struct Gather {
  std::int64_t axis = 0;
  std::vector<std::int64_t> indices;
  bool operator==(const Gather&) const = default;
};
/// The sample is cut into dimensions `from`, whose axes are put into `order`; the result has `shape`.
struct Permute {
  Shape from;
  std::vector<std::int64_t> order;
  Shape shape;
  bool operator==(const Permute&) const = default;
};
/// Same elements in the same (channel, row, column) order in another shape; Flatten is a Reshape to one dimension.
struct Reshape {
  Shape shape;
  bool operator==(const Reshape&) const = default;
};
/// Spatial padding with a constant.
struct Pad {
  Padding padding;
  float value = 0;
  bool operator==(const Pad&) const = default;
};
/// Over the features of a vector, or over the channels of an image.
struct Softmax {
  bool logarithm = false;  ///< of the shares
  bool operator==(const Softmax&) const = default;
};

using Operator =
    std::variant<Conv, Linear, BatchNormalization, Affine, Relu, Clip, LeakyRelu, HardSigmoid, HardSwish, Sigmoid, Pool,
                 GlobalAveragePool, Add, Mul, Concat, Reshape, Pad, Softmax, ScalarFunction, Gather, Permute>;

/// ONNX's name of the operator ("Conv", "Gemm", "MaxPool", ...), for messages and tables.
[[nodiscard]] std::string operator_name(const Operator& op);

/// One operator of each name, without parameters, in the order of the variant.
[[nodiscard]] std::vector<Operator> all_operators();

/// Index into Graph::values.
using ValueId = std::int32_t;

/// The numbers that a value had in the quantized network that it was read from: scale * (q - zero_point), with q an
/// integer of so many bits.
struct SourceGrid {
  float scale = 1;
  std::int32_t zero_point = 0;
  int bits = 8;
  bool is_signed = true;

  [[nodiscard]] std::int32_t minimum() const { return is_signed ? -(1 << (bits - 1)) : 0; }
  [[nodiscard]] std::int32_t maximum() const { return minimum() + (1 << bits) - 1; }
  bool operator==(const SourceGrid&) const = default;
};

/// A tensor between operators. A graph's function does not depend on the grids: they are kept for who quantizes it.
struct Value {
  std::string name;
  Shape shape;
  std::optional<SourceGrid> grid{};
};

/// One use of an operator. All operators have one output.
struct Node {
  std::string name;  ///< unique and not empty: layers are named by it in plans and reports
  Operator op;
  std::vector<ValueId> inputs;
  ValueId output = -1;
};

/// One of several inputs or outputs that a graph has joined in a vector, one behind the other.
struct JoinedPart {
  std::string name;
  Shape shape;  ///< channels first
  bool operator==(const JoinedPart&) const = default;
};

/// A ConvNet with one input and one output. Nodes stand in an order in which every value is made before it is used.
struct Graph {
  std::string name;
  std::vector<Value> values;
  std::vector<Node> nodes;
  ValueId input = -1;
  ValueId output = -1;
  /// Where the input is a vector of several inputs: which. A Gather cuts out each of them. Empty: one input.
  std::vector<JoinedPart> input_parts{};
  /// Where the output is a vector of several outputs: which. A Concat joins them. Empty: one output.
  std::vector<JoinedPart> output_parts{};

  /// Whether the node cuts one of several inputs out of their vector, or joins the outputs.
  [[nodiscard]] bool cuts_inputs(const Node& node) const { return !input_parts.empty() && node.inputs.at(0) == input; }
  [[nodiscard]] bool joins_outputs(const Node& node) const { return !output_parts.empty() && node.output == output; }
  [[nodiscard]] const Shape& shape_of(ValueId value) const { return values.at(static_cast<std::size_t>(value)).shape; }
  [[nodiscard]] const Shape& input_shape() const { return shape_of(input); }
  [[nodiscard]] const Shape& output_shape() const { return shape_of(output); }
  // These three walk over all nodes. Connections (graph/connections.h) answers many questions after one walk.
  /// Index into `nodes` of the node that makes the value, or -1 for the graph's input.
  [[nodiscard]] std::int64_t producer(ValueId value) const;
  /// Indices into `nodes` of the nodes that read the value.
  [[nodiscard]] std::vector<std::int64_t> consumers(ValueId value) const;
  /// Index into `nodes` of the node that alone reads the value, or -1 where none or several do or it is the output.
  [[nodiscard]] std::int64_t only_consumer(ValueId value) const;
};

/// Shape of a node's output. Throws Error (bad input), naming the node, where the shapes of its inputs do not fit it.
[[nodiscard]] Shape infer_shape(const Node& node, const std::vector<Shape>& inputs);

/// Checks that ids are in range, nodes are in order, names unique, shapes as inferred and parameters finite. Throws
/// Error (bad input).
void validate(const Graph& graph);

/// The weights, and the bias, of a Conv or Linear; null for all others.
[[nodiscard]] const Tensor* weight_of(const Operator& op);
[[nodiscard]] Tensor* weight_of(Operator& op);
[[nodiscard]] const Tensor* bias_of(const Operator& op);
[[nodiscard]] Tensor* bias_of(Operator& op);

/// Multiply-accumulates of one sample in a node (Conv and Linear; 0 for the rest).
[[nodiscard]] std::int64_t multiply_accumulates(const Graph& graph, const Node& node);

/// Number of parameters in a node.
[[nodiscard]] std::int64_t parameter_count(const Node& node);

/// `std::visit` with one lambda per operator.
template <typename... Functions>
struct overloaded : Functions... {
  using Functions::operator()...;
};
template <typename... Functions>
overloaded(Functions...) -> overloaded<Functions...>;  // clang 14 needs to be told

}  // namespace trimtab
