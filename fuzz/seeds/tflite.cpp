// fuzz_tflite_seeds FOLDER writes small TensorFlow Lite files that together use every operator the reader knows.

#include <fmt/format.h>

#include <cstdio>

#include "base/file.h"
#include "support/tflite_builder.h"

namespace {

using trimtab::reference::TfliteBuilder;
using trimtab::tflite::Code;
using trimtab::tflite::Options;
using trimtab::tflite::Type;
using trimtab::tflite::Window;
namespace tables = trimtab::tflite;

/// int8 with per-channel weights: a convolution, a depthwise one, a pool, a residual sum, a mean and a matrix.
std::vector<std::uint8_t> quantized() {
  TfliteBuilder file;
  const auto grid = trimtab::reference::TfliteGrid{{0.05F}, {-3}};
  const auto value = [&](const TfliteBuilder::Shape32& shape) { return file.value(shape, Type::INT8, grid); };
  const auto x = value({1, 8, 8, 2});
  const auto weight = file.constant({4, 3, 3, 2}, Type::INT8, std::vector<std::int8_t>(72, 5), {{1, 2, 3, 4}, {}, 0});
  const auto bias = file.constant<std::int32_t>({4}, Type::INT32, {1, 2, 3, 4}, {{1, 2, 3, 4}, {}, 0});
  const auto a = value({1, 4, 4, 4});
  file.connect(Code::CONV_2D, {x, weight, bias}, {a}, Options::Convolution,
               tables::CreateConvolution(file.fbb, Window::SAME, 2, 2, tables::Activation::RELU6).Union());
  const auto b = value({1, 4, 4, 4});
  const auto depthwise =
      file.constant({1, 3, 3, 4}, Type::INT8, std::vector<std::int8_t>(36, -7), {{1, 2, 3, 4}, {}, 3});
  file.connect(Code::DEPTHWISE_CONV_2D, {a, depthwise, bias}, {b}, Options::DepthwiseConvolution,
               tables::CreateDepthwiseConvolution(file.fbb, Window::SAME, 1, 1, 1).Union());
  const auto c = value({1, 4, 4, 4});
  file.connect(Code::ADD, {a, b}, {c}, Options::Add,
               tables::CreateArithmetic(file.fbb, tables::Activation::RELU).Union());
  const auto d = value({1, 2, 2, 4});
  file.connect(Code::AVERAGE_POOL_2D, {c}, {d}, Options::Pooling,
               tables::CreatePooling(file.fbb, Window::VALID, 2, 2, 2, 2).Union());
  const auto e = value({1, 16});
  file.connect(Code::RESHAPE, {d, file.integers({1, 16})}, {e});
  const auto matrix = file.constant({3, 16}, Type::INT8, std::vector<std::int8_t>(48, 1), {{0.1F}, {0}});
  const auto f = value({1, 3});
  file.connect(Code::FULLY_CONNECTED, {e, matrix}, {f}, Options::FullyConnected,
               tables::CreateFullyConnected(file.fbb).Union());
  const auto y = value({1, 3});
  file.connect(Code::SOFTMAX, {f}, {y}, Options::Softmax, tables::CreateSoftmax(file.fbb, 1).Union());
  return file.bytes({x}, {y});
}

/// float16 weights, pads of channels, a gate, slopes per channel, a concatenation and layout.
std::vector<std::uint8_t> half() {
  TfliteBuilder file;
  const TfliteBuilder::Shape32 image{1, 4, 5, 3};
  const auto x = file.value(image);
  const auto stored = file.constant({3, 1, 1, 3}, Type::FLOAT16, std::vector<std::uint16_t>(9, 0x3800));
  const auto weight = file.node(Code::DEQUANTIZE, {stored}, {3, 1, 1, 3});
  const auto a = file.node(Code::CONV_2D, {x, weight}, image, Options::Convolution,
                           tables::CreateConvolution(file.fbb, Window::VALID, 1, 1).Union());
  const auto b = file.node(Code::PRELU, {a, file.floats({1, 1, 3}, {0.1F, 0.2F, 0.3F})}, image);
  const auto mean = file.node(Code::MEAN, {b, file.integers({1, 2})}, {1, 1, 1, 3}, Options::Reducer,
                              tables::CreateReducer(file.fbb, true).Union());
  const auto gated = file.node(Code::MUL, {b, file.node(Code::LOGISTIC, {mean}, {1, 1, 1, 3})}, image, Options::Mul,
                               tables::CreateArithmetic(file.fbb).Union());
  const auto pads = file.constant<std::int32_t>({4, 2}, Type::INT32, {0, 0, 1, 0, 0, 1, 0, 2});
  const auto padded = file.node(Code::PADV2, {gated, pads, file.floats({}, {0.5F})}, {1, 5, 6, 5});
  const auto joined =
      file.node(Code::CONCATENATION, {padded, file.node(Code::HARD_SWISH, {padded}, {1, 5, 6, 5})}, {1, 5, 6, 10},
                Options::Concatenation, tables::CreateConcatenation(file.fbb, 3).Union());
  const auto most = file.node(Code::REDUCE_MAX, {joined, file.integers({1, 2})}, {1, 1, 1, 10}, Options::Reducer,
                              tables::CreateReducer(file.fbb, true).Union());
  const auto y = file.node(Code::SQUEEZE, {most}, {1, 10}, Options::Squeeze,
                           tables::CreateSqueeze(file.fbb, file.fbb.CreateVector(std::vector<int>{1, 2})).Union());
  return file.bytes({x}, {y});
}

/// A sequence, functions of one value in a row, and arithmetics with constants.
std::vector<std::uint8_t> sequence() {
  TfliteBuilder file;
  const auto x = file.value({1, 6, 3});
  auto y = file.node(Code::EXPAND_DIMS, {x, file.integers({1})}, {1, 1, 6, 3});
  for (const Code code : {Code::RELU, Code::RELU6, Code::RELU_N1_TO_1, Code::TANH, Code::NEG}) {
    y = file.node(code, {y}, {1, 1, 6, 3});
  }
  y = file.node(Code::LEAKY_RELU, {y}, {1, 1, 6, 3}, Options::LeakyRelu,
                tables::CreateLeakyRelu(file.fbb, 0.1F).Union());
  for (const Code code : {Code::SUB, Code::DIV, Code::MAXIMUM, Code::MINIMUM}) {
    y = file.node(code, {y, file.floats({1}, {0.5F})}, {1, 1, 6, 3});
  }
  y = file.node(Code::MAX_POOL_2D, {y}, {1, 1, 3, 3}, Options::Pooling,
                tables::CreatePooling(file.fbb, Window::SAME, 2, 1, 2, 1).Union());
  y = file.node(Code::TRANSPOSE, {y, file.integers({0, 1, 3, 2})}, {1, 1, 3, 3});
  y = file.node(Code::RESHAPE, {y}, {1, 9}, Options::Reshape,
                tables::CreateReshape(file.fbb, file.fbb.CreateVector(std::vector<int>{1, -1})).Union());
  return file.bytes({x}, {y});
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    fmt::print(stderr, "usage: fuzz_tflite_seeds FOLDER\n");
    return 2;
  }
  const std::filesystem::path folder = argv[1];
  trimtab::make_directory(folder);
  int number = 0;
  for (const auto& bytes : {quantized(), half(), sequence()}) {
    static_cast<void>(trimtab::parse_tflite(bytes, fmt::format("seed {}", number)));  // a seed is a good file
    trimtab::write_file(folder / fmt::format("{}.tflite", number++), bytes);
  }
  return 0;
}
