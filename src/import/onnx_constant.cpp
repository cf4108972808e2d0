#include "import/onnx_constant.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <optional>
#include <set>
#include <string_view>

#include "import/onnx_evaluators.h"

namespace trimtab::onnx_reader {

const Constant& constant_input(const OnnxNode& node, const Inputs& inputs, std::size_t index) {
  if (index >= inputs.size() || inputs[index] == nullptr) throw node.error("lacks its input {}", index);
  return *inputs[index];
}

const std::vector<std::int64_t>& integers_of(const OnnxNode& node, const Constant& constant) {
  if (!constant.integral) throw node.error("reads floats where integers are needed");
  return constant.integers;
}

std::vector<std::int64_t> integers_from(const OnnxNode& node, const Inputs& inputs, std::string_view attribute,
                                        std::size_t index) {
  if (index < inputs.size() && inputs[index] != nullptr) return integers_of(node, *inputs[index]);
  return node.integers(attribute);
}

namespace {

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

}  // namespace

std::vector<std::int64_t> strides_of(const Shape& shape) {
  std::vector<std::int64_t> strides(shape.size(), 1);
  for (std::size_t axis = shape.size(); axis-- > 1;) strides[axis - 1] = strides[axis] * shape[axis];
  return strides;
}

Constant gather_strided(const Constant& source, Shape shape, const std::vector<std::int64_t>& strides,
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

namespace {

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
  const Constant& source = constant_input(node, inputs, 0);
  return with_shape(node, source, source.shape, budget);
}

Constant cast(const OnnxNode& node, const Inputs& inputs, Budget& budget) {
  const Constant& source = constant_input(node, inputs, 0);
  budget.charge(source.size());
  Constant result{source.shape, false, {}, {}};
  const std::int64_t type = node.integer("to", onnx::TensorProto::FLOAT);
  const bool to_bool = type == onnx::TensorProto::BOOL;
  switch (type) {
    case onnx::TensorProto::FLOAT:
    case onnx::TensorProto::FLOAT16:
    case onnx::TensorProto::BFLOAT16:
    case onnx::TensorProto::DOUBLE:
      break;
    case onnx::TensorProto::INT8:
    case onnx::TensorProto::UINT8:
    case onnx::TensorProto::INT16:
    case onnx::TensorProto::UINT16:
      result.type = static_cast<int>(type);
      [[fallthrough]];
    case onnx::TensorProto::INT32:
    case onnx::TensorProto::INT64:
    case onnx::TensorProto::BOOL:
      result.integral = true;
      break;
    default:
      throw node.error("casts to a type that is not supported; float32 and int64 are");
  }
  if (result.integral == source.integral) {
    result.floats = source.floats;
    result.integers = source.integers;
    if (to_bool) {
      for (std::int64_t& x : result.integers) x = x != 0 ? 1 : 0;
    }
  } else if (result.integral) {
    for (const float x : source.floats) {
      if (!(std::abs(x) < 9e18F)) throw node.error("casts {} to an integer", x);
      result.integers.push_back(to_bool ? (x != 0 ? 1 : 0) : static_cast<std::int64_t>(x));
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
  const Constant& source = constant_input(node, inputs, 0);
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
  const Constant& source = constant_input(node, inputs, 0);
  return with_shape(node, source, squeeze_shape(node, source.shape, integers_from(node, inputs, "axes", 1)), budget);
}

Constant fold_unsqueeze(const OnnxNode& node, const Inputs& inputs, Budget& budget) {
  const Constant& source = constant_input(node, inputs, 0);
  return with_shape(node, source, unsqueeze_shape(node, source.shape, integers_from(node, inputs, "axes", 1)), budget);
}

Constant fold_transpose(const OnnxNode& node, const Inputs& inputs, Budget& budget) {
  const Constant& source = constant_input(node, inputs, 0);
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
  const Constant& first = constant_input(node, inputs, 0);
  const auto axis = static_cast<std::size_t>(normalize_axes(node, {node.integer("axis", 0)}, first.shape.size())[0]);
  Constant result{first.shape, first.integral, {}, {}};
  result.shape[axis] = 0;
  std::int64_t rows = 1;
  for (std::size_t i = 0; i < axis; ++i) rows *= first.shape[i];
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    const Constant& part = constant_input(node, inputs, i);
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
  const Constant& source = constant_input(node, inputs, 0);
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
  const Constant& source = constant_input(node, inputs, 0);
  const Constant& indices = constant_input(node, inputs, 1);
  const auto axis = static_cast<std::size_t>(normalize_axes(node, {node.integer("axis", 0)}, source.shape.size())[0]);
  const auto cut = static_cast<std::ptrdiff_t>(axis);
  Shape shape(source.shape.begin(), source.shape.begin() + cut);
  const std::int64_t rows = element_count(shape);
  shape.insert(shape.end(), indices.shape.begin(), indices.shape.end());
  shape.insert(shape.end(), source.shape.begin() + cut + 1, source.shape.end());
  const std::int64_t block = element_count({source.shape.begin() + cut + 1, source.shape.end()});
  budget.charge(checked_count(shape, node.describe()));
  Constant result{shape, source.integral, {}, {}};
  for (std::int64_t row = 0; row < rows; ++row) {
    for (std::int64_t index : integers_of(node, indices)) {
      if (index < 0) index += source.shape[axis];
      if (index < 0 || index >= source.shape[axis]) throw node.error("gathers element {}, which there is not", index);
      const std::int64_t from = (row * source.shape[axis] + index) * block;
      const auto copy_block = [&](const auto& all, auto& to) {
        to.insert(to.end(), all.begin() + from, all.begin() + from + block);
      };
      source.integral ? copy_block(source.integers, result.integers) : copy_block(source.floats, result.floats);
    }
  }
  return result;
}

/// Blocks of the source by their places along its first axes.
Constant gather_nd(const OnnxNode& node, const Inputs& inputs, Budget& budget) {
  const Constant& source = constant_input(node, inputs, 0);
  const Constant& indices = constant_input(node, inputs, 1);
  const std::int64_t depth = indices.shape.empty() ? 0 : indices.shape.back();
  if (node.integer("batch_dims", 0) != 0 || depth < 1 || depth > std::ssize(source.shape))
    throw node.error("gathers by indices of shape {}, which is not supported", describe_shape(indices.shape));
  const auto cut = source.shape.begin() + depth;
  Shape shape(indices.shape.begin(), indices.shape.end() - 1);
  shape.insert(shape.end(), cut, source.shape.end());
  const std::int64_t block = element_count({cut, source.shape.end()});
  budget.charge(checked_count(shape, node.describe()));
  Constant result{shape, source.integral, {}, {}};
  const std::vector<std::int64_t>& places = integers_of(node, indices);
  for (auto place = places.begin(); place != places.end(); place += depth) {
    std::int64_t from = 0;
    for (std::int64_t axis = 0; axis < depth; ++axis) {
      const std::int64_t length = nth(source.shape, axis);
      const std::int64_t index = place[axis] < 0 ? place[axis] + length : place[axis];
      if (index < 0 || index >= length) throw node.error("gathers element {}, which there is not", index);
      from = from * length + index;
    }
    const auto copy_block = [&](const auto& all, auto& to) {
      to.insert(to.end(), all.begin() + from * block, all.begin() + (from + 1) * block);
    };
    source.integral ? copy_block(source.integers, result.integers) : copy_block(source.floats, result.floats);
  }
  return result;
}

/// The constant of `shape`, broadcast as ONNX has it.
Constant expand(const OnnxNode& node, const Inputs& inputs, Budget& budget) {
  const Constant& source = constant_input(node, inputs, 0);
  const Shape shape = broadcast_shape(node, source.shape, integers_of(node, constant_input(node, inputs, 1)));
  static_cast<void>(checked_count(shape, node.describe()));
  return gather_strided(source, shape, broadcast_strides(source.shape, shape), 0, budget);
}

Constant fold_flatten(const OnnxNode& node, const Inputs& inputs, Budget& budget) {
  const Constant& source = constant_input(node, inputs, 0);
  const auto rank = static_cast<std::int64_t>(source.shape.size());
  const std::int64_t axis = node.integer("axis", 1);
  if (axis < -rank || axis > rank) throw node.error("flattens at axis {}, but its input has {}", axis, rank);
  const auto cut = source.shape.begin() + (axis < 0 ? axis + rank : axis);
  return with_shape(node, source,
                    {element_count({source.shape.begin(), cut}), element_count({cut, source.shape.end()})}, budget);
}

Constant constant_of_shape(const OnnxNode& node, const Inputs& inputs, Budget& budget) {
  Shape shape = integers_of(node, constant_input(node, inputs, 0));
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
  const Constant& source = constant_input(node, inputs, 0);
  budget.charge(static_cast<std::int64_t>(source.shape.size()));
  return {{static_cast<std::int64_t>(source.shape.size())}, true, {}, source.shape};
}

const Evaluators& evaluators() {
  static const Evaluators all = [] {
    Evaluators table{
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
        {"GatherND", gather_nd},
        {"Shape", shape_of},
        {"ConstantOfShape", constant_of_shape},
        {"Expand", expand},
        {"Flatten", fold_flatten},
    };
    add_arithmetic_evaluators(table);
    add_quantization_evaluators(table);
    return table;
  }();
  return all;
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
