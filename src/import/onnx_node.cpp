#include "import/onnx_node.h"

namespace trimtab::onnx_reader {

std::string clean_name(std::string_view name) {
  std::string cleaned(name.substr(0, 200));
  for (char& c : cleaned) {
    if (c < ' ' || c > '~' || c == '\'' || c == '"' || c == '\\') c = '_';
  }
  return cleaned;
}

std::string OnnxNode::name() const {
  if (!proto_.name().empty()) return clean_name(proto_.name());
  if (proto_.output_size() > 0 && !proto_.output(0).empty()) return clean_name(proto_.output(0));
  return clean_name(proto_.op_type());
}

std::string OnnxNode::describe() const { return fmt::format("node '{}' ({})", name(), clean_name(type())); }

const onnx::AttributeProto* OnnxNode::find(std::string_view attribute) const {
  for (const onnx::AttributeProto& candidate : proto_.attribute()) {
    if (candidate.name() == attribute) return &candidate;
  }
  return nullptr;
}

const onnx::AttributeProto* OnnxNode::find(std::string_view attribute, onnx::AttributeProto::AttributeType type) const {
  const onnx::AttributeProto* found = find(attribute);
  // The field `type` is missing in files of very old exporters.
  if (found != nullptr && found->has_type() && found->type() != type) {
    throw error("has attribute '{}' of type {}; {} is needed", attribute,
                onnx::AttributeProto::AttributeType_Name(found->type()),
                onnx::AttributeProto::AttributeType_Name(type));
  }
  return found;
}

std::int64_t OnnxNode::integer(std::string_view attribute, std::int64_t otherwise) const {
  const auto* found = find(attribute, onnx::AttributeProto::INT);
  return found != nullptr ? found->i() : otherwise;
}

float OnnxNode::number(std::string_view attribute, float otherwise) const {
  const auto* found = find(attribute, onnx::AttributeProto::FLOAT);
  return found != nullptr ? found->f() : otherwise;
}

std::string OnnxNode::text(std::string_view attribute, const std::string& otherwise) const {
  const auto* found = find(attribute, onnx::AttributeProto::STRING);
  return found != nullptr ? found->s() : otherwise;
}

std::vector<std::int64_t> OnnxNode::integers(std::string_view attribute) const {
  const auto* found = find(attribute, onnx::AttributeProto::INTS);
  return found != nullptr ? std::vector<std::int64_t>(found->ints().begin(), found->ints().end())
                          : std::vector<std::int64_t>();
}

std::vector<float> OnnxNode::numbers(std::string_view attribute) const {
  const auto* found = find(attribute, onnx::AttributeProto::FLOATS);
  return found != nullptr ? std::vector<float>(found->floats().begin(), found->floats().end()) : std::vector<float>();
}

const onnx::TensorProto* OnnxNode::tensor(std::string_view attribute) const {
  const auto* found = find(attribute, onnx::AttributeProto::TENSOR);
  return found != nullptr ? &found->t() : nullptr;
}

}  // namespace trimtab::onnx_reader
