#include "import/onnx_quantized_operators.h"

#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "import/onnx_node.h"

namespace trimtab::onnx_reader {
namespace {

/// The operator on real numbers, and where its operands stand among the inputs of the quantized one: a tensor, its
/// scale and its zero point, one after another.
struct Form {
  const char* real;
  int operands;  ///< quantized tensors, from input `first` on; -1: as many as there are
  int first;
  int output_scale;     ///< the input that is the output's scale, with its zero point behind it
  int bias = -1;        ///< the input that is a bias of 32-bit integers, in units of both scales
  int weight_axis = 0;  ///< along which the second operand may have several scales
};

const std::map<std::string_view, Form>& forms() {
  static const std::map<std::string_view, Form> known{
      {"QLinearConv", {"Conv", 2, 0, 6, 8, 0}},
      {"QLinearMatMul", {"MatMul", 2, 0, 6, -1, -1}},
      {"QGemm", {"Gemm", 2, 0, 7, 6, 1}},
      {"QLinearAdd", {"Add", 2, 0, 6}},
      {"QLinearMul", {"Mul", 2, 0, 6}},
      {"QLinearSigmoid", {"Sigmoid", 1, 0, 3}},
      {"QLinearLeakyRelu", {"LeakyRelu", 1, 0, 3}},
      {"QLinearSoftmax", {"Softmax", 1, 0, 3}},
      {"QLinearAveragePool", {"AveragePool", 1, 0, 3}},
      {"QLinearGlobalAveragePool", {"GlobalAveragePool", 1, 0, 3}},
      {"QLinearReduceMean", {"ReduceMean", 1, 0, 3}},
      {"QLinearConcat", {"Concat", -1, 2, 0}},
  };
  return known;
}

/// ONNX's own, or onnxruntime's.
bool has_known_domain(const onnx::NodeProto& node) {
  return node.domain().empty() || node.domain() == "ai.onnx" || node.domain() == "com.microsoft";
}

void set_integer(onnx::NodeProto& node, const char* name, std::int64_t value) {
  onnx::AttributeProto* attribute = node.add_attribute();
  attribute->set_name(name);
  attribute->set_type(onnx::AttributeProto::INT);
  attribute->set_i(value);
}

class Expansion {
 public:
  Expansion(const onnx::NodeProto& node, const Form& form, google::protobuf::RepeatedPtrField<onnx::NodeProto>& to)
      : node_(node), form_(form), to_(to), base_(node.output_size() > 0 ? node.output(0) : "") {}

  void run() {
    onnx::NodeProto real;
    real.set_name(OnnxNode(node_, 0).name());
    real.set_op_type(form_.real);
    const int operands = form_.operands < 0 ? (node_.input_size() - form_.first) / 3 : form_.operands;
    for (int i = 0; i < operands; ++i) {
      real.add_input(dequantized(form_.first + 3 * i, i == 1 ? weight_axis() : 0, i));
    }
    if (form_.bias >= 0 && has(form_.bias)) real.add_input(dequantized_bias());
    for (const onnx::AttributeProto& attribute : node_.attribute()) {
      if (attribute.name() == "channels_last" && attribute.i() != 0)
        throw OnnxNode(node_, 0).error("lies channels last, which is not supported for it");
      if (attribute.name() != "channels_last" && attribute.name() != "opset") *real.add_attribute() = attribute;
    }
    const bool quantizes = has(form_.output_scale);
    real.add_output(quantizes ? base_ + ":real" : base_);
    *to_.Add() = std::move(real);
    if (!quantizes) return;
    onnx::NodeProto& out = add("QuantizeLinear", "/quantize", {base_ + ":real", input(form_.output_scale)}, base_);
    if (has(form_.output_scale + 1)) out.add_input(input(form_.output_scale + 1));
  }

 private:
  [[nodiscard]] bool has(int index) const { return index < node_.input_size() && !node_.input(index).empty(); }
  [[nodiscard]] const std::string& input(int index) const {
    if (!has(index)) throw OnnxNode(node_, 0).error("lacks its input {}", index);
    return node_.input(index);
  }

  onnx::NodeProto& add(const char* type, const std::string& suffix, const std::vector<std::string>& inputs,
                       const std::string& output) {
    onnx::NodeProto& made = *to_.Add();
    made.set_name(OnnxNode(node_, 0).name() + suffix);
    made.set_op_type(type);
    for (const std::string& each : inputs) made.add_input(each);
    made.add_output(output);
    return made;
  }

  /// The axis of a Gemm's columns depends on how its weights lie.
  [[nodiscard]] std::int64_t weight_axis() const {
    const bool turned = form_.real == std::string_view("Gemm") && OnnxNode(node_, 0).integer("transB", 0) != 0;
    return turned ? 0 : form_.weight_axis;
  }

  std::string dequantized(int index, std::int64_t axis, int operand) {
    const std::string name = base_ + ":operand" + std::to_string(operand);
    onnx::NodeProto& made =
        add("DequantizeLinear", "/operand" + std::to_string(operand), {input(index), input(index + 1)}, name);
    if (has(index + 2)) made.add_input(input(index + 2));
    set_integer(made, "axis", axis);
    return name;
  }

  std::string dequantized_bias() {
    const std::string scale = base_ + ":bias_scale";
    add("Mul", "/bias_scale", {input(1), input(4)}, scale);
    const std::string name = base_ + ":bias";
    set_integer(add("DequantizeLinear", "/bias", {input(form_.bias), scale}, name), "axis", 0);
    return name;
  }

  const onnx::NodeProto& node_;
  const Form& form_;
  google::protobuf::RepeatedPtrField<onnx::NodeProto>& to_;
  std::string base_;
};

}  // namespace

void expand_quantized_operators(onnx::ModelProto& model) {
  google::protobuf::RepeatedPtrField<onnx::NodeProto> nodes;
  for (onnx::NodeProto& node : *model.mutable_graph()->mutable_node()) {
    const auto form = forms().find(node.op_type());
    if (form != forms().end() && has_known_domain(node)) {
      Expansion(node, form->second, nodes).run();
      continue;
    }
    const bool linear = node.op_type() == "QuantizeLinear" || node.op_type() == "DequantizeLinear";
    if (linear && node.domain() == "com.microsoft") node.clear_domain();
    *nodes.Add() = std::move(node);
  }
  model.mutable_graph()->mutable_node()->Swap(&nodes);
}

}  // namespace trimtab::onnx_reader
