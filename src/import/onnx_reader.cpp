#include <google/protobuf/io/coded_stream.h>

#include <algorithm>
#include <deque>
#include <map>
#include <set>

#include "base/error.h"
#include "base/file.h"
#include "graph/passes.h"
#include "import/onnx.h"
#include "import/onnx_idioms.h"
#include "import/onnx_import.h"
#include "import/onnx_model.h"

namespace trimtab {
namespace onnx_reader {
namespace {

constexpr std::int64_t largest_file = std::int64_t{1} << 30;
constexpr int most_nodes = 10'000;

[[nodiscard]] onnx::ModelProto parse(std::span<const std::uint8_t> bytes) {
  if (bytes.empty()) throw bad_input("the file is empty; an ONNX model is needed");
  if (bytes.size() > largest_file) throw bad_input("the file has more than 1 GB; that is too large for an edge device");
  google::protobuf::io::CodedInputStream stream(bytes.data(), static_cast<int>(bytes.size()));
  stream.SetTotalBytesLimit(static_cast<int>(bytes.size()));
  stream.SetRecursionLimit(32);
  onnx::ModelProto model;
  if (!model.ParsePartialFromCodedStream(&stream) || !stream.ConsumedEntireMessage()) {
    throw bad_input("the file is no ONNX model, or is truncated");
  }
  if (!model.has_graph()) throw bad_input("the file has no network; it is no ONNX model, or is truncated");
  return model;
}

[[nodiscard]] bool is_standard(const std::string& domain) { return domain.empty() || domain == "ai.onnx"; }

[[nodiscard]] std::int64_t opset_of(const onnx::ModelProto& model) {
  for (const auto& opset : model.opset_import()) {
    if (!is_standard(opset.domain())) continue;
    if (opset.version() < 7 || opset.version() > 21) {
      throw bad_input("the model uses opset {}; 7 to 21 are supported", opset.version());
    }
    return opset.version();
  }
  throw bad_input("the model does not say which opset of ONNX it uses; it is damaged, or from before 2017");
}

/// Channels last if the first operator behind the input that tells is a Transpose to channels first, as tf2onnx puts
/// it.
[[nodiscard]] bool is_channels_last(const onnx::GraphProto& graph, const std::string& input) {
  static const std::set<std::string> channels_first{"Conv",          "MaxPool",           "AveragePool",
                                                    "GlobalMaxPool", "GlobalAveragePool", "BatchNormalization"};
  std::set<std::string> reached{input};  // nodes are sorted: one walk finds all that depends on the input
  for (const auto& node : graph.node()) {
    if (node.input_size() == 0 || reached.count(node.input(0)) == 0) continue;
    if (channels_first.count(node.op_type()) > 0) return false;
    if (node.op_type() == "Transpose" && node.attribute_size() == 1 && node.attribute(0).ints_size() == 4) {
      const auto& permutation = node.attribute(0).ints();
      return permutation[0] == 0 && permutation[1] == 3 && permutation[2] == 1 && permutation[3] == 2;
    }
    reached.insert(node.output().begin(), node.output().end());
  }
  return false;
}

/// The dimensions of the network's input; the first is the batch, whatever is written there.
[[nodiscard]] Shape input_shape(const onnx::ValueInfoProto& input) {
  const std::string name = clean_name(input.name());
  if (!input.type().has_tensor_type()) throw bad_input("the input '{}' is no tensor", name);
  const auto& tensor = input.type().tensor_type();
  if (tensor.elem_type() != onnx::TensorProto::FLOAT) {
    throw bad_input("the input '{}' is not of type float32; export the model with float32 inputs", name);
  }
  const auto& dimensions = tensor.shape().dim();
  if (dimensions.size() < 2 || dimensions.size() > 4) {
    throw bad_input("the input '{}' has {} dimensions; 2 to 4 with the batch are supported", name, dimensions.size());
  }
  Shape shape;
  for (int i = 1; i < dimensions.size(); ++i) {
    if (!dimensions[i].has_dim_value() || dimensions[i].dim_value() < 1) {
      throw bad_input("the input '{}' has a dimension {} that is not a positive number; only the batch may be free",
                      name, i);
    }
    if (dimensions[i].dim_value() > most_elements) {
      throw bad_input("the input '{}' has a dimension of {}, which is too large", name, dimensions[i].dim_value());
    }
    shape.push_back(dimensions[i].dim_value());
  }
  return shape;
}

void import_input(Import& import, const onnx::GraphProto& graph) {
  std::vector<const onnx::ValueInfoProto*> inputs;
  for (const auto& input : graph.input()) {
    if (!import.defined(input.name())) inputs.push_back(&input);
  }
  if (inputs.size() != 1) throw bad_input("the model has {} inputs; one is needed", inputs.size());
  const std::string& name = inputs[0]->name();
  if (name.empty()) throw bad_input("the model's input has no name");
  const Shape shape = input_shape(*inputs[0]);
  View view{-1, {batch}, {batch_axis}};
  view.shape.insert(view.shape.end(), shape.begin(), shape.end());
  if (shape.size() == 3 && is_channels_last(graph, name)) {
    view.value = import.add_input(name, {shape[2], shape[0], shape[1]});
    view.order = {batch_axis, 1, 2, 0};
  } else {
    view.value = import.add_input(name, shape);
    view = plain_view(view.value, shape);
  }
  import.graph().input = view.value;
  import.define(name, view);
}

/// For each node whether the network's output depends on it.
[[nodiscard]] std::vector<bool> needed_nodes(const onnx::GraphProto& graph, const std::string& output) {
  std::set<std::string> names{output};
  std::vector<bool> needed(static_cast<std::size_t>(graph.node_size()), false);
  for (int i = graph.node_size(); i-- > 0;) {
    const auto& node = graph.node(i);
    const bool read = std::any_of(node.output().begin(), node.output().end(),
                                  [&](const std::string& made) { return names.count(made) > 0; });
    needed[static_cast<std::size_t>(i)] = read;
    if (read) names.insert(node.input().begin(), node.input().end());
  }
  return needed;
}

[[nodiscard]] const Operators& operators() {
  static const Operators known = [] {
    Operators all;
    add_layers(all);
    add_elementwise(all);
    add_layout(all);
    return all;
  }();
  return known;
}

void import_node(Import& import, const OnnxNode& node) {
  const auto& proto = node.proto();
  if (!is_standard(proto.domain())) {
    throw node.error("is of the domain '{}'; only ONNX's own operators are supported", clean_name(proto.domain()));
  }
  if (proto.output_size() < 1 || proto.output(0).empty()) throw node.error("has no output");
  for (const std::string& output : proto.output()) {
    if (!output.empty() && import.defined(output)) {
      throw node.error("makes '{}', which there is already; names must be unique", clean_name(output));
    }
  }
  bool known = proto.input_size() > 0;  // now, without the network's input
  for (int i = 0; i < proto.input_size(); ++i) {
    known = known && (!import.has_input(node, i) || import.is_constant(node, i));
  }
  if (known && can_evaluate(node)) {
    std::vector<ConstantPointer> inputs;
    for (int i = 0; i < proto.input_size(); ++i) inputs.push_back(import.constant(node, i));
    import.set(node, evaluate(node, inputs, import.budget()));
    return;
  }
  const auto found = operators().find(node.type());
  if (found == operators().end()) throw node.error("is of an operator that is not supported");
  found->second(import, node);
}

/// The graph's output: as ONNX has it, or the value itself where an image is merely turned to channels last.
[[nodiscard]] ValueId import_output(Import& import, const onnx::GraphProto& graph) {
  onnx::NodeProto output;
  output.set_name(graph.output(0).name());
  output.set_op_type("output");
  output.add_input(graph.output(0).name());
  const OnnxNode node(output, 0);
  if (!import.defined(graph.output(0).name())) {
    throw bad_input("no node makes the output '{}'", clean_name(graph.output(0).name()));
  }
  const View& view = import.view(node, 0);
  const Shape& shape = import.shape_of(view);
  const bool image = shape.size() == 3 && view.shape.size() == 4 && view.shape[0] == batch;
  if (image && !is_plain(view, shape) && axis_of_dimension(import, view, 3) == 0) return view.value;
  return import.plain(node, view);
}

}  // namespace

bool has_operator(const std::string& type) { return operators().count(type) > 0; }

Graph import_model(const onnx::ModelProto& model, const std::string& name, std::int64_t numbers, const Grids& grids) {
  const std::int64_t opset = opset_of(model);
  const onnx::GraphProto& graph = model.graph();
  if (graph.sparse_initializer_size() > 0) throw bad_input("the model has sparse weights, which are not supported");
  if (graph.node_size() > most_nodes) {
    throw bad_input("the model has {} nodes; at most {} are supported", graph.node_size(), most_nodes);
  }
  if (graph.output_size() != 1) throw bad_input("the model has {} outputs; one is needed", graph.output_size());

  Import import(name, numbers);
  for (const auto& tensor : graph.initializer()) {
    if (tensor.name().empty()) throw bad_input("the model has an initializer without a name");
    if (import.defined(tensor.name())) {
      throw bad_input("the model has two initializers '{}'; names must be unique", clean_name(tensor.name()));
    }
    import.define(tensor);
  }
  import_input(import, graph);
  const auto note_grid = [&](const std::string& tensor) {
    if (const auto found = grids.find(tensor); found != grids.end()) import.set_grid(tensor, found->second);
  };
  for (const auto& input : graph.input()) note_grid(input.name());
  const auto needed = needed_nodes(graph, graph.output(0).name());
  for (int i = 0; i < graph.node_size(); ++i) {
    if (!needed[static_cast<std::size_t>(i)]) continue;
    import_node(import, OnnxNode(graph.node(i), opset));
    note_grid(graph.node(i).output(0));
  }
  import.graph().output = import_output(import, graph);
  Graph result = std::move(import.graph());
  validate(result);
  result = recognize_idioms(remove_unused(std::move(result)));
  validate(result);
  return result;
}

}  // namespace onnx_reader

Graph parse_onnx(std::span<const std::uint8_t> bytes, const std::string& name) {
  try {
    const onnx::ModelProto model = onnx_reader::parse(bytes);
    const std::string stem = std::filesystem::path(name).stem().string();
    // A weight is decoded, copied to its operator and perhaps transposed; constants that are repeated add a little.
    const std::int64_t numbers = static_cast<std::int64_t>(bytes.size()) + (std::int64_t{1} << 18);
    return onnx_reader::import_model(model, onnx_reader::clean_name(stem), numbers);
  } catch (const Error& error) {
    throw Error(error.code(), name + ": " + error.what());
  }
}

Graph read_onnx(const std::filesystem::path& path) {
  return parse_onnx(read_file(path, onnx_reader::largest_file), path.string());
}

}  // namespace trimtab
