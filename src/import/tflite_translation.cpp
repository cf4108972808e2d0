#include "import/tflite_translation.h"

#include <algorithm>
#include <cstring>

#include "base/index.h"

namespace trimtab::tflite_reader {
namespace {

/// Four times the constants' numbers: each is decoded, perhaps transposed, and copied to its operator.
constexpr std::int64_t numbers_per_element = 4;
constexpr std::int64_t spare_numbers = std::int64_t{1} << 18;

[[nodiscard]] onnx::AttributeProto attribute(const char* name, onnx::AttributeProto::AttributeType type) {
  onnx::AttributeProto made;
  made.set_name(name);
  made.set_type(type);
  return made;
}

[[nodiscard]] bool keeps_state(tflite::Code code) {
  return code == tflite::Code::VAR_HANDLE || code == tflite::Code::READ_VARIABLE ||
         code == tflite::Code::ASSIGN_VARIABLE || code == tflite::Code::CALL_ONCE;
}

[[nodiscard]] std::string list_types(const std::map<std::string, int>& types) {
  std::string text;
  for (const auto& [type, times] : types) {
    if (!text.empty()) text += ", ";
    text += times == 1 ? type : fmt::format("{} ({} times)", type, times);
  }
  return text;
}

/// One sentence about all that stands in the way; empty where nothing does.
class Obstacles {
 public:
  void add_stateful(const TfliteOperator& node) { ++stateful_[node.type]; }
  void add_unknown(const TfliteOperator& node) { ++unknown_[node.type]; }
  void add(const std::string& sentence) {
    if (std::find(sentences_.begin(), sentences_.end(), sentence) == sentences_.end()) sentences_.push_back(sentence);
  }

  [[nodiscard]] std::string sentence() const {
    std::vector<std::string> all;
    if (!stateful_.empty()) {
      all.push_back(fmt::format("it keeps state between two inferences in variables, by {}", list_types(stateful_)));
    }
    if (!unknown_.empty())
      all.push_back(fmt::format("it has operators that are not supported: {}", list_types(unknown_)));
    constexpr std::size_t most = 20;
    for (std::size_t i = 0; i < std::min(sentences_.size(), most); ++i) all.push_back(sentences_[i]);
    if (sentences_.size() > most) all.push_back(fmt::format("and {} more", sentences_.size() - most));
    return fmt::format("{}", fmt::join(all, "; "));
  }

 private:
  std::map<std::string, int> stateful_;
  std::map<std::string, int> unknown_;
  std::vector<std::string> sentences_;
};

}  // namespace

onnx::AttributeProto integer(const char* name, std::int64_t number) {
  auto made = attribute(name, onnx::AttributeProto::INT);
  made.set_i(number);
  return made;
}

onnx::AttributeProto integers(const char* name, const std::vector<std::int64_t>& numbers) {
  auto made = attribute(name, onnx::AttributeProto::INTS);
  for (const std::int64_t number : numbers) made.add_ints(number);
  return made;
}

onnx::AttributeProto number(const char* name, float number) {
  auto made = attribute(name, onnx::AttributeProto::FLOAT);
  made.set_f(number);
  return made;
}

onnx::AttributeProto text(const char* name, const char* text) {
  auto made = attribute(name, onnx::AttributeProto::STRING);
  made.set_s(text);
  return made;
}

Translation::Translation(const TfliteModel& model)
    : tflite_(model),
      graph_(*model_.mutable_graph()),
      budget_(2 * static_cast<std::int64_t>(model.bytes.size()) + spare_numbers),  // INT4 has two numbers in a byte
      added_(model.tensors.size(), false) {
  model_.set_ir_version(8);
  model_.add_opset_import()->set_version(13);
  for (const TfliteTensor& tensor : model.tensors) {
    onnx_names_.push_back(tensor.name);
    names_.insert(tensor.name);
  }
}

bool Translation::has(const TfliteOperator& node, std::size_t index) const {
  return index < node.inputs.size() && node.inputs[index] >= 0;
}

const TfliteTensor& Translation::tensor(const TfliteOperator& node, std::size_t index) const {
  if (!has(node, index)) throw error(node, "lacks its input {}", index);
  return nth(tflite_.tensors, node.inputs[index]);
}

const TfliteTensor& Translation::result(const TfliteOperator& node) const {
  if (node.outputs.empty()) throw error(node, "has no output");
  return nth(tflite_.tensors, node.outputs[0]);
}

std::string Translation::input(const TfliteOperator& node, std::size_t index) {
  const TfliteTensor& found = tensor(node, index);
  const auto position = static_cast<std::size_t>(node.inputs[index]);
  if (!found.data.empty() && !added_[position]) {
    *graph_.add_initializer() = onnx_constant(found, budget_);
    elements_ += element_count(found.shape);
    added_[position] = true;
  }
  return onnx_names_[position];
}

std::vector<std::int64_t> Translation::integers_of(const TfliteOperator& node, std::size_t index) const {
  const TfliteTensor& found = tensor(node, index);
  if (found.data.empty() && element_count(found.shape) != 0) {
    throw error(node, "reads '{}', which depends on the network's input, where a constant is needed", found.name);
  }
  return integer_constant(found);
}

std::vector<float> Translation::floats_of(const TfliteOperator& node, std::size_t index) {
  const TfliteTensor& found = tensor(node, index);
  if (found.data.empty()) {
    throw error(node, "reads '{}', which depends on the network's input, where a constant is needed", found.name);
  }
  return onnx_reader::decode_tensor(onnx_constant(found, budget_), "'" + found.name + "'", budget_).floats;
}

std::string Translation::image(const TfliteOperator& node, std::size_t index) {
  const Shape& shape = tensor(node, index).shape;
  if (shape.size() != 4) {
    throw error(node, "reads a tensor of shape {}; batch x height x width x channels is needed", to_string(shape));
  }
  return channels_first(node, input(node, index));
}

std::string Translation::fresh(const std::string& wish) {
  std::string name = wish;
  while (!names_.insert(name).second) name = fmt::format("{}_{}", wish, ++repeated_[wish] + 1);
  return name;
}

std::string Translation::add(const TfliteOperator& node, const char* type, const std::vector<std::string>& inputs,
                             std::vector<onnx::AttributeProto> attributes, const char* suffix) {
  onnx::NodeProto& made = *graph_.add_node();
  made.set_op_type(type);
  made.set_name(node.name + suffix);
  for (const std::string& x : inputs) made.add_input(x);
  made.add_output(fresh(node.name + "/" + type));
  for (auto& given : attributes) *made.add_attribute() = std::move(given);
  return made.output(0);
}

std::string Translation::channels_first(const TfliteOperator& node, const std::string& x) {
  return add(node, "Transpose", {x}, {integers("perm", {0, 3, 1, 2})});
}

std::string Translation::channels_last(const TfliteOperator& node, const std::string& x) {
  return add(node, "Transpose", {x}, {integers("perm", {0, 2, 3, 1})});
}

std::string Translation::reshaped(const TfliteOperator& node, const std::string& x, const Shape& shape) {
  return add(node, "Reshape", {x, whole(node, shape)});
}

std::string Translation::clipped(const TfliteOperator& node, const std::string& x, float low, float high) {
  return add(node, "Clip", {x, scalar(node, low), scalar(node, high)}, {}, "/clip");
}

std::string Translation::tanh(const TfliteOperator& node, const std::string& x) {
  return add(node, "Tanh", {x}, {}, "/tanh");
}

std::string Translation::scalar(const TfliteOperator& node, float number) { return floats(node, {}, {number}); }

std::string Translation::floats(const TfliteOperator& node, const Shape& shape, const std::vector<float>& numbers) {
  budget_.charge(static_cast<std::int64_t>(numbers.size()));
  onnx::TensorProto& made = *graph_.add_initializer();
  made.set_name(fresh(node.name + "/constant"));
  made.set_data_type(onnx::TensorProto::FLOAT);
  for (const std::int64_t dimension : shape) made.add_dims(dimension);
  made.mutable_float_data()->Add(numbers.begin(), numbers.end());
  elements_ += static_cast<std::int64_t>(numbers.size());
  return made.name();
}

std::string Translation::whole(const TfliteOperator& node, const std::vector<std::int64_t>& numbers) {
  onnx::TensorProto& made = *graph_.add_initializer();
  made.set_name(fresh(node.name + "/constant"));
  made.set_data_type(onnx::TensorProto::INT64);
  made.add_dims(static_cast<std::int64_t>(numbers.size()));
  made.mutable_int64_data()->Add(numbers.begin(), numbers.end());
  elements_ += static_cast<std::int64_t>(numbers.size());
  return made.name();
}

void Translation::finish(const TfliteOperator& node, std::string x, tflite::Activation activation) {
  switch (activation) {
    case tflite::Activation::NONE:
      break;
    case tflite::Activation::RELU:
      x = add(node, "Relu", {x}, {}, "/relu");
      break;
    case tflite::Activation::RELU6:
      x = clipped(node, x, 0, 6);
      break;
    case tflite::Activation::RELU_N1_TO_1:
      x = clipped(node, x, -1, 1);
      break;
    case tflite::Activation::TANH:
      x = tanh(node, x);
      break;
    default:
      throw error(node, "has activation function {}, which is not supported", static_cast<int>(activation));
  }
  if (node.outputs.size() != 1) throw error(node, "has {} outputs; one is needed", node.outputs.size());
  finish_output(node, 0, x);
}

void Translation::finish_output(const TfliteOperator& node, std::size_t index, const std::string& x) {
  const std::int32_t made = node.outputs[index];
  onnx::NodeProto& end = *graph_.add_node();
  end.set_op_type("Identity");
  end.set_name(node.name);
  end.add_input(x);
  end.add_output(nth(tflite_.tensors, made).name);
  note_grid(made);
}

void Translation::finish_choice(const TfliteOperator& node, const std::string& x, std::int64_t axis) {
  onnx::NodeProto& end = *graph_.add_node();
  end.set_op_type("ArgMax");
  end.set_name(node.name);
  end.add_input(x);
  end.add_output(result(node).name);
  *end.add_attribute() = integer("axis", axis);
}

void Translation::note_grid(std::int32_t tensor) {
  const auto position = static_cast<std::size_t>(tensor);
  if (const auto grid = grid_of(tflite_.tensors[position])) grids_[onnx_names_[position]] = *grid;
}

/// Whether the input {1, height, width} gets its only channel from the operator that reads it.
bool Translation::is_image_of_one_channel(std::int32_t input) const {
  Shape image = nth(tflite_.tensors, input).shape;
  image.push_back(1);
  return std::any_of(tflite_.operators.begin(), tflite_.operators.end(), [&](const TfliteOperator& node) {
    return !node.inputs.empty() && node.inputs[0] == input && !node.outputs.empty() && result(node).shape == image;
  });
}

/// The Graph's input is channels first; a Transpose makes the file's tensor of it.
void Translation::add_inputs() {
  for (const std::int32_t index : tflite_.inputs) {
    const auto position = static_cast<std::size_t>(index);
    const TfliteTensor& tensor = tflite_.tensors[position];
    std::vector<std::int64_t> first(tensor.shape.size());  // the tensor's axes, channels first
    for (std::size_t i = 0; i < first.size(); ++i) first[i] = static_cast<std::int64_t>(i);
    const bool moves = first.size() == 4 || (first.size() == 3 && !is_image_of_one_channel(index));
    if (moves) std::rotate(first.begin() + 1, first.end() - 1, first.end());

    onnx::ValueInfoProto& info = *graph_.add_input();
    info.set_name(tensor.name);
    auto& type = *info.mutable_type()->mutable_tensor_type();
    type.set_elem_type(onnx::TensorProto::FLOAT);
    for (std::size_t i = 0; i < first.size(); ++i) {
      auto& dimension = *type.mutable_shape()->add_dim();
      if (i == 0) {
        dimension.set_dim_param("N");
      } else {
        dimension.set_dim_value(nth(tensor.shape, first[i]));
      }
    }
    if (moves) {
      std::vector<std::int64_t> last(first.size());
      for (std::size_t i = 0; i < first.size(); ++i) nth(last, first[i]) = static_cast<std::int64_t>(i);
      onnx::NodeProto& turn = *graph_.add_node();
      turn.set_op_type("Transpose");
      turn.set_name(tensor.name);
      turn.add_input(tensor.name);
      onnx_names_[position] = fresh(tensor.name + "/channels_last");
      turn.add_output(onnx_names_[position]);
      *turn.add_attribute() = integers("perm", last);
    }
    // Bytes without a scale are what a CAST makes floats of.
    const bool bytes =
        tensor.scales.empty() && (tensor.type == tflite::Type::UINT8 || tensor.type == tflite::Type::INT8);
    if (!bytes) note_grid(index);
  }
}

void Translation::add_outputs() {
  for (const std::int32_t index : tflite_.outputs) {
    onnx::ValueInfoProto& info = *graph_.add_output();
    info.set_name(nth(onnx_names_, index));
    info.mutable_type()->mutable_tensor_type()->set_elem_type(onnx::TensorProto::FLOAT);
  }
}

/// For each operator whether an output of the network depends on it. The shape that is computed for a RESHAPE or a
/// TRANSPOSE_CONV does not count: its output tensor has it.
std::vector<bool> Translation::needed_operators() const {
  std::vector<bool> read(tflite_.tensors.size(), false);
  for (const std::int32_t output : tflite_.outputs) nth(read, output) = true;
  std::vector<bool> needed(tflite_.operators.size(), false);
  for (std::size_t i = needed.size(); i-- > 0;) {
    const TfliteOperator& node = tflite_.operators[i];
    for (const std::int32_t output : node.outputs) needed[i] = needed[i] || nth(read, output);
    if (!needed[i]) continue;
    const std::size_t first = node.code == tflite::Code::TRANSPOSE_CONV ? 1 : 0;
    const std::size_t inputs = node.code == tflite::Code::RESHAPE ? 1 : node.inputs.size();
    for (std::size_t k = first; k < std::min(inputs, node.inputs.size()); ++k) {
      if (node.inputs[k] >= 0) nth(read, node.inputs[k]) = true;
    }
  }
  return needed;
}

Graph Translation::graph(const std::string& name, const ImportOptions& options) {
  static const Translators translators = [] {
    Translators all;
    add_layers(all);
    add_others(all);
    add_moves(all);
    return all;
  }();
  Obstacles obstacles;
  const auto attempt = [&](const auto& step) {
    try {
      step();
    } catch (const Error& error) {
      obstacles.add(error.what());
    }
  };
  attempt([&] { add_inputs(); });
  const std::vector<bool> needed = needed_operators();
  bool stateful = false;
  for (std::size_t i = 0; i < needed.size(); ++i) {
    const TfliteOperator& node = tflite_.operators[i];
    if (keeps_state(node.code)) {
      obstacles.add_stateful(node);
      stateful = true;
    } else if (needed[i]) {
      const auto found = translators.find(node.code);
      if (found == translators.end()) {
        obstacles.add_unknown(node);
      } else {
        attempt([&] { found->second(*this, node); });
      }
    }
  }
  if (tflite_.subgraphs > 1 && !stateful) obstacles.add(fmt::format("it has {} subgraphs", tflite_.subgraphs));
  add_outputs();
  if (const std::string all = obstacles.sentence(); !all.empty()) {
    throw bad_input("the network cannot be deployed: {}", all);
  }
  return onnx_reader::import_model(model_, name, numbers_per_element * elements_ + spare_numbers, options,
                                   {grids_, true});
}

}  // namespace trimtab::tflite_reader
