#include <algorithm>
#include <array>
#include <utility>

#include "import/tflite_translation.h"

// The operators with weights and windows.
namespace trimtab::tflite_reader {
namespace {

/// The options of a node. Throws Error (bad input) where the file has those of another operator or none.
template <typename Options>
[[nodiscard]] const Options& checked(const TfliteOperator& node, const Options* options) {
  if (options == nullptr) throw Translation::error(node, "lacks its options; the file is damaged");
  return *options;
}

[[nodiscard]] onnx::AttributeProto padding_of(const TfliteOperator& node, tflite::Window window) {
  if (window == tflite::Window::SAME) return text("auto_pad", "SAME_UPPER");
  if (window == tflite::Window::VALID) return text("auto_pad", "VALID");
  throw Translation::error(node, "has padding {}, which the format does not know", static_cast<int>(window));
}

/// The shape of the weight, input 1, which must be a constant or made of one.
[[nodiscard]] const Shape& weight_shape(const Translation& network, const TfliteOperator& node, std::size_t rank) {
  const Shape& shape = network.tensor(node, 1).shape;
  if (shape.size() != rank) {
    throw Translation::error(node, "has a weight of shape {}; {} dimensions are needed", to_string(shape), rank);
  }
  return shape;
}

/// Of the image, input 0.
[[nodiscard]] std::int64_t channels_of(const Translation& network, const TfliteOperator& node) {
  const Shape& shape = network.tensor(node, 0).shape;
  if (shape.size() != 4)
    throw Translation::error(node, "reads a tensor of shape {}; an image is needed", to_string(shape));
  return shape[3];
}

/// A Conv of the image with `weight` {outputs, inputs / groups, height, width}; what follows is channels last.
[[nodiscard]] std::string convolution(Translation& network, const TfliteOperator& node, const std::string& weight,
                                      std::int64_t groups, std::vector<onnx::AttributeProto> attributes) {
  attributes.push_back(integer("group", groups));
  std::vector<std::string> inputs{network.image(node, 0), weight};
  if (network.has(node, 2)) inputs.push_back(network.input(node, 2));
  return network.channels_last(node, network.add(node, "Conv", inputs, std::move(attributes)));
}

template <typename Options>
[[nodiscard]] std::vector<onnx::AttributeProto> windows(const TfliteOperator& node, const Options& options) {
  return {padding_of(node, options.padding()), integers("strides", {options.stride_height(), options.stride_width()}),
          integers("dilations", {options.dilation_height(), options.dilation_width()})};
}

void conv(Translation& network, const TfliteOperator& node) {
  const auto& options = checked(node, node.table->options_as_Convolution());
  const Shape& weight = weight_shape(network, node, 4);  // outputs x height x width x inputs of a group
  const std::int64_t channels = channels_of(network, node);
  if (channels % weight[3] != 0) {
    throw Translation::error(node, "has a weight of shape {}, which does not fit {} channels", to_string(weight),
                             channels);
  }
  const std::string turned = network.channels_first(node, network.input(node, 1));
  network.finish(node, convolution(network, node, turned, channels / weight[3], windows(node, options)),
                 options.activation());
}

void depthwise_conv(Translation& network, const TfliteOperator& node) {
  const auto& options = checked(node, node.table->options_as_DepthwiseConvolution());
  const Shape& weight = weight_shape(network, node, 4);  // 1 x height x width x outputs
  const std::string turned = network.add(node, "Transpose", {network.input(node, 1)}, {integers("perm", {3, 0, 1, 2})});
  const std::int64_t channels = channels_of(network, node);
  if (weight[0] != 1 || weight[3] % channels != 0) {
    throw Translation::error(node, "has a weight of shape {}, which does not fit {} channels", to_string(weight),
                             channels);
  }
  network.finish(node, convolution(network, node, turned, channels, windows(node, options)), options.activation());
}

/// One Linear for the whole sample, or a Conv where positions are kept apart.
void fully_connected(Translation& network, const TfliteOperator& node) {
  const auto& options = checked(node, node.table->options_as_FullyConnected());
  if (options.weights_format() != 0) throw Translation::error(node, "has shuffled weights, which is not supported");
  const Shape& weight = weight_shape(network, node, 2);
  const Shape& from = network.tensor(node, 0).shape;
  const Shape& to = network.result(node).shape;
  if (from.empty() || to.empty() || weight[1] == 0) throw Translation::error(node, "has no dimensions");
  std::string x = network.input(node, 0);
  if (element_count(from) == from[0] * weight[1]) {
    if (from != Shape{from[0], weight[1]}) x = network.reshaped(node, x, {from[0], weight[1]});
    std::vector<std::string> inputs{x, network.input(node, 1)};
    if (network.has(node, 2)) inputs.push_back(network.input(node, 2));
    x = network.add(node, "Gemm", inputs, {integer("transB", 1)});
    if (to.size() != 2) x = network.reshaped(node, x, to);
  } else {
    if (from.back() != weight[1] || to.size() != from.size() || from.size() < 3 || from.size() > 4) {
      throw Translation::error(node,
                               "multiplies a tensor of shape {} with a weight of shape {} to one of shape {}, "
                               "which is not supported",
                               to_string(from), to_string(weight), to_string(to));
    }
    if (from.size() == 3) x = network.reshaped(node, x, {from[0], from[1], 1, from[2]});
    const std::string kernel = network.reshaped(node, network.input(node, 1), {weight[0], weight[1], 1, 1});
    std::vector<std::string> inputs{network.channels_first(node, x), kernel};
    if (network.has(node, 2)) inputs.push_back(network.input(node, 2));
    x = network.channels_last(node, network.add(node, "Conv", inputs));
    if (from.size() == 3) x = network.reshaped(node, x, to);
  }
  network.finish(node, x, options.activation());
}

void pool(Translation& network, const TfliteOperator& node) {
  const auto& options = checked(node, node.table->options_as_Pooling());
  const char* type = node.code == tflite::Code::MAX_POOL_2D ? "MaxPool" : "AveragePool";
  const std::string x = network.add(
      node, type, {network.image(node, 0)},
      {padding_of(node, options.padding()), integers("strides", {options.stride_height(), options.stride_width()}),
       integers("kernel_shape", {options.kernel_height(), options.kernel_width()})});
  network.finish(node, network.channels_last(node, x), options.activation());
}

/// The stride and the kernel make more pixels of fewer. Input 0 is the output's shape, which its tensor has, too.
void transposed_conv(Translation& network, const TfliteOperator& node) {
  const auto& options = checked(node, node.table->options_as_TransposedConvolution());
  const Shape& weight = weight_shape(network, node, 4);  // outputs x height x width x inputs
  const Shape& from = network.tensor(node, 2).shape;
  const Shape& to = network.result(node).shape;
  if (from.size() != 4 || to.size() != 4) throw Translation::error(node, "reads or makes a tensor that is no image");
  const std::array<std::int64_t, 2> strides{options.stride_height(), options.stride_width()};
  std::vector<std::int64_t> pads(4, 0);
  std::vector<std::int64_t> more(2, 0);
  for (std::size_t axis = 0; axis < 2; ++axis) {
    const std::int64_t stride = strides.at(axis);
    if (stride < 1 || stride > 64) throw Translation::error(node, "has a stride of {}", stride);
    const std::int64_t whole = (from[1 + axis] - 1) * stride + weight[1 + axis];
    const std::int64_t taken = std::max<std::int64_t>(whole - to[1 + axis], 0);
    if (options.padding() == tflite::Window::VALID && taken > 0) {
      throw Translation::error(node, "makes an image of shape {}, which is too small without padding", to_string(to));
    }
    pads[axis] = taken / 2;
    pads[2 + axis] = taken - taken / 2;
    more[axis] = to[1 + axis] + taken - whole;
  }
  const std::string turned = network.add(node, "Transpose", {network.input(node, 1)}, {integers("perm", {3, 0, 1, 2})});
  std::vector<std::string> inputs{network.image(node, 2), turned};
  if (network.has(node, 3)) inputs.push_back(network.input(node, 3));
  const std::string x = network.add(
      node, "ConvTranspose", inputs,
      {integers("strides", {strides[0], strides[1]}), integers("pads", pads), integers("output_padding", more)});
  network.finish(node, network.channels_last(node, x), options.activation());
}

void reduce(Translation& network, const TfliteOperator& node, const char* type) {
  const auto& options = checked(node, node.table->options_as_Reducer());
  network.finish(node, network.add(node, type, {network.input(node, 0)},
                                   {integers("axes", network.integers_of(node, 1)),
                                    integer("keepdims", options.keeps_dimensions() ? 1 : 0)}));
}

void softmax(Translation& network, const TfliteOperator& node) {
  const float beta = checked(node, node.table->options_as_Softmax()).beta();
  std::string x = network.input(node, 0);
  if (beta != 1) x = network.add(node, "Mul", {x, network.scalar(node, beta)}, {}, "/beta");
  network.finish(node, network.add(node, "Softmax", {x}, {integer("axis", -1)}));
}

}  // namespace

void add_layers(Translators& translators) {
  translators[tflite::Code::CONV_2D] = conv;
  translators[tflite::Code::DEPTHWISE_CONV_2D] = depthwise_conv;
  translators[tflite::Code::FULLY_CONNECTED] = fully_connected;
  translators[tflite::Code::AVERAGE_POOL_2D] = pool;
  translators[tflite::Code::MAX_POOL_2D] = pool;
  translators[tflite::Code::TRANSPOSE_CONV] = transposed_conv;
  constexpr std::pair<tflite::Code, const char*> reductions[] = {{tflite::Code::MEAN, "ReduceMean"},
                                                                 {tflite::Code::SUM, "ReduceSum"},
                                                                 {tflite::Code::REDUCE_MAX, "ReduceMax"},
                                                                 {tflite::Code::REDUCE_MIN, "ReduceMin"}};
  for (const auto& entry : reductions) {
    const char* type = entry.second;
    translators[entry.first] = [type](Translation& network, const TfliteOperator& node) {
      reduce(network, node, type);
    };
  }
  translators[tflite::Code::SOFTMAX] = softmax;
}

}  // namespace trimtab::tflite_reader
