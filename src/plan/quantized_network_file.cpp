#include "plan/quantized_network_file.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <string_view>
#include <utility>

#include "base/error.h"
#include "base/file.h"
#include "base/index.h"
#include "base/json_text.h"
#include "plan/layers.h"

namespace trimtab {

namespace {

static_assert(std::endian::native == std::endian::little, "parameters are stored as they lie in memory");

using Json = nlohmann::json;

constexpr std::string_view magic = "trimtabq";
constexpr std::size_t prefix = 16;  // the letters and the header's length
constexpr int format = 3;           // 1: operators by their number in the variant; 2: grids without zero points
constexpr const char* maker_of_format_1 = "0.1.0";

/// Infinities (Clip) are no JSON numbers.
Json stored_number(float number) {
  if (std::isfinite(number)) return number;
  return number < 0 ? "-inf" : "inf";
}
float number_of(const Json& stored) {
  return stored == "inf"    ? std::numeric_limits<float>::infinity()
         : stored == "-inf" ? -std::numeric_limits<float>::infinity()
                            : stored.get<float>();
}

/// Puts fields into JSON, tensors behind it.
class Writer {
 public:
  explicit Writer(std::vector<float>& parameters) : parameters_(parameters) {}
  Json json = Json::object();

  template <typename T>
  void operator()(const char* name, const T& field) {
    json[name] = field;
  }
  void operator()(const char* name, float field) { json[name] = stored_number(field); }
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
      stored.push_back(
          {function_step_names.at(static_cast<std::size_t>(kind)), a, b, stored_number(alpha), stored_number(beta)});
    }
  }

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
  void operator()(const char* name, float& field) { field = number_of(json_.at(name)); }
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
      const auto [kind, a, b, alpha, beta] =
          stored.get<std::tuple<std::string, std::int32_t, std::int32_t, Json, Json>>();
      const auto* const found = std::ranges::find(function_step_names, kind);
      if (found == function_step_names.end()) throw std::out_of_range("step of a function");
      steps.push_back({static_cast<FunctionStep::Kind>(found - function_step_names.begin()), a, b, number_of(alpha),
                       number_of(beta)});
    }
  }

 private:
  const Json& json_;
  std::span<const float> parameters_;
};

/// A name and a field after it, for each field.
template <typename Io, typename Field, typename... Rest>
void all(Io& io, const char* name, Field& field, Rest&&... rest) {
  io(name, field);
  if constexpr (sizeof...(rest) > 0) all(io, std::forward<Rest>(rest)...);
}

/// The fields of every operator, for both directions. Operators without parameters fall through.
template <typename Io, typename Op>
void fields(Io& io, Op& op) {
  using Plain = std::remove_const_t<Op>;
  if constexpr (std::is_same_v<Plain, Conv>) {
    all(io, "weight", op.weight, "bias", op.bias, "stride", op.stride, "dilation", op.dilation, "padding", op.padding,
        "groups", op.groups, "padding_value", op.padding_value);
  } else if constexpr (std::is_same_v<Plain, Linear>) {
    all(io, "weight", op.weight, "bias", op.bias);
  } else if constexpr (std::is_same_v<Plain, BatchNormalization>) {
    all(io, "scale", op.scale, "bias", op.bias, "mean", op.mean, "variance", op.variance, "epsilon", op.epsilon);
  } else if constexpr (std::is_same_v<Plain, Affine>) {
    all(io, "scale", op.scale, "offset", op.offset);
  } else if constexpr (std::is_same_v<Plain, Clip>) {
    all(io, "low", op.low, "high", op.high);
  } else if constexpr (std::is_same_v<Plain, LeakyRelu>) {
    all(io, "alpha", op.alpha);
  } else if constexpr (std::is_same_v<Plain, HardSigmoid>) {
    all(io, "alpha", op.alpha, "beta", op.beta);
  } else if constexpr (std::is_same_v<Plain, Pool>) {
    all(io, "kernel", op.kernel, "stride", op.stride, "dilation", op.dilation, "padding", op.padding, "ceil_mode",
        op.ceil_mode, "count_include_pad", op.count_include_pad);
  } else if constexpr (std::is_same_v<Plain, GlobalAveragePool>) {
    all(io, "keep_dimensions", op.keep_dimensions);
  } else if constexpr (std::is_same_v<Plain, Reshape>) {
    all(io, "shape", op.shape);
  } else if constexpr (std::is_same_v<Plain, Concat>) {
    all(io, "axis", op.axis);
  } else if constexpr (std::is_same_v<Plain, Gather>) {
    all(io, "axis", op.axis, "indices", op.indices);
  } else if constexpr (std::is_same_v<Plain, Permute>) {
    all(io, "from", op.from, "order", op.order, "shape", op.shape);
  } else if constexpr (std::is_same_v<Plain, Softmax>) {
    all(io, "logarithm", op.logarithm);
  } else if constexpr (std::is_same_v<Plain, ScalarFunction>) {
    all(io, "steps", op.steps);
  } else if constexpr (std::is_same_v<Plain, Pad>) {
    all(io, "padding", op.padding, "value", op.value);
  } else {
    static_assert(std::is_empty_v<Plain>, "an operator's fields have to be named here");
  }
}

Operator make_operator(const std::string& name) {
  const std::vector<Operator> all = all_operators();
  const auto found =
      std::find_if(all.begin(), all.end(), [&](const Operator& op) { return operator_name(op) == name; });
  if (found == all.end()) throw std::out_of_range("operator");
  return *found;
}

Json grid_json(const std::optional<ActivationGrid>& grid) {
  return grid ? Json{{"scale", grid->scale},
                     {"bits", grid->bits},
                     {"signed", grid->is_signed},
                     {"zero_point", grid->zero_point}}
              : Json();
}

std::optional<ActivationGrid> read_grid(const Json& json) {
  if (json.is_null()) {
    return std::nullopt;
  }
  const ActivationGrid grid{json.at("scale").get<float>(), json.at("bits").get<int>(), json.at("signed").get<bool>(),
                            json.at("zero_point").get<std::int32_t>()};
  if (grid.bits < 2 || grid.bits > 16 || !(grid.scale > 0) || !std::isfinite(grid.scale) || !has_zero(grid)) {
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

std::vector<JoinedPart> read_parts(const Json& json, const char* key) {
  std::vector<JoinedPart> parts;
  for (const Json& part : json.value(key, Json::array()))
    parts.push_back({part.at("name").get<std::string>(), part.at("shape").get<Shape>()});
  return parts;
}

Json parts_json(const std::vector<JoinedPart>& parts) {
  Json json = Json::array();
  for (const JoinedPart& part : parts) json.push_back({{"name", part.name}, {"shape", part.shape}});
  return json;
}

Graph read_graph(const Json& json, std::span<const float> parameters) {
  Graph graph;
  json.at("name").get_to(graph.name);
  json.at("input").get_to(graph.input);
  json.at("output").get_to(graph.output);
  graph.input_parts = read_parts(json, "input_parts");
  graph.output_parts = read_parts(json, "output_parts");
  for (const Json& value : json.at("values")) {
    graph.values.push_back({value.at("name").get<std::string>(), value.at("shape").get<Shape>()});
  }
  for (const Json& stored : json.at("nodes")) {
    Node node{stored.at("name").get<std::string>(), make_operator(stored.at("operator").get<std::string>()),
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
                     {"operator", operator_name(node.op)},
                     {"inputs", node.inputs},
                     {"output", node.output},
                     {"fields", writer.json}});
  }
  return {{"name", graph.name},
          {"input", graph.input},
          {"output", graph.output},
          {"input_parts", parts_json(graph.input_parts)},
          {"output_parts", parts_json(graph.output_parts)},
          {"values", values},
          {"nodes", nodes}};
}

/// Letters, the header's length, the header and the parameters, in one.
std::vector<std::uint8_t> pack(Json json, const std::vector<float>& parameters) {
  json["version"] = format;
  json["maker"] = TRIMTAB_VERSION;
  const std::string header = json_text(json);
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

/// Throws Error (bad input) where another version of trimtab made the bytes, another std::exception where they are not
/// that.
Unpacked unpack(std::span<const std::uint8_t> bytes, const std::string& source) {
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
  const int its_format = result.header.at("version").get<int>();
  if (its_format != format) {
    throw bad_input("{} was made by trimtab {} (format {}); trimtab {} reads format {}: remove it, and make it again",
                    source, result.header.value("maker", maker_of_format_1), its_format, TRIMTAB_VERSION, format);
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
  const auto has_grid = [&](ValueId value) { return nth(network.values, value).has_value(); };
  bool complete = has_grid(network.graph.input);
  for (const Layer& layer : fuse_layers(network.graph)) {
    complete = complete && has_grid(layer.output);
  }
  for (std::size_t i = 0; i < network.graph.nodes.size(); ++i) {
    const Operator& op = network.graph.nodes[i].op;
    if (const Tensor* weight = weight_of(op)) {
      complete = complete && network.weights[i].has_value() &&
                 static_cast<std::int64_t>(network.weights[i]->scale.size()) == weight->shape.at(0);
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
  return pack({{"graph", graph}, {"plan", plan}, {"value_grids", grids}, {"weight_grids", weights}}, parameters);
}

void save_quantized_network(const QuantizedNetwork& network, const std::filesystem::path& path) {
  write_file(path, serialize(network));
}

QuantizedNetwork parse_quantized_network(std::span<const std::uint8_t> bytes, const std::string& source) {
  try {
    const auto [header, parameters] = unpack(bytes, source);
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
    throw;  // another format, or the graph's own check, which names the node
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
  write_file(path, pack({{"graph", json}}, parameters));
}

Graph load_graph(const std::filesystem::path& path) {
  const std::vector<std::uint8_t> bytes = read_file(path);
  try {
    const auto [header, parameters] = unpack(bytes, path.string());
    Graph graph = read_graph(header.at("graph"), parameters);
    validate(graph);
    return graph;
  } catch (const Error&) {
    throw;  // another format, or the graph's own check, which names the node
  } catch (const std::exception&) {
    throw bad_input("{} is not a whole network; remove it, and the same command makes it anew", path.string());
  }
}

}  // namespace trimtab
