#include <gtest/gtest.h>

#include <cmath>
#include <functional>

#include "base/error.h"
#include "base/random.h"
#include "support/reference.h"
#include "support/tflite_builder.h"
#include "support/tflite_reference.h"

// TensorFlow Lite's operators, each as a network of its own, against plain loops.
namespace trimtab {
namespace {

using reference::LastImage;
using reference::LastWindows;
using reference::TfliteBuilder;
using reference::TfliteGrid;
using tflite::Activation;
using tflite::Code;
using tflite::Options;
using tflite::Type;
using tflite::Window;
using Shape32 = TfliteBuilder::Shape32;

std::vector<float> numbers(std::size_t count, std::uint64_t seed, double range = 1) {
  Random random(seed);
  std::vector<float> result;
  for (std::size_t i = 0; i < count; ++i) result.push_back(static_cast<float>(random.uniform(-range, range)));
  return result;
}

LastImage image_of(std::int64_t height, std::int64_t width, std::int64_t channels, double range = 1) {
  return {height, width, channels, numbers(static_cast<std::size_t>(height * width * channels), 5, range)};
}

Shape32 shape_of(const LastImage& image) {
  return {1, static_cast<std::int32_t>(image.height), static_cast<std::int32_t>(image.width),
          static_cast<std::int32_t>(image.channels)};
}

/// The graph's answer to the image, which must have these numbers.
void expect_answer(const Graph& graph, const LastImage& input, const std::vector<float>& expected) {
  ASSERT_EQ(graph.input_shape(), (Shape{input.channels, input.height, input.width}));
  EXPECT_LE(reference::difference(reference::run(graph, input.channels_first()), expected), 1e-5);
}

/// The function of an activation between input and output.
void expect_each(Code code, const std::function<double(double)>& f, Options type = Options::NONE,
                 const std::function<flatbuffers::Offset<void>(TfliteBuilder&)>& options = nullptr) {
  TfliteBuilder file;
  LastImage image = image_of(3, 4, 2, 8);
  const std::int32_t x = file.value(shape_of(image));
  const auto made = options != nullptr ? options(file) : flatbuffers::Offset<void>();
  const Graph graph = file.read(x, file.node(code, {x}, shape_of(image), type, made));
  std::vector<float> expected;
  for (const float v : image.channels_first()) expected.push_back(static_cast<float>(f(v)));
  expect_answer(graph, image, expected);
}

double logistic(double x) { return 1 / (1 + std::exp(-x)); }

// --- windows

TEST(TfliteWindows, Conv2dOfAllPaddings) {
  for (const bool same : {true, false}) {
    for (const std::int64_t stride : {1, 2, 3}) {
      const LastImage image = image_of(9, 8, 3);
      const LastWindows rows{4, stride, 1, same};
      const LastWindows columns{3, 1, 2, same};
      const auto weight = numbers(5 * 4 * 3 * 3, 1);
      const auto bias = numbers(5, 2);
      LastImage expected = convolve(image, weight, 5, 1, bias, rows, columns);
      for (float& x : expected.data) x = std::max(x, 0.0F);

      TfliteBuilder file;
      const std::int32_t x = file.value(shape_of(image));
      const auto options = tflite::CreateConvolution(file.fbb, same ? Window::SAME : Window::VALID, 1,
                                                     static_cast<std::int32_t>(stride), Activation::RELU, 2, 1);
      const auto y = file.node(Code::CONV_2D, {x, file.floats({5, 4, 3, 3}, weight), file.floats({5}, bias)},
                               shape_of(expected), Options::Convolution, options.Union());
      expect_answer(file.read(x, y), image, expected.channels_first());
    }
  }
}

TEST(TfliteWindows, Conv2dOfGroupsWithoutBias) {
  const LastImage image = image_of(5, 5, 4);
  const auto weight = numbers(6 * 3 * 3 * 2, 1);
  const LastImage expected = convolve(image, weight, 6, 2, {}, {3, 1, 1, true}, {3, 1, 1, true});
  TfliteBuilder file;
  const std::int32_t x = file.value(shape_of(image));
  const auto options = tflite::CreateConvolution(file.fbb, Window::SAME, 1, 1);
  const auto y = file.node(Code::CONV_2D, {x, file.floats({6, 3, 3, 2}, weight), -1}, shape_of(expected),
                           Options::Convolution, options.Union());
  expect_answer(file.read(x, y), image, expected.channels_first());
}

TEST(TfliteWindows, DepthwiseConv2dWithMultiplier) {
  const LastImage image = image_of(7, 6, 3);
  const auto stored = numbers(3 * 2 * 6, 1);  // height x width x outputs
  std::vector<float> weight;                  // outputs x height x width
  for (std::size_t o = 0; o < 6; ++o) {
    for (std::size_t k = 0; k < 6; ++k) weight.push_back(stored[k * 6 + o]);
  }
  const auto bias = numbers(6, 2);
  const LastImage expected = convolve(image, weight, 6, 3, bias, {3, 2, 1, true}, {2, 2, 1, true});
  TfliteBuilder file;
  const std::int32_t x = file.value(shape_of(image));
  const auto options = tflite::CreateDepthwiseConvolution(file.fbb, Window::SAME, 2, 2, 2);
  const auto y = file.node(Code::DEPTHWISE_CONV_2D, {x, file.floats({1, 3, 2, 6}, stored), file.floats({6}, bias)},
                           shape_of(expected), Options::DepthwiseConvolution, options.Union());
  expect_answer(file.read(x, y), image, expected.channels_first());
}

TEST(TfliteWindows, PoolsOfAllPaddings) {
  for (const bool maximum : {true, false}) {
    for (const bool same : {true, false}) {
      const LastImage image = image_of(7, 8, 2);
      const LastImage expected = pooled(image, maximum, {3, 2, 1, same}, {2, 3, 1, same});
      TfliteBuilder file;
      const std::int32_t x = file.value(shape_of(image));
      const auto options = tflite::CreatePooling(file.fbb, same ? Window::SAME : Window::VALID, 3, 2, 2, 3);
      const auto y = file.node(maximum ? Code::MAX_POOL_2D : Code::AVERAGE_POOL_2D, {x}, shape_of(expected),
                               Options::Pooling, options.Union());
      expect_answer(file.read(x, y), image, expected.channels_first());
    }
  }
}

// --- matrices and reductions

TEST(TfliteMatrices, FullyConnectedReadsAnImageInItsOwnOrder) {
  const LastImage image = image_of(2, 3, 4);
  const auto weight = numbers(5 * 24, 1);
  const auto bias = numbers(5, 2);
  std::vector<float> expected;
  for (std::size_t o = 0; o < 5; ++o) {
    double sum = bias[o];
    for (std::size_t i = 0; i < 24; ++i) sum += double{weight[o * 24 + i]} * image.data[i];
    expected.push_back(static_cast<float>(std::clamp(sum, 0.0, 6.0)));
  }
  for (const bool flattened : {true, false}) {
    TfliteBuilder file;
    const std::int32_t x = file.value(shape_of(image));
    const auto flat = flattened ? file.node(Code::RESHAPE, {x, file.integers({-1, 24})}, {1, 24}) : x;
    const auto options = tflite::CreateFullyConnected(file.fbb, Activation::RELU6);
    const auto y = file.node(Code::FULLY_CONNECTED, {flat, file.floats({5, 24}, weight), file.floats({5}, bias)},
                             {1, 5}, Options::FullyConnected, options.Union());
    expect_answer(file.read(x, y), image, expected);
  }
}

TEST(TfliteMatrices, FullyConnectedThatKeepsPositionsApart) {
  const LastImage image = image_of(2, 3, 4);
  const auto weight = numbers(5 * 4, 1);
  const LastImage expected = convolve(image, weight, 5, 1, {}, {}, {});
  TfliteBuilder file;
  const std::int32_t x = file.value(shape_of(image));
  const auto options = tflite::CreateFullyConnected(file.fbb, Activation::NONE, 0, true);
  const auto y = file.node(Code::FULLY_CONNECTED, {x, file.floats({5, 4}, weight)}, {1, 2, 3, 5},
                           Options::FullyConnected, options.Union());
  expect_answer(file.read(x, y), image, expected.channels_first());
}

TEST(TfliteMatrices, MeanMaximumAndSoftmax) {
  const LastImage image = image_of(3, 4, 2);
  const LastWindows rows{3, 1, 1, false};
  const LastWindows columns{4, 1, 1, false};
  for (const bool maximum : {true, false}) {
    for (const bool keeps : {true, false}) {
      TfliteBuilder file;
      const std::int32_t x = file.value(shape_of(image));
      const auto options = tflite::CreateReducer(file.fbb, keeps);
      const auto y = file.node(maximum ? Code::REDUCE_MAX : Code::MEAN, {x, file.integers({1, 2})},
                               keeps ? Shape32{1, 1, 1, 2} : Shape32{1, 2}, Options::Reducer, options.Union());
      expect_answer(file.read(x, y), image, pooled(image, maximum, rows, columns).data);
    }
  }
  TfliteBuilder file;
  const std::int32_t x = file.value(shape_of(image));
  const auto options = tflite::CreateSoftmax(file.fbb, 2);
  const auto y = file.node(Code::SOFTMAX, {x}, shape_of(image), Options::Softmax, options.Union());
  LastImage expected = image;
  for (std::size_t p = 0; p < 12; ++p) {
    const double a = std::exp(2 * image.data[2 * p]);
    const double b = std::exp(2 * image.data[2 * p + 1]);
    expected.data[2 * p] = static_cast<float>(a / (a + b));
    expected.data[2 * p + 1] = static_cast<float>(b / (a + b));
  }
  expect_answer(file.read(x, y), image, expected.channels_first());
}

// --- functions of one value

TEST(TfliteFunctions, OfOneValue) {
  expect_each(Code::RELU, [](double x) { return std::max(x, 0.0); });
  expect_each(Code::RELU6, [](double x) { return std::clamp(x, 0.0, 6.0); });
  expect_each(Code::RELU_N1_TO_1, [](double x) { return std::clamp(x, -1.0, 1.0); });
  expect_each(Code::RELU_0_TO_1, [](double x) { return std::clamp(x, 0.0, 1.0); });
  expect_each(Code::LOGISTIC, logistic);
  expect_each(Code::TANH, [](double x) { return std::tanh(x); });
  expect_each(Code::NEG, [](double x) { return -x; });
  expect_each(Code::HARD_SWISH, [](double x) { return x * std::clamp(x + 3, 0.0, 6.0) / 6; });
  expect_each(
      Code::LEAKY_RELU, [](double x) { return x < 0 ? 0.25 * x : x; }, Options::LeakyRelu,
      [](TfliteBuilder& file) { return tflite::CreateLeakyRelu(file.fbb, 0.25F).Union(); });
}

TEST(TfliteFunctions, PreluPerChannel) {
  const LastImage image = image_of(3, 4, 2);
  for (const float other : {0.5F, 0.25F}) {
    LastImage expected = image;
    for (std::size_t i = 0; i < 24; ++i) {
      if (image.data[i] < 0) expected.data[i] *= i % 2 == 0 ? 0.25F : other;
    }
    TfliteBuilder file;
    const std::int32_t x = file.value(shape_of(image));
    const Graph graph =
        file.read(x, file.node(Code::PRELU, {x, file.floats({1, 1, 2}, {0.25F, other})}, shape_of(image)));
    expect_answer(graph, image, expected.channels_first());
    if (other == 0.25F) {
      EXPECT_EQ(graph.nodes.size(), 1U);
    }
  }
}

// --- arithmetics

TEST(TfliteArithmetic, OfConstantsAndValues) {
  const LastImage image = image_of(3, 4, 2);
  for (const Code code : {Code::ADD, Code::SUB, Code::MUL, Code::DIV}) {
    for (const bool first : {false, true}) {
      if (code == Code::DIV && first) continue;
      const auto compute = [&](float x, float k) {
        const float a = first ? k : x;
        const float b = first ? x : k;
        return code == Code::ADD ? a + b : code == Code::SUB ? a - b : code == Code::MUL ? a * b : a / b;
      };
      LastImage expected = image;
      for (std::size_t i = 0; i < 24; ++i) expected.data[i] = compute(image.data[i], i % 2 == 0 ? 0.5F : 3.0F);
      TfliteBuilder file;
      const std::int32_t x = file.value(shape_of(image));
      const std::int32_t k = file.floats({2}, {0.5F, 3.0F});
      expect_answer(file.read(x, file.node(code, {first ? k : x, first ? x : k}, shape_of(image))), image,
                    expected.channels_first());
    }
  }
}

TEST(TfliteArithmetic, FusedActivationsOfTwoValues) {
  const LastImage image = image_of(3, 4, 2);
  TfliteBuilder file;
  const std::int32_t x = file.value(shape_of(image));
  const auto relu = file.node(Code::RELU, {x}, shape_of(image));
  const auto options = tflite::CreateArithmetic(file.fbb, Activation::RELU_N1_TO_1);
  const auto y = file.node(Code::SUB, {x, relu}, shape_of(image), Options::Sub, options.Union());
  LastImage expected = image;
  for (float& v : expected.data) v = std::clamp(v - std::max(v, 0.0F), -1.0F, 1.0F);
  expect_answer(file.read(x, y), image, expected.channels_first());
}

TEST(TfliteArithmetic, SqueezeAndExcitation) {
  const LastImage image = image_of(3, 4, 2);
  TfliteBuilder file;
  const std::int32_t x = file.value(shape_of(image));
  const auto options = tflite::CreateReducer(file.fbb, true);
  const auto mean = file.node(Code::MEAN, {x, file.integers({1, 2})}, {1, 1, 1, 2}, Options::Reducer, options.Union());
  const auto y = file.node(Code::MUL, {x, file.node(Code::LOGISTIC, {mean}, {1, 1, 1, 2})}, shape_of(image));
  const auto means = pooled(image, false, {3, 1, 1, false}, {4, 1, 1, false}).data;
  LastImage expected = image;
  for (std::size_t i = 0; i < 24; ++i) expected.data[i] *= static_cast<float>(logistic(means[i % 2]));
  expect_answer(file.read(x, y), image, expected.channels_first());
}

// --- layout

TEST(TfliteLayout, ConcatenationOfChannelsAndPads) {
  const LastImage image = image_of(2, 3, 2);
  for (const float value : {0.0F, 1.5F}) {
    TfliteBuilder file;
    const std::int32_t x = file.value(shape_of(image));
    const auto pads = file.constant<std::int32_t>({4, 2}, Type::INT32, {0, 0, 1, 0, 0, 2, 1, 2});
    const auto padded = value == 0 ? file.node(Code::PAD, {x, pads}, {1, 3, 5, 5})
                                   : file.node(Code::PADV2, {x, pads, file.floats({}, {value})}, {1, 3, 5, 5});
    const auto options = tflite::CreateConcatenation(file.fbb, -1);
    const auto y = file.node(Code::CONCATENATION, {padded, file.node(Code::RELU, {padded}, {1, 3, 5, 5})},
                             {1, 3, 5, 10}, Options::Concatenation, options.Union());
    LastImage expected{3, 5, 10, {}};
    for (std::int64_t row = 0; row < 3; ++row) {
      for (std::int64_t column = 0; column < 5; ++column) {
        for (std::int64_t c = 0; c < 10; ++c) {
          const std::int64_t channel = c % 5 - 1;
          const bool inside = row >= 1 && column < 3 && channel >= 0 && channel < 2;
          const float number = inside ? image.at(row - 1, column, channel) : value;
          expected.data.push_back(c < 5 ? number : std::max(number, 0.0F));
        }
      }
    }
    expect_answer(file.read(x, y), image, expected.channels_first());
  }
}

TEST(TfliteLayout, ReshapeSqueezeAndTranspose) {
  const LastImage image = image_of(1, 6, 2);
  TfliteBuilder file;
  const std::int32_t x = file.value(shape_of(image));
  const auto squeezed = file.node(Code::SQUEEZE, {x}, {1, 6, 2}, Options::Squeeze,
                                  tflite::CreateSqueeze(file.fbb, file.fbb.CreateVector(Shape32{1})).Union());
  const auto turned = file.node(Code::TRANSPOSE, {squeezed, file.integers({0, 2, 1})}, {1, 2, 6});
  const auto expanded = file.node(Code::EXPAND_DIMS, {turned, file.integers({1})}, {1, 1, 2, 6});
  const auto back = file.node(Code::TRANSPOSE, {expanded, file.integers({0, 1, 3, 2})}, {1, 1, 6, 2});
  const auto weight = numbers(12, 1);
  const auto options = tflite::CreateFullyConnected(file.fbb);
  const auto flat = file.node(Code::RESHAPE, {back}, {1, 12}, Options::Reshape,
                              tflite::CreateReshape(file.fbb, file.fbb.CreateVector(Shape32{1, -1})).Union());
  const auto y = file.node(Code::FULLY_CONNECTED, {flat, file.floats({1, 12}, weight)}, {1, 1}, Options::FullyConnected,
                           options.Union());
  double sum = 0;
  for (std::size_t i = 0; i < 12; ++i) sum += double{weight[i]} * image.data[i];
  expect_answer(file.read(x, y), image, {static_cast<float>(sum)});
}

TEST(TfliteLayout, AnImageOfOneChannelFromAMatrix) {
  const LastImage image = image_of(4, 5, 1);
  const auto weight = numbers(2 * 3 * 3, 1);
  const LastImage expected = convolve(image, weight, 2, 1, {}, {3, 1, 1, true}, {3, 1, 1, true});
  for (const Shape32& shape : {Shape32{1, 4, 5}, Shape32{1, 20}}) {
    TfliteBuilder file;
    const std::int32_t x = file.value(shape);
    const auto made = file.node(Code::RESHAPE, {x, file.integers({1, 4, 5, 1})}, {1, 4, 5, 1});
    const auto options = tflite::CreateConvolution(file.fbb, Window::SAME, 1, 1);
    const auto y = file.node(Code::CONV_2D, {made, file.floats({2, 3, 3, 1}, weight)}, shape_of(expected),
                             Options::Convolution, options.Union());
    EXPECT_LE(reference::difference(reference::run(file.read(x, y), image.data), expected.channels_first()), 1e-5);
  }
}

TEST(TfliteLayout, ASequenceIsAnImageOfHeightOne) {
  const LastImage image = image_of(1, 6, 3);
  const auto weight = numbers(2 * 3 * 3, 1);
  const LastImage expected = convolve(image, weight, 2, 1, {}, {1, 1, 1, true}, {3, 1, 1, true});
  TfliteBuilder file;
  const std::int32_t x = file.value({1, 6, 3});
  const auto made = file.node(Code::EXPAND_DIMS, {x, file.integers({1})}, {1, 1, 6, 3});
  const auto options = tflite::CreateConvolution(file.fbb, Window::SAME, 1, 1);
  const auto y = file.node(Code::CONV_2D, {made, file.floats({2, 1, 3, 3}, weight)}, shape_of(expected),
                           Options::Convolution, options.Union());
  EXPECT_LE(reference::difference(reference::run(file.read(x, y), image.channels_first()), expected.channels_first()),
            1e-5);
}

TEST(TfliteLayout, TheShapeOfAReshapeMayBeComputed) {
  const LastImage image = image_of(2, 2, 2);
  TfliteBuilder file;
  const std::int32_t x = file.value(shape_of(image));
  const auto shape = file.value({4}, Type::INT32);
  file.connect(Code::SHAPE, {x}, {shape});
  const auto y = file.node(Code::RESHAPE, {file.node(Code::RELU, {x}, shape_of(image)), shape}, {1, 2, 2, 2});
  LastImage expected = image;
  for (float& v : expected.data) v = std::max(v, 0.0F);
  expect_answer(file.read(x, y), image, expected.channels_first());
}

// --- quantized files

/// A conv of 1x1 kernels, its weight made by `weight`, against the floats that the weight stands for.
void expect_weight(const std::vector<float>& expected, const std::function<std::int32_t(TfliteBuilder&)>& weight) {
  const LastImage image = image_of(2, 2, 2);
  TfliteBuilder file;
  const std::int32_t x = file.value(shape_of(image));
  const auto options = tflite::CreateConvolution(file.fbb, Window::VALID, 1, 1);
  const auto y = file.node(Code::CONV_2D, {x, weight(file)}, {1, 2, 2, 3}, Options::Convolution, options.Union());
  expect_answer(file.read(x, y), image, convolve(image, expected, 3, 1, {}, {}, {}).channels_first());
}

TEST(TfliteQuantized, WeightsOfAllKinds) {
  const Shape32 shape{3, 1, 1, 2};
  expect_weight({0.5F, -1, 8, -16, 0.75F, 0.25F}, [&](TfliteBuilder& file) {
    return file.constant<std::int8_t>(shape, Type::INT8, {1, -2, 4, -8, 3, 1}, {{0.5F, 2, 0.25F}, {0, 0, 0}, 0});
  });
  expect_weight({-1, 1, 2, 63.5F, -63, -64}, [&](TfliteBuilder& file) {
    return file.constant<std::uint8_t>(shape, Type::UINT8, {126, 130, 132, 255, 2, 0}, {{0.5F}, {128}});
  });
  expect_weight({1, -8, 7, -1, 0, 2}, [&](TfliteBuilder& file) {
    return file.constant<std::uint8_t>(shape, Type::INT4, {0x81, 0xF7, 0x20}, {{1}, {0}});
  });
  expect_weight({1, -2, 0.5F, 3, 0, 6.103515625e-05F}, [&](TfliteBuilder& file) {
    const auto half =
        file.constant<std::uint16_t>(shape, Type::FLOAT16, {0x3C00, 0xC000, 0x3800, 0x4200, 0x0000, 0x0400});
    return file.node(Code::DEQUANTIZE, {half}, shape);
  });
}

TEST(TfliteQuantized, GridsAreKeptAndBiasesScaled) {
  const LastImage image = image_of(1, 1, 2);
  TfliteBuilder file;
  const std::int32_t x = file.value(shape_of(image), Type::INT8, {{0.5F}, {-128}});
  const auto weight = file.constant<std::int8_t>({1, 1, 1, 2}, Type::INT8, {10, -20}, {{0.25F}, {0}});
  const auto bias = file.constant<std::int32_t>({1}, Type::INT32, {40}, {{0.125F}, {0}});
  const std::int32_t y = file.value({1, 1, 1, 1}, Type::INT16, {{0.0625F}, {0}});
  const auto options = tflite::CreateConvolution(file.fbb, Window::VALID, 1, 1, Activation::RELU);
  file.connect(Code::CONV_2D, {x, weight, bias}, {y}, Options::Convolution, options.Union());
  const Graph graph = file.read(x, y);
  const double expected = std::max(2.5 * image.data[0] - 5 * image.data[1] + 5, 0.0);
  expect_answer(graph, image, {static_cast<float>(expected)});
  const auto grid = [&](ValueId value) { return graph.values[static_cast<std::size_t>(value)].grid; };
  EXPECT_EQ(grid(graph.input), (SourceGrid{0.5F, -128, 8, true}));
  EXPECT_EQ(grid(graph.output), (SourceGrid{0.0625F, 0, 16, true}));
  for (const Node& node : graph.nodes) {  // the value in front of the Relu is nobody's
    EXPECT_EQ(grid(node.output).has_value(), node.output == graph.output) << node.name;
  }
}

TEST(TfliteQuantized, FirstGridOfAValueStays) {
  TfliteBuilder file;
  const std::int32_t x = file.value({1, 4}, Type::UINT8, {{1}, {0}});
  const std::int32_t moved = file.value({1, 4}, Type::INT8, {{1}, {-128}});
  file.connect(Code::QUANTIZE, {x}, {moved});
  const std::int32_t y = file.value({1, 4}, Type::INT8, {{0.00390625F}, {-128}});
  file.connect(Code::LOGISTIC, {moved}, {y});
  const Graph graph = file.read(x, y);
  EXPECT_EQ(graph.values[static_cast<std::size_t>(graph.input)].grid, (SourceGrid{1, 0, 8, false}));
  EXPECT_EQ(graph.nodes.size(), 1U);
}

}  // namespace
}  // namespace trimtab
