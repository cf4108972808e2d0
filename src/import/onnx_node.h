#pragma once

#include <fmt/format.h>
#include <onnx/onnx_pb.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.h"

namespace trimtab::onnx_reader {

/// Names from outside go into messages, tables and files: only printable ASCII stays of them, and not too much.
[[nodiscard]] std::string clean_name(std::string_view name);

/// An ONNX node with typed access to its attributes. Every error (bad input) names the node.
class OnnxNode {
 public:
  OnnxNode(const onnx::NodeProto& proto, std::int64_t opset) : proto_(proto), opset_(opset) {}

  [[nodiscard]] const onnx::NodeProto& proto() const { return proto_; }
  [[nodiscard]] const std::string& type() const { return proto_.op_type(); }
  [[nodiscard]] std::int64_t opset() const { return opset_; }

  /// The node's own name, or that of its output.
  [[nodiscard]] std::string name() const;
  /// "node 'conv1' (Conv)"
  [[nodiscard]] std::string describe() const;

  [[nodiscard]] bool has(std::string_view attribute) const { return find(attribute) != nullptr; }
  [[nodiscard]] std::int64_t integer(std::string_view attribute, std::int64_t otherwise) const;
  [[nodiscard]] float number(std::string_view attribute, float otherwise) const;
  [[nodiscard]] std::string text(std::string_view attribute, const std::string& otherwise) const;
  [[nodiscard]] std::vector<std::int64_t> integers(std::string_view attribute) const;
  [[nodiscard]] std::vector<float> numbers(std::string_view attribute) const;
  /// Null where the node does not have it.
  [[nodiscard]] const onnx::TensorProto* tensor(std::string_view attribute) const;

  /// `throw node.error("has {} inputs; two are needed", n);`
  template <typename... Arguments>
  [[nodiscard]] Error error(fmt::format_string<Arguments...> format, Arguments&&... arguments) const {
    return bad_input("{} {}", describe(), fmt::format(format, std::forward<Arguments>(arguments)...));
  }

 private:
  [[nodiscard]] const onnx::AttributeProto* find(std::string_view attribute) const;
  [[nodiscard]] const onnx::AttributeProto* find(std::string_view attribute,
                                                 onnx::AttributeProto::AttributeType type) const;

  const onnx::NodeProto& proto_;
  std::int64_t opset_;
};

}  // namespace trimtab::onnx_reader
