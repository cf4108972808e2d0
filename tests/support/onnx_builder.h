#pragma once

#include <onnx/onnx_pb.h>

#include <cstdint>
#include <cstring>
#include <initializer_list>
#include <string>
#include <utility>
#include <vector>

#include "import/onnx.h"

// Makes ONNX models as exporters write them, through protobuf alone.
namespace trimtab::reference {

/// One attribute of a node.
struct Attribute {
  Attribute(const char* name, std::int64_t number) : proto(named(name, onnx::AttributeProto::INT)) {
    proto.set_i(number);
  }
  Attribute(const char* name, int number) : Attribute(name, std::int64_t{number}) {}
  Attribute(const char* name, float number) : proto(named(name, onnx::AttributeProto::FLOAT)) { proto.set_f(number); }
  Attribute(const char* name, const char* text) : proto(named(name, onnx::AttributeProto::STRING)) {
    proto.set_s(text);
  }
  Attribute(const char* name, std::vector<std::int64_t> numbers) : proto(named(name, onnx::AttributeProto::INTS)) {
    for (const std::int64_t number : numbers) proto.add_ints(number);
  }
  Attribute(const char* name, const std::vector<float>& numbers) : proto(named(name, onnx::AttributeProto::FLOATS)) {
    for (const float number : numbers) proto.add_floats(number);
  }
  Attribute(const char* name, const onnx::TensorProto& tensor) : proto(named(name, onnx::AttributeProto::TENSOR)) {
    *proto.mutable_t() = tensor;
  }

  static onnx::AttributeProto named(const char* name, onnx::AttributeProto::AttributeType type) {
    onnx::AttributeProto made;
    made.set_name(name);
    made.set_type(type);
    return made;
  }

  onnx::AttributeProto proto;
};

using Shape64 = std::vector<std::int64_t>;

inline onnx::TensorProto float_tensor(const Shape64& shape, const std::vector<float>& numbers, bool raw = true) {
  onnx::TensorProto tensor;
  tensor.set_data_type(onnx::TensorProto::FLOAT);
  for (const std::int64_t dimension : shape) tensor.add_dims(dimension);
  if (raw) {
    tensor.mutable_raw_data()->resize(numbers.size() * sizeof(float));
    if (!numbers.empty())
      std::memcpy(tensor.mutable_raw_data()->data(), numbers.data(), numbers.size() * sizeof(float));
  } else {
    for (const float number : numbers) tensor.add_float_data(number);
  }
  return tensor;
}

inline onnx::TensorProto int_tensor(const Shape64& shape, const std::vector<std::int64_t>& numbers) {
  onnx::TensorProto tensor;
  tensor.set_data_type(onnx::TensorProto::INT64);
  for (const std::int64_t dimension : shape) tensor.add_dims(dimension);
  for (const std::int64_t number : numbers) tensor.add_int64_data(number);
  return tensor;
}

class OnnxBuilder {
 public:
  static constexpr std::int64_t free = -1;

  explicit OnnxBuilder(const Shape64& input, std::int64_t opset = 13) {
    model.set_ir_version(7);
    model.add_opset_import()->set_version(opset);
    describe(*model.mutable_graph()->add_input(), "input", input);
  }

  static void describe(onnx::ValueInfoProto& info, const std::string& name, const Shape64& shape) {
    info.set_name(name);
    auto* tensor = info.mutable_type()->mutable_tensor_type();
    tensor->set_elem_type(onnx::TensorProto::FLOAT);
    tensor->mutable_shape();
    for (const std::int64_t dimension : shape) {
      auto* made = tensor->mutable_shape()->add_dim();
      if (dimension == free)
        made->set_dim_param("batch");
      else
        made->set_dim_value(dimension);
    }
  }

  /// An initializer; returns its name.
  std::string add(const std::string& name, onnx::TensorProto tensor) {
    tensor.set_name(name);
    *model.mutable_graph()->add_initializer() = std::move(tensor);
    return name;
  }
  std::string floats(const std::string& name, const Shape64& shape, const std::vector<float>& numbers) {
    return add(name, float_tensor(shape, numbers));
  }
  std::string floats(const std::string& name, const Tensor& tensor) { return floats(name, tensor.shape, tensor.data); }
  std::string scalar(const std::string& name, float number) { return floats(name, {}, {number}); }
  std::string ints(const std::string& name, const std::vector<std::int64_t>& numbers) {
    return add(name, int_tensor({static_cast<std::int64_t>(numbers.size())}, numbers));
  }

  /// A node with one output; returns the output's name.
  std::string node(const char* type, const std::vector<std::string>& inputs,
                   const std::vector<Attribute>& attributes = {}) {
    onnx::NodeProto& made = *model.mutable_graph()->add_node();
    made.set_op_type(type);
    made.set_name(std::string(type) + "_" + std::to_string(model.graph().node_size()));
    for (const std::string& input : inputs) made.add_input(input);
    made.add_output("value" + std::to_string(model.graph().node_size()));
    for (const Attribute& attribute : attributes) *made.add_attribute() = attribute.proto;
    return made.output(0);
  }

  [[nodiscard]] std::string bytes(const std::string& output) {
    model.mutable_graph()->clear_output();
    describe(*model.mutable_graph()->add_output(), output, {});
    return model.SerializeAsString();
  }

  /// Reads the model back with `output` as its output.
  [[nodiscard]] Graph read(const std::string& output) {
    const std::string serialized = bytes(output);
    return parse_onnx({reinterpret_cast<const std::uint8_t*>(serialized.data()), serialized.size()}, "test.onnx");
  }

  onnx::ModelProto model;
};

}  // namespace trimtab::reference
