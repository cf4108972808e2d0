#include <algorithm>
#include <cmath>
#include <optional>
#include <set>

#include "base/index.h"
#include "graph/sign.h"
#include "import/onnx_evaluators.h"
#include "import/onnx_import.h"

// QuantizeLinear and DequantizeLinear. The graph keeps real numbers: between the two a tensor stands for the same
// value, which remembers the grid.
namespace trimtab::onnx_reader {
namespace {

/// The integers of a type that can be quantized to, as those of a grid that has no scale yet.
[[nodiscard]] SourceGrid integers_of_type(const OnnxNode& node, std::int64_t type) {
  switch (type) {
    case onnx::TensorProto::UINT8:
      return {1, 0, 8, false};
    case onnx::TensorProto::INT8:
      return {1, 0, 8, true};
    case onnx::TensorProto::UINT16:
      return {1, 0, 16, false};
    case onnx::TensorProto::INT16:
      return {1, 0, 16, true};
    case uint4_type:
      return {1, 0, 4, false};
    case int4_type:
      return {1, 0, 4, true};
    default:
      throw node.error("quantizes to a type that is not supported; integers of 4, 8 and 16 bits are");
  }
}

/// Scales and zero points of a node, and which of them an element of its tensor has.
class Scales {
 public:
  Scales(const OnnxNode& node, const Shape& shape, const Constant& scale, const Constant* zero_point)
      : scale_(scale), zero_point_(zero_point) {
    if (scale.integral || scale.size() < 1) throw node.error("has no scale of real numbers");
    for (const float number : scale.floats) {
      if (!(number > 0) || !std::isfinite(number)) throw node.error("has a scale of {}, which is not positive", number);
    }
    if (zero_point != nullptr && (!zero_point->integral || zero_point->size() != scale.size()))
      throw node.error("has {} zero points for {} scales", zero_point->size(), scale.size());
    if (scale.size() == 1) return;
    const auto axis = static_cast<std::size_t>(normalize_axes(node, {node.integer("axis", 1)}, shape.size())[0]);
    block_ = node.integer("block_size", 0);
    if (block_ < 0) throw node.error("has a block size of {}", block_);
    Shape expected = block_ == 0 ? Shape{shape[axis]} : shape;
    if (block_ > 0) expected[axis] = (shape[axis] + block_ - 1) / block_;
    if (scale.shape != expected) {
      throw node.error("has scales of shape {}; {} is needed", describe_shape(scale.shape), describe_shape(expected));
    }
    length_ = shape[axis];
    for (std::size_t i = axis + 1; i < shape.size(); ++i) inner_ *= shape[i];
  }

  /// Of an element of the tensor, in C order.
  [[nodiscard]] std::size_t index(std::int64_t element) const {
    if (length_ == 0) return 0;
    const std::int64_t along = element / inner_ % length_;
    if (block_ == 0) return static_cast<std::size_t>(along);
    const std::int64_t blocks = (length_ + block_ - 1) / block_;
    return static_cast<std::size_t>((element / (inner_ * length_) * blocks + along / block_) * inner_ +
                                    element % inner_);
  }
  [[nodiscard]] double scale(std::size_t index) const { return scale_.floats[index]; }
  [[nodiscard]] std::int64_t zero_point(std::size_t index) const {
    return zero_point_ == nullptr ? 0 : zero_point_->integers[index];
  }

 private:
  const Constant& scale_;
  const Constant* zero_point_;
  std::int64_t length_ = 0;  ///< of the axis; 0: one scale for all
  std::int64_t inner_ = 1;
  std::int64_t block_ = 0;
};

[[nodiscard]] const Constant* optional_input(const Inputs& inputs, std::size_t index) {
  return index < inputs.size() ? inputs[index].get() : nullptr;
}

/// The type that QuantizeLinear makes.
[[nodiscard]] std::int64_t quantized_type(const OnnxNode& node, const Constant* zero_point) {
  if (zero_point != nullptr && zero_point->type != 0) return zero_point->type;
  const std::int64_t given = node.integer("output_dtype", 0);
  return given != 0 ? given : static_cast<std::int64_t>(onnx::TensorProto::UINT8);
}

Constant quantize_constant(const OnnxNode& node, const Inputs& inputs, Budget& budget) {
  const Constant& source = constant_input(node, inputs, 0);
  if (source.integral) throw node.error("quantizes integers");
  const Constant* zero_point = optional_input(inputs, 2);
  const Scales scales(node, source.shape, constant_input(node, inputs, 1), zero_point);
  const std::int64_t type = quantized_type(node, zero_point);
  const SourceGrid range = integers_of_type(node, type);
  budget.charge(source.size());
  Constant result{source.shape, true, {}, {}};
  result.type = static_cast<int>(type);
  for (std::int64_t i = 0; i < source.size(); ++i) {
    const std::size_t index = scales.index(i);
    // ONNX rounds halves to even
    const double level = std::nearbyint(source.floats[static_cast<std::size_t>(i)] / scales.scale(index)) +
                         static_cast<double>(scales.zero_point(index));
    result.integers.push_back(static_cast<std::int64_t>(
        std::clamp(level, static_cast<double>(range.minimum()), static_cast<double>(range.maximum()))));
  }
  return result;
}

Constant dequantize_constant(const OnnxNode& node, const Inputs& inputs, Budget& budget) {
  const Constant& source = constant_input(node, inputs, 0);
  if (!source.integral) throw node.error("dequantizes numbers that are not integers");
  const Scales scales(node, source.shape, constant_input(node, inputs, 1), optional_input(inputs, 2));
  budget.charge(source.size());
  Constant result{source.shape, false, {}, {}};
  for (std::int64_t i = 0; i < source.size(); ++i) {
    const std::size_t index = scales.index(i);
    const std::int64_t steps = source.integers[static_cast<std::size_t>(i)] - scales.zero_point(index);
    result.floats.push_back(static_cast<float>(scales.scale(index) * static_cast<double>(steps)));
  }
  return result;
}

/// The grid of a computed value, which has one scale, with the integers of `grid`.
[[nodiscard]] SourceGrid grid_of(Import& import, const OnnxNode& node, SourceGrid grid) {
  const ConstantPointer scale = import.constant(node, 1);
  if (scale == nullptr) throw node.error("lacks its scale");
  const ConstantPointer zero_point = import.constant(node, 2);
  if (scale->size() != 1) throw node.error("has several scales for a computed value; one is supported");
  const Scales checked(node, {}, *scale, zero_point.get());
  const std::int64_t zero = checked.zero_point(0);
  if (zero < grid.minimum() || zero > grid.maximum()) throw node.error("has a zero point of {}", zero);
  grid.scale = scale->floats[0];
  grid.zero_point = static_cast<std::int32_t>(zero);
  return grid;
}

/// A Relu can be left out in front of integers that begin at 0; the graph of real numbers gets it back.
void quantize_view(Import& import, const OnnxNode& node) {
  View view = import.view(node, 0);
  const std::int64_t type = quantized_type(node, import.constant(node, 2).get());
  const SourceGrid grid = grid_of(import, node, integers_of_type(node, type));
  if (grid.zero_point == grid.minimum() && view.value != import.graph().input &&
      !nth(non_negative_values(import.graph()), view.value)) {
    view.value = import.emit(node, Relu{}, {view.value}, "/saturation");
  }
  import.set(node, std::move(view));
  import.set_integers(node.proto().output(0), grid);
}

/// Whether scales differ by so little that no integer of 8 bits stands for another number by a hundredth of a step:
/// those of an average do that rounds halves away from zero.
[[nodiscard]] bool is_same_scale(const SourceGrid& a, const SourceGrid& b) {
  return a.scale == b.scale || (a.bits <= 8 && std::abs(a.scale - b.scale) <= b.scale * 0x1p-16F);
}

/// The node that makes a value, if there is one.
[[nodiscard]] const Node* maker_of(const Graph& graph, ValueId value) {
  const auto found = std::ranges::find(graph.nodes, value, &Node::output);
  return found == graph.nodes.end() ? nullptr : &*found;
}

/// Where the value, whose integers are `made`, is an average of numbers counted from another integer than zero, as
/// quantized.onnx has them: the average of the numbers as they are, which `grid` has.
[[nodiscard]] std::optional<Node> average_counted_apart(const Graph& graph, ValueId value, const SourceGrid& made,
                                                        const SourceGrid& grid) {
  const Node* average = maker_of(graph, value);
  const bool from_least = made.zero_point == made.minimum();  // so that a Relu in front of the integers does nothing
  if (average != nullptr && from_least && std::holds_alternative<Relu>(average->op))
    average = maker_of(graph, average->inputs[0]);
  if (average == nullptr) return std::nullopt;
  const auto* pool = std::get_if<Pool>(&average->op);
  const bool averages = std::holds_alternative<GlobalAveragePool>(average->op) ||
                        (pool != nullptr && pool->kind == PoolKind::average && !pool->count_include_pad);
  const Node* counted = averages ? maker_of(graph, average->inputs[0]) : nullptr;
  const auto* affine = counted != nullptr ? std::get_if<Affine>(&counted->op) : nullptr;
  if (affine == nullptr) return std::nullopt;
  const float offset = grid.scale * static_cast<float>(grid.zero_point - made.zero_point);
  const bool apart = std::ranges::all_of(affine->scale.data, [](float each) { return each == 1; }) &&
                     std::ranges::all_of(affine->offset.data, [&](float each) { return each == offset; });
  return apart ? std::optional(Node{{}, average->op, counted->inputs, -1}) : std::nullopt;
}

/// Between QuantizeLinear and DequantizeLinear nothing happens to the value. Integers that came another way, as those
/// of a quantized input, become real numbers.
void dequantize_view(Import& import, const OnnxNode& node) {
  const View view = import.view(node, 0);
  const std::optional<SourceGrid> made = import.integers_of(node.proto().input(0));
  const ConstantPointer zero_point = import.constant(node, 2);
  const bool typed = zero_point != nullptr && zero_point->type != 0;
  const int type = typed ? zero_point->type : static_cast<int>(onnx::TensorProto::UINT8);
  const SourceGrid grid = grid_of(import, node, made && !typed ? *made : integers_of_type(node, type));
  if (made.has_value() && is_same_scale(*made, grid)) {
    if (made->zero_point == grid.zero_point) {
      std::optional<SourceGrid>& own = nth(import.graph().values, view.value).grid;
      if (own == *made) own = grid;
      import.set(node, view);
      return;
    }
    if (const auto average = average_counted_apart(import.graph(), view.value, *made, grid)) {
      View whole = view;
      whole.value = import.emit(node, average->op, average->inputs);
      import.set(node, whole);
      import.set_grid(node.proto().output(0), grid);
      return;
    }
  }
  const float unit = made.has_value() ? made->scale : 1.0F;
  const auto origin = static_cast<float>(made.has_value() ? made->zero_point : 0);
  const float scale = grid.scale / unit;
  const float offset = grid.scale * (origin - static_cast<float>(grid.zero_point));
  View scaled = view;
  if (scale != 1) scaled = apply_constant(import, node, view, Constant{{}, false, {scale}, {}}, Arithmetic::multiply);
  import.set(node, apply_constant(import, node, scaled, Constant{{}, false, {offset}, {}}, Arithmetic::add));
  import.set_grid(node.proto().output(0), grid);
}

}  // namespace

void add_quantization(Operators& operators) {
  operators["QuantizeLinear"] = quantize_view;
  operators["DequantizeLinear"] = dequantize_view;
}

void add_quantization_evaluators(Evaluators& evaluators) {
  evaluators["QuantizeLinear"] = quantize_constant;
  evaluators["DequantizeLinear"] = dequantize_constant;
}

std::optional<onnx::NodeProto> on_real_numbers(Import& import, const OnnxNode& node, const SourceGrid& grid) {
  static const std::set<std::string> movers{
      "MaxPool", "GlobalMaxPool", "Reshape", "Flatten", "Squeeze", "Unsqueeze", "Transpose",    "Identity",    "Slice",
      "Split",   "Gather",        "Concat",  "Expand",  "Resize",  "Upsample",  "DepthToSpace", "SpaceToDepth"};
  onnx::NodeProto real = node.proto();
  if (movers.contains(node.type())) return real;
  const bool clips = node.type() == "Clip";
  if (!clips && node.type() != "Pad") return std::nullopt;
  // Clip's ends and Pad's number are integers of the grid.
  for (const int index : clips ? std::vector<int>{1, 2} : std::vector<int>{2}) {
    const ConstantPointer integer = import.constant(node, index);
    if (clips && integer == nullptr) continue;
    if (integer != nullptr && (!integer->integral || integer->size() != 1))
      throw node.error("has no single integer for its integers");
    const std::int64_t number = integer == nullptr ? 0 : integer->integers[0];
    const std::string name = fmt::format("{}:real{}", node.proto().output(0), index);
    import.define(name, Constant{{}, false, {grid.scale * static_cast<float>(number - grid.zero_point)}, {}});
    while (real.input_size() <= index) real.add_input("");
    *real.mutable_input(index) = name;
  }
  return real;
}

}  // namespace trimtab::onnx_reader
