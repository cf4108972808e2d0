#include <onnx/onnx_pb.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <set>

#include "base/file.h"
#include "base/index.h"
#include "import/onnx.h"
#include "import/onnx_node.h"
#include "import/onnx_quantized_writer.h"

namespace trimtab {
namespace {

/// The newest in which Clip and Pad hold their numbers as attributes: OpenCV 4.6 reads no other Clip.
constexpr std::int64_t float_opset = 10;

static_assert(std::endian::native == std::endian::little, "raw_data is little-endian");

class Writer {
 public:
  Writer(const Graph& graph, std::int64_t opset) : graph_(graph), opset_(opset) {
    for (const std::vector<JoinedPart>* parts : {&graph.input_parts, &graph.output_parts}) {
      for (const JoinedPart& part : *parts) taken_.insert(part.name);
    }
    for (const Value& value : graph.values) names_.push_back(unique(value.name.empty() ? "value" : value.name));
  }

  [[nodiscard]] onnx::ModelProto write() {
    onnx::ModelProto model;
    model.set_ir_version(opset_ >= 21 ? 10 : opset_ >= 13 ? 7 : 5);  // those that came with the opsets
    model.set_producer_name("trimtab");
    model.set_producer_version(TRIMTAB_VERSION);
    model.add_opset_import()->set_version(opset_);
    model.mutable_graph()->set_name(graph_.name.empty() ? "network" : graph_.name);
    proto_ = model.mutable_graph();
    describe_inputs();
    describe_outputs();
    if (graph_.output == graph_.input) {  // ONNX's outputs are made by nodes
      proto_->mutable_output(0)->set_name(unique("output"));
      onnx::NodeProto& copy = add_node("output", "Identity");
      copy.add_input(name_of(graph_.input));
      copy.add_output(proto_->output(0).name());
    }
    for (const Node& node : graph_.nodes) write(node);
    return model;
  }

  /// Of the graph's values in the model.
  [[nodiscard]] const std::vector<std::string>& names() const { return names_; }

 private:
  [[nodiscard]] std::string unique(const std::string& wanted) {
    std::string name = wanted;
    for (int i = 2; !taken_.insert(name).second; ++i) name = fmt::format("{}_{}", wanted, i);
    return name;
  }
  [[nodiscard]] const std::string& name_of(ValueId value) const { return names_.at(static_cast<std::size_t>(value)); }

  static void describe(onnx::ValueInfoProto& info, const std::string& name, const Shape& shape) {
    info.set_name(name);
    auto* tensor = info.mutable_type()->mutable_tensor_type();
    tensor->set_elem_type(onnx::TensorProto::FLOAT);
    tensor->mutable_shape()->add_dim()->set_dim_param("N");
    for (const std::int64_t dimension : shape) tensor->mutable_shape()->add_dim()->set_dim_value(dimension);
  }

  /// Several inputs and outputs are apart again: they have their names before the values inside get theirs.
  void describe_inputs() {
    if (graph_.input_parts.empty()) describe(*proto_->add_input(), name_of(graph_.input), graph_.input_shape());
    for (const JoinedPart& part : graph_.input_parts) describe(*proto_->add_input(), part.name, part.shape);
  }
  void describe_outputs() {
    if (graph_.output_parts.empty()) describe(*proto_->add_output(), name_of(graph_.output), graph_.output_shape());
    for (const JoinedPart& part : graph_.output_parts) describe(*proto_->add_output(), part.name, part.shape);
  }

  /// An input in the place where a Gather cuts it out of the vector of all.
  void write_input(const Node& node) {
    std::int64_t first = 0;
    for (const JoinedPart& part : graph_.input_parts) {
      if (std::get<Gather>(node.op).indices.at(0) == first) {
        onnx::NodeProto& made = add_node(node.name, "Flatten");
        made.add_input(part.name);
        made.add_output(name_of(node.output));
        return;
      }
      first += element_count(part.shape);
    }
    throw failure("'{}' cuts out no input of the network", node.name);
  }

  /// The outputs in the place where a Concat joins them.
  void write_outputs(const Node& node) {
    for (std::size_t i = 0; i < graph_.output_parts.size(); ++i) {
      const JoinedPart& part = graph_.output_parts[i];
      std::vector<std::int64_t> shape{-1};
      shape.insert(shape.end(), part.shape.begin(), part.shape.end());
      onnx::NodeProto& made = add_node(node.name + "/" + part.name, "Reshape");
      made.add_input(name_of(node.inputs.at(i)));
      made.add_input(add(made.name() + ".shape", shape));
      made.add_output(part.name);
    }
  }

  template <typename Element>
  std::string add_initializer(const std::string& name, const Shape& shape, const std::vector<Element>& elements,
                              onnx::TensorProto::DataType type) {
    onnx::TensorProto& tensor = *proto_->add_initializer();
    tensor.set_name(unique(name));
    tensor.set_data_type(type);
    for (const std::int64_t dimension : shape) tensor.add_dims(dimension);
    tensor.mutable_raw_data()->resize(elements.size() * sizeof(Element));
    if (!elements.empty()) {
      std::memcpy(tensor.mutable_raw_data()->data(), elements.data(), elements.size() * sizeof(Element));
    }
    return tensor.name();
  }
  std::string add(const std::string& name, const Tensor& tensor) {
    return add_initializer(name, tensor.shape, tensor.data, onnx::TensorProto::FLOAT);
  }
  std::string add(const std::string& name, const std::vector<std::int64_t>& numbers) {
    return add_initializer(name, {static_cast<std::int64_t>(numbers.size())}, numbers, onnx::TensorProto::INT64);
  }

  onnx::NodeProto& add_node(const std::string& name, const char* type) {
    onnx::NodeProto& node = *proto_->add_node();
    node.set_name(name);
    node.set_op_type(type);
    return node;
  }
  [[nodiscard]] onnx::NodeProto& last_node() { return *proto_->mutable_node(proto_->node_size() - 1); }

  /// The node that computes `node`'s output of its inputs.
  onnx::NodeProto& whole(const Node& node, const char* type) {
    onnx::NodeProto& made = add_node(node.name, type);
    for (const ValueId input : node.inputs) made.add_input(name_of(input));
    made.add_output(name_of(node.output));
    return made;
  }
  /// A step on the way to `node`'s output: reads `input` and a constant, makes and returns a value of its own.
  std::string step(const Node& node, const char* type, const char* suffix, const std::string& input,
                   const std::string& constant) {
    onnx::NodeProto& made = add_node(node.name + suffix, type);
    made.add_input(input);
    if (!constant.empty()) made.add_input(constant);
    made.add_output(unique(node.name + suffix + "/output"));
    return made.output(0);
  }

  /// A step to the shape, in front of which the batch stays. The reader takes a Transpose for another view of the same
  /// value, until a Reshape that changes nothing says that the order counts.
  std::string reshape(const Node& node, const char* suffix, const std::string& input, const Shape& shape) {
    std::vector<std::int64_t> dimensions{0};
    dimensions.insert(dimensions.end(), shape.begin(), shape.end());
    return step(node, "Reshape", suffix, input, add(node.name + suffix + ".shape", dimensions));
  }

  static onnx::AttributeProto& attribute(onnx::NodeProto& node, const char* name,
                                         onnx::AttributeProto::AttributeType type) {
    onnx::AttributeProto& made = *node.add_attribute();
    made.set_name(name);
    made.set_type(type);
    return made;
  }
  static void set(onnx::NodeProto& node, const char* name, std::int64_t number) {
    attribute(node, name, onnx::AttributeProto::INT).set_i(number);
  }
  static void set(onnx::NodeProto& node, const char* name, float number) {
    attribute(node, name, onnx::AttributeProto::FLOAT).set_f(number);
  }
  static void set(onnx::NodeProto& node, const char* name, const std::vector<std::int64_t>& numbers) {
    auto& made = attribute(node, name, onnx::AttributeProto::INTS);
    for (const std::int64_t number : numbers) made.add_ints(number);
  }
  static void set_window(onnx::NodeProto& node, const std::array<std::int64_t, 2>& kernel,
                         const std::array<std::int64_t, 2>& stride, const Padding& padding) {
    set(node, "kernel_shape", {kernel[0], kernel[1]});
    set(node, "strides", {stride[0], stride[1]});
    set(node, "pads", {padding.top, padding.left, padding.bottom, padding.right});
  }

  void write(const Node& node) {
    if (graph_.cuts_inputs(node)) return write_input(node);
    if (graph_.joins_outputs(node)) return write_outputs(node);
    std::visit(overloaded{
                   [&](const Conv& op) { write(node, op); },
                   [&](const Linear& op) { write(node, op); },
                   [&](const BatchNormalization& op) { write(node, op); },
                   [&](const Affine& op) { write(node, op); },
                   [&](const Relu&) { whole(node, "Relu"); },
                   [&](const Clip& op) { write(node, op); },
                   [&](const LeakyRelu& op) { set(whole(node, "LeakyRelu"), "alpha", op.alpha); },
                   [&](const HardSigmoid& op) {
                     auto& made = whole(node, "HardSigmoid");
                     set(made, "alpha", op.alpha);
                     set(made, "beta", op.beta);
                   },
                   [&](const HardSwish&) { write_hard_swish(node); },
                   [&](const Sigmoid&) { whole(node, "Sigmoid"); },
                   [&](const Pool& op) { write(node, op); },
                   [&](const GlobalAveragePool& op) { write(node, op); },
                   [&](const Add&) { write_both(node, "Add"); },
                   [&](const Mul&) { write_both(node, "Mul"); },
                   [&](const Concat& op) { set(whole(node, "Concat"), "axis", 1 + op.axis); },
                   [&](const Gather& op) { write(node, op); },
                   [&](const Permute& op) { write(node, op); },
                   [&](const Reshape& op) { write(node, op); },
                   [&](const Pad& op) { write(node, op); },
                   [&](const Softmax& op) { write_softmax(node, op.logarithm ? "LogSoftmax" : "Softmax"); },
                   [&](const ScalarFunction& op) { write(node, op); },
               },
               node.op);
  }

  /// ONNX pads with zeros: where the padding is v, conv(x) is conv(x - v), padded with zeros, plus conv(v).
  void write(const Node& node, const Conv& op) {
    std::string input = name_of(node.inputs[0]);
    Tensor bias = op.bias;
    if (!op.padding_value.empty()) {
      const std::string value =
          add(node.name + ".padding_value", {{op.padding_value.shape[0], 1, 1}, op.padding_value.data});
      input = step(node, "Sub", "/padding_value", input, value);
      bias = add_convolved(op);
    }
    onnx::NodeProto& made = add_node(node.name, "Conv");
    made.add_input(input);
    made.add_input(add(node.name + ".weight", op.weight));
    if (!bias.empty()) made.add_input(add(node.name + ".bias", bias));
    made.add_output(name_of(node.output));
    const Shape& weight = op.weight.shape;
    set_window(made, {weight[2], weight[3]}, op.stride, op.padding);
    set(made, "dilations", {op.dilation[0], op.dilation[1]});
    set(made, "group", op.groups);
  }

  /// The bias plus the convolution of an input that is the padding's value everywhere.
  [[nodiscard]] static Tensor add_convolved(const Conv& op) {
    const Shape& shape = op.weight.shape;
    const auto window = static_cast<std::size_t>(shape[2] * shape[3]);
    Tensor bias{{shape[0]}, {}};
    std::size_t next = 0;
    for (std::int64_t o = 0; o < shape[0]; ++o) {
      double sum = op.bias.empty() ? 0.0 : nth(op.bias.data, o);
      const std::int64_t first = o / (shape[0] / op.groups) * shape[1];
      for (std::int64_t i = 0; i < shape[1]; ++i) {
        const double value = nth(op.padding_value.data, first + i);
        for (std::size_t k = 0; k < window; ++k) sum += value * op.weight.data[next++];
      }
      bias.data.push_back(static_cast<float>(sum));
    }
    return bias;
  }

  void write(const Node& node, const Linear& op) {
    onnx::NodeProto& made = whole(node, "Gemm");
    made.add_input(add(node.name + ".weight", op.weight));
    if (!op.bias.empty()) made.add_input(add(node.name + ".bias", op.bias));
    set(made, "transB", std::int64_t{1});
  }

  void write(const Node& node, const BatchNormalization& op) {
    onnx::NodeProto& made = whole(node, "BatchNormalization");
    made.add_input(add(node.name + ".scale", op.scale));
    made.add_input(add(node.name + ".bias", op.bias));
    made.add_input(add(node.name + ".mean", op.mean));
    made.add_input(add(node.name + ".variance", op.variance));
    set(made, "epsilon", op.epsilon);
  }

  /// A Mul, an Add, or both.
  void write(const Node& node, const Affine& op) {
    Shape shape(graph_.shape_of(node.output).size(), 1);
    shape[0] = op.scale.shape[0];
    const auto all = [](const Tensor& tensor, float number) {
      return std::all_of(tensor.data.begin(), tensor.data.end(), [&](float x) { return x == number; });
    };
    const bool adds = !all(op.offset, 0);
    const bool multiplies = !all(op.scale, 1) || !adds;
    std::string input = name_of(node.inputs[0]);
    if (multiplies && adds)
      input = step(node, "Mul", "/scale", input, add(node.name + ".scale", {shape, op.scale.data}));
    onnx::NodeProto& made = add_node(node.name, adds ? "Add" : "Mul");
    made.add_input(input);
    made.add_input(adds ? add(node.name + ".offset", {shape, op.offset.data})
                        : add(node.name + ".scale", {shape, op.scale.data}));
    made.add_output(name_of(node.output));
  }

  void write(const Node& node, const Clip& op) {
    const auto [low, high] = clip_inputs(node.name, op.low, op.high);
    set_clip(whole(node, "Clip"), op.low, op.high, low, high);
  }

  /// From opset 11 on the ends of a Clip are inputs; an empty name leaves one out.
  std::array<std::string, 2> clip_inputs(const std::string& name, float low, float high) {
    const auto input = [&](const char* what, float number) {
      return opset_ == float_opset || std::isinf(number) ? "" : add(name + what, Tensor{{}, {number}});
    };
    return {input(".min", low), input(".max", high)};
  }
  void set_clip(onnx::NodeProto& made, float low, float high, const std::string& low_name,
                const std::string& high_name) const {
    if (opset_ != float_opset) {
      made.add_input(low_name);
      made.add_input(high_name);
      return;
    }
    if (!std::isinf(low)) set(made, "min", low);
    if (!std::isinf(high)) set(made, "max", high);
  }

  /// Until opset 13 a Softmax is over all dimensions from its axis on, so the channels must be the last.
  void write_softmax(const Node& node, const char* type) {
    const Shape& shape = graph_.shape_of(node.output);
    if (element_count(shape) == shape[0]) {
      set(whole(node, type), "axis", std::int64_t{1});
      return;
    }
    const auto last = static_cast<std::int64_t>(shape.size());
    std::vector<std::int64_t> forth{0};
    std::vector<std::int64_t> back{0, last};
    for (std::int64_t axis = 2; axis <= last; ++axis) {
      forth.push_back(axis);
      back.push_back(axis - 1);
    }
    forth.push_back(1);
    const std::string turned = step(node, "Transpose", "/channels_last", name_of(node.inputs[0]), "");
    set(last_node(), "perm", forth);
    const std::string result = step(node, type, "", turned, "");
    set(last_node(), "axis", last);
    const std::string made = step(node, "Transpose", "/channels_first", result, "");
    set(last_node(), "perm", back);
    reshape(node, "/order", made, shape);
    last_node().set_output(0, name_of(node.output));
  }

  /// HardSwish came with opset 14.
  void write_hard_swish(const Node& node) {
    const std::string gate = step(node, "HardSigmoid", "/gate", name_of(node.inputs[0]), "");
    set(last_node(), "alpha", 1.0F / 6);
    set(last_node(), "beta", 0.5F);
    whole(node, "Mul").add_input(gate);
  }

  /// Each step as the operators that compute it; the last one's value gets the name of the node's output.
  void write(const Node& node, const ScalarFunction& op) {
    std::vector<std::string> results;
    const auto operand = [&](std::int32_t index) { return index < 0 ? name_of(node.inputs[0]) : nth(results, index); };
    for (std::size_t i = 0; i < op.steps.size(); ++i) {
      results.push_back(write_step(node, op.steps[i], operand(op.steps[i].a), operand(op.steps[i].b), i));
    }
    onnx::NodeProto& made = add_node(node.name, "Identity");
    made.add_input(results.back());
    made.add_output(name_of(node.output));
  }

  std::string write_step(const Node& node, const FunctionStep& step_of, const std::string& a, const std::string& b,
                         std::size_t index) {
    using Kind = FunctionStep::Kind;
    const std::string suffix = fmt::format("/{}", index);
    const auto plain = [&](const char* type, const std::string& x, const std::string& y = "") {
      return step(node, type, suffix.c_str(), x, y);
    };
    const auto with = [&](const char* type, const std::string& x, float number) {
      return plain(type, x, add(node.name + suffix, Tensor{{}, {number}}));
    };
    const auto as_float = [&](const std::string& truth) {
      const std::string result = plain("Cast", truth);
      set(last_node(), "to", std::int64_t{onnx::TensorProto::FLOAT});
      return result;
    };
    switch (step_of.kind) {
      case Kind::affine:
        return with("Add", with("Mul", a, step_of.alpha), step_of.beta);
      case Kind::clip: {
        const auto [low, high] = clip_inputs(node.name + suffix, step_of.alpha, step_of.beta);
        const std::string result = plain("Clip", a);
        set_clip(last_node(), step_of.alpha, step_of.beta, low, high);
        return result;
      }
      case Kind::leaky: {
        const std::string result = plain("LeakyRelu", a);
        set(last_node(), "alpha", step_of.alpha);
        return result;
      }
      case Kind::elu: {
        const std::string result = plain("Elu", a);
        set(last_node(), "alpha", step_of.alpha);
        return with("Mul", result, step_of.beta);
      }
      case Kind::power:
        return with("Pow", a, step_of.alpha);
      case Kind::greater:
        return as_float(with("Greater", a, step_of.alpha));
      case Kind::less:
        return as_float(with("Less", a, step_of.alpha));
      case Kind::add:
        return plain("Add", a, b);
      case Kind::multiply:
        return plain("Mul", a, b);
      default:
        return plain(function_type(step_of.kind), a);
    }
  }

  /// ONNX's name of a step that it has as it is.
  static const char* function_type(FunctionStep::Kind kind) {
    using Kind = FunctionStep::Kind;
    switch (kind) {
      case Kind::sigmoid:
        return "Sigmoid";
      case Kind::tanh:
        return "Tanh";
      case Kind::exp:
        return "Exp";
      case Kind::log:
        return "Log";
      case Kind::sqrt:
        return "Sqrt";
      case Kind::abs:
        return "Abs";
      case Kind::erf:
        return "Erf";
      case Kind::softplus:
        return "Softplus";
      case Kind::sin:
        return "Sin";
      case Kind::cos:
        return "Cos";
      case Kind::floor:
        return "Floor";
      case Kind::ceil:
        return "Ceil";
      case Kind::sign:
        return "Sign";
      case Kind::reciprocal:
        return "Reciprocal";
      default:
        throw failure("a step of a function has no ONNX operator of its own");
    }
  }

  void write(const Node& node, const Pool& op) {
    const bool average = op.kind == PoolKind::average;
    onnx::NodeProto& made = whole(node, average ? "AveragePool" : "MaxPool");
    set_window(made, op.kernel, op.stride, op.padding);
    set(made, "ceil_mode", std::int64_t{op.ceil_mode});
    if (average) set(made, "count_include_pad", std::int64_t{op.count_include_pad});
    if (op.dilation != std::array<std::int64_t, 2>{1, 1}) set(made, "dilations", {op.dilation[0], op.dilation[1]});
  }

  void write(const Node& node, const GlobalAveragePool& op) {
    if (op.keep_dimensions) {
      whole(node, "GlobalAveragePool");
      return;
    }
    const std::string mean = step(node, "GlobalAveragePool", "", name_of(node.inputs[0]), "");
    onnx::NodeProto& made = add_node(node.name + "/flatten", "Flatten");
    made.add_input(mean);
    made.add_output(name_of(node.output));
    set(made, "axis", std::int64_t{1});
  }

  /// The operand that is broadcast comes second: OpenCV wants it there.
  void write_both(const Node& node, const char* type) {
    onnx::NodeProto& made = whole(node, type);
    if (graph_.shape_of(node.inputs[0]) != graph_.shape_of(node.output)) made.mutable_input()->SwapElements(0, 1);
  }

  void write(const Node& node, const Reshape& op) {
    if (op.shape.size() == 1) {
      set(whole(node, "Flatten"), "axis", std::int64_t{1});
      return;
    }
    reshape(node, "", name_of(node.inputs[0]), op.shape);
    last_node().set_output(0, name_of(node.output));
  }

  void write(const Node& node, const Gather& op) {
    onnx::NodeProto& made = whole(node, "Gather");
    made.add_input(add(node.name + ".indices", op.indices));
    set(made, "axis", 1 + op.axis);
  }

  /// The reader takes a vector in any order, so an image of one pixel says that the order counts.
  void write(const Node& node, const Permute& op) {
    std::string x = step(node, "Transpose", "", reshape(node, "/cut", name_of(node.inputs[0]), op.from), "");
    std::vector<std::int64_t> order{0};
    Shape turned;
    for (const std::int64_t axis : op.order) {
      order.push_back(1 + axis);
      turned.push_back(nth(op.from, axis));
    }
    set(last_node(), "perm", order);
    const bool is_vector = op.shape.size() == 1;
    const Shape joined = is_vector ? Shape{op.shape[0], 1, 1} : op.shape;
    if (joined != turned) x = reshape(node, "/join", x, joined);
    x = reshape(node, "/order", x, joined);
    if (is_vector) {
      x = step(node, "Flatten", "/flatten", x, "");
      set(last_node(), "axis", std::int64_t{1});
    }
    last_node().set_output(0, name_of(node.output));
  }

  void write(const Node& node, const Pad& op) {
    const auto [top, left, bottom, right] = op.padding;
    const std::vector<std::int64_t> pads{0, 0, top, left, 0, 0, bottom, right};
    if (opset_ == float_opset) {
      onnx::NodeProto& made = whole(node, "Pad");
      set(made, "pads", pads);
      set(made, "value", op.value);
      return;
    }
    const std::string pads_name = add(node.name + ".pads", pads);
    const std::string value_name = add(node.name + ".value", Tensor{{}, {op.value}});
    onnx::NodeProto& made = whole(node, "Pad");
    made.add_input(pads_name);
    made.add_input(value_name);
  }

  const Graph& graph_;
  std::int64_t opset_;
  onnx::GraphProto* proto_ = nullptr;
  std::set<std::string> taken_;
  std::vector<std::string> names_;
};

}  // namespace

namespace {

[[nodiscard]] std::vector<std::uint8_t> bytes_of(const onnx::ModelProto& model) {
  std::vector<std::uint8_t> bytes(model.ByteSizeLong());
  if (!model.SerializeToArray(bytes.data(), static_cast<int>(bytes.size()))) {
    throw failure("the network '{}' cannot be written as ONNX", model.graph().name());
  }
  return bytes;
}

}  // namespace

std::vector<std::uint8_t> serialize_onnx(const Graph& graph) {
  validate(graph);
  return bytes_of(Writer(graph, float_opset).write());
}

std::vector<std::uint8_t> serialize_onnx(const Graph& graph, const OnnxQuantization& quantization) {
  validate(graph);
  if (quantization.values.size() != graph.values.size() || quantization.weights.size() != graph.nodes.size())
    throw failure("the grids of '{}' do not fit its graph", graph.name);
  const std::int64_t opset = onnx_writer::opset_of(quantization);
  Writer writer(graph, opset);
  onnx::ModelProto model = writer.write();
  onnx_writer::quantize_model(model, graph, writer.names(), quantization);
  return bytes_of(model);
}

void write_onnx(const Graph& graph, const std::filesystem::path& path) { write_file(path, serialize_onnx(graph)); }

}  // namespace trimtab
