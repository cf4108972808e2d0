#include <algorithm>
#include <array>

#include "base/index.h"
#include "import/onnx_import.h"

// The operators with weights and windows.
namespace trimtab::onnx_reader {
namespace {

using Pair = std::array<std::int64_t, 2>;

/// The input of an operator that needs channels x height x width, or channels x length: an image of height 1.
struct Image {
  ValueId value;
  bool is_sequence;
};

/// An attribute with one number per spatial axis.
[[nodiscard]] Pair pair_of(const OnnxNode& node, const char* attribute, const Image& image, Pair otherwise) {
  auto given = node.integers(attribute);
  if (given.empty()) return otherwise;
  if (image.is_sequence) given.insert(given.begin(), 1);
  if (given.size() != 2) {
    throw node.error("has {} numbers in '{}'; networks over images need two", given.size(), attribute);
  }
  for (const std::int64_t x : given) {
    if (x < 0 || x > most_elements) throw node.error("has '{}' of {}", attribute, x);
  }
  return {given[0], given[1]};
}

/// The padding of a window operator on rows x columns of `input`, from pads or auto_pad.
[[nodiscard]] Padding padding_of(const OnnxNode& node, const Image& image, const Shape& input, Pair kernel, Pair stride,
                                 Pair dilation) {
  const std::string automatic = node.text("auto_pad", "NOTSET");
  if (automatic == "NOTSET" || automatic.empty()) {
    auto pads = node.integers("pads");
    if (pads.empty()) return {};
    if (image.is_sequence && pads.size() == 2) pads = {0, pads[0], 0, pads[1]};
    if (pads.size() != 4) throw node.error("has {} pads; four are needed", pads.size());
    for (const std::int64_t pad : pads) {
      if (pad < 0 || pad > most_elements) throw node.error("has a pad of {}; it must not be negative", pad);
    }
    return {pads[0], pads[1], pads[2], pads[3]};
  }
  if (automatic == "VALID") return {};
  if (automatic != "SAME_UPPER" && automatic != "SAME_LOWER") {
    throw node.error("has auto_pad '{}', which ONNX does not know", clean_name(automatic));
  }
  Pair before{};
  Pair after{};
  for (std::size_t axis = 0; axis < 2; ++axis) {
    if (stride[axis] < 1) throw node.error("has a stride of {}", stride[axis]);
    const std::int64_t length = input[1 + axis];
    const std::int64_t windows = (length + stride[axis] - 1) / stride[axis];
    const std::int64_t extent = dilation[axis] * (kernel[axis] - 1) + 1;
    const std::int64_t total = std::max<std::int64_t>((windows - 1) * stride[axis] + extent - length, 0);
    before[axis] = automatic == "SAME_UPPER" ? total / 2 : total - total / 2;
    after[axis] = total - before[axis];
  }
  return {before[0], before[1], after[0], after[1]};
}

[[nodiscard]] Image image_of(Import& import, const OnnxNode& node) {
  const View& view = import.view(node, 0);
  if (view.shape.size() != 4 && view.shape.size() != 3) {
    throw node.error(
        "reads a tensor of shape {}; only images (batch x channels x height x width) and sequences (batch x channels x "
        "length) are supported",
        describe_shape(view.shape));
  }
  return {import.plain(node, view).value, view.shape.size() == 3};
}

/// Output 0: an image, or a sequence where the input is one.
void set_image(Import& import, const OnnxNode& node, const Image& input, ValueId value) {
  View view = plain_view(value, import.shape_of(value));
  if (input.is_sequence) view.shape.erase(view.shape.begin() + 2);
  import.set(node, std::move(view));
}

/// An optional vector of `length` numbers; a scalar or {1} is repeated, leading dimensions of 1 are dropped.
[[nodiscard]] Tensor optional_vector(Import& import, const OnnxNode& node, int index, const char* what,
                                     std::int64_t length) {
  if (!import.has_input(node, index)) return {};
  Tensor tensor = import.parameter(node, index, what);
  while (tensor.shape.size() > 1 && tensor.shape[0] == 1) tensor.shape.erase(tensor.shape.begin());
  if (tensor.data.size() == 1 && length > 1) {
    import.budget().charge(length);
    tensor.data.resize(static_cast<std::size_t>(length), tensor.data[0]);
    tensor.shape = {length};
  }
  if (tensor.shape.empty()) tensor.shape = {1};
  if (tensor.shape != Shape{length}) {
    throw node.error("has a {} of shape {}; {} is needed", what, describe_shape(tensor.shape), length);
  }
  return tensor;
}

void conv(Import& import, const OnnxNode& node) {
  const Image input = image_of(import, node);
  Conv op;
  op.weight = import.parameter(node, 1, "weight");
  Shape& weight = op.weight.shape;
  if (input.is_sequence && weight.size() == 3) weight.insert(weight.begin() + 2, 1);
  if (weight.size() != 4) throw node.error("has a weight of shape {}; four dimensions are needed", to_string(weight));
  const Pair kernel = pair_of(node, "kernel_shape", input, {weight[2], weight[3]});
  if (kernel != Pair{weight[2], weight[3]}) {
    throw node.error("has kernel_shape {}x{} but a weight of shape {}", kernel[0], kernel[1], to_string(weight));
  }
  op.bias = optional_vector(import, node, 2, "bias", weight[0]);
  op.stride = pair_of(node, "strides", input, {1, 1});
  op.dilation = pair_of(node, "dilations", input, {1, 1});
  op.groups = node.integer("group", 1);
  op.padding = padding_of(node, input, import.shape_of(input.value), kernel, op.stride, op.dilation);
  set_image(import, node, input, import.emit(node, std::move(op), {input.value}));
}

/// weight {outputs, inputs} in the order of the ONNX tensor's elements, applied to input 0.
void linear(Import& import, const OnnxNode& node, Tensor weight, Tensor bias) {
  const View view = import.view(node, 0);
  if (view.shape.size() != 2 || view.shape[0] != batch || view.shape[1] != weight.shape[1]) {
    throw node.error("multiplies a tensor of shape {} with a weight for {} inputs; batch x {} is needed",
                     describe_shape(view.shape), weight.shape[1], weight.shape[1]);
  }
  const Shape& shape = import.shape_of(view);
  if (!is_plain(view, shape)) {  // flattened channels last: the weight's columns follow
    const auto order = element_order(view, shape);
    const auto inputs = static_cast<std::size_t>(weight.shape[1]);
    if (order.size() != inputs) throw node.error("reads a tensor whose batch is not its first dimension");
    std::vector<float> row(inputs);
    for (std::size_t begin = 0; begin < weight.data.size(); begin += inputs) {
      for (std::size_t i = 0; i < inputs; ++i) nth(row, order[i]) = weight.data[begin + i];
      std::copy(row.begin(), row.end(), weight.data.begin() + static_cast<std::ptrdiff_t>(begin));
    }
  }
  const ValueId input = import.reshaped(node, view.value, {weight.shape[1]});
  const ValueId value = import.emit(node, Linear{std::move(weight), std::move(bias)}, {input});
  import.set(node, plain_view(value, import.shape_of(value)));
}

[[nodiscard]] Tensor transposed(Import& import, const Tensor& matrix) {
  import.budget().charge(static_cast<std::int64_t>(matrix.data.size()));
  const auto rows = static_cast<std::size_t>(matrix.shape[0]);
  const auto columns = static_cast<std::size_t>(matrix.shape[1]);
  Tensor result{{matrix.shape[1], matrix.shape[0]}, std::vector<float>(matrix.data.size())};
  for (std::size_t r = 0; r < rows; ++r) {
    for (std::size_t c = 0; c < columns; ++c) result.data[c * rows + r] = matrix.data[r * columns + c];
  }
  return result;
}

[[nodiscard]] Tensor matrix(Import& import, const OnnxNode& node) {
  Tensor weight = import.parameter(node, 1, "weight");
  if (weight.shape.size() != 2 || weight.data.empty()) {
    throw node.error("has a weight of shape {}; a matrix is needed", describe_shape(weight.shape));
  }
  return weight;
}

void gemm(Import& import, const OnnxNode& node) {
  if (node.integer("transA", 0) != 0) throw node.error("transposes its input, which mixes samples of the batch");
  Tensor weight = matrix(import, node);
  if (node.integer("transB", 0) == 0) weight = transposed(import, weight);
  Tensor bias = optional_vector(import, node, 2, "bias", weight.shape[0]);
  const float alpha = node.number("alpha", 1);
  const float beta = node.number("beta", 1);
  if (alpha != 1) std::for_each(weight.data.begin(), weight.data.end(), [&](float& x) { x *= alpha; });
  if (beta != 1) std::for_each(bias.data.begin(), bias.data.end(), [&](float& x) { x *= beta; });
  linear(import, node, std::move(weight), std::move(bias));
}

void matmul(Import& import, const OnnxNode& node) {
  linear(import, node, transposed(import, matrix(import, node)), {});
}

void batch_normalization(Import& import, const OnnxNode& node) {
  if (node.integer("training_mode", 0) != 0) throw node.error("is in training mode; export the model for inference");
  if (node.integer("spatial", 1) != 1) throw node.error("normalizes each pixel by itself, which is not supported");
  const View input = import.plain(node, import.view(node, 0));
  const std::int64_t channels = import.shape_of(input)[0];
  BatchNormalization op;
  op.scale = optional_vector(import, node, 1, "scale", channels);
  op.bias = optional_vector(import, node, 2, "bias", channels);
  op.mean = optional_vector(import, node, 3, "mean", channels);
  op.variance = optional_vector(import, node, 4, "variance", channels);
  op.epsilon = node.number("epsilon", 1e-5F);
  import.set_like(node, input, import.emit(node, std::move(op), {input.value}));
}

/// The mean of a dilated window: a depthwise convolution.
[[nodiscard]] Operator dilated_mean(const OnnxNode& node, const Pool& pool, std::int64_t channels) {
  if (pool.ceil_mode || (pool.padding != Padding{} && !pool.count_include_pad)) {
    throw node.error("has a dilation, and windows of different sizes at the borders, which is not supported");
  }
  const std::int64_t window = pool.kernel[0] * pool.kernel[1];
  if (window < 1 || window > 1 << 16 || channels * window > 1 << 24) throw node.error("has a window of {}", window);
  Conv conv;
  conv.weight.shape = {channels, 1, pool.kernel[0], pool.kernel[1]};
  conv.weight.data.assign(static_cast<std::size_t>(channels * window), 1.0F / static_cast<float>(window));
  conv.stride = pool.stride;
  conv.dilation = pool.dilation;
  conv.padding = pool.padding;
  conv.groups = channels;
  return conv;
}

void pool(Import& import, const OnnxNode& node, PoolKind kind) {
  const Image input = image_of(import, node);
  const Shape shape = import.shape_of(input.value);
  Pool op;
  op.kind = kind;
  if (node.integers("kernel_shape").empty()) throw node.error("lacks its kernel_shape");
  op.kernel = pair_of(node, "kernel_shape", input, {});
  op.stride = pair_of(node, "strides", input, {1, 1});
  op.dilation = pair_of(node, "dilations", input, {1, 1});
  op.ceil_mode = node.integer("ceil_mode", 0) != 0;
  op.count_include_pad = kind == PoolKind::average && node.integer("count_include_pad", 0) != 0;
  op.padding = padding_of(node, input, shape, op.kernel, op.stride, op.dilation);
  Operator made = op;
  if (kind == PoolKind::average && op.dilation != Pair{1, 1}) {
    made = dilated_mean(node, op, shape[0]);
  } else if (kind == PoolKind::average && op.kernel == Pair{shape[1], shape[2]} && op.padding == Padding{}) {
    made = GlobalAveragePool{};
  }
  set_image(import, node, input, import.emit(node, std::move(made), {input.value}));
}

void global_average_pool(Import& import, const OnnxNode& node) {
  const Image input = image_of(import, node);
  set_image(import, node, input, import.emit(node, GlobalAveragePool{}, {input.value}));
}

void global_max_pool(Import& import, const OnnxNode& node) {
  const Image input = image_of(import, node);
  const Shape& shape = import.shape_of(input.value);
  Pool op;
  op.kernel = {shape[1], shape[2]};
  op.stride = {1, 1};
  set_image(import, node, input, import.emit(node, op, {input.value}));
}

void softmax(Import& import, const OnnxNode& node) {
  const Softmax op{node.type() == "LogSoftmax"};
  const View view = import.view(node, 0);
  const auto rank = view.shape.size();
  const bool coerces = node.opset() < 13;  // to a matrix of what stands before and after the axis
  const std::int64_t axis = normalize_axes(node, {node.integer("axis", coerces ? 1 : -1)}, rank)[0];
  bool last = true;
  for (std::size_t i = static_cast<std::size_t>(axis) + 1; i < rank; ++i) last = last && view.shape[i] == 1;
  if ((!coerces || last) && axis_of_dimension(import, view, axis) == 0) {
    import.set_like(node, view, import.emit(node, op, {view.value}));
    return;
  }
  if (nth(view.shape, axis) == batch) throw node.error("is over the batch");
  const View plain = import.plain(node, view);
  const Shape shape = import.shape_of(plain);
  std::int64_t before = 1;
  std::int64_t length = 1;
  std::int64_t after = 1;
  for (std::size_t i = 1; i < rank; ++i) {
    const auto place = static_cast<std::int64_t>(i);
    (place < axis ? before : place == axis || coerces ? length : after) *= view.shape[i];
  }
  if (before == 1 && after == 1) {
    const ValueId flat = import.reshaped(node, plain.value, {length});
    import.set_like(node, plain, import.reshaped(node, import.emit(node, op, {flat}), shape));
    return;
  }
  // the axis becomes the channels, and goes back behind it
  const Permute forth{{before, length, after}, {1, 0, 2}, {length, before, after}};
  const Permute back{{length, before, after}, {1, 0, 2}, shape};
  const ValueId turned = import.emit(node, forth, {plain.value}, "/channels");
  import.set_like(node, plain, import.emit(node, back, {import.emit(node, op, {turned})}, "/back"));
}

}  // namespace

void add_layers(Operators& operators) {
  operators["Conv"] = conv;
  operators["Gemm"] = gemm;
  operators["MatMul"] = matmul;
  operators["BatchNormalization"] = batch_normalization;
  operators["MaxPool"] = [](Import& import, const OnnxNode& node) { pool(import, node, PoolKind::max); };
  operators["AveragePool"] = [](Import& import, const OnnxNode& node) { pool(import, node, PoolKind::average); };
  operators["GlobalAveragePool"] = global_average_pool;
  operators["GlobalMaxPool"] = global_max_pool;
  operators["Softmax"] = softmax;
  operators["LogSoftmax"] = softmax;
}

}  // namespace trimtab::onnx_reader
