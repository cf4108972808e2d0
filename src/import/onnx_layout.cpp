#include <algorithm>
#include <optional>
#include <set>
#include <utility>

#include "base/index.h"
#include "import/onnx_import.h"

// Operators that move data: mostly nothing but another view of the same value.
namespace trimtab::onnx_reader {
namespace {

/// The shape that a Reshape to `target` makes of `shape`; the batch stays in front.
[[nodiscard]] Shape reshape_shape(const OnnxNode& node, const Shape& shape, const std::vector<std::int64_t>& target) {
  const auto impossible = [&] {
    return node.error("turns shape {} into ({}); the batch must stay the first dimension, apart from the others",
                      describe_shape(shape), fmt::join(target, ", "));
  };
  std::int64_t elements = 1;
  for (std::size_t i = 1; i < shape.size(); ++i) elements *= shape[i];
  if (target.size() < 2 || target.size() > 8 || shape[0] != batch) throw impossible();
  const bool copies = node.integer("allowzero", 0) == 0;
  Shape result{batch};
  std::optional<std::size_t> free;
  std::int64_t known = 1;
  for (std::size_t i = 1; i < target.size(); ++i) {
    std::int64_t dimension = target[i];
    if (dimension == 0 && copies && i < shape.size()) dimension = shape[i];
    if (dimension == -1 && !free.has_value()) {
      free = i;
    } else if (dimension < 1 || dimension > elements || (known *= dimension) > elements) {
      throw impossible();
    }
    result.push_back(dimension);
  }
  if (free.has_value()) result[*free] = elements / known;
  // In front stands the batch, however it is written: copied, free, or the 1 (or other number) it was exported with.
  const bool batch_first =
      target[0] == batch || (target[0] == 0 && copies) || (target[0] == -1 && !free.has_value()) || target[0] >= 1;
  if (!batch_first || element_count({result.begin() + 1, result.end()}) != elements) throw impossible();
  return result;
}

void set_shape(Import& import, const OnnxNode& node, const View& view, Shape shape) {
  View result = view;
  result.shape = std::move(shape);
  if (result.shape.empty() || result.shape.size() > 8) throw node.error("makes a tensor of too few or many dimensions");
  import.set(node, std::move(result));
}

void reshape(Import& import, const OnnxNode& node) {
  const View& view = import.view(node, 0);
  const Shape shape = reshape_shape(node, view.shape, import.integers(node, "shape", 1));
  // A Reshape that changes nothing says that the order counts: serialize_onnx puts it behind every Transpose. So does
  // that of axes of length 1, which may grow.
  const bool ordered = shape == view.shape && shape.size() > 2 && !std::ranges::is_sorted(view.order);
  set_shape(import, node, ordered ? import.plain(node, view) : view, shape);
}

void flatten(Import& import, const OnnxNode& node) {
  const View& view = import.view(node, 0);
  const std::int64_t axis = node.integer("axis", 1);
  const auto rank = static_cast<std::int64_t>(view.shape.size());
  if (axis != 1 && axis != 1 - rank) throw node.error("flattens at axis {}; only 1 keeps the batch apart", axis);
  set_shape(import, node, view, reshape_shape(node, view.shape, {0, -1}));
}

void squeeze(Import& import, const OnnxNode& node) {
  const View& view = import.view(node, 0);
  set_shape(import, node, view, squeeze_shape(node, view.shape, import.integers(node, "axes", 1)));
}

void unsqueeze(Import& import, const OnnxNode& node) {
  const View& view = import.view(node, 0);
  set_shape(import, node, view, unsqueeze_shape(node, view.shape, import.integers(node, "axes", 1)));
}

void transpose(Import& import, const OnnxNode& node) {
  View view = import.view(node, 0);
  const auto permutation = transpose_permutation(node, view.shape.size());
  auto groups = axes_of_dimensions(view, import.shape_of(view));
  if (!groups.has_value()) {  // the tensor cuts axes into parts: give it axes of its own
    const Shape shape = sample_shape(view);
    view = plain_view(import.reshaped(node, import.plain(node, view).value, shape), shape);
    groups = axes_of_dimensions(view, import.shape_of(view));
  }
  View result{view.value, {}, {}};
  for (const std::size_t dimension : permutation) {
    result.shape.push_back(view.shape[dimension]);
    const auto& group = groups->at(dimension);
    result.order.insert(result.order.end(), group.begin(), group.end());
  }
  import.set(node, std::move(result));
}

void concat(Import& import, const OnnxNode& node) {
  std::vector<View> views;
  for (int i = 0; i < node.proto().input_size(); ++i) views.push_back(import.view(node, i));
  if (views.empty()) throw node.error("has no input");
  const std::int64_t axis = normalize_axes(node, {node.integer("axis", 1)}, views[0].shape.size())[0];
  const auto dimension = static_cast<std::size_t>(axis);
  const int place = axis_of_dimension(import, views[0], axis);
  const auto others = [&](const View& view) {  // the value's axes that are not joined
    Shape shape = import.shape_of(view);
    if (place >= 0 && std::cmp_less(place, shape.size())) nth(shape, place) = 0;
    return shape;
  };
  std::int64_t length = 0;
  bool alike = true;  // all lie in the same way
  for (const View& view : views) {
    Shape expected = views[0].shape;
    if (view.shape.size() != expected.size()) throw node.error("joins tensors that do not fit");
    expected[dimension] = view.shape[dimension];
    if (view.shape != expected || view.shape[dimension] == batch) {
      throw node.error("joins tensors of shapes {} and {} along axis {}, which do not fit",
                       describe_shape(views[0].shape), describe_shape(view.shape), axis);
    }
    length += view.shape[dimension];
    alike = alike && view.order == views[0].order && axis_of_dimension(import, view, axis) == place &&
            others(view) == others(views[0]);
  }
  if (!alike || place < 0) {
    for (View& view : views) view = import.plain(node, view);
  }
  std::vector<ValueId> inputs;
  for (const View& view : views) inputs.push_back(view.value);
  // an axis of length 1 is no dimension's own where others could be meant: the plain order tells
  const std::int64_t along = own_axis(import, node, views[0], axis);
  View result = views[0];
  result.shape[dimension] = length;
  import.set_like(node, result, import.emit(node, Concat{along}, inputs));
}

void identity(Import& import, const OnnxNode& node) {
  static const std::set<std::int64_t> floats{onnx::TensorProto::FLOAT, onnx::TensorProto::FLOAT16,
                                             onnx::TensorProto::BFLOAT16, onnx::TensorProto::DOUBLE};
  if (node.type() == "Cast" && floats.count(node.integer("to", onnx::TensorProto::FLOAT)) == 0) {
    throw node.error("casts a value to integers, which is not supported");
  }
  import.set(node, import.view(node, 0));
}

void shape_of_value(Import& import, const OnnxNode& node) {
  const Shape& shape = import.view(node, 0).shape;
  const auto rank = static_cast<std::int64_t>(shape.size());
  const auto clamped = [&](std::int64_t x) {
    return std::clamp<std::int64_t>(x < 0 ? std::max(x, -rank) + rank : x, 0, rank);
  };
  const std::int64_t start = clamped(node.integer("start", 0));
  const std::int64_t end = std::max(start, clamped(node.integer("end", rank)));
  Constant constant{{end - start}, true, {}, {shape.begin() + start, shape.begin() + end}};
  import.set(node, std::move(constant));
}

void constant(Import& import, const OnnxNode& node) {
  if (const auto* tensor = node.tensor("value")) {
    import.set(node, decode_tensor(*tensor, fmt::format("the value of {}", node.describe()), import.budget()));
  } else if (node.has("value_float")) {
    import.set(node, Constant{{}, false, {node.number("value_float", 0)}, {}});
  } else if (node.has("value_int")) {
    import.set(node, Constant{{}, true, {}, { node.integer("value_int", 0) }});
  } else if (node.has("value_floats")) {
    const auto numbers = node.numbers("value_floats");
    import.set(node, Constant{{static_cast<std::int64_t>(numbers.size())}, false, numbers, {}});
  } else if (node.has("value_ints")) {
    const auto numbers = node.integers("value_ints");
    import.set(node, Constant{{static_cast<std::int64_t>(numbers.size())}, true, {}, numbers});
  } else {
    throw node.error("has no value of a type that is supported; float32 and int64 are");
  }
}

}  // namespace

void add_layout(Operators& operators) {
  operators["Reshape"] = reshape;
  operators["Flatten"] = flatten;
  operators["Squeeze"] = squeeze;
  operators["Unsqueeze"] = unsqueeze;
  operators["Transpose"] = transpose;
  operators["Concat"] = concat;
  for (const char* type : {"Identity", "Dropout", "Cast"}) operators[type] = identity;
  operators["Shape"] = shape_of_value;
  operators["Constant"] = constant;
}

}  // namespace trimtab::onnx_reader
