#include "plan/quantized_network_file.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <string_view>

#include "base/error.h"
#include "base/file.h"
#include "plan/layers.h"

namespace trimtab {

namespace {

static_assert(std::endian::native == std::endian::little, "parameters are stored as they lie in memory");

using Json = nlohmann::json;

constexpr std::string_view magic = "trimtabq";
constexpr std::size_t prefix = 16;  // the letters and the header's length

/// Puts fields into JSON, tensors behind it.
class Writer {
 public:
  explicit Writer(std::vector<float>& parameters) : parameters_(parameters) {}
  Json json = Json::object();

  template <typename T>
  void operator()(const char* name, const T& field) {
    json[name] = field;
  }
  /// Infinities (Clip) are no JSON numbers.
  void operator()(const char* name, float field) {
    if (std::isfinite(field)) {
      json[name] = field;
    } else {
      json[name] = field < 0 ? "-inf" : "inf";
    }
  }
  void operator()(const char* name, const Tensor& tensor) {
    json[name] = {{"shape", tensor.shape}, {"offset", parameters_.size()}, {"count", tensor.data.size()}};
    parameters_.insert(parameters_.end(), tensor.data.begin(), tensor.data.end());
  }
  void operator()(const char* name, const Padding& padding) {
    json[name] = {padding.top, padding.left, padding.bottom, padding.right};
  }
  void operator()(const char* name, const std::vector<FunctionStep>& steps) {
    Json& stored = json[name] = Json::array();
    for (const auto& [kind, a, b, alpha, beta] : steps) {
      stored.push_back({static_cast<int>(kind), a, b, alpha, beta});
    }
  }
  void operator()(const char* name, PoolKind kind) { json[name] = kind == PoolKind::max ? "max" : "average"; }

 private:
  std::vector<float>& parameters_;
};

/// Takes them out again; throws std::exception where something is wrong.
class Reader {
 public:
  Reader(const Json& json, std::span<const float> parameters) : json_(json), parameters_(parameters) {}

  template <typename T>
  void operator()(const char* name, T& field) {
    json_.at(name).get_to(field);
  }
  void operator()(const char* name, float& field) {
    const Json& stored = json_.at(name);
    field = stored == "inf"    ? std::numeric_limits<float>::infinity()
            : stored == "-inf" ? -std::numeric_limits<float>::infinity()
                               : stored.get<float>();
  }
  void operator()(const char* name, Tensor& tensor) {
    const Json& stored = json_.at(name);
    const auto offset = stored.at("offset").get<std::uint64_t>();
    const auto count = stored.at("count").get<std::uint64_t>();
    if (offset > parameters_.size() || count > parameters_.size() - offset) {
      throw std::out_of_range("parameters");
    }
    stored.at("shape").get_to(tensor.shape);
    for (const std::int64_t size : tensor.shape) {
      if (size < 0 || size > static_cast<std::int64_t>(count)) {
        throw std::out_of_range("shape");
      }
    }
    const std::span<const float> numbers = parameters_.subspan(offset, count);
    tensor.data.assign(numbers.begin(), numbers.end());
  }
  void operator()(const char* name, Padding& padding) {
    const auto sides = json_.at(name).get<std::array<std::int64_t, 4>>();
    padding = {sides[0], sides[1], sides[2], sides[3]};
  }
  void operator()(const char* name, std::vector<FunctionStep>& steps) {
    for (const Json& stored : json_.at(name)) {
      const auto [kind, a, b, alpha, beta] = stored.get<std::tuple<int, std::int32_t, std::int32_t, float, float>>();
      steps.push_back({static_cast<FunctionStep::Kind>(kind), a, b, alpha, beta});
    }
  }
  void operator()(const char* name, PoolKind& kind) {
    kind = json_.at(name) == "max" ? PoolKind::max : PoolKind::average;
  }

 private:
  const Json& json_;
  std::span<const float> parameters_;
};

// The fields of every operator, for both directions. Operators without parameters fall through to the last.

template <typename Io, typename Op>
void fields(Io& io, Op& op) {
  using Plain = std::remove_const_t<Op>;
  if constexpr (std::is_same_v<Plain, Conv>) {
    io("weight", op.weight);
    io("bias", op.bias);
    io("stride", op.stride);
    io("dilation", op.dilation);
    io("padding", op.padding);
    io("groups", op.groups);
    io("padding_value", op.padding_value);
  } else if constexpr (std::is_same_v<Plain, Linear>) {
    io("weight", op.weight);
    io("bias", op.bias);
  } else if constexpr (std::is_same_v<Plain, BatchNormalization>) {
    io("scale", op.scale);
    io("bias", op.bias);
    io("mean", op.mean);
    io("variance", op.variance);
    io("epsilon", op.epsilon);
  } else if constexpr (std::is_same_v<Plain, Affine>) {
    io("scale", op.scale);
    io("offset", op.offset);
  } else if constexpr (std::is_same_v<Plain, Clip>) {
    io("low", op.low);
    io("high", op.high);
  } else if constexpr (std::is_same_v<Plain, LeakyRelu>) {
    io("alpha", op.alpha);
  } else if constexpr (std::is_same_v<Plain, HardSigmoid>) {
    io("alpha", op.alpha);
    io("beta", op.beta);
  } else if constexpr (std::is_same_v<Plain, Pool>) {
    io("kind", op.kind);
    io("kernel", op.kernel);
    io("stride", op.stride);
    io("dilation", op.dilation);
    io("padding", op.padding);
    io("ceil_mode", op.ceil_mode);
    io("count_include_pad", op.count_include_pad);
  } else if constexpr (std::is_same_v<Plain, GlobalAveragePool>) {
    io("keep_dimensions", op.keep_dimensions);
  } else if constexpr (std::is_same_v<Plain, Reshape>) {
    io("shape", op.shape);
  } else if constexpr (std::is_same_v<Plain, Concat>) {
    io("axis", op.axis);
  } else if constexpr (std::is_same_v<Plain, Gather>) {
    io("axis", op.axis);
    io("indices", op.indices);
  } else if constexpr (std::is_same_v<Plain, Permute>) {
    io("from", op.from);
    io("order", op.order);
    io("shape", op.shape);
  } else if constexpr (std::is_same_v<Plain, Softmax>) {
    io("logarithm", op.logarithm);
  } else if constexpr (std::is_same_v<Plain, ScalarFunction>) {
    io("steps", op.steps);
  } else if constexpr (std::is_same_v<Plain, Pad>) {
    io("padding", op.padding);
    io("value", op.value);
  }
}

/// The operator with this index among Operator's alternatives, default-made.
template <std::size_t index = 0>
Operator make_operator(std::size_t wanted) {
  if constexpr (index < std::variant_size_v<Operator>) {
    return wanted == index ? Operator(std::in_place_index<index>) : make_operator<index + 1>(wanted);
  } else {
    throw std::out_of_range("operator");
  }
}

/// What an operator is called in the file: ONNX's name does not tell all of them apart.
Json operator_key(const Operator& op) { return op.index(); }

Json grid_json(const std::optional<ActivationGrid>& grid) {
  return grid ? Json{{"scale", grid->scale}, {"bits", grid->bits}, {"signed", grid->is_signed}} : Json();
}

std::optional<ActivationGrid> read_grid(const Json& json) {
  if (json.is_null()) {
    return std::nullopt;
  }
  const ActivationGrid grid{json.at("scale").get<float>(), json.at("bits").get<int>(), json.at("signed").get<bool>()};
  if (grid.bits < 2 || grid.bits > 16 || !(grid.scale > 0) || !std::isfinite(grid.scale)) {
    throw std::out_of_range("grid");
  }
  return grid;
}

std::optional<WeightGrid> read_weight_grid(const Json& json) {
  if (json.is_null()) {
    return std::nullopt;
  }
  WeightGrid grid{json.at("bits").get<int>(), json.at("scale").get<std::vector<float>>()};
  const bool scales =
      std::all_of(grid.scale.begin(), grid.scale.end(), [](float scale) { return scale != 0 && std::isfinite(scale); });
  if (grid.bits < 2 || grid.bits > 16 || !scales) {
    throw std::out_of_range("grid");
  }
  return grid;
}

Graph read_graph(const Json& json, std::span<const float> parameters) {
  Graph graph;
  json.at("name").get_to(graph.name);
  json.at("input").get_to(graph.input);
  json.at("output").get_to(graph.output);
  for (const Json& value : json.at("values")) {
    graph.values.push_back({value.at("name").get<std::string>(), value.at("shape").get<Shape>()});
  }
  for (const Json& stored : json.at("nodes")) {
    Node node{stored.at("name").get<std::string>(), make_operator(stored.at("operator").get<std::size_t>()),
              stored.at("inputs").get<std::vector<ValueId>>(), stored.at("output").get<ValueId>()};
    Reader reader(stored.at("fields"), parameters);
    std::visit([&](auto& op) { fields(reader, op); }, node.op);
    graph.nodes.push_back(std::move(node));
  }
  return graph;
}

Json graph_json(const Graph& graph, std::vector<float>& parameters) {
  Json values = Json::array();
  for (const Value& value : graph.values) {
    values.push_back({{"name", value.name}, {"shape", value.shape}});
  }
  Json nodes = Json::array();
  for (const Node& node : graph.nodes) {
    Writer writer(parameters);
    std::visit([&](const auto& op) { fields(writer, op); }, node.op);
    nodes.push_back({{"name", node.name},
                     {"operator", operator_key(node.op)},
                     {"inputs", node.inputs},
                     {"output", node.output},
                     {"fields", writer.json}});
  }
  return {{"name", graph.name}, {"input", graph.input}, {"output", graph.output}, {"values", values}, {"nodes", nodes}};
}

/// Letters, the header's length, the header and the parameters, in one.
std::vector<std::uint8_t> pack(const Json& json, const std::vector<float>& parameters) {
  const std::string header = json.dump();
  std::vector<std::uint8_t> bytes(prefix + header.size() + parameters.size() * sizeof(float));
  const std::uint64_t length = header.size();
  std::memcpy(bytes.data(), magic.data(), magic.size());
  std::memcpy(bytes.data() + magic.size(), &length, sizeof(length));
  std::memcpy(bytes.data() + prefix, header.data(), header.size());
  if (!parameters.empty()) {
    std::memcpy(bytes.data() + prefix + header.size(), parameters.data(), parameters.size() * sizeof(float));
  }
  return bytes;
}

struct Unpacked {
  Json header;
  std::vector<float> parameters;
};

/// Throws std::exception where the bytes are not that.
Unpacked unpack(std::span<const std::uint8_t> bytes) {
  std::uint64_t length = 0;
  if (bytes.size() < prefix || std::memcmp(bytes.data(), magic.data(), magic.size()) != 0) {
    throw std::out_of_range("letters");
  }
  std::memcpy(&length, bytes.data() + magic.size(), sizeof(length));
  if (length > bytes.size() - prefix || (bytes.size() - prefix - length) % sizeof(float) != 0) {
    throw std::out_of_range("length");
  }
  Unpacked result;
  result.header = Json::parse(bytes.begin() + prefix, bytes.begin() + static_cast<std::ptrdiff_t>(prefix + length));
  if (result.header.at("version") != 1) {
    throw std::out_of_range("version");
  }
  result.parameters.resize((bytes.size() - prefix - length) / sizeof(float));
  if (!result.parameters.empty()) {
    std::memcpy(result.parameters.data(), bytes.data() + prefix + length, result.parameters.size() * sizeof(float));
  }
  return result;
}

/// Grids where lowering will look for them, of the size it expects.
void check_grids(const QuantizedNetwork& network) {
  if (network.values.size() != network.graph.values.size() || network.weights.size() != network.graph.nodes.size()) {
    throw std::out_of_range("grids");
  }
  const auto has_grid = [&](ValueId value) { return network.values[static_cast<std::size_t>(value)].has_value(); };
  bool complete = has_grid(network.graph.input);
  for (const Layer& layer : fuse_layers(network.graph)) {
    complete = complete && has_grid(layer.output);
  }
  for (std::size_t i = 0; i < network.graph.nodes.size(); ++i) {
    const Operator& op = network.graph.nodes[i].op;
    const auto* conv = std::get_if<Conv>(&op);
    const auto* linear = std::get_if<Linear>(&op);
    if (conv != nullptr || linear != nullptr) {
      const Tensor& weight = conv != nullptr ? conv->weight : linear->weight;
      complete = complete && network.weights[i].has_value() &&
                 static_cast<std::int64_t>(network.weights[i]->scale.size()) == weight.shape.at(0);
    }
  }
  if (!complete) {
    throw std::out_of_range("grids");
  }
}

}  // namespace

std::vector<std::uint8_t> serialize(const QuantizedNetwork& network) {
  std::vector<float> parameters;
  const Json graph = graph_json(network.graph, parameters);
  Json grids = Json::array();
  for (const auto& grid : network.values) {
    grids.push_back(grid_json(grid));
  }
  Json weights = Json::array();
  for (const auto& grid : network.weights) {
    weights.push_back(grid ? Json{{"bits", grid->bits}, {"scale", grid->scale}} : Json());
  }
  Json plan = Json::array();
  for (const LayerPlan& layer : network.plan.layers) {
    plan.push_back({{"layer", layer.layer},
                    {"filters", layer.filters},
                    {"weight_bits", layer.weight_bits},
                    {"activation_bits", layer.activation_bits}});
  }
  return pack({{"version", 1}, {"graph", graph}, {"plan", plan}, {"value_grids", grids}, {"weight_grids", weights}},
              parameters);
}

void save_quantized_network(const QuantizedNetwork& network, const std::filesystem::path& path) {
  write_file(path, serialize(network));
}

QuantizedNetwork parse_quantized_network(std::span<const std::uint8_t> bytes, const std::string& source) {
  try {
    const auto [header, parameters] = unpack(bytes);
    QuantizedNetwork network;
    network.graph = read_graph(header.at("graph"), parameters);
    validate(network.graph);
    for (const Json& layer : header.at("plan")) {
      network.plan.layers.push_back({layer.at("layer").get<std::string>(), layer.at("filters").get<std::int64_t>(),
                                     layer.at("weight_bits").get<int>(), layer.at("activation_bits").get<int>()});
    }
    for (const Json& grid : header.at("value_grids")) {
      network.values.push_back(read_grid(grid));
    }
    for (const Json& grid : header.at("weight_grids")) {
      network.weights.push_back(read_weight_grid(grid));
    }
    check_grids(network);
    return network;
  } catch (const Error&) {
    throw;  // the graph's own check names the node
  } catch (const std::exception&) {
    throw bad_input("{} is not a whole quantized network; make it anew with `trimtab fit`", source);
  }
}

QuantizedNetwork load_quantized_network(const std::filesystem::path& path) {
  return parse_quantized_network(read_file(path), path.string());
}

void save_graph(const Graph& graph, const std::filesystem::path& path) {
  std::vector<float> parameters;
  const Json json = graph_json(graph, parameters);
  write_file(path, pack({{"version", 1}, {"graph", json}}, parameters));
}

Graph load_graph(const std::filesystem::path& path) {
  const std::vector<std::uint8_t> bytes = read_file(path);
  try {
    const auto [header, parameters] = unpack(bytes);
    Graph graph = read_graph(header.at("graph"), parameters);
    validate(graph);
    return graph;
  } catch (const Error&) {
    throw;  // the graph's own check names the node
  } catch (const std::exception&) {
    throw bad_input("{} is not a whole network; remove it, and the same command makes it anew", path.string());
  }
}

}  // namespace trimtab
