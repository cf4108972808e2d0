#include "import/tflite_model.h"

#include <algorithm>
#include <cstring>
#include <set>

#include "base/error.h"
#include "base/index.h"
#include "import/onnx_constant.h"

namespace trimtab::tflite_reader {
namespace {

constexpr std::size_t most_tensors = 20'000;
constexpr std::size_t most_operators = 2'000;
constexpr std::size_t most_dimensions = 8;

/// The elements of a vector of the file, none where it is left out.
template <typename Element>
[[nodiscard]] std::span<const Element> elements(const flatbuffers::Vector<Element>* vector) {
  if (vector == nullptr) return {};
  return {vector->data(), vector->size()};
}

template <typename Table>
[[nodiscard]] std::size_t count(const flatbuffers::Vector<flatbuffers::Offset<Table>>* tables) {
  return tables != nullptr ? tables->size() : 0;
}

[[nodiscard]] const tflite::Model& verified(std::span<const std::uint8_t> bytes) {
  flatbuffers::Verifier verifier(bytes.data(), bytes.size());
  if (bytes.size() < 8 || !tflite::ModelBufferHasIdentifier(bytes.data())) {
    throw bad_input("the file is no TensorFlow Lite model; it lacks the identifier TFL3");
  }
  if (!tflite::VerifyModelBuffer(verifier)) {
    throw bad_input("the file is truncated or damaged; its tables point outside of it");
  }
  return *tflite::GetModel(bytes.data());
}

[[nodiscard]] std::span<const std::uint8_t> data_of(const tflite::Model& model, std::uint32_t index,
                                                    std::span<const std::uint8_t> file, const std::string& name) {
  if (index >= count(model.buffers())) {
    throw bad_input("tensor '{}' lies in buffer {}, but the file has {}", name, index, count(model.buffers()));
  }
  const tflite::Buffer& buffer = *model.buffers()->Get(index);
  // Files of more than 2 GB, and some others, have their data behind the tables. An offset of 0 or 1 means none.
  if (buffer.offset() > 1) {
    if (buffer.offset() > file.size() || buffer.size() > file.size() - buffer.offset()) {
      throw bad_input("the data of tensor '{}' lies outside of the file, which may be truncated", name);
    }
    return file.subspan(buffer.offset(), buffer.size());
  }
  return elements(buffer.data());
}

void read_quantization(const tflite::Tensor& table, TfliteTensor& tensor) {
  const tflite::Quantization* quantization = table.quantization();
  if (quantization == nullptr) return;
  tensor.scales = elements(quantization->scale());
  const std::size_t zero_points = quantization->zero_point() != nullptr ? quantization->zero_point()->size() : 0;
  if (zero_points > 0) tensor.zero_points = quantization->zero_point();
  tensor.quantized_axis = quantization->dimension();
  if (tensor.scales.empty()) return;  // zero points alone say nothing
  const auto inconsistent = [&](const char* what) {
    return bad_input("tensor '{}' of shape {} has {} scales and {} zero points along axis {}: {}", tensor.name,
                     to_string(tensor.shape), tensor.scales.size(), zero_points, tensor.quantized_axis, what);
  };
  if (zero_points > 0 && zero_points != tensor.scales.size()) {
    throw inconsistent("there must be one zero point per scale");
  }
  if (tensor.scales.size() > 1) {
    if (tensor.quantized_axis < 0 || tensor.quantized_axis >= static_cast<std::int64_t>(tensor.shape.size())) {
      throw inconsistent("the tensor does not have this axis");
    }
    if (nth(tensor.shape, tensor.quantized_axis) != static_cast<std::int64_t>(tensor.scales.size())) {
      throw inconsistent("there must be one scale, or one per index");
    }
  }
}

[[nodiscard]] TfliteTensor read_tensor(const tflite::Model& model, const tflite::Tensor& table,
                                       std::span<const std::uint8_t> file, std::size_t index,
                                       std::set<std::string>& names) {
  TfliteTensor tensor;
  if (table.name() != nullptr) tensor.name = onnx_reader::clean_name(table.name()->string_view());
  if (tensor.name.empty()) tensor.name = fmt::format("tensor{}", index);
  if (!names.insert(tensor.name).second) {
    tensor.name += fmt::format("#{}", index);
    if (!names.insert(tensor.name).second) throw bad_input("two tensors are named '{}'", tensor.name);
  }
  const auto shape = elements(table.shape());
  if (shape.size() > most_dimensions) {
    throw bad_input("tensor '{}' has {} dimensions; at most {} are supported", tensor.name, shape.size(),
                    most_dimensions);
  }
  tensor.shape.assign(shape.begin(), shape.end());
  static_cast<void>(onnx_reader::checked_count(tensor.shape, fmt::format("tensor '{}'", tensor.name)));
  tensor.type = table.type();
  tensor.is_variable = table.is_variable();
  tensor.is_sparse = table.sparsity() != nullptr;
  tensor.data = data_of(model, table.buffer(), file, tensor.name);
  read_quantization(table, tensor);
  return tensor;
}

[[nodiscard]] std::string type_of(const tflite::OperatorCode& table, tflite::Code code) {
  if (code == tflite::Code::CUSTOM) {
    const auto* name = table.custom_code();
    return fmt::format("custom operator '{}'", name != nullptr ? onnx_reader::clean_name(name->string_view()) : "");
  }
  const std::string name = tflite::EnumNameCode(code);
  return !name.empty() ? name : fmt::format("operator {}", static_cast<std::int32_t>(code));
}

[[nodiscard]] TfliteOperator read_operator(const tflite::Model& model, const tflite::Operator& table,
                                           const std::vector<TfliteTensor>& tensors, std::size_t index) {
  if (table.code_index() >= count(model.operator_codes())) {
    throw bad_input("operator {} has code {}, but the file has {} codes", index, table.code_index(),
                    count(model.operator_codes()));
  }
  const tflite::OperatorCode& code = *model.operator_codes()->Get(table.code_index());
  TfliteOperator result;
  result.code = std::max(code.code(), static_cast<tflite::Code>(code.small_code()));
  result.type = type_of(code, result.code);
  result.inputs = elements(table.inputs());
  result.outputs = elements(table.outputs());
  result.table = &table;
  const auto last = static_cast<std::int64_t>(tensors.size());
  for (const std::int32_t input : result.inputs) {
    if (input < -1 || input >= last) {
      throw bad_input("operator {} ({}) reads tensor {}, but the file has {}", index, result.type, input, last);
    }
  }
  for (const std::int32_t output : result.outputs) {
    if (output < 0 || output >= last) {
      throw bad_input("operator {} ({}) makes tensor {}, but the file has {}", index, result.type, output, last);
    }
  }
  // A converter joins the names of all that it has merged: "conv/Relu;bn/FusedBatchNorm;conv/Conv2D".
  result.name = result.outputs.empty() ? result.type : nth(tensors, result.outputs[0]).name;
  result.name = result.name.substr(0, std::max<std::size_t>(result.name.find(';'), 1));
  return result;
}

/// The ends of the network, which must be tensors of it.
[[nodiscard]] std::vector<std::int32_t> read_ends(const flatbuffers::Vector<std::int32_t>* indices, std::size_t tensors,
                                                  const char* what) {
  const auto given = elements(indices);
  for (const std::int32_t index : given) {
    if (index < 0 || index >= static_cast<std::int64_t>(tensors)) {
      throw bad_input("the network's {} is tensor {}, but the file has {}", what, index, tensors);
    }
  }
  if (given.size() > tensors) throw bad_input("the network has {} {}s but {} tensors", given.size(), what, tensors);
  return {given.begin(), given.end()};
}

/// Every tensor is a constant, an input, a variable or made by one operator, before it is read.
void check_order(const TfliteModel& model) {
  std::vector<bool> known;
  for (const TfliteTensor& tensor : model.tensors) known.push_back(!tensor.data.empty() || tensor.is_variable);
  const auto make = [&](std::int32_t index) {
    if (nth(known, index)) {
      throw bad_input("tensor '{}' is made twice", nth(model.tensors, index).name);
    }
    nth(known, index) = true;
  };
  for (const std::int32_t input : model.inputs) make(input);
  for (const TfliteOperator& node : model.operators) {
    for (const std::int32_t input : node.inputs) {
      if (input < 0) continue;
      const TfliteTensor& tensor = nth(model.tensors, input);
      if (nth(known, input) || element_count(tensor.shape) == 0) continue;
      throw bad_input("operator '{}' ({}) reads '{}', which no earlier operator makes", node.name, node.type,
                      tensor.name);
    }
    for (const std::int32_t output : node.outputs) make(output);
  }
  for (const std::int32_t output : model.outputs) {
    if (!nth(known, output)) {
      throw bad_input("no operator makes the output '{}'", nth(model.tensors, output).name);
    }
  }
}

}  // namespace

std::int64_t TfliteTensor::zero_point(std::size_t index) const {
  if (zero_points == nullptr) return 0;
  std::int64_t number = 0;  // the elements of a damaged file need not be aligned
  std::memcpy(&number, zero_points->Data() + index * sizeof(number), sizeof(number));
  return number;
}

std::string type_name(tflite::Type type) {
  const std::string name = tflite::EnumNameType(type);
  return !name.empty() ? name : fmt::format("{}", static_cast<int>(type));
}

TfliteModel::TfliteModel(std::span<const std::uint8_t> file) : bytes(file.begin(), file.end()) {
  const tflite::Model& model = verified(bytes);
  if (model.version() != 3) throw bad_input("the file has version {} of the format; 3 is supported", model.version());
  subgraphs = count(model.subgraphs());
  if (subgraphs == 0) throw bad_input("the file has no network");
  const tflite::SubGraph& graph = *model.subgraphs()->Get(0);
  if (count(graph.tensors()) > most_tensors || count(graph.operators()) > most_operators) {
    throw bad_input("the file has {} tensors and {} operators; at most {} and {} are supported", count(graph.tensors()),
                    count(graph.operators()), most_tensors, most_operators);
  }
  std::set<std::string> names;
  for (std::size_t i = 0; i < count(graph.tensors()); ++i) {
    tensors.push_back(read_tensor(model, *graph.tensors()->Get(static_cast<unsigned>(i)), bytes, i, names));
  }
  for (std::size_t i = 0; i < count(graph.operators()); ++i) {
    operators.push_back(read_operator(model, *graph.operators()->Get(static_cast<unsigned>(i)), tensors, i));
  }
  inputs = read_ends(graph.inputs(), tensors.size(), "input");
  outputs = read_ends(graph.outputs(), tensors.size(), "output");
  check_order(*this);
}

}  // namespace trimtab::tflite_reader
