#include "graph/networks.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <optional>
#include <string_view>
#include <utility>

#include "base/error.h"
#include "base/random.h"

namespace trimtab {

namespace {

using Pair = std::array<std::int64_t, 2>;  ///< rows, columns

/// Padding of one side's axis, {before, after}, with which a strided window gives ceil(size / stride) outputs, the odd
/// zero at the end: what TensorFlow calls "same", and the MLPerf Tiny networks were trained with.
Pair same_padding(std::int64_t size, std::int64_t kernel, std::int64_t stride) {
  const std::int64_t outputs = (size + stride - 1) / stride;
  const std::int64_t total = std::max<std::int64_t>(0, (outputs - 1) * stride + kernel - size);
  return {total / 2, total - total / 2};
}

enum class PaddingRule { none, same, symmetric };  ///< symmetric: (kernel - 1) / 2 on every side

struct Window {
  Pair kernel{3, 3};
  Pair stride{1, 1};
  PaddingRule padding = PaddingRule::symmetric;
};

Window square(std::int64_t kernel, std::int64_t stride, PaddingRule padding) {
  return {{kernel, kernel}, {stride, stride}, padding};
}

/// Grows a graph node by node. Names of nodes are those of the values they make.
class Builder {
 public:
  Builder(std::string name, const Shape& input, std::uint64_t seed) : random_(seed) {
    graph_.name = std::move(name);
    graph_.values.push_back({"input", input});
    graph_.input = 0;
  }

  [[nodiscard]] ValueId input() const { return graph_.input; }
  [[nodiscard]] const Shape& shape(ValueId value) const { return graph_.shape_of(value); }

  ValueId add(const std::string& name, Operator op, std::vector<ValueId> inputs) {
    Node node{name, std::move(op), std::move(inputs), static_cast<ValueId>(graph_.values.size())};
    std::vector<Shape> shapes;
    for (const ValueId value : node.inputs) shapes.push_back(shape(value));
    graph_.values.push_back({name, infer_shape(node, shapes)});
    graph_.nodes.push_back(std::move(node));
    return graph_.nodes.back().output;
  }

  /// Convolution from `groups` groups. Weights are normal with variance 2 / fan-in (He et al., ICCV 2015) unless a
  /// deviation is given.
  ValueId conv(const std::string& name, ValueId input, std::int64_t filters, const Window& window, bool bias,
               std::int64_t groups = 1, std::optional<double> deviation = {}) {
    const Shape& in = shape(input);
    Conv conv;
    conv.groups = groups;
    conv.stride = window.stride;
    conv.padding = padding_of(in, window);
    const std::int64_t fan_in = in[0] / groups * window.kernel[0] * window.kernel[1];
    conv.weight = normal({filters, in[0] / groups, window.kernel[0], window.kernel[1]},
                         deviation.value_or(std::sqrt(2.0 / static_cast<double>(fan_in))));
    if (bias) conv.bias = constant(filters, 0);
    return add(name, std::move(conv), {input});
  }

  ValueId batch_normalization(const std::string& name, ValueId input) {
    const std::int64_t channels = shape(input)[0];
    BatchNormalization norm;
    norm.scale = constant(channels, 1);
    norm.bias = constant(channels, 0);
    norm.mean = constant(channels, 0);
    norm.variance = constant(channels, 1);
    return add(name, std::move(norm), {input});
  }

  ValueId relu(const std::string& name, ValueId input) { return add(name, Relu{}, {input}); }

  /// Convolution without bias, BatchNormalization, ReLU: NAME, NAME.norm, NAME.relu.
  ValueId conv_norm_relu(const std::string& name, ValueId input, std::int64_t filters, const Window& window,
                         std::int64_t groups = 1) {
    const ValueId sum = conv(name, input, filters, window, false, groups);
    return relu(name + ".relu", batch_normalization(name + ".norm", sum));
  }

  ValueId conv_relu(const std::string& name, ValueId input, std::int64_t filters, const Window& window) {
    return relu(name + ".relu", conv(name, input, filters, window, true));
  }

  /// Pool of 3x3 (less where the image is smaller) with stride 2 in ceil mode, as Caffe pools.
  ValueId pool(const std::string& name, ValueId input, PoolKind kind) {
    Pool pool;
    pool.kind = kind;
    pool.kernel = {std::min<std::int64_t>(3, shape(input)[1]), std::min<std::int64_t>(3, shape(input)[2])};
    pool.stride = {2, 2};
    pool.ceil_mode = true;
    return add(name, pool, {input});
  }

  ValueId linear(const std::string& name, ValueId input, std::int64_t outputs) {
    const std::int64_t inputs = shape(input)[0];
    Linear linear;
    linear.weight = normal({outputs, inputs}, std::sqrt(1.0 / static_cast<double>(inputs)));
    linear.bias = constant(outputs, 0);
    return add(name, std::move(linear), {input});
  }

  /// Mean over the image, then one Linear.
  ValueId classifier(ValueId input, std::int64_t classes) {
    return linear("classifier", add("pool", GlobalAveragePool{false}, {input}), classes);
  }

  Graph finish(ValueId output) {
    graph_.output = output;
    return std::move(graph_);
  }

 private:
  static Padding padding_of(const Shape& input, const Window& window) {
    switch (window.padding) {
      case PaddingRule::none:
        return {};
      case PaddingRule::symmetric: {
        const std::int64_t rows = (window.kernel[0] - 1) / 2;
        const std::int64_t columns = (window.kernel[1] - 1) / 2;
        return {rows, columns, rows, columns};
      }
      case PaddingRule::same:
        break;
    }
    const Pair rows = same_padding(input[1], window.kernel[0], window.stride[0]);
    const Pair columns = same_padding(input[2], window.kernel[1], window.stride[1]);
    return {rows[0], columns[0], rows[1], columns[1]};
  }

  Tensor normal(const Shape& shape, double deviation) {
    Tensor tensor{shape, std::vector<float>(static_cast<std::size_t>(element_count(shape)))};
    for (float& x : tensor.data) x = static_cast<float>(deviation * random_.normal());
    return tensor;
  }

  static Tensor constant(std::int64_t channels, float value) {
    return {{channels}, std::vector<float>(static_cast<std::size_t>(channels), value)};
  }

  Graph graph_;
  Random random_;
};

/// Images so small that an ImageNet network's first stride would leave nothing to see.
bool is_small(const Shape& input) { return std::min(input[1], input[2]) < 64; }

// Caffe, examples/cifar10 (Jia et al. 2014), with one Linear. Caffe rectifies after the first (max) pool; before it
// gives the same numbers and lets the rectifier fuse with its convolution. Normalized it trains several times faster,
// and is the same network again when BatchNormalization has been folded.
Graph cifar10_quick(Builder net, std::int64_t classes, bool normalized) {
  const Window window = square(5, 1, PaddingRule::symmetric);
  const auto conv = [&](const std::string& name, ValueId input, std::int64_t filters) {
    return normalized ? net.conv_norm_relu(name, input, filters, window) : net.conv_relu(name, input, filters, window);
  };
  ValueId x = net.pool("pool1", conv("conv1", net.input(), 32), PoolKind::max);
  x = net.pool("pool2", conv("conv2", x, 32), PoolKind::average);
  x = net.pool("pool3", conv("conv3", x, 64), PoolKind::average);
  x = net.add("flatten", Reshape{{element_count(net.shape(x))}}, {x});
  return net.finish(net.linear("classifier", x, classes));
}

struct ResidualStyle {
  double width;                 ///< multiplies the filters of every stage
  std::int64_t blocks;          ///< per stage
  PaddingRule padding;          ///< of the strided convolutions
  bool shortcut_is_normalized;  ///< BatchNormalization after the shortcut's 1x1 convolution, else a bias in it
};

// He et al., "Deep Residual Learning", CVPR 2016, section 4.2: three stages of 16, 32 and 64 filters. Where a stage
// begins with a stride, the shortcut is a 1x1 convolution (their option B). resnet8 is MLPerf Tiny's version (Banbury
// et al. 2021): one block per stage, no BatchNormalization in the shortcuts.
Graph resnet(Builder net, std::int64_t classes, const ResidualStyle& style) {
  const auto window = [&](std::int64_t stride) { return square(3, stride, style.padding); };
  // multiples of 4, which the kernels run without a remainder
  const auto base = std::max<std::int64_t>(4, 4 * std::llround(16 * style.width / 4));
  ValueId x = net.conv_norm_relu("stem.conv", net.input(), base, window(1));
  for (std::int64_t stage = 1; stage <= 3; ++stage) {
    const std::int64_t filters = base << (stage - 1);
    for (std::int64_t block = 1; block <= style.blocks; ++block) {
      const std::string name = fmt::format("stage{}.block{}", stage, block);
      const std::int64_t stride = stage > 1 && block == 1 ? 2 : 1;
      ValueId y = net.conv_norm_relu(name + ".conv1", x, filters, window(stride));
      y = net.conv(name + ".conv2", y, filters, window(1), false);
      y = net.batch_normalization(name + ".conv2.norm", y);
      if (stride != 1) {
        x = net.conv(name + ".shortcut", x, filters, square(1, stride, PaddingRule::none),
                     !style.shortcut_is_normalized);
        if (style.shortcut_is_normalized) x = net.batch_normalization(name + ".shortcut.norm", x);
      }
      x = net.relu(name + ".relu", net.add(name + ".add", Add{}, {x, y}));
    }
  }
  return net.finish(net.classifier(x, classes));
}

ValueId depthwise_separable(Builder& net, const std::string& name, ValueId x, std::int64_t filters,
                            std::int64_t stride) {
  const std::int64_t channels = net.shape(x)[0];
  x = net.conv_norm_relu(name + ".depthwise", x, channels, square(3, stride, PaddingRule::same), channels);
  return net.conv_norm_relu(name + ".pointwise", x, filters, square(1, 1, PaddingRule::none));
}

// Zhang et al., "Hello Edge", 2017, as MLPerf Tiny has it: 10x4 convolution with stride 2, four separable blocks.
Graph dscnn(Builder net, std::int64_t classes) {
  ValueId x = net.conv_norm_relu("stem.conv", net.input(), 64, {{10, 4}, {2, 2}, PaddingRule::same});
  for (int block = 1; block <= 4; ++block) x = depthwise_separable(net, fmt::format("block{}", block), x, 64, 1);
  return net.finish(net.classifier(x, classes));
}

// Howard et al., "MobileNets", 2017, table 1. Widths are rounded down, but never below 8.
Graph mobilenet_v1(Builder net, std::int64_t classes, double alpha) {
  const auto width = [&](std::int64_t filters) {
    return std::max<std::int64_t>(8, static_cast<std::int64_t>(static_cast<double>(filters) * alpha));
  };
  const std::int64_t stem_stride = is_small(net.shape(net.input())) ? 1 : 2;
  ValueId x = net.conv_norm_relu("stem.conv", net.input(), width(32), square(3, stem_stride, PaddingRule::same));
  constexpr std::array<Pair, 13> blocks{{{64, 1},
                                         {128, 2},
                                         {128, 1},
                                         {256, 2},
                                         {256, 1},
                                         {512, 2},
                                         {512, 1},
                                         {512, 1},
                                         {512, 1},
                                         {512, 1},
                                         {512, 1},
                                         {1024, 2},
                                         {1024, 1}}};
  for (std::size_t block = 0; block < blocks.size(); ++block) {
    const auto [filters, stride] = blocks[block];
    x = depthwise_separable(net, fmt::format("block{}", block + 1), x, width(filters), stride);
  }
  return net.finish(net.classifier(x, classes));
}

// Iandola et al., "SqueezeNet", 2016, in the cheaper version 1.1 of its authors' repository.
Graph squeezenet(Builder net, std::int64_t classes) {
  const bool small = is_small(net.shape(net.input()));
  const auto fire = [&](int index, ValueId x, std::int64_t squeeze, std::int64_t expand) {
    const std::string name = fmt::format("fire{}", index);
    const Window point = square(1, 1, PaddingRule::none);
    x = net.conv_relu(name + ".squeeze", x, squeeze, point);
    const ValueId left = net.conv_relu(name + ".expand1x1", x, expand, point);
    const ValueId right = net.conv_relu(name + ".expand3x3", x, expand, square(3, 1, PaddingRule::symmetric));
    return net.add(name + ".concat", Concat{}, {left, right});
  };
  ValueId x = net.conv_relu("conv1", net.input(), 64,
                            small ? square(3, 1, PaddingRule::symmetric) : square(3, 2, PaddingRule::none));
  x = net.pool("pool1", x, PoolKind::max);
  x = fire(3, fire(2, x, 16, 64), 16, 64);
  x = net.pool("pool3", x, PoolKind::max);
  x = fire(5, fire(4, x, 32, 128), 32, 128);
  x = net.pool("pool5", x, PoolKind::max);
  x = fire(7, fire(6, x, 48, 192), 48, 192);
  x = fire(9, fire(8, x, 64, 256), 64, 256);
  // The class scores start small: averaged over the image without a Linear, He's deviation would saturate the softmax.
  x = net.conv("conv10", x, classes, square(1, 1, PaddingRule::none), true, 1, 0.01);
  return net.finish(net.add("pool", GlobalAveragePool{false}, {net.relu("conv10.relu", x)}));
}

double parse_width(std::string_view text, const std::string& description) {
  double alpha = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), alpha);
  if (error != std::errc{} || end != text.data() + text.size() || !(alpha >= 0.01 && alpha <= 4)) {
    throw bad_input("the network '{}' has the width multiplier '{}'; a number from 0.01 to 4 is needed, as in {}",
                    description, text, "mobilenet_v1:0.25 or resnet8:0.75");
  }
  return alpha;
}

void check_arguments(const std::string& description, const Shape& input, std::int64_t classes) {
  constexpr std::int64_t largest = 4096;
  const bool fits = input.size() == 3 && std::all_of(input.begin(), input.end(),
                                                     [](std::int64_t size) { return size >= 1 && size <= largest; });
  if (!fits) {
    throw bad_input(
        "the network '{}' cannot take an input of shape {}; channels x height x width are needed, each from "
        "1 to {}",
        description, fmt::join(input, "x"), largest);
  }
  if (classes < 1 || classes > 100'000) {
    throw bad_input("the network '{}' cannot have {} classes; 1 to 100000 are possible", description, classes);
  }
}

}  // namespace

std::vector<std::string> network_names() {
  return {"cifar10_quick", "resnet8", "resnet14", "resnet20", "dscnn", "mobilenet_v1", "squeezenet"};
}

Graph make_network(const std::string& description, const Shape& input, std::int64_t classes, std::uint64_t seed) {
  const std::size_t colon = description.find(':');
  const std::string name = description.substr(0, colon);
  const std::string option = colon == std::string::npos ? "" : description.substr(colon + 1);
  const std::vector<std::string> names = network_names();
  if (std::find(names.begin(), names.end(), name) == names.end()) {
    throw bad_input("there is no network '{}'; the built-in ones are {}", description, fmt::join(names, ", "));
  }
  const bool has_option = colon != std::string::npos;
  const bool is_normalized_quick = description == "cifar10_quick:bn";
  const bool has_width = name == "mobilenet_v1" || name.starts_with("resnet");
  if (has_option && !has_width && !is_normalized_quick) {
    throw bad_input("the network '{}' does not take this option after a colon: '{}'", name, description);
  }
  const double width =
      has_option && has_width ? parse_width(option, description) : (name == "mobilenet_v1" ? 0.25 : 1.0);
  check_arguments(description, input, classes);

  Builder net(name, input, seed);
  if (name == "cifar10_quick") return cifar10_quick(std::move(net), classes, is_normalized_quick);
  if (name == "resnet8") return resnet(std::move(net), classes, {width, 1, PaddingRule::same, false});
  if (name == "resnet14") return resnet(std::move(net), classes, {width, 2, PaddingRule::symmetric, true});
  if (name == "resnet20") return resnet(std::move(net), classes, {width, 3, PaddingRule::symmetric, true});
  if (name == "dscnn") return dscnn(std::move(net), classes);
  if (name == "squeezenet") return squeezenet(std::move(net), classes);
  return mobilenet_v1(std::move(net), classes, width);
}

}  // namespace trimtab
