#include <algorithm>
#include <array>

#include "base/index.h"
#include "import/onnx_import.h"

// Sums, means and extrema over axes of each sample.
namespace trimtab::onnx_reader {
namespace {

enum class Reduction { mean, sum, maximum };

/// Which axes of an image's value are reduced.
struct ReducedAxes {
  bool channels = false;
  bool rows = false;
  bool columns = false;
};

[[nodiscard]] ReducedAxes reduced_axes(const OnnxNode& node, const View& view, const Shape& shape,
                                       const std::vector<std::int64_t>& axes) {
  const auto groups = axes_of_dimensions(view, shape);
  if (!groups.has_value() || axes.empty()) throw node.error("reduces parts of axes, which is not supported");
  std::array<bool, 3> reduced{};
  for (const std::int64_t axis : axes) {
    for (const int part : groups->at(static_cast<std::size_t>(axis))) {
      if (part == batch_axis) throw node.error("reduces the batch, which mixes samples");
      nth(reduced, part) = true;
    }
  }
  return {reduced[0] && shape[0] != 1, reduced[1] || shape[1] == 1, reduced[2] || shape[2] == 1};
}

/// {C,H,W} to the reduction over height, width or both.
[[nodiscard]] ValueId reduce_image(Import& import, const OnnxNode& node, ValueId value, const ReducedAxes& axes,
                                   Reduction reduction, bool keep) {
  const Shape shape = import.shape_of(value);
  const bool mean = reduction != Reduction::maximum;
  if (mean && axes.rows && axes.columns) return import.emit(node, GlobalAveragePool{keep}, {value});
  Pool op;
  op.kind = mean ? PoolKind::average : PoolKind::max;
  op.kernel = {axes.rows ? shape[1] : 1, axes.columns ? shape[2] : 1};
  op.stride = {1, 1};
  return import.emit(node, op, {value});
}

/// {C,H,W} to {1,H,W}: the mean is a convolution, the maximum a pool over channels laid out as rows.
[[nodiscard]] ValueId reduce_channels(Import& import, const OnnxNode& node, ValueId value, Reduction reduction) {
  const Shape shape = import.shape_of(value);
  if (reduction != Reduction::maximum) {
    import.budget().charge(shape[0]);
    Conv conv;
    conv.weight.shape = {1, shape[0], 1, 1};
    conv.weight.data.assign(static_cast<std::size_t>(shape[0]), 1.0F / static_cast<float>(shape[0]));
    return import.emit(node, std::move(conv), {value}, "/channels");
  }
  const ValueId rows = import.reshaped(node, value, {1, shape[0], shape[1] * shape[2]});
  Pool op;
  op.kernel = {shape[0], 1};
  op.stride = {1, 1};
  return import.reshaped(node, import.emit(node, op, {rows}, "/channels"), {1, shape[1], shape[2]});
}

[[nodiscard]] ValueId multiplied(Import& import, const OnnxNode& node, ValueId value, float factor,
                                 const char* suffix) {
  const std::int64_t channels = import.shape_of(value)[0];
  import.budget().charge(2 * channels);
  const auto count = static_cast<std::size_t>(channels);
  const Affine affine{{{channels}, std::vector<float>(count, factor)}, {{channels}, std::vector<float>(count, 0.0F)}};
  return import.emit(node, affine, {value}, suffix);
}

void reduce(Import& import, const OnnxNode& node, Reduction reduction, bool negated) {
  View view = import.view(node, 0);
  const auto axes = normalize_axes(node, import.integers(node, "axes", 1), view.shape.size());
  if (axes.empty() && node.integer("noop_with_empty_axes", 0) != 0) {
    import.set(node, view);
    return;
  }
  Shape shape = import.shape_of(view);
  if (shape.size() == 1) {  // a vector's features are channels
    shape = {shape[0], 1, 1};
    view.value = import.reshaped(node, view.value, shape);
    view.order.insert(view.order.end(), {1, 2});
  }
  if (shape.size() != 3)
    throw node.error("reduces a tensor of shape {}, which is no image", describe_shape(view.shape));
  const ReducedAxes reduced = reduced_axes(node, view, shape, axes);
  const bool keep = node.integer("keepdims", 1) != 0;
  View result = view;
  for (const std::int64_t axis : axes) nth(result.shape, axis) = 1;
  if (!keep) {
    auto sorted = axes;
    std::sort(sorted.rbegin(), sorted.rend());
    for (const std::int64_t axis : sorted) result.shape.erase(result.shape.begin() + axis);
  }
  if (negated) result.value = multiplied(import, node, result.value, -1, "/turned");
  const bool image = reduced.rows && reduced.columns;
  const bool flattens = !keep && image && !reduced.channels && reduction != Reduction::maximum;
  if ((reduced.rows && shape[1] > 1) || (reduced.columns && shape[2] > 1)) {
    result.value = reduce_image(import, node, result.value, reduced, reduction, !flattens);
  } else if (flattens) {
    result.value = import.reshaped(node, result.value, {shape[0]});
  }
  if (flattens) std::erase_if(result.order, [](int axis) { return axis > 0; });
  if (reduced.channels) result.value = reduce_channels(import, node, result.value, reduction);
  if (reduction == Reduction::sum) {
    const std::int64_t count =
        (reduced.channels ? shape[0] : 1) * (reduced.rows ? shape[1] : 1) * (reduced.columns ? shape[2] : 1);
    result.value = multiplied(import, node, result.value, static_cast<float>(count), "/count");
  }
  if (negated) result.value = multiplied(import, node, result.value, -1, "/back");
  import.set(node, std::move(result));
}

}  // namespace

void add_reductions(Operators& operators) {
  operators["ReduceMean"] = [](Import& import, const OnnxNode& node) { reduce(import, node, Reduction::mean, false); };
  operators["ReduceSum"] = [](Import& import, const OnnxNode& node) { reduce(import, node, Reduction::sum, false); };
  operators["ReduceMax"] = [](Import& import, const OnnxNode& node) {
    reduce(import, node, Reduction::maximum, false);
  };
  operators["ReduceMin"] = [](Import& import, const OnnxNode& node) { reduce(import, node, Reduction::maximum, true); };
}

}  // namespace trimtab::onnx_reader
