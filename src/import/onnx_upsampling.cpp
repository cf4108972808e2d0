#include <algorithm>
#include <array>
#include <cmath>

#include "base/index.h"
#include "import/onnx_import.h"

// Larger images: as parts of what a graph has operators for.
namespace trimtab::onnx_reader {
namespace {

/// {C * rows * columns, H, W} to {C, H * rows, W * columns}.
[[nodiscard]] ValueId to_space(Import& import, const OnnxNode& node, ValueId value, std::int64_t rows,
                               std::int64_t columns) {
  const Shape shape = import.shape_of(value);
  if (rows == 1 && columns == 1) return value;
  const std::int64_t channels = shape[0] / (rows * columns);
  return import.emit(node,
                     Permute{{channels, rows, columns, shape[1], shape[2]},
                             {0, 3, 1, 4, 2},
                             {channels, shape[1] * rows, shape[2] * columns}},
                     {value}, "/space");
}

/// One axis of a transposed convolution. Output y of the whole is at y + before = stride * q + phase, and gets input
/// q - t times weight t * stride + phase for every t.
struct TransposedAxis {
  std::int64_t stride = 1;
  std::int64_t taps = 1;    ///< inputs that reach one output
  std::int64_t before = 0;  ///< outputs that the padding takes away in front
  std::int64_t length = 0;  ///< of the output
};

[[nodiscard]] TransposedAxis transposed_axis(const OnnxNode& node, std::size_t axis, std::int64_t input,
                                             std::int64_t kernel) {
  const auto number = [&](const char* name, std::size_t index, std::int64_t otherwise) {
    const auto given = node.integers(name);
    if (given.empty()) return otherwise;
    if (index >= given.size() || given[index] < 0 || given[index] > 1 << 16) {
      throw node.error("has too few or impossible numbers in '{}'", name);
    }
    return given[index];
  };
  if (number("dilations", axis, 1) != 1) throw node.error("has a dilation, which is not supported");
  TransposedAxis result;
  result.stride = number("strides", axis, 1);
  if (result.stride < 1 || result.stride > 64) throw node.error("has a stride of {}", result.stride);
  result.taps = (kernel + result.stride - 1) / result.stride;
  const std::int64_t more = number("output_padding", axis, 0);
  const std::int64_t whole = (input - 1) * result.stride + kernel + more;
  const std::string automatic = node.text("auto_pad", "NOTSET");
  std::int64_t taken = number("pads", axis, 0) + number("pads", axis + 2, 0);
  result.before = number("pads", axis, 0);
  if (!node.integers("output_shape").empty() || automatic.starts_with("SAME")) {
    const auto wanted = node.integers("output_shape");
    result.length = wanted.empty() ? input * result.stride : number("output_shape", wanted.size() - 2 + axis, 0);
    taken = std::max<std::int64_t>(whole - result.length, 0);
    result.before = automatic == "SAME_UPPER" ? taken / 2 : taken - taken / 2;
    return result;
  }
  result.length = whole - taken;
  return result;
}

/// As many filters for every phase as there are outputs, which then become pixels.
void conv_transpose(Import& import, const OnnxNode& node) {
  const View view = import.view(node, 0);
  if (view.shape.size() != 4) throw node.error("reads a tensor of shape {}, no image", describe_shape(view.shape));
  const ValueId input = import.plain(node, view).value;
  const Shape in = import.shape_of(input);
  const Tensor weight = import.parameter(node, 1, "weight");  // inputs, outputs of a group, rows, columns
  const std::int64_t groups = node.integer("group", 1);
  if (weight.shape.size() != 4 || weight.shape[0] != in[0] || groups < 1 || in[0] % groups != 0) {
    throw node.error("has a weight of shape {} for {} channels", describe_shape(weight.shape), in[0]);
  }
  const std::array axes{transposed_axis(node, 0, in[1], weight.shape[2]),
                        transposed_axis(node, 1, in[2], weight.shape[3])};
  const std::int64_t outputs = weight.shape[1] * groups;
  const std::int64_t inputs = in[0] / groups;
  const auto& [rows, columns] = axes;
  const std::int64_t phases = rows.stride * columns.stride;
  Conv conv;
  conv.groups = groups;
  conv.weight.shape = {outputs * phases, inputs, rows.taps, columns.taps};
  import.budget().charge(checked_count(conv.weight.shape, node.describe()));
  for (std::int64_t o = 0; o < outputs; ++o) {
    for (std::int64_t phase = 0; phase < phases; ++phase) {
      for (std::int64_t i = 0; i < inputs; ++i) {
        for (std::int64_t y = 0; y < rows.taps; ++y) {
          for (std::int64_t x = 0; x < columns.taps; ++x) {
            const std::int64_t row = (rows.taps - 1 - y) * rows.stride + phase / columns.stride;
            const std::int64_t column = (columns.taps - 1 - x) * columns.stride + phase % columns.stride;
            const std::int64_t group = o / weight.shape[1];
            const std::int64_t from =
                (((group * inputs + i) * weight.shape[1] + o % weight.shape[1]) * weight.shape[2] + row) *
                    weight.shape[3] +
                column;
            const bool inside = row < weight.shape[2] && column < weight.shape[3];
            conv.weight.data.push_back(inside ? nth(weight.data, from) : 0.0F);
          }
        }
      }
    }
  }
  if (import.has_input(node, 2)) {
    const Tensor bias = import.parameter(node, 2, "bias");
    if (static_cast<std::int64_t>(bias.data.size()) != outputs) throw node.error("has a bias that does not fit");
    conv.bias.shape = {outputs * phases};
    for (const float b : bias.data) conv.bias.data.insert(conv.bias.data.end(), static_cast<std::size_t>(phases), b);
  }
  // inputs from q - taps + 1 to q make the outputs of q: as many q as the result needs
  std::array<std::int64_t, 2> first{};
  std::array<std::int64_t, 2> behind{};
  for (std::size_t axis = 0; axis < 2; ++axis) {
    const TransposedAxis& own = axes[axis];
    if (own.length < 1) throw node.error("makes an image without pixels");
    first[axis] = std::min(own.before / own.stride, own.taps - 1);
    const std::int64_t last = std::max((own.before + own.length - 1) / own.stride, in[1 + axis] - 1);
    behind[axis] = last - (in[1 + axis] - 1);
  }
  conv.padding = {rows.taps - 1 - first[0], columns.taps - 1 - first[1], behind[0], behind[1]};
  const ValueId filtered = import.emit(node, std::move(conv), {input});
  const ValueId space = to_space(import, node, filtered, rows.stride, columns.stride);
  View result = plain_view(space, import.shape_of(space));
  for (std::size_t axis = 0; axis < 2; ++axis) {
    import.budget().charge(axes[axis].length);
    std::vector<std::int64_t> kept(static_cast<std::size_t>(axes[axis].length));
    const std::int64_t start = axes[axis].before - first[axis] * axes[axis].stride;
    for (std::size_t i = 0; i < kept.size(); ++i) kept[i] = start + static_cast<std::int64_t>(i);
    result = gather_elements(import, node, result, static_cast<std::int64_t>(2 + axis), kept, "/cut");
  }
  import.set(node, std::move(result));
}

/// How a Resize finds the input of an output along one axis.
struct Resizing {
  std::string transformation;
  double scale = 1;
  std::int64_t input = 1;
  std::int64_t output = 1;

  [[nodiscard]] double source(std::int64_t y) const {
    const auto at = static_cast<double>(y);
    if (transformation == "asymmetric") return at / scale;
    if (transformation == "align_corners") {
      return output == 1 ? 0 : at * static_cast<double>(input - 1) / static_cast<double>(output - 1);
    }
    if (transformation == "pytorch_half_pixel" && output == 1) return 0;
    return (at + 0.5) / scale - 0.5;
  }
};

[[nodiscard]] std::vector<std::int64_t> nearest_indices(const Resizing& axis, const std::string& mode) {
  std::vector<std::int64_t> indices;
  for (std::int64_t y = 0; y < axis.output; ++y) {
    const double x = axis.source(y);
    double nearest = std::ceil(x - 0.5);  // round_prefer_floor
    if (mode == "round_prefer_ceil") nearest = std::floor(x + 0.5);
    if (mode == "floor") nearest = std::floor(x);
    if (mode == "ceil") nearest = std::ceil(x);
    indices.push_back(std::clamp<std::int64_t>(static_cast<std::int64_t>(nearest), 0, axis.input - 1));
  }
  return indices;
}

/// Weights of the inputs before, at and behind an output's own: by phase.
[[nodiscard]] std::vector<std::array<float, 3>> linear_taps(const OnnxNode& node, const Resizing& axis) {
  const std::int64_t factor = axis.output / axis.input;
  if (factor * axis.input != axis.output || axis.transformation == "align_corners") {
    throw node.error("interpolates from {} to {} pixels; only whole factors without aligned corners are supported",
                     axis.input, axis.output);
  }
  std::vector<std::array<float, 3>> phases;
  for (std::int64_t phase = 0; phase < factor; ++phase) {
    const double x = factor == 1 ? 0 : axis.source(phase);
    const double low = std::floor(x);
    std::array<float, 3> taps{};
    taps.at(static_cast<std::size_t>(low + 1)) += static_cast<float>(1 - (x - low));
    if (x > low) taps.at(static_cast<std::size_t>(low + 2)) += static_cast<float>(x - low);
    phases.push_back(taps);
  }
  return phases;
}

/// The border is repeated, every phase is a depthwise convolution, and the phases become pixels.
[[nodiscard]] View interpolate(Import& import, const OnnxNode& node, View view, const Resizing& rows,
                               const Resizing& columns) {
  const auto row_taps = linear_taps(node, rows);
  const auto column_taps = linear_taps(node, columns);
  const auto repeated = [&](std::int64_t length) {
    import.budget().charge(length + 2);
    std::vector<std::int64_t> indices;
    for (std::int64_t i = -1; i <= length; ++i) indices.push_back(std::clamp<std::int64_t>(i, 0, length - 1));
    return indices;
  };
  view = gather_elements(import, node, view, 2, repeated(rows.input), "/rows");
  view = gather_elements(import, node, view, 3, repeated(columns.input), "/columns");
  const std::int64_t channels = view.shape[1];
  Conv conv;
  conv.groups = channels;
  conv.weight.shape = {channels * static_cast<std::int64_t>(row_taps.size() * column_taps.size()), 1, 3, 3};
  import.budget().charge(checked_count(conv.weight.shape, node.describe()));
  for (std::int64_t c = 0; c < channels; ++c) {
    for (const auto& row : row_taps) {
      for (const auto& column : column_taps) {
        for (const float a : row) {
          for (const float b : column) conv.weight.data.push_back(a * b);
        }
      }
    }
  }
  const ValueId filtered = import.emit(node, std::move(conv), {view.value});
  const ValueId value = to_space(import, node, filtered, static_cast<std::int64_t>(row_taps.size()),
                                 static_cast<std::int64_t>(column_taps.size()));
  return plain_view(value, import.shape_of(value));
}

/// Sizes or scales of all dimensions, from the inputs or, before opset 9, an attribute.
[[nodiscard]] std::vector<Resizing> resizings(Import& import, const OnnxNode& node, const Shape& shape) {
  const bool upsample = node.type() == "Upsample" || node.opset() < 11;
  const int scales_at = upsample ? 1 : 2;
  std::vector<float> scales = node.numbers("scales");
  if (const ConstantPointer given = import.constant(node, scales_at); given != nullptr) scales = given->floats;
  std::vector<std::int64_t> sizes;
  if (!upsample && import.has_input(node, 3)) sizes = import.integers(node, "sizes", 3);
  std::vector<std::int64_t> axes = node.integers("axes");
  if (axes.empty()) axes = {0, 1, 2, 3};
  axes = normalize_axes(node, axes, shape.size());
  if (sizes.size() != axes.size() && scales.size() != axes.size()) {
    throw node.error("has sizes or scales for other than {} axes", axes.size());
  }
  if (node.text("keep_aspect_ratio_policy", "stretch") != "stretch") throw node.error("keeps the aspect ratio");
  const std::string fallback = upsample ? "asymmetric" : "half_pixel";
  std::vector<Resizing> result(4);
  for (std::size_t i = 0; i < axes.size(); ++i) {
    const auto axis = static_cast<std::size_t>(axes[i]);
    const bool sized = sizes.size() == axes.size();
    if (axis == 0) {
      if (sized ? sizes[i] != batch && sizes[i] != 1 : scales[i] != 1) throw node.error("resizes the batch");
      continue;
    }
    const std::int64_t input = shape[axis];
    const double wanted = sized ? static_cast<double>(sizes[i]) : std::floor(static_cast<double>(input) * scales[i]);
    if (!(wanted >= 1 && wanted <= 1 << 15)) throw node.error("makes an axis of {} elements", wanted);
    const double scale = sized ? wanted / static_cast<double>(input) : static_cast<double>(scales[i]);
    result[axis] = {node.text("coordinate_transformation_mode", fallback), scale, input,
                    static_cast<std::int64_t>(wanted)};
  }
  for (std::size_t axis = 1; axis < 4; ++axis) {
    if (result[axis].transformation.empty()) result[axis] = {"asymmetric", 1, shape[axis], shape[axis]};
  }
  return result;
}

void resize(Import& import, const OnnxNode& node) {
  View view = import.view(node, 0);
  if (view.shape.size() != 4) throw node.error("resizes a tensor of shape {}, no image", describe_shape(view.shape));
  const std::string mode = node.text("mode", "nearest");
  const std::vector<Resizing> axes = resizings(import, node, view.shape);
  for (const Resizing& axis : axes) {
    static const std::array known{"", "asymmetric", "align_corners", "half_pixel", "pytorch_half_pixel"};
    if (std::find(known.begin(), known.end(), axis.transformation) == known.end()) {
      throw node.error("has the coordinate_transformation_mode '{}', which is not supported",
                       clean_name(axis.transformation));
    }
  }
  if (mode == "nearest") {
    const std::string fallback = node.opset() < 11 || node.type() == "Upsample" ? "floor" : "round_prefer_floor";
    for (std::size_t axis = 1; axis < 4; ++axis) {
      import.budget().charge(axes[axis].output);
      view = gather_elements(import, node, view, static_cast<std::int64_t>(axis),
                             nearest_indices(axes[axis], node.text("nearest_mode", fallback)));
    }
    import.set(node, std::move(view));
    return;
  }
  if (mode != "linear" && mode != "bilinear") {
    throw node.error("resizes in mode '{}'; nearest and linear are supported", clean_name(mode));
  }
  if (axes[1].input != axes[1].output) throw node.error("resizes the channels");
  import.set(node, interpolate(import, node, import.plain(node, view), axes[2], axes[3]));
}

}  // namespace

void add_upsampling(Operators& operators) {
  operators["ConvTranspose"] = conv_transpose;
  operators["Resize"] = resize;
  operators["Upsample"] = resize;
}

}  // namespace trimtab::onnx_reader
