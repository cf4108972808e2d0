#include <algorithm>
#include <numeric>

#include "base/index.h"
#include "import/onnx_import.h"

// Operators that move elements so that another view of the same value does not do.
namespace trimtab::onnx_reader {
namespace {

using Indices = std::vector<std::int64_t>;

/// Elements `start`, `start` + `step`, ... up to `end` (not included) of an axis, counted as Slice counts.
[[nodiscard]] Indices slice_indices(Import& import, const OnnxNode& node, std::int64_t length, std::int64_t start,
                                    std::int64_t end, std::int64_t step) {
  import.budget().charge(length);
  if (step == 0 || std::abs(step) > length) throw node.error("has a step of {} over a length of {}", step, length);
  const auto clamp = [&](std::int64_t x, std::int64_t low, std::int64_t high) {
    return std::clamp(x < 0 ? std::max(x, -length - 1) + length : x, low, high);
  };
  const std::int64_t first = clamp(start, 0, step > 0 ? length : length - 1);
  const std::int64_t last = clamp(end, step > 0 ? 0 : -1, step > 0 ? length : length - 1);
  Indices indices;
  for (std::int64_t i = first; step > 0 ? i < last : i > last; i += step) indices.push_back(i);
  if (indices.empty()) throw node.error("takes nothing of a length of {}", length);
  return indices;
}

void slice(Import& import, const OnnxNode& node) {
  View view = import.view(node, 0);
  const auto starts = import.integers(node, "starts", 1);
  const auto ends = import.integers(node, "ends", 2);
  auto axes = import.integers(node, "axes", 3);
  auto steps = import.integers(node, "steps", 4);
  if (axes.empty()) {
    axes.resize(std::min<std::size_t>(starts.size(), 8));
    std::iota(axes.begin(), axes.end(), 0);
  }
  if (steps.empty()) steps.assign(axes.size(), 1);
  axes = normalize_axes(node, axes, view.shape.size());
  if (starts.size() != ends.size() || starts.size() != axes.size() || starts.size() != steps.size()) {
    throw node.error("has starts, ends, axes and steps of different lengths");
  }
  for (std::size_t i = 0; i < axes.size(); ++i) {
    const std::int64_t length = nth(view.shape, axes[i]);
    const bool all = steps[i] == 1 && starts[i] == 0 && (ends[i] == batch || ends[i] >= most_elements);
    if (length == batch && all) continue;
    if (length == batch) throw node.error("takes part of the batch");
    view =
        gather_elements(import, node, view, axes[i], slice_indices(import, node, length, starts[i], ends[i], steps[i]));
  }
  import.set(node, view);
}

/// Lengths of the parts of a Split.
[[nodiscard]] Indices part_lengths(Import& import, const OnnxNode& node, std::int64_t length) {
  Indices lengths = import.integers(node, "split", 1);
  const std::int64_t outputs = node.proto().output_size();
  if (lengths.empty()) {
    const std::int64_t part = (length + outputs - 1) / outputs;
    for (std::int64_t i = 0; i < outputs; ++i) lengths.push_back(std::min(part, length - i * part));
  }
  const bool positive = std::all_of(lengths.begin(), lengths.end(), [&](auto x) { return x > 0 && x <= length; });
  if (static_cast<std::int64_t>(lengths.size()) != outputs || !positive ||
      std::accumulate(lengths.begin(), lengths.end(), std::int64_t{0}) != length) {
    throw node.error("splits a length of {} into parts that do not fit", length);
  }
  return lengths;
}

void split(Import& import, const OnnxNode& node) {
  const View view = import.view(node, 0);
  const std::int64_t axis = normalize_axes(node, {node.integer("axis", 0)}, view.shape.size())[0];
  const std::int64_t length = nth(view.shape, axis);
  if (length == batch) throw node.error("splits the batch");
  import.budget().charge(length);
  std::int64_t begin = 0;
  const Indices lengths = part_lengths(import, node, length);
  for (std::size_t i = 0; i < lengths.size(); ++i) {
    Indices indices(static_cast<std::size_t>(lengths[i]));
    std::iota(indices.begin(), indices.end(), begin);
    begin += lengths[i];
    const std::string& output = node.proto().output(static_cast<int>(i));
    const std::string suffix = i == 0 ? "" : fmt::format("/{}", i);
    if (!output.empty()) import.define(output, gather_elements(import, node, view, axis, indices, suffix.c_str()));
  }
}

void gather(Import& import, const OnnxNode& node) {
  const View view = import.view(node, 0);
  const std::int64_t axis = normalize_axes(node, {node.integer("axis", 0)}, view.shape.size())[0];
  const std::int64_t length = nth(view.shape, axis);
  const ConstantPointer constant = import.constant(node, 1);
  if (constant == nullptr || !constant->integral || constant->shape.size() > 1 || constant->integers.empty()) {
    throw node.error("gathers elements that are not a list of known numbers");
  }
  if (length == batch) throw node.error("gathers samples of the batch");
  Indices indices = constant->integers;
  for (std::int64_t& index : indices) {
    if (index < 0) index += length;
    if (index < 0 || index >= length) throw node.error("gathers element {}, which there is not", index);
  }
  View result = gather_elements(import, node, view, axis, indices);
  if (constant->shape.empty()) result.shape.erase(result.shape.begin() + axis);
  import.set(node, std::move(result));
}

void depth_to_space(Import& import, const OnnxNode& node) {
  const View view = import.view(node, 0);
  const std::int64_t block = node.integer("blocksize", 0);
  if (view.shape.size() != 4) throw node.error("reads a tensor of shape {}, no image", describe_shape(view.shape));
  const View input = import.plain(node, view);
  const Shape shape = import.shape_of(input);
  const bool to_space = node.type() == "DepthToSpace";
  const bool fits = block >= 1 && block <= 64 &&
                    (to_space ? shape[0] % (block * block) == 0 : shape[1] % block == 0 && shape[2] % block == 0);
  if (!fits) throw node.error("has a blocksize of {}, which shape {} does not fit", block, to_string(shape));
  Permute op;
  if (to_space) {
    const std::int64_t channels = shape[0] / (block * block);
    const bool columns_first = node.text("mode", "DCR") == "CRD";
    op.from = columns_first ? Shape{channels, block, block, shape[1], shape[2]}
                            : Shape{block, block, channels, shape[1], shape[2]};
    op.order = columns_first ? Indices{0, 3, 1, 4, 2} : Indices{2, 3, 0, 4, 1};
    op.shape = {channels, shape[1] * block, shape[2] * block};
  } else {
    op.from = {shape[0], shape[1] / block, block, shape[2] / block, block};
    op.order = {2, 4, 0, 1, 3};
    op.shape = {shape[0] * block * block, shape[1] / block, shape[2] / block};
  }
  const ValueId value = import.emit(node, std::move(op), {input.value});
  import.set(node, plain_view(value, import.shape_of(value)));
}

/// The elements that padding without a constant repeats.
[[nodiscard]] Indices padded_indices(const OnnxNode& node, const std::string& mode, std::int64_t length,
                                     std::int64_t before, std::int64_t after) {
  if (mode == "reflect" && std::max(before, after) >= length) throw node.error("reflects more than there is");
  if (mode == "wrap" && std::max(before, after) > length) throw node.error("wraps more than there is");
  Indices indices;
  for (std::int64_t i = -before; i < length + after; ++i) {
    std::int64_t index = std::clamp<std::int64_t>(i, 0, length - 1);
    if (mode == "reflect") index = i < 0 ? -i : (i >= length ? 2 * (length - 1) - i : i);
    if (mode == "wrap") index = (i + length) % length;
    indices.push_back(index);
  }
  return indices;
}

/// Channels of a constant: a grouped convolution without weights.
[[nodiscard]] ValueId constant_channels(Import& import, const OnnxNode& node, ValueId image, std::int64_t count,
                                        float value, const char* suffix) {
  const std::int64_t channels = import.shape_of(image)[0];
  Conv conv;
  conv.groups = std::gcd(channels, count);
  conv.weight.shape = {count, channels / conv.groups, 1, 1};
  import.budget().charge(count * (1 + channels / conv.groups));
  conv.weight.data.assign(static_cast<std::size_t>(element_count(conv.weight.shape)), 0.0F);
  conv.bias = {{count}, std::vector<float>(static_cast<std::size_t>(count), value)};
  return import.emit(node, std::move(conv), {image}, suffix);
}

void pad(Import& import, const OnnxNode& node) {
  const std::string mode = node.text("mode", "constant");
  if (mode != "constant" && mode != "reflect" && mode != "edge" && mode != "wrap") {
    throw node.error("pads in mode '{}', which ONNX does not know", clean_name(mode));
  }
  View view = import.view(node, 0);
  const auto pads = import.integers(node, "pads", 1);
  const float value = scalar_of(import, node, 2, node.number("value", 0));
  Indices axes(view.shape.size());
  std::iota(axes.begin(), axes.end(), 0);
  if (import.has_input(node, 3)) axes = normalize_axes(node, import.integers(node, "axes", 3), view.shape.size());
  if (pads.size() != 2 * axes.size()) throw node.error("has {} pads for {} axes", pads.size(), axes.size());

  // All axes are those of one value: it does not become another one on the way.
  for (std::size_t i = 0; i < axes.size(); ++i) {
    const bool pads_axis = pads[i] != 0 || pads[axes.size() + i] != 0;
    if (pads_axis && nth(view.shape, axes[i]) != batch) static_cast<void>(own_axis(import, node, view, axes[i]));
  }
  if (import.shape_of(view).size() != 3) view = import.plain(node, view);
  Pad around{{}, value};
  Shape more(view.shape.size(), 0);  // what `around` adds
  for (std::size_t i = 0; i < axes.size(); ++i) {
    std::int64_t before = pads[i];
    std::int64_t after = pads[axes.size() + i];
    const auto dimension = static_cast<std::size_t>(axes[i]);
    const std::int64_t length = view.shape[dimension];
    if (before == 0 && after == 0) continue;
    if (length == batch) throw node.error("pads the batch");
    if (std::max(before, after) > 1 << 16) throw node.error("pads by {} and {}", before, after);
    if (before < 0 || after < 0) {  // cuts
      const Indices kept = slice_indices(import, node, length, std::max<std::int64_t>(0, -before),
                                         length - std::max<std::int64_t>(0, -after), 1);
      view = gather_elements(import, node, view, axes[i], kept, "/cut");
      before = std::max<std::int64_t>(before, 0);
      after = std::max<std::int64_t>(after, 0);
      if (before == 0 && after == 0) continue;
    }
    if (mode != "constant") {
      import.budget().charge(length + before + after);
      view = gather_elements(import, node, view, axes[i],
                             padded_indices(node, mode, view.shape[dimension], before, after));
      continue;
    }
    if (import.shape_of(view).size() != 3) throw node.error("pads something else than an image");
    const std::int64_t axis = own_axis(import, node, view, axes[i]);
    if (axis == 0) {
      std::vector<ValueId> parts{view.value};
      if (before > 0) parts.insert(parts.begin(), constant_channels(import, node, view.value, before, value, "/front"));
      if (after > 0) parts.push_back(constant_channels(import, node, view.value, after, value, "/back"));
      view.value = import.emit(node, Concat{}, parts, "/channels");
      view.shape[dimension] += before + after;
    } else {
      (axis == 1 ? around.padding.top : around.padding.left) = before;
      (axis == 1 ? around.padding.bottom : around.padding.right) = after;
      more[dimension] = before + after;
    }
  }
  if (around.padding != Padding{}) view.value = import.emit(node, around, {view.value});
  for (std::size_t dimension = 0; dimension < more.size(); ++dimension) {
    if (more[dimension] > 0) view.shape[dimension] += more[dimension];
  }
  import.set(node, view);
}

}  // namespace

View gather_elements(Import& import, const OnnxNode& node, View view, std::int64_t dimension, Indices indices,
                     const char* suffix) {
  const auto at = static_cast<std::size_t>(dimension);
  const auto count = static_cast<std::int64_t>(indices.size());
  bool all = count == view.shape[at];
  for (std::size_t i = 0; all && i < indices.size(); ++i) all = indices[i] == static_cast<std::int64_t>(i);
  if (all) return view;
  const std::int64_t axis = own_axis(import, node, view, dimension);
  import.budget().charge(count);
  view.value = import.emit(node, Gather{axis, std::move(indices)}, {view.value}, suffix);
  view.shape[at] = count;
  return view;
}

void add_moves(Operators& operators) {
  operators["Slice"] = slice;
  operators["Split"] = split;
  operators["Gather"] = gather;
  operators["DepthToSpace"] = depth_to_space;
  operators["SpaceToDepth"] = depth_to_space;
  operators["Pad"] = pad;
}

}  // namespace trimtab::onnx_reader
