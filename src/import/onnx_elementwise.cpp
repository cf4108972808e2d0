#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>

#include "base/index.h"
#include "import/onnx_import.h"

// Activation functions and arithmetics.
namespace trimtab::onnx_reader {
namespace {

constexpr float infinity = std::numeric_limits<float>::infinity();

/// Clip{0, inf} is Relu.
[[nodiscard]] Operator clip_between(float low, float high) {
  if (low == 0 && high == infinity) return Relu{};
  return Clip{low, high};
}

void clip(Import& import, const OnnxNode& node) {
  constexpr float most = std::numeric_limits<float>::max();
  float low = scalar_of(import, node, 1, node.number("min", -infinity));
  float high = scalar_of(import, node, 2, node.number("max", infinity));
  if (low <= -most) low = -infinity;
  if (high >= most) high = infinity;
  if (!(low <= high)) throw node.error("clips to [{}, {}]; the low end must not be above the high one", low, high);
  emit_like(import, node, clip_between(low, high));
}

/// Makes `small` a {C,1,1} value that is broadcast over `large`; -1 where it does not fit.
[[nodiscard]] ValueId broadcast(Import& import, const OnnxNode& node, const View& small, const View& large) {
  const Shape shape = import.shape_of(small);
  const Shape over = import.shape_of(large);
  if (small.shape.size() != large.shape.size() || over.size() != 3) return -1;
  for (std::size_t i = 0; i < small.shape.size(); ++i) {
    if (small.shape[i] == 1 || small.shape[i] == batch) {
      if (small.shape[i] == batch && large.shape[i] != batch) return -1;
      continue;
    }
    if (small.shape[i] != large.shape[i] || axis_of_dimension(import, large, static_cast<std::int64_t>(i)) != 0) {
      return -1;
    }
  }
  if (element_count(shape) != over[0] || long_order(small, shape).size() > 1) return -1;
  return import.reshaped(node, small.value, {over[0], 1, 1});
}

/// An image of one channel with as many channels as `large`, all alike: a 1x1 convolution with ones. Nothing where
/// `small` is no such image.
[[nodiscard]] std::optional<View> repeated_channels(Import& import, const OnnxNode& node, const View& small,
                                                    const View& large) {
  const Shape shape = import.shape_of(small);
  const Shape over = import.shape_of(large);
  if (shape.size() != 3 || over.size() != 3 || shape[0] != 1 || over[0] == 1) return std::nullopt;
  if (small.shape.size() != large.shape.size() || small.order != large.order) return std::nullopt;
  View result = small;
  bool repeats = false;
  for (std::size_t i = 0; i < small.shape.size(); ++i) {
    if (small.shape[i] == large.shape[i]) continue;
    if (small.shape[i] != 1) return std::nullopt;
    if (axis_of_dimension(import, large, static_cast<std::int64_t>(i)) != 0) continue;
    result.shape[i] = over[0];
    repeats = true;
  }
  if (!repeats) return std::nullopt;
  import.budget().charge(over[0]);
  Conv ones;
  ones.weight = {{over[0], 1, 1, 1}, std::vector<float>(static_cast<std::size_t>(over[0]), 1.0F)};
  result.value = import.emit(node, std::move(ones), {small.value}, "/channels");
  return result;
}

[[nodiscard]] View combine_views(Import& import, const OnnxNode& node, const View& a, const View& b,
                                 const Operator& op);

/// Add or Mul of two tensors of different shapes, one of which is broadcast; nothing where the values do not fit.
[[nodiscard]] std::optional<View> combine_broadcast(Import& import, const OnnxNode& node, const View& a, const View& b,
                                                    const Operator& op) {
  if (const auto wide = repeated_channels(import, node, b, a); wide.has_value())
    return combine_views(import, node, a, *wide, op);
  if (const auto wide = repeated_channels(import, node, a, b); wide.has_value())
    return combine_views(import, node, *wide, b, op);
  View result = a;
  if (const ValueId small = broadcast(import, node, b, a); small >= 0) {
    result.value = import.emit(node, op, {a.value, small});
    return result;
  }
  if (const ValueId small = broadcast(import, node, a, b); small >= 0) {
    result = b;
    result.value = import.emit(node, op, {small, b.value});
    return result;
  }
  return std::nullopt;
}

/// Add or Mul of two values that both depend on the network's input.
[[nodiscard]] View combine_views(Import& import, const OnnxNode& node, const View& a, const View& b,
                                 const Operator& op) {
  const Shape shape_a = import.shape_of(a);
  const Shape shape_b = import.shape_of(b);
  View result = a;
  if (a.shape == b.shape) {
    if (shape_a == shape_b && a.order == b.order) {
      result.value = import.emit(node, op, {a.value, b.value});
      return result;
    }
    result = import.plain(node, a);
    result.value = import.emit(node, op, {result.value, import.plain(node, b).value});
    return result;
  }
  if (auto widened = combine_broadcast(import, node, a, b, op); widened.has_value()) return *widened;
  // a Reshape may lie between a tensor and its value
  const View plain_a = import.plain(node, a);
  if (auto widened = combine_broadcast(import, node, plain_a, import.plain(node, b), op); widened.has_value())
    return *widened;
  throw node.error("reads tensors of shapes {} and {}; they must be the same, or one have a single number per channel",
                   describe_shape(a.shape), describe_shape(b.shape));
}

void leaky_relu(Import& import, const OnnxNode& node) {
  emit_like(import, node, LeakyRelu{node.number("alpha", 0.01F)});
}

/// With a slope of its own for each channel, the sum of x's positive and its sloped negative part.
void prelu(Import& import, const OnnxNode& node) {
  const ConstantPointer slope = import.constant(node, 1);
  if (slope == nullptr || slope->integral || slope->floats.empty()) throw node.error("lacks its slopes");
  if (std::all_of(slope->floats.begin(), slope->floats.end(), [&](float x) { return x == slope->floats[0]; })) {
    emit_like(import, node, LeakyRelu{slope->floats[0]});
    return;
  }
  const View x = import.view(node, 0);
  View positive = x;
  positive.value = import.emit(node, Relu{}, {x.value}, "/positive");
  View negative = x;
  negative.value = import.emit(node, Clip{-infinity, 0}, {x.value}, "/negative");
  negative = apply_constant(import, node, negative, *slope, Arithmetic::multiply);
  import.set(node, combine_views(import, node, positive, negative, Add{}));
}

void hard_sigmoid(Import& import, const OnnxNode& node) {
  emit_like(import, node, HardSigmoid{node.number("alpha", 0.2F), node.number("beta", 0.5F)});
}

/// max(a, b) is a + relu(b - a), min(a, b) is a - relu(a - b).
[[nodiscard]] View extremum_of(Import& import, const OnnxNode& node, const View& a, const View& b) {
  const Constant minus{{}, false, {-1.0F}, {}};
  const bool maximum = node.type() == "Max";
  const View turned = apply_constant(import, node, maximum ? a : b, minus, Arithmetic::multiply);
  View excess = combine_views(import, node, maximum ? b : a, turned, Add{});
  excess.value = import.emit(node, Relu{}, {excess.value}, "/excess");
  if (!maximum) excess = apply_constant(import, node, excess, minus, Arithmetic::multiply);
  return combine_views(import, node, a, excess, Add{});
}

/// Min and Max; with a constant they are Clips.
void extremum(Import& import, const OnnxNode& node) {
  if (node.proto().input_size() != 2) throw node.error("has {} inputs; two are supported", node.proto().input_size());
  if (!import.is_constant(node, 0) && !import.is_constant(node, 1)) {
    import.set(node, extremum_of(import, node, import.view(node, 0), import.view(node, 1)));
    return;
  }
  const int constant = import.is_constant(node, 0) ? 0 : 1;
  const View view = import.view(node, 1 - constant);
  const float bound = scalar_of(import, node, constant, 0);
  const Operator op = node.type() == "Max" ? clip_between(bound, infinity) : clip_between(-infinity, bound);
  import.set_like(node, view, import.emit(node, op, {view.value}));
}

[[nodiscard]] View reciprocal_of(Import& import, const OnnxNode& node, View view) {
  view.value = import.emit(node, ScalarFunction{{{FunctionStep::Kind::reciprocal}}}, {view.value}, "/reciprocal");
  return view;
}

void arithmetic(Import& import, const OnnxNode& node) {
  if (node.proto().input_size() != 2) throw node.error("has {} inputs; two are needed", node.proto().input_size());
  const std::string& type = node.type();
  const bool first = import.is_constant(node, 0);
  if (first || import.is_constant(node, 1)) {
    const ConstantPointer constant = import.constant(node, first ? 0 : 1);
    Arithmetic kind = Arithmetic::add;
    if (type == "Mul") kind = Arithmetic::multiply;
    if (type == "Sub") kind = first ? Arithmetic::subtract_from : Arithmetic::subtract;
    if (type == "Div") kind = Arithmetic::divide;
    View view = import.view(node, first ? 1 : 0);
    if (type == "Div" && first) {
      view = reciprocal_of(import, node, view);
      kind = Arithmetic::multiply;
    }
    import.set(node, apply_constant(import, node, view, *constant, kind));
    return;
  }
  const View& a = import.view(node, 0);
  View b = import.view(node, 1);
  if (type == "Div") b = reciprocal_of(import, node, b);
  if (type == "Sub") b = apply_constant(import, node, b, {{}, false, {-1.0F}, {}}, Arithmetic::multiply);
  const bool multiplies = type == "Mul" || type == "Div";
  import.set(node, combine_views(import, node, a, b, multiplies ? Operator(Mul{}) : Operator(Add{})));
}

void sum(Import& import, const OnnxNode& node) {
  if (node.proto().input_size() < 1) throw node.error("has no input");
  View total = import.view(node, 0);
  for (int i = 1; i < node.proto().input_size(); ++i)
    total = combine_views(import, node, total, import.view(node, i), Add{});
  import.set(node, total);
}

/// Where(c, a, b) is c * a + (1 - c) * b: what compares makes 1 and 0.
void where(Import& import, const OnnxNode& node) {
  const View condition = import.view(node, 0);
  View opposite = condition;
  opposite.value =
      import.emit(node, ScalarFunction{{{FunctionStep::Kind::affine, -1, -1, -1, 1}}}, {condition.value}, "/opposite");
  const auto chosen = [&](const View& by, int index) {
    if (!import.is_constant(node, index)) return combine_views(import, node, by, import.view(node, index), Mul{});
    return apply_constant(import, node, by, *import.constant(node, index), Arithmetic::multiply);
  };
  const View first = chosen(condition, 1);
  const View second = chosen(opposite, 2);
  import.set(node, combine_views(import, node, first, second, Add{}));
}

void negate(Import& import, const OnnxNode& node) {
  import.set(node, apply_constant(import, node, import.view(node, 0), {{}, false, {-1.0F}, {}}, Arithmetic::multiply));
}

/// The Affine with one `number` per channel (or one for all).
[[nodiscard]] Affine affine_of(const std::vector<float>& numbers, std::int64_t channels, Arithmetic arithmetic) {
  Affine affine{{{channels}, {}}, {{channels}, {}}};
  for (std::int64_t c = 0; c < channels; ++c) {
    const float number = numbers.size() == 1 ? numbers[0] : nth(numbers, c);
    float scale = 1;
    float offset = 0;
    switch (arithmetic) {
      case Arithmetic::add:
        offset = number;
        break;
      case Arithmetic::subtract:
        offset = -number;
        break;
      case Arithmetic::subtract_from:
        scale = -1, offset = number;
        break;
      case Arithmetic::multiply:
        scale = number;
        break;
      case Arithmetic::divide:
        scale = 1 / number;
        break;
    }
    affine.scale.data.push_back(scale);
    affine.offset.data.push_back(offset);
  }
  return affine;
}

/// For each element of the value the constant's number that ONNX's broadcasting gives it.
[[nodiscard]] std::vector<float> spread(const View& view, const Shape& value_shape, const Constant& constant) {
  const Shape sample = sample_shape(view);
  Shape own(view.shape.size() - constant.shape.size(), 1);
  own.insert(own.end(), constant.shape.begin(), constant.shape.end());
  own.erase(own.begin());
  const auto order = element_order(view, value_shape);
  std::vector<float> numbers(order.size());
  for (std::size_t i = 0; i < order.size(); ++i) {
    std::int64_t rest = static_cast<std::int64_t>(i);
    std::int64_t stride = 1;
    std::int64_t from = 0;
    for (std::size_t axis = sample.size(); axis-- > 0;) {
      const std::int64_t index = rest % sample[axis];
      rest /= sample[axis];
      if (own[axis] != 1) from += index * stride;
      stride *= own[axis];
    }
    nth(numbers, order[i]) = nth(constant.floats, from);
  }
  return numbers;
}

}  // namespace

void emit_like(Import& import, const OnnxNode& node, Operator op) {
  const View view = import.view(node, 0);
  import.set_like(node, view, import.emit(node, std::move(op), {view.value}));
}

float scalar_of(Import& import, const OnnxNode& node, int index, float otherwise) {
  const ConstantPointer constant = import.constant(node, index);
  if (constant == nullptr) return otherwise;
  if (constant->integral || constant->size() != 1) throw node.error("has an input {} that is not one float", index);
  return constant->floats[0];
}

View apply_constant(Import& import, const OnnxNode& node, View view, const Constant& constant, Arithmetic arithmetic) {
  if (constant.integral) throw node.error("computes with integers where float32 is needed");
  const auto mismatch = [&] {
    return node.error("combines a tensor of shape {} with a constant of shape {}, which does not fit",
                      describe_shape(view.shape), describe_shape(constant.shape));
  };
  if (constant.size() == 0) throw mismatch();
  const std::size_t rank = view.shape.size();
  std::vector<std::int64_t> varying;  // dimensions of the tensor along which the constant changes
  for (std::size_t i = 0; i < constant.shape.size(); ++i) {
    if (constant.shape[i] == 1) continue;
    if (constant.shape.size() - i > rank) throw mismatch();
    const std::size_t dimension = rank - constant.shape.size() + i;
    if (constant.shape[i] != view.shape[dimension]) throw mismatch();
    varying.push_back(static_cast<std::int64_t>(dimension));
  }
  if (constant.shape.size() > rank) throw mismatch();

  bool per_channel = varying.empty() || (varying.size() == 1 && axis_of_dimension(import, view, varying[0]) == 0);
  if (!per_channel && is_plain(view, import.shape_of(view)) && varying == std::vector<std::int64_t>{1}) {
    view = import.plain(node, view);  // flattened before
    per_channel = true;
  }
  const Shape shape = import.shape_of(view);
  if (per_channel) {
    import.budget().charge(2 * shape[0]);
    view.value = import.emit(node, affine_of(constant.floats, shape[0], arithmetic), {view.value});
    return view;
  }
  // A number of its own for each element: as channels of a vector.
  const std::int64_t elements = element_count(shape);
  if (view.shape[0] != batch) throw mismatch();
  import.budget().charge(5 * elements);
  const ValueId flat = import.reshaped(node, view.value, {elements});
  const Affine affine = affine_of(spread(view, shape, constant), elements, arithmetic);
  view.value = import.reshaped(node, import.emit(node, affine, {flat}), shape);
  return view;
}

void add_elementwise(Operators& operators) {
  operators["Relu"] = [](Import& import, const OnnxNode& node) { emit_like(import, node, Relu{}); };
  operators["Sigmoid"] = [](Import& import, const OnnxNode& node) { emit_like(import, node, Sigmoid{}); };
  operators["HardSwish"] = [](Import& import, const OnnxNode& node) { emit_like(import, node, HardSwish{}); };
  operators["Clip"] = clip;
  operators["Min"] = extremum;
  operators["Max"] = extremum;
  operators["LeakyRelu"] = leaky_relu;
  operators["PRelu"] = prelu;
  operators["HardSigmoid"] = hard_sigmoid;
  for (const char* type : {"Add", "Sub", "Mul", "Div"}) operators[type] = arithmetic;
  operators["Sum"] = sum;
  operators["Where"] = where;
  operators["Neg"] = negate;
}

}  // namespace trimtab::onnx_reader
