#include "import/onnx_constant.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>
#include <optional>
#include <set>
#include <string_view>

namespace trimtab::onnx_reader {
namespace {

using Inputs = std::vector<ConstantPointer>;
using Evaluator = Constant (*)(const OnnxNode&, const Inputs&, Budget&);

[[nodiscard]] const Constant& input(const OnnxNode& node, const Inputs& inputs, std::size_t index) {
  if (index >= inputs.size() || inputs[index] == nullptr) throw node.error("lacks its input {}", index);
  return *inputs[index];
}

[[nodiscard]] const std::vector<std::int64_t>& integers(const OnnxNode& node, const Constant& constant) {
  if (!constant.integral) throw node.error("reads floats where integers are needed");
  return constant.integers;
}

/// An attribute that became an input in a later opset.
[[nodiscard]] std::vector<std::int64_t> integers_from(const OnnxNode& node, const Inputs& inputs,
                                                      std::string_view attribute, std::size_t index) {
  if (index < inputs.size() && inputs[index] != nullptr) return integers(node, *inputs[index]);
  return node.integers(attribute);
}

/// Calls `visit(to, from)` for every element of `shape`, `from` being an offset with the strides given.
template <typename Visit>
void for_each(const Shape& shape, const std::vector<std::int64_t>& strides, std::int64_t start, const Visit& visit) {
  const std::int64_t count = element_count(shape);
  std::vector<std::int64_t> index(shape.size(), 0);
  std::int64_t from = start;
  for (std::int64_t to = 0; to < count; ++to) {
    visit(static_cast<std::size_t>(to), static_cast<std::size_t>(from));
    for (std::size_t axis = shape.size(); axis-- > 0;) {
      from += strides[axis];
      if (++index[axis] < shape[axis]) break;
      from -= strides[axis] * shape[axis];
      index[axis] = 0;
    }
  }
}

[[nodiscard]] std::vector<std::int64_t> strides_of(const Shape& shape) {
  std::vector<std::int64_t> strides(shape.size(), 1);
  for (std::size_t axis = shape.size(); axis-- > 1;) strides[axis - 1] = strides[axis] * shape[axis];
  return strides;
}

/// `source` rearranged: element i of the result, in C order over `shape`, is at `start` plus its index times `strides`.
[[nodiscard]] Constant gather_strided(const Constant& source, Shape shape, const std::vector<std::int64_t>& strides,
                                      std::int64_t start, Budget& budget) {
  budget.charge(element_count(shape));
  Constant result{std::move(shape), source.integral, {}, {}};
  if (source.integral) {
    result.integers.resize(static_cast<std::size_t>(result.size()));
    for_each(result.shape, strides, start, [&](auto to, auto from) { result.integers[to] = source.integers[from]; });
  } else {
    result.floats.resize(static_cast<std::size_t>(result.size()));
    for_each(result.shape, strides, start, [&](auto to, auto from) { result.floats[to] = source.floats[from]; });
  }
  return result;
}

[[nodiscard]] Constant with_shape(const OnnxNode& node, const Constant& source, Shape shape, Budget& budget) {
  std::int64_t count = 1;
  for (const std::int64_t dimension : shape) {
    if (dimension < 0 || dimension > source.size()) throw node.error("reshapes a constant to an impossible shape");
    count = std::min(count * dimension, most_elements + 1);
  }
  if (count != source.size()) {
    throw node.error("turns a constant of shape {} into {}; the number of elements must stay",
                     describe_shape(source.shape), describe_shape(shape));
  }
  budget.charge(count);
  Constant result = source;
  result.shape = std::move(shape);
  return result;
}

Constant copy(const OnnxNode& node, const Inputs& inputs, Budget& budget) {
  const Constant& source = input(node, inputs, 0);
  return with_shape(node, source, source.shape, budget);
}

Constant cast(const OnnxNode& node, const Inputs& inputs, Budget& budget) {
  const Constant& source = input(node, inputs, 0);
  budget.charge(source.size());
  Constant result{source.shape, false, {}, {}};
  switch (node.integer("to", onnx::TensorProto::FLOAT)) {
    case onnx::TensorProto::FLOAT:
    case onnx::TensorProto::FLOAT16:
    case onnx::TensorProto::DOUBLE:
      break;
    case onnx::TensorProto::INT32:
    case onnx::TensorProto::INT64:
      result.integral = true;
      break;
    default:
      throw node.error("casts to a type that is not supported; float32 and int64 are");
  }
  if (result.integral == source.integral) {
    result.floats = source.floats;
    result.integers = source.integers;
  } else if (result.integral) {
    for (const float x : source.floats) {
      if (!(std::abs(x) < 9e18F)) throw node.error("casts {} to an integer", x);
      result.integers.push_back(static_cast<std::int64_t>(x));
    }
  } else {
    for (const std::int64_t x : source.integers) {
      if (x == batch) throw node.error("computes with the batch dimension, which must stay free");
      result.floats.push_back(static_cast<float>(x));
    }
  }
  return result;
}

Constant fold_reshape(const OnnxNode& node, const Inputs& inputs, Budget& budget) {
  const Constant& source = input(node, inputs, 0);
  Shape shape = integers_from(node, inputs, "shape", 1);
  std::int64_t known = 1;
  std::optional<std::size_t> free;
  for (std::size_t axis = 0; axis < shape.size(); ++axis) {
    if (shape[axis] == 0 && node.integer("allowzero", 0) == 0) {
      if (axis >= source.shape.size()) throw node.error("copies dimension {}, which its input does not have", axis);
      shape[axis] = source.shape[axis];
    }
    if (shape[axis] == -1) {
      if (free.has_value()) throw node.error("has two free dimensions");
      free = axis;
    } else if (shape[axis] < 0 || shape[axis] > source.size()) {
      throw node.error("reshapes a constant to an impossible shape");
    } else {
      known = std::min(known * shape[axis], most_elements + 1);
    }
  }
  if (free.has_value()) shape[*free] = known > 0 ? source.size() / known : 0;
  return with_shape(node, source, shape, budget);
}

Constant fold_squeeze(const OnnxNode& node, const Inputs& inputs, Budget& budget) {
  const Constant& source = input(node, inputs, 0);
  return with_shape(node, source, squeeze_shape(node, source.shape, integers_from(node, inputs, "axes", 1)), budget);
}

Constant fold_unsqueeze(const OnnxNode& node, const Inputs& inputs, Budget& budget) {
  const Constant& source = input(node, inputs, 0);
  return with_shape(node, source, unsqueeze_shape(node, source.shape, integers_from(node, inputs, "axes", 1)), budget);
}

Constant fold_transpose(const OnnxNode& node, const Inputs& inputs, Budget& budget) {
  const Constant& source = input(node, inputs, 0);
  const auto permutation = transpose_permutation(node, source.shape.size());
  const auto from = strides_of(source.shape);
  Shape shape;
  std::vector<std::int64_t> strides;
  for (const std::size_t axis : permutation) {
    shape.push_back(source.shape[axis]);
    strides.push_back(from[axis]);
  }
  return gather_strided(source, shape, strides, 0, budget);
}

Constant fold_concat(const OnnxNode& node, const Inputs& inputs, Budget& budget) {
  const Constant& first = input(node, inputs, 0);
  const auto axis = static_cast<std::size_t>(normalize_axes(node, {node.integer("axis", 0)}, first.shape.size())[0]);
  Constant result{first.shape, first.integral, {}, {}};
  result.shape[axis] = 0;
  std::int64_t rows = 1;
  for (std::size_t i = 0; i < axis; ++i) rows *= first.shape[i];
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    const Constant& part = input(node, inputs, i);
    Shape expected = first.shape;
    if (part.shape.size() != expected.size() || part.integral != first.integral) {
      throw node.error("joins constants that do not match");
    }
    expected[axis] = part.shape[axis];
    if (part.shape != expected) throw node.error("joins constants whose shapes do not match");
    result.shape[axis] += part.shape[axis];
    budget.charge(part.size());
  }
  for (std::int64_t row = 0; row < rows; ++row) {
    for (const ConstantPointer& part : inputs) {
      const std::int64_t length = part->size() / rows;
      const std::int64_t begin = row * length;
      if (first.integral) {
        result.integers.insert(result.integers.end(), part->integers.begin() + begin,
                               part->integers.begin() + begin + length);
      } else {
        result.floats.insert(result.floats.end(), part->floats.begin() + begin, part->floats.begin() + begin + length);
      }
    }
  }
  return result;
}

Constant slice(const OnnxNode& node, const Inputs& inputs, Budget& budget) {
  const Constant& source = input(node, inputs, 0);
  const auto starts = integers_from(node, inputs, "starts", 1);
  const auto ends = integers_from(node, inputs, "ends", 2);
  auto axes = integers_from(node, inputs, "axes", 3);
  auto steps = integers_from(node, inputs, "steps", 4);
  if (axes.empty()) {
    axes.resize(starts.size());
    std::iota(axes.begin(), axes.end(), 0);
  }
  if (steps.empty()) steps.assign(starts.size(), 1);
  axes = normalize_axes(node, axes, source.shape.size());
  if (starts.size() != ends.size() || starts.size() != axes.size() || starts.size() != steps.size()) {
    throw node.error("has starts, ends, axes and steps of different lengths");
  }
  Shape shape = source.shape;
  std::vector<std::int64_t> strides = strides_of(source.shape);
  std::int64_t begin = 0;
  for (std::size_t i = 0; i < axes.size(); ++i) {
    const auto axis = static_cast<std::size_t>(axes[i]);
    const std::int64_t length = source.shape[axis];
    const std::int64_t step = steps[i];
    if (step == 0 || step < -(std::int64_t{1} << 31) || step > (std::int64_t{1} << 31)) {
      throw node.error("has a step of {}", step);
    }
    // ends beyond the tensor are clamped to it; for negative steps "before the first element" is -1 after counting
    const auto clamp = [&](std::int64_t x, std::int64_t low, std::int64_t high) {
      return std::clamp(x < 0 ? std::max(x, -length - 1) + length : x, low, high);
    };
    const std::int64_t start = clamp(starts[i], 0, step > 0 ? length : length - 1);
    const std::int64_t end = clamp(ends[i], step > 0 ? 0 : -1, step > 0 ? length : length - 1);
    const std::int64_t span = step > 0 ? end - start : start - end;
    const std::int64_t stride = std::abs(step);
    shape[axis] = length == 0 || span <= 0 ? 0 : (span + stride - 1) / stride;
    begin += shape[axis] > 0 ? start * strides[axis] : 0;
    strides[axis] *= step;
  }
  return gather_strided(source, shape, strides, begin, budget);
}

Constant gather(const OnnxNode& node, const Inputs& inputs, Budget& budget) {
  const Constant& source = input(node, inputs, 0);
  const Constant& indices = input(node, inputs, 1);
  const auto axis = static_cast<std::size_t>(normalize_axes(node, {node.integer("axis", 0)}, source.shape.size())[0]);
  if (source.shape.size() != 1 || indices.shape.size() > 1) {
    throw node.error("gathers from a constant of more than one dimension, which is not supported");
  }
  budget.charge(indices.size());
  Constant result{indices.shape, source.integral, {}, {}};
  for (std::int64_t index : integers(node, indices)) {
    if (index < 0) index += source.shape[axis];
    if (index < 0 || index >= source.shape[axis]) throw node.error("gathers element {}, which there is not", index);
    const auto from = static_cast<std::size_t>(index);
    source.integral ? result.integers.push_back(source.integers[from]) : result.floats.push_back(source.floats[from]);
  }
  return result;
}

Constant constant_of_shape(const OnnxNode& node, const Inputs& inputs, Budget& budget) {
  Shape shape = integers(node, input(node, inputs, 0));
  const std::int64_t count = checked_count(shape, node.describe());
  budget.charge(count);
  Constant value{{1}, false, {0.0F}, {}};
  if (const auto* tensor = node.tensor("value")) value = decode_tensor(*tensor, node.describe(), budget);
  if (value.size() != 1) throw node.error("has a value of {} elements; one is needed", value.size());
  Constant result{std::move(shape), value.integral, {}, {}};
  if (value.integral)
    result.integers.assign(static_cast<std::size_t>(count), value.integers[0]);
  else
    result.floats.assign(static_cast<std::size_t>(count), value.floats[0]);
  return result;
}

Constant shape_of(const OnnxNode& node, const Inputs& inputs, Budget& budget) {
  const Constant& source = input(node, inputs, 0);
  budget.charge(static_cast<std::int64_t>(source.shape.size()));
  return {{static_cast<std::int64_t>(source.shape.size())}, true, {}, source.shape};
}

[[nodiscard]] std::int64_t compute(const OnnxNode& node, std::int64_t a, std::int64_t b) {
  if (a == batch || b == batch) throw node.error("computes with the batch dimension, which must stay free");
  std::int64_t result = 0;
  bool overflow = false;
  if (node.type() == "Add")
    overflow = __builtin_add_overflow(a, b, &result);
  else if (node.type() == "Sub")
    overflow = __builtin_sub_overflow(a, b, &result);
  else if (node.type() == "Mul")
    overflow = __builtin_mul_overflow(a, b, &result);
  else if (b == 0 || b == -1)
    overflow = b == 0 || __builtin_sub_overflow(std::int64_t{0}, a, &result);
  else
    result = a / b;
  if (overflow) throw node.error("computes a number that is out of range");
  return result;
}

[[nodiscard]] float compute(const OnnxNode& node, float a, float b) {
  if (node.type() == "Add") return a + b;
  if (node.type() == "Sub") return a - b;
  if (node.type() == "Mul") return a * b;
  return a / b;
}

Constant fold_arithmetic(const OnnxNode& node, const Inputs& inputs, Budget& budget) {
  const Constant& a = input(node, inputs, 0);
  const Constant& b = input(node, inputs, 1);
  if (a.integral != b.integral) throw node.error("mixes integers and floats");
  const std::size_t rank = std::max(a.shape.size(), b.shape.size());
  Shape shape(rank, 1);
  const auto spread = [&](const Constant& operand) {  // strides over the result, 0 where broadcast
    std::vector<std::int64_t> strides(rank, 0);
    const auto own = strides_of(operand.shape);
    for (std::size_t i = 0; i < own.size(); ++i) {
      const std::size_t axis = rank - own.size() + i;
      if (operand.shape[i] == 1) continue;
      if (shape[axis] != 1 && shape[axis] != operand.shape[i]) throw node.error("has operands that do not fit");
      shape[axis] = operand.shape[i];
      strides[axis] = own[i];
    }
    return strides;
  };
  const auto strides_a = spread(a);
  const auto strides_b = spread(b);
  std::int64_t count = 1;
  for (const std::int64_t dimension : shape) count = std::min(count * dimension, most_elements);
  budget.charge(3 * count);  // the result and both operands spread
  Constant left = gather_strided(a, shape, strides_a, 0, budget);
  const Constant right = gather_strided(b, shape, strides_b, 0, budget);
  for (std::size_t i = 0; i < left.integers.size(); ++i) {
    left.integers[i] = compute(node, left.integers[i], right.integers[i]);
  }
  for (std::size_t i = 0; i < left.floats.size(); ++i) {
    left.floats[i] = compute(node, left.floats[i], right.floats[i]);
  }
  return left;
}

template <float (*function)(float)>
Constant unary(const OnnxNode& node, const Inputs& inputs, Budget& budget) {
  Constant result = copy(node, inputs, budget);
  if (result.integral) throw node.error("reads integers where floats are needed");
  for (float& x : result.floats) x = function(x);
  return result;
}

float square_root(float x) { return std::sqrt(x); }
float reciprocal(float x) { return 1 / x; }
float negative(float x) { return -x; }

const std::map<std::string_view, Evaluator>& evaluators() {
  static const std::map<std::string_view, Evaluator> table{
      {"Identity", copy},
      {"Dropout", copy},
      {"Cast", cast},
      {"Reshape", fold_reshape},
      {"Squeeze", fold_squeeze},
      {"Unsqueeze", fold_unsqueeze},
      {"Transpose", fold_transpose},
      {"Concat", fold_concat},
      {"Slice", slice},
      {"Gather", gather},
      {"Shape", shape_of},
      {"ConstantOfShape", constant_of_shape},
      {"Add", fold_arithmetic},
      {"Sub", fold_arithmetic},
      {"Mul", fold_arithmetic},
      {"Div", fold_arithmetic},
      {"Sqrt", unary<square_root>},
      {"Reciprocal", unary<reciprocal>},
      {"Neg", unary<negative>},
  };
  return table;
}

}  // namespace

std::string describe_shape(const Shape& shape) {
  std::string text;
  for (const std::int64_t dimension : shape) {
    if (!text.empty()) text += 'x';
    text += dimension == batch ? "N" : std::to_string(dimension);
  }
  return text.empty() ? "scalar" : text;
}

std::vector<std::int64_t> normalize_axes(const OnnxNode& node, std::vector<std::int64_t> axes, std::size_t rank) {
  const auto count = static_cast<std::int64_t>(rank);
  std::set<std::int64_t> seen;
  for (std::int64_t& axis : axes) {
    if (axis < -count || axis >= count) throw node.error("has axis {}, but its input has {} dimensions", axis, count);
    if (axis < 0) axis += count;
    if (!seen.insert(axis).second) throw node.error("has axis {} twice", axis);
  }
  return axes;
}

Shape squeeze_shape(const OnnxNode& node, const Shape& shape, std::vector<std::int64_t> axes) {
  const bool all = axes.empty();
  axes = normalize_axes(node, std::move(axes), shape.size());
  Shape result;
  for (std::size_t axis = 0; axis < shape.size(); ++axis) {
    const bool named = std::find(axes.begin(), axes.end(), static_cast<std::int64_t>(axis)) != axes.end();
    if (named && shape[axis] != 1) {
      throw node.error("squeezes axis {} of shape {}, which is not 1", axis, describe_shape(shape));
    }
    if (!(named || (all && shape[axis] == 1))) result.push_back(shape[axis]);
  }
  return result;
}

Shape unsqueeze_shape(const OnnxNode& node, const Shape& shape, std::vector<std::int64_t> axes) {
  if (axes.size() > 8) throw node.error("adds {} dimensions", axes.size());
  axes = normalize_axes(node, axes, shape.size() + axes.size());
  Shape result = shape;
  std::sort(axes.begin(), axes.end());
  for (const std::int64_t axis : axes) result.insert(result.begin() + axis, 1);
  return result;
}

std::vector<std::size_t> transpose_permutation(const OnnxNode& node, std::size_t rank) {
  std::vector<std::int64_t> given = node.integers("perm");
  if (given.empty()) {
    for (std::size_t axis = rank; axis-- > 0;) given.push_back(static_cast<std::int64_t>(axis));
  }
  if (given.size() != rank) throw node.error("permutes {} axes, but its input has {}", given.size(), rank);
  given = normalize_axes(node, std::move(given), rank);
  return {given.begin(), given.end()};
}

bool can_evaluate(const OnnxNode& node) { return evaluators().count(node.type()) > 0; }

Constant evaluate(const OnnxNode& node, const std::vector<ConstantPointer>& inputs, Budget& budget) {
  const auto found = evaluators().find(node.type());
  if (found == evaluators().end()) throw node.error("computes a constant, which is not supported for this operator");
  Constant result = found->second(node, inputs, budget);
  static_cast<void>(checked_count(result.shape, node.describe()));
  return result;
}

}  // namespace trimtab::onnx_reader
