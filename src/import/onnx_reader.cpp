#include <fmt/ranges.h>
#include <google/protobuf/io/coded_stream.h>

#include <algorithm>
#include <map>
#include <numeric>
#include <optional>
#include <set>
#include <utility>

#include "base/error.h"
#include "base/file.h"
#include "base/index.h"
#include "graph/passes.h"
#include "import/onnx.h"
#include "import/onnx_adaptive_pool.h"
#include "import/onnx_external.h"
#include "import/onnx_idioms.h"
#include "import/onnx_import.h"
#include "import/onnx_model.h"
#include "import/onnx_quantized_operators.h"

namespace trimtab {
namespace onnx_reader {
namespace {

constexpr std::int64_t largest_file = std::int64_t{1} << 30;
constexpr int most_nodes = 100'000;

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
    if (opset.version() < 7 || opset.version() > 25) {
      throw bad_input("the model uses opset {}; 7 to 25 are supported", opset.version());
    }
    return opset.version();
  }
  throw bad_input("the model does not say which opset of ONNX it uses; it is damaged, or from before 2017");
}

/// Channels last if the first operator behind the input that tells is a Transpose to channels first, as tf2onnx puts
/// it.
[[nodiscard]] bool is_channels_last(const onnx::GraphProto& graph, const std::string& input, std::size_t rank) {
  static const std::set<std::string> channels_first{"Conv",          "MaxPool",           "AveragePool",
                                                    "GlobalMaxPool", "GlobalAveragePool", "BatchNormalization"};
  std::set<std::string> reached{input};  // nodes are sorted: one walk finds all that depends on the input
  for (const auto& node : graph.node()) {
    if (node.input_size() == 0 || reached.count(node.input(0)) == 0) continue;
    if (channels_first.count(node.op_type()) > 0) return false;
    if (node.op_type() == "Transpose" && node.attribute_size() == 1) {
      const auto& given = node.attribute(0).ints();
      const std::vector<std::int64_t> permutation(given.begin(), given.end());
      return permutation == (rank == 4 ? std::vector<std::int64_t>{0, 3, 1, 2} : std::vector<std::int64_t>{0, 2, 1});
    }
    if (node.op_type() == "Reshape") continue;  // dimensions of another meaning
    reached.insert(node.output().begin(), node.output().end());
  }
  return false;
}

[[nodiscard]] bool is_number(int type) {
  static const std::set<int> numbers{onnx::TensorProto::FLOAT,  onnx::TensorProto::FLOAT16, onnx::TensorProto::BFLOAT16,
                                     onnx::TensorProto::DOUBLE, onnx::TensorProto::UINT8,   onnx::TensorProto::INT8};
  return numbers.count(type) > 0;
}

/// The dimensions of the network's input; the first is the batch, whatever is written there.
[[nodiscard]] Shape input_shape(const onnx::ValueInfoProto& input, const ImportOptions& options) {
  const std::string name = clean_name(input.name());
  if (!input.type().has_tensor_type()) throw bad_input("the input '{}' is no tensor", name);
  const auto& tensor = input.type().tensor_type();
  if (!is_number(tensor.elem_type())) {
    throw bad_input("the input '{}' is not of type float32, float16, bfloat16, float64, uint8 or int8", name);
  }
  const auto& dimensions = tensor.shape().dim();
  if (dimensions.size() < 2 || dimensions.size() > 4) {
    throw bad_input("the input '{}' has {} dimensions; 2 to 4 with the batch are supported", name, dimensions.size());
  }
  const auto rank = static_cast<std::size_t>(dimensions.size() - 1);
  if (!options.input_shape.empty() && options.input_shape.size() != rank) {
    throw bad_input("the input '{}' has {} dimensions behind the batch; --input-shape has {}", name, rank,
                    options.input_shape.size());
  }
  Shape shape;
  for (std::size_t i = 0; i < rank; ++i) {
    const auto& dimension = dimensions[static_cast<int>(i) + 1];
    const bool fixed = dimension.has_dim_value() && dimension.dim_value() >= 1;
    if (!fixed && options.input_shape.empty()) {
      throw bad_input(
          "the input '{}' has a dimension {} that is not a positive number; only the batch may be free without "
          "--input-shape",
          name, i + 1);
    }
    const std::int64_t length = options.input_shape.empty() ? dimension.dim_value() : options.input_shape[i];
    if (length < 1 || length > most_elements) {
      throw bad_input("the input '{}' has a dimension of {}, which is too large or not positive", name, length);
    }
    if (fixed && length != dimension.dim_value()) {
      throw bad_input("the input '{}' has the fixed dimension {}; --input-shape gives {}", name, dimension.dim_value(),
                      length);
    }
    shape.push_back(length);
  }
  return shape;
}

/// How an input of the model lies in a value of the graph.
struct InputLayout {
  Shape shape;  ///< the model's, without the batch
  bool last;    ///< its channels are

  /// The value's, channels first; a sequence is an image of height 1.
  [[nodiscard]] Shape value_shape() const {
    if (shape.size() == 2) return last ? Shape{shape[1], 1, shape[0]} : Shape{shape[0], 1, shape[1]};
    return last ? Shape{shape[2], shape[0], shape[1]} : shape;
  }
  [[nodiscard]] View view(ValueId value) const {
    View view{value, {batch}, {batch_axis}};
    view.shape.insert(view.shape.end(), shape.begin(), shape.end());
    const std::vector<int> order = last ? std::vector<int>{1, 2, 0} : std::vector<int>{0, 1, 2};
    view.order.insert(view.order.end(), order.begin(), shape.size() == 1 ? order.begin() + 1 : order.end());
    return view;
  }
};

/// A node that no node of the model stands for.
[[nodiscard]] onnx::NodeProto own_node(const std::string& name, const char* type) {
  onnx::NodeProto node;
  node.set_name(name);
  node.set_op_type(type);
  node.add_output(name);
  return node;
}

/// Several inputs as parts of one vector, one behind the other.
void import_joined(Import& import, const std::vector<std::string>& names, const std::vector<InputLayout>& layouts) {
  std::int64_t size = 0;
  for (const InputLayout& layout : layouts) size += element_count(layout.shape);
  if (size > most_elements) throw bad_input("the model's inputs have {} numbers together, which is too large", size);
  const ValueId whole = import.add_input("inputs", {size});
  import.graph().input = whole;
  std::int64_t first = 0;
  for (std::size_t i = 0; i < names.size(); ++i) {
    const Shape shape = layouts[i].value_shape();
    Gather part{0, std::vector<std::int64_t>(static_cast<std::size_t>(element_count(shape)))};
    std::iota(part.indices.begin(), part.indices.end(), first);
    first += element_count(shape);
    const onnx::NodeProto node = own_node(names[i], "Gather");
    const ValueId cut = import.emit(OnnxNode(node, 0), std::move(part), {whole});
    import.define(names[i], layouts[i].view(import.reshaped(OnnxNode(node, 0), cut, shape)));
    import.graph().input_parts.push_back({clean_name(names[i]), shape});
  }
}

void import_inputs(Import& import, const onnx::GraphProto& graph, const std::set<std::string>& read,
                   const ImportOptions& options, bool channels_first) {
  std::vector<std::string> names;
  std::vector<InputLayout> layouts;
  for (const auto& input : graph.input()) {
    const std::string& name = input.name();
    if (import.defined(name) || (read.count(name) == 0 && graph.input_size() > 1)) continue;
    if (name.empty()) throw bad_input("the model's input has no name");
    if (std::ranges::find(names, name) != names.end())
      throw bad_input("the model has two inputs '{}'; names must be unique", clean_name(name));
    const Shape shape = input_shape(input, options);
    const bool last = !channels_first && shape.size() > 1 && is_channels_last(graph, name, shape.size() + 1);
    names.push_back(name);
    layouts.push_back({shape, last});
  }
  if (names.empty()) throw bad_input("the model has 0 inputs; one is needed");
  if (names.size() > 1) return import_joined(import, names, layouts);
  import.graph().input = import.add_input(names[0], layouts[0].value_shape());
  import.define(names[0], layouts[0].view(import.graph().input));
}

/// For each node whether one of the tensors depends on it; `names` become all that they depend on.
[[nodiscard]] std::vector<bool> needed_nodes(const onnx::GraphProto& graph, std::set<std::string>& names) {
  std::vector<bool> needed(static_cast<std::size_t>(graph.node_size()), false);
  for (int i = graph.node_size(); i-- > 0;) {
    const auto& node = graph.node(i);
    const bool read = std::any_of(node.output().begin(), node.output().end(),
                                  [&](const std::string& made) { return names.count(made) > 0; });
    nth(needed, i) = read;
    if (read) names.insert(node.input().begin(), node.input().end());
  }
  return needed;
}

[[nodiscard]] const Operators& operators() {
  static const Operators known = [] {
    Operators all;
    add_layers(all);
    add_elementwise(all);
    add_functions(all);
    add_layout(all);
    add_reductions(all);
    add_moves(all);
    add_upsampling(all);
    add_quantization(all);
    return all;
  }();
  return known;
}

/// Throws Error (bad input) where nothing can read the node, whatever its inputs are.
void check_operator(const OnnxNode& node) {
  const auto& proto = node.proto();
  if (!is_standard(proto.domain())) {
    throw node.error("is of the domain '{}'; only ONNX's own operators are supported", clean_name(proto.domain()));
  }
  if (operators().count(node.type()) > 0 || can_evaluate(node)) return;
  throw node.error("{}", reason_against(node.type()));
}

void import_node(Import& import, const OnnxNode& node) {
  const auto& proto = node.proto();
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
  if (found == operators().end()) throw node.error("reads the network's input; it is supported for constants only");
  std::optional<SourceGrid> integers;
  for (const std::string& input : proto.input()) {
    if (!integers.has_value() && node.type() != "DequantizeLinear") integers = import.integers_of(input);
  }
  if (!integers.has_value()) {
    found->second(import, node);
    return;
  }
  const std::optional<onnx::NodeProto> real = on_real_numbers(import, node, *integers);
  if (!real.has_value())
    throw node.error("computes with the integers of a quantized network, which is not supported for this operator");
  found->second(import, OnnxNode(*real, node.opset()));
  for (const std::string& output : proto.output()) {
    if (!output.empty()) import.set_integers(output, *integers);
  }
}

/// Whether the ONNX tensor is an image, channels last, whose pixels follow each other as those of the value do.
[[nodiscard]] bool is_turned_image(const View& view, const Shape& value_shape) {
  if (value_shape.size() != 3 || view.shape.size() != 4 || view.shape[3] != value_shape[0]) return false;
  if (is_plain(view, value_shape) || !begins_with_batch(view, value_shape)) return false;
  const std::vector<int> order = long_order(view, value_shape);
  return order.back() == 0 && std::is_sorted(order.begin(), order.end() - 1);
}

/// The graph's output: as ONNX has it, but channels first where an image is merely turned to channels last.
[[nodiscard]] ValueId import_output(Import& import, const std::string& name) {
  onnx::NodeProto output;
  output.set_name(name);
  output.set_op_type("output");
  output.add_input(name);
  const OnnxNode node(output, 0);
  if (!import.defined(name)) throw bad_input("no node makes the output '{}'", clean_name(name));
  const View& view = import.view(node, 0);
  if (!is_turned_image(view, import.shape_of(view))) return import.plain(node, view).value;
  return import.reshaped(node, view.value, {view.shape[3], view.shape[1], view.shape[2]});
}

/// The names of the outputs to read.
[[nodiscard]] std::vector<std::string> chosen_outputs(const onnx::GraphProto& graph, const ImportOptions& options) {
  std::vector<std::string> names;
  for (const auto& output : graph.output()) names.push_back(clean_name(output.name()));
  if (options.outputs.empty()) {
    if (names.size() == 1) return {graph.output(0).name()};
    throw bad_input("the model has {} outputs{}; choose with --output", names.size(),
                    names.empty() ? "" : fmt::format(" ({})", fmt::join(names, ", ")));
  }
  std::set<std::string> chosen;
  for (const std::string& wanted : options.outputs) {
    const bool known = std::any_of(graph.output().begin(), graph.output().end(),
                                   [&](const auto& output) { return output.name() == wanted; });
    if (!known) throw bad_input("the model has no output '{}'; it has {}", clean_name(wanted), fmt::join(names, ", "));
    if (!chosen.insert(wanted).second) throw bad_input("--output names '{}' twice", clean_name(wanted));
  }
  return options.outputs;
}

/// Several outputs as one vector, one behind the other.
[[nodiscard]] ValueId join_outputs(Import& import, const std::vector<std::string>& names) {
  std::vector<ValueId> vectors;
  std::vector<JoinedPart> parts;
  for (const std::string& name : names) {
    const ValueId value = import_output(import, name);
    const Shape& shape = import.shape_of(value);
    parts.push_back({clean_name(name), shape});
    const onnx::NodeProto flatten = own_node(name + "_vector", "Reshape");
    vectors.push_back(shape.size() == 1 ? value
                                        : import.emit(OnnxNode(flatten, 0), Reshape{{element_count(shape)}}, {value}));
  }
  const onnx::NodeProto join = own_node("outputs", "Concat");
  import.graph().output_parts = std::move(parts);
  return import.emit(OnnxNode(join, 0), Concat{0}, std::move(vectors));
}

/// Reads one model, and goes on behind whatever it cannot read.
class Reading {
 public:
  Reading(const onnx::ModelProto& model, const std::string& name, std::int64_t numbers, const ImportOptions& options,
          const ModelFacts& facts)
      : graph_(model.graph()), opset_(opset_of(model)), options_(options), facts_(facts), import_(name, numbers) {
    if (graph_.sparse_initializer_size() > 0) throw bad_input("the model has sparse weights, which are not supported");
    if (graph_.node_size() > most_nodes) {
      throw bad_input("the model has {} nodes; at most {} are supported", graph_.node_size(), most_nodes);
    }
  }

  /// Empty where there are obstacles.
  [[nodiscard]] std::optional<Graph> run() {
    for (const auto& tensor : graph_.initializer()) {
      if (tensor.name().empty()) throw bad_input("the model has an initializer without a name");
      if (import_.defined(tensor.name())) {
        throw bad_input("the model has two initializers '{}'; names must be unique", clean_name(tensor.name()));
      }
      import_.define(tensor);
    }
    std::vector<std::string> outputs;
    attempt(nullptr, [&] { outputs = chosen_outputs(graph_, options_); });
    const onnx::NodeProto* choice = outputs.size() == 1 ? arg_max(outputs[0]) : nullptr;
    if (choice != nullptr) outputs[0] = choice->input(0);
    std::set<std::string> names(outputs.begin(), outputs.end());
    if (outputs.empty()) {
      for (const auto& each : graph_.output()) names.insert(each.name());
    }
    const std::vector<bool> needed = needed_nodes(graph_, names);
    if (!attempt(nullptr, [&] { import_inputs(import_, graph_, names, options_, facts_.channels_first); })) {
      for (const auto& input : graph_.input()) unknown_.insert(input.name());
    }
    for (const auto& input : graph_.input()) note_grid(input.name());
    for (int i = 0; i < graph_.node_size(); ++i) {
      if (nth(needed, i) && !absorbed_.contains(i)) read(i);
    }
    const bool reached = !outputs.empty() && std::none_of(outputs.begin(), outputs.end(), [&](const std::string& each) {
      return unknown_.count(each) > 0;
    });
    if (!reached) return std::nullopt;
    const bool read = attempt(nullptr, [&] {
      if (choice != nullptr) check_choice(OnnxNode(*choice, opset_));
      import_.graph().output =
          outputs.size() == 1 ? import_output(import_, outputs[0]) : join_outputs(import_, outputs);
    });
    return read && obstacles_.empty() ? std::optional(std::move(import_.graph())) : std::nullopt;
  }

  [[nodiscard]] const std::vector<Obstacle>& obstacles() const { return obstacles_; }

 private:
  template <typename Function>
  bool attempt(const OnnxNode* node, const Function& function) {
    try {
      function();
      return true;
    } catch (const Error& error) {
      if (error.code() != ExitCode::bad_input) throw;
      obstacles_.push_back(
          {node != nullptr ? node->name() : "", node != nullptr ? clean_name(node->type()) : "", error.what()});
      return false;
    }
  }

  void read(int index) {
    const OnnxNode node(graph_.node(index), opset_);
    const auto& inputs = node.proto().input();
    const bool reads_unknown =
        std::any_of(inputs.begin(), inputs.end(), [&](const std::string& input) { return unknown_.count(input) > 0; });
    const bool done = attempt(&node, [&] {
      check_operator(node);
      if (!reads_unknown && !read_adaptive_pool(node, index)) import_node(import_, node);
    });
    for (const std::string& output : node.proto().output()) note_grid(output);
    if (done && !reads_unknown) return;
    for (const std::string& output : node.proto().output()) {
      if (!output.empty() && !import_.defined(output)) unknown_.insert(output);
    }
  }

  /// Whether the node is the first of a pool, which is then read as a whole.
  [[nodiscard]] bool read_adaptive_pool(const OnnxNode& node, int index) {
    if (node.type() != "GatherND" || !import_.has_input(node, 0) || import_.is_constant(node, 0)) return false;
    const std::optional<AdaptivePool> pool = find_adaptive_pool(import_, graph_, index, opset_);
    if (!pool.has_value()) return false;
    import_adaptive_pool(import_, node, *pool);
    absorbed_.insert(pool->nodes.begin(), pool->nodes.end());
    return true;
  }

  void note_grid(const std::string& tensor) {
    const auto found = facts_.grids.find(tensor);
    if (found != facts_.grids.end() && import_.defined(tensor)) import_.set_grid(tensor, found->second);
  }

  /// The ArgMax that makes the tensor, or null: the largest output is found without it.
  [[nodiscard]] const onnx::NodeProto* arg_max(const std::string& tensor) const {
    for (const auto& node : graph_.node()) {
      const bool makes = node.output_size() == 1 && node.output(0) == tensor;
      if (makes && node.op_type() == "ArgMax" && is_standard(node.domain()) && node.input_size() == 1) return &node;
    }
    return nullptr;
  }

  void check_choice(const OnnxNode& node) const {
    const View& view = import_.view(node, 0);
    const std::int64_t axis = normalize_axes(node, {node.integer("axis", 0)}, view.shape.size())[0];
    if (axis_of_dimension(import_, view, axis) != 0) throw node.error("does not choose among the channels");
  }

  const onnx::GraphProto& graph_;
  std::int64_t opset_;
  const ImportOptions& options_;
  const ModelFacts& facts_;
  Import import_;
  std::set<std::string> unknown_;  ///< tensors that could not be read
  std::set<int> absorbed_;         ///< nodes that were read with one before them
  std::vector<Obstacle> obstacles_;
};

/// One sentence for all obstacles; nodes of the same operator with the same reason are named together.
[[nodiscard]] std::string sentence_of(const std::vector<Obstacle>& obstacles) {
  if (obstacles.size() == 1) return obstacles[0].reason;
  std::vector<std::pair<std::string, int>> groups;  // the first one's sentence, and how many more there are
  std::map<std::string, std::size_t> known;
  for (const Obstacle& obstacle : obstacles) {
    const std::string prefix = fmt::format("node '{}' ({}) ", obstacle.node, obstacle.operator_name);
    const bool starts = obstacle.reason.starts_with(prefix);
    const std::string key = obstacle.operator_name + (starts ? obstacle.reason.substr(prefix.size()) : obstacle.reason);
    const auto [entry, fresh] = known.try_emplace(key, groups.size());
    if (fresh) groups.emplace_back(obstacle.reason, 0);
    groups[entry->second].second += fresh ? 0 : 1;
  }
  std::string text = fmt::format("the network has {} obstacles: ", obstacles.size());
  for (std::size_t i = 0; i < groups.size(); ++i) {
    text += i == 0 ? "" : "; ";
    text += groups[i].first;
    if (groups[i].second > 0) text += fmt::format(" (and {} more like it)", groups[i].second);
  }
  return text;
}

}  // namespace

Graph import_model(const onnx::ModelProto& model, const std::string& name, std::int64_t numbers,
                   const ImportOptions& options, const ModelFacts& facts) {
  Reading reading(model, name, numbers, options, facts);
  std::optional<Graph> read = reading.run();
  if (!read.has_value()) throw bad_input("{}", sentence_of(reading.obstacles()));
  Graph result = std::move(*read);
  validate(result);
  result = merge_reshapes(fuse_functions(recognize_idioms(remove_unused(std::move(result)))));
  validate(result);
  return result;
}

namespace {

/// A model with its side files, and how many numbers reading it may make.
struct Loaded {
  onnx::ModelProto model;
  std::int64_t numbers;
};

[[nodiscard]] Loaded load(std::span<const std::uint8_t> bytes, const std::filesystem::path& folder) {
  Loaded loaded{parse(bytes), static_cast<std::int64_t>(bytes.size())};
  // Two weights of 4 bits lie in a byte, not one of 32 bits in four.
  const auto& nodes = loaded.model.graph().node();
  const bool quantized = std::ranges::any_of(
      nodes, [](const onnx::NodeProto& node) { return node.op_type().find("Linear") != std::string::npos; });
  if (quantized) loaded.numbers *= 8;
  // A weight is decoded, copied to its operator and perhaps transposed; constants that are repeated add a little.
  expand_quantized_operators(loaded.model);
  loaded.numbers += embed_external_data(loaded.model, folder, largest_file) + (std::int64_t{1} << 18);
  return loaded;
}

/// The folder of a file that is read by its path.
[[nodiscard]] std::filesystem::path folder_of(const std::filesystem::path& path) {
  return path.has_parent_path() ? path.parent_path() : std::filesystem::path(".");
}

}  // namespace
}  // namespace onnx_reader

Graph parse_onnx(std::span<const std::uint8_t> bytes, const std::string& name, const std::filesystem::path& folder,
                 const ImportOptions& options) {
  try {
    const onnx_reader::Loaded loaded = onnx_reader::load(bytes, folder);
    const std::string stem = onnx_reader::clean_name(std::filesystem::path(name).stem().string());
    return onnx_reader::import_model(loaded.model, stem, loaded.numbers, options);
  } catch (const Error& error) {
    throw Error(error.code(), name + ": " + error.what());
  }
}

Graph read_onnx(const std::filesystem::path& path, const ImportOptions& options) {
  return parse_onnx(read_file(path, onnx_reader::largest_file), path.string(), onnx_reader::folder_of(path), options);
}

std::vector<Obstacle> onnx_obstacles(const std::filesystem::path& path, const ImportOptions& options) {
  try {
    const onnx_reader::Loaded loaded =
        onnx_reader::load(read_file(path, onnx_reader::largest_file), onnx_reader::folder_of(path));
    const onnx_reader::ModelFacts none;
    onnx_reader::Reading reading(loaded.model, path.stem().string(), loaded.numbers, options, none);
    static_cast<void>(reading.run());
    return reading.obstacles();
  } catch (const Error& error) {
    throw Error(error.code(), path.string() + ": " + error.what());
  }
}

}  // namespace trimtab
