#include "import/onnx_quantized_writer.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <map>
#include <set>
#include <span>
#include <utility>

#include "base/error.h"
#include "base/index.h"
#include "import/onnx_constant.h"

namespace trimtab::onnx_writer {
namespace {

using onnx_reader::int4_type;
using onnx_reader::uint4_type;

/// The first with a scale for each channel of weights, and the first with integers of 4 and 16 bits.
constexpr std::int64_t byte_opset = 13;
constexpr std::int64_t nibble_opset = 21;

/// By how much less the scale is that quantizes an average: it moves the mean of at most `most_averaged` numbers of 8
/// bits by more than float32 loses in their sum, and by less than what it has to the next half.
constexpr float average_scale = 1 - 0x1p-17F;
constexpr std::int64_t most_averaged = 128;

[[nodiscard]] int bits_of_type(int type) {
  if (type == int4_type || type == uint4_type) return 4;
  return type == onnx::TensorProto::INT16 || type == onnx::TensorProto::UINT16 ? 16 : 8;
}

/// The elements as raw_data holds them: little-endian, of 4 bits two in a byte, the first in the low half.
[[nodiscard]] std::string raw_integers(const std::vector<std::int32_t>& integers, int type) {
  const int bytes = type == onnx::TensorProto::INT32 ? 4 : bits_of_type(type) / 8;
  std::string raw;
  for (std::size_t i = 0; i < integers.size(); ++i) {
    const auto pattern = static_cast<std::uint32_t>(integers[i]);
    if (bytes == 0 && i % 2 == 0) raw.push_back('\0');
    if (bytes == 0)
      raw.back() = static_cast<char>(static_cast<std::uint8_t>(raw.back()) | (pattern & 15U) << (i % 2 * 4));
    for (int byte = 0; byte < bytes; ++byte) raw.push_back(static_cast<char>(pattern >> (8 * byte) & 0xffU));
  }
  return raw;
}

[[nodiscard]] std::vector<float> floats_of(const onnx::TensorProto& tensor) {
  std::vector<float> result(tensor.raw_data().size() / sizeof(float));
  if (!result.empty()) std::memcpy(result.data(), tensor.raw_data().data(), tensor.raw_data().size());
  return result;
}

class Quantizing {
 public:
  Quantizing(onnx::ModelProto& model, const Graph& graph, const std::vector<std::string>& names,
             const OnnxQuantization& quantization)
      : proto_(*model.mutable_graph()),
        graph_(graph),
        names_(names),
        quantization_(quantization),
        nibbles_(opset_of(quantization) >= nibble_opset) {
    for (onnx::TensorProto& tensor : *proto_.mutable_initializer()) initializers_[tensor.name()] = std::move(tensor);
    for (std::size_t i = 0; i < graph.nodes.size(); ++i) nodes_[graph.nodes[i].name] = i;
    for (std::size_t i = 0; i < names.size(); ++i) values_[names[i]] = static_cast<ValueId>(i);
    for (const onnx::NodeProto& node : proto_.node()) taken_.insert(node.output().begin(), node.output().end());
    for (const auto& [name, tensor] : initializers_) taken_.insert(name);
    taken_.insert(names.begin(), names.end());
  }

  void run() {
    google::protobuf::RepeatedPtrField<onnx::NodeProto> old;
    old.Swap(proto_.mutable_node());
    std::string input = nth(names_, graph_.input);
    if (grid_of(graph_.input) != nullptr) {
      const std::string real = input;
      input = unique(input + "/quantized");
      write_pair(graph_.input, real, input);
    }
    for (onnx::NodeProto& node : old) {
      for (std::string& each : *node.mutable_input()) {
        if (each == nth(names_, graph_.input)) each = input;
      }
      quantize_parameters(node);
      const auto value = values_.find(node.output(0));
      const bool quantized = value != values_.end() && grid_of(value->second) != nullptr;
      const std::string name = node.output(0);
      if (quantized) *node.mutable_output(0) = unique(name + "/real");
      const std::string real = node.output(0);
      const std::optional<std::int32_t> center = quantized ? center_of(node) : std::nullopt;
      if (center.has_value()) count_from(*center, node);
      *proto_.add_node() = std::move(node);
      if (quantized) write_pair(value->second, real, name, center);
    }
    proto_.clear_initializer();
    for (auto& [name, tensor] : initializers_) *proto_.add_initializer() = std::move(tensor);
  }

 private:
  [[nodiscard]] const SourceGrid* grid_of(ValueId value) const {
    const auto& grid = nth(quantization_.values, value);
    return grid.has_value() ? &*grid : nullptr;
  }

  [[nodiscard]] std::string unique(const std::string& wanted) {
    std::string name = wanted;
    for (int i = 2; !taken_.insert(name).second; ++i) name = fmt::format("{}_{}", wanted, i);
    return name;
  }

  /// The smallest type for integers of so many bits.
  [[nodiscard]] int type_for(int bits, bool is_signed) const {
    if (bits > 8) return is_signed ? onnx::TensorProto::INT16 : onnx::TensorProto::UINT16;
    if (bits > 4 || !nibbles_) return is_signed ? onnx::TensorProto::INT8 : onnx::TensorProto::UINT8;
    return is_signed ? int4_type : uint4_type;
  }

  std::string add_tensor(const std::string& name, const Shape& shape, int type, std::string raw) {
    onnx::TensorProto tensor;
    tensor.set_name(unique(name));
    tensor.set_data_type(type);
    for (const std::int64_t dimension : shape) tensor.add_dims(dimension);
    tensor.set_raw_data(std::move(raw));
    return (initializers_[tensor.name()] = std::move(tensor)).name();
  }
  std::string add_integers(const std::string& name, const Shape& shape, const std::vector<std::int32_t>& integers,
                           int type) {
    return add_tensor(name, shape, type, raw_integers(integers, type));
  }
  std::string add_floats(const std::string& name, const Shape& shape, const std::vector<float>& numbers) {
    return add_tensor(name, shape, onnx::TensorProto::FLOAT,
                      {reinterpret_cast<const char*>(numbers.data()), numbers.size() * sizeof(float)});
  }

  onnx::NodeProto& add_node(const std::string& name, const char* type, const std::vector<std::string>& inputs,
                            const std::string& output) {
    onnx::NodeProto& node = *proto_.add_node();
    node.set_name(name);
    node.set_op_type(type);
    for (const std::string& input : inputs) node.add_input(input);
    node.add_output(output);
    return node;
  }

  /// The integer that halves of an average go away from, where the node is one that can say so.
  [[nodiscard]] std::optional<std::int32_t> center_of(const onnx::NodeProto& node) const {
    const auto found = nodes_.find(node.name());
    if (found == nodes_.end() || (node.op_type() != "AveragePool" && node.op_type() != "GlobalAveragePool")) return {};
    if (found->second >= quantization_.averages.size()) return {};
    const Node& average = graph_.nodes[found->second];
    const auto* pool = std::get_if<Pool>(&average.op);
    const Shape& input = graph_.shape_of(average.inputs.at(0));
    const std::int64_t count = pool != nullptr ? pool->kernel[0] * pool->kernel[1] : input[1] * input[2];
    const bool is_quantized = integers_.contains(node.input(0)) && bits_of_type(integers_.at(node.input(0)).type) == 8;
    return count <= most_averaged && is_quantized ? quantization_.averages[found->second] : std::nullopt;
  }

  /// Gives the node its input's numbers less what the integer `center` stands for.
  void count_from(std::int32_t center, onnx::NodeProto& node) {
    const Integers& from = integers_.at(node.input(0));
    if (from.zero_point == center) return;
    const std::string counted = unique(node.name() + "/counted");
    const std::string zero_point = add_integers(counted + ".zero_point", {}, {center}, from.type);
    add_node(node.name() + "/count", "DequantizeLinear", {from.name, from.scale, zero_point}, counted);
    *node.mutable_input(0) = counted;
  }

  /// Makes `output` of the real numbers `input`. `center`: they are an average, counted from that integer.
  void write_pair(ValueId value, std::string input, const std::string& output,
                  std::optional<std::int32_t> center = {}) {
    const SourceGrid& grid = *grid_of(value);
    const int type = type_for(grid.bits, grid.is_signed);
    if (bits_of_type(type) != grid.bits && !center.has_value()) {  // the type would not saturate
      const float low = grid.scale * static_cast<float>(grid.minimum() - grid.zero_point);
      const float high = grid.scale * static_cast<float>(grid.maximum() - grid.zero_point);
      const std::string saturated = unique(output + "/saturated");
      add_node(output + "/saturate", "Clip",
               {input, add_floats(output + ".lowest", {}, {low}), add_floats(output + ".highest", {}, {high})},
               saturated);
      input = saturated;
    }
    const std::string scale = add_floats(output + ".scale", {}, {grid.scale});
    const std::string zero_point = add_integers(output + ".zero_point", {}, {grid.zero_point}, type);
    const std::string integers = unique(output + "/integers");
    std::string rounding_scale = scale;
    std::string rounding_zero_point = zero_point;
    if (center.has_value()) {
      rounding_scale = add_floats(output + ".rounding_scale", {}, {grid.scale * average_scale});
      if (*center != grid.zero_point)
        rounding_zero_point = add_integers(output + ".rounding_zero_point", {}, {*center}, type);
    }
    add_node(output + "/quantize", "QuantizeLinear", {input, rounding_scale, rounding_zero_point}, integers);
    add_node(output + "/dequantize", "DequantizeLinear", {integers, scale, zero_point}, output);
    integers_[output] = {integers, scale, grid.zero_point, type};
  }

  /// The weights and the bias of a layer with a weight grid become integers.
  void quantize_parameters(onnx::NodeProto& node) {
    const auto found = nodes_.find(node.name());
    if (found == nodes_.end() || (node.op_type() != "Conv" && node.op_type() != "Gemm")) return;
    const std::optional<QuantizedWeight>& weight = quantization_.weights[found->second];
    if (!weight.has_value()) return;
    *node.mutable_input(1) = integer_weight(node.input(1), *weight);
    const SourceGrid* input = grid_of(graph_.nodes[found->second].inputs.at(0));
    if (node.input_size() > 2 && input != nullptr) {
      *node.mutable_input(2) = integer_bias(node.input(2), *weight, input->scale);
    }
  }

  std::string dequantized(const std::string& name, const std::vector<std::int32_t>& integers,
                          const std::vector<float>& scales, const std::vector<std::int32_t>& zero_points, int type) {
    const onnx::TensorProto& real = initializers_.at(name);
    const Shape shape(real.dims().begin(), real.dims().end());
    const auto channels = static_cast<std::int64_t>(scales.size());
    std::vector<std::string> inputs{add_integers(name + "/integers", shape, integers, type),
                                    add_floats(name + ".scale", {channels}, scales)};
    if (!zero_points.empty()) inputs.push_back(add_integers(name + ".zero_point", {channels}, zero_points, type));
    initializers_.erase(name);
    onnx::NodeProto& made = add_node(name + "/dequantize", "DequantizeLinear", inputs, name);
    onnx::AttributeProto& axis = *made.add_attribute();
    axis.set_name("axis");
    axis.set_type(onnx::AttributeProto::INT);
    axis.set_i(0);
    return name;
  }

  /// Channels whose scale is negative get the opposite integers: ONNX's scales are positive. Where -2^(bits-1) has no
  /// opposite, all move by one, and so does zero. Weights of 8 bits are unsigned: onnxruntime sums products of unsigned
  /// activations and signed weights in 16 bits that saturate, on x86 processors without VNNI.
  std::string integer_weight(const std::string& name, const QuantizedWeight& weight) {
    const std::vector<float> real = floats_of(initializers_.at(name));
    const std::size_t size = real.size() / weight.scales.size();
    std::vector<std::int32_t> integers;
    std::vector<float> scales;
    std::vector<std::int32_t> zero_points;
    const std::int32_t middle = weight.bits == 8 ? 128 : 0;
    for (std::size_t c = 0; c < weight.scales.size(); ++c) {
      const float scale = std::abs(weight.scales[c]);
      const auto filter = std::span(real).subspan(c * size, size);
      const auto integer = [&](float x) { return static_cast<std::int32_t>(std::lround(x / scale)); };
      const bool moves = std::ranges::any_of(filter, [&](float x) { return integer(x) == 1 << (weight.bits - 1); });
      zero_points.push_back(middle - (moves ? 1 : 0));
      for (const float x : filter) integers.push_back(integer(x) + zero_points.back());
      scales.push_back(scale);
    }
    if (std::ranges::count(zero_points, 0) == std::ssize(zero_points)) zero_points.clear();
    return dequantized(name, integers, scales, zero_points, type_for(weight.bits, middle == 0));
  }

  /// In units of the accumulators, halves as the device rounds them: upward in its own units, whose sign is the
  /// scale's.
  std::string integer_bias(const std::string& name, const QuantizedWeight& weight, float input_scale) {
    const std::vector<float> real = floats_of(initializers_.at(name));
    std::vector<std::int32_t> integers;
    std::vector<float> scales;
    for (std::size_t c = 0; c < real.size(); ++c) {
      const double sign = weight.scales[c] < 0 ? -1 : 1;
      scales.push_back(input_scale * std::abs(weight.scales[c]));
      const double level = std::floor(real[c] / (sign * static_cast<double>(scales[c])) + 0.5);
      if (!(std::abs(level) < 2147483647.0)) return name;  // 32 bits do not hold it: it stays real
      integers.push_back(static_cast<std::int32_t>(sign * level));
    }
    return dequantized(name, integers, scales, {}, onnx::TensorProto::INT32);
  }

  onnx::GraphProto& proto_;
  const Graph& graph_;
  const std::vector<std::string>& names_;
  const OnnxQuantization& quantization_;
  bool nibbles_;
  std::map<std::string, onnx::TensorProto> initializers_;
  std::map<std::string, std::size_t> nodes_;  ///< of the graph, by name
  std::map<std::string, ValueId> values_;     ///< by their names in the model
  std::set<std::string> taken_;
  /// What DequantizeLinear makes a value of.
  struct Integers {
    std::string name;
    std::string scale;
    std::int32_t zero_point = 0;
    int type = 0;
  };
  std::map<std::string, Integers> integers_;  ///< by the value's name
};

}  // namespace

std::int64_t opset_of(const OnnxQuantization& quantization) {
  const auto is_byte = [](const auto& own) { return !own.has_value() || (own->bits > 4 && own->bits <= 8); };
  const bool bytes =
      std::ranges::all_of(quantization.values, is_byte) && std::ranges::all_of(quantization.weights, is_byte);
  return bytes ? byte_opset : nibble_opset;
}

void quantize_model(onnx::ModelProto& model, const Graph& graph, const std::vector<std::string>& names,
                    const OnnxQuantization& quantization) {
  Quantizing(model, graph, names, quantization).run();
}

}  // namespace trimtab::onnx_writer
