#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <numeric>

#include "support/reference.h"
#include "support/tflite_builder.h"
#include "support/tflite_reference.h"

// Operators of TensorFlow Lite that take parts, join parts, put numbers into another order or make more of them, each
// as a network of its own, against plain loops over images, channels last.
namespace trimtab {
namespace {

using reference::LastImage;
using reference::TfliteBuilder;
using tflite::Code;
using tflite::Options;
using tflite::Type;
using Sizes = TfliteBuilder::Shape32;

/// Different numbers from -3 on.
LastImage counted_image(std::int64_t height, std::int64_t width, std::int64_t channels) {
  LastImage image{height, width, channels, {}};
  for (std::int64_t i = 0; i < height * width * channels; ++i) {
    image.data.push_back(static_cast<float>(i) * 0.25F - 3);
  }
  return image;
}

Sizes sizes_of(const LastImage& image) {
  return {1, static_cast<std::int32_t>(image.height), static_cast<std::int32_t>(image.width),
          static_cast<std::int32_t>(image.channels)};
}

/// An image whose number at a place is `at(row, column, channel)`.
LastImage made_of(std::int64_t height, std::int64_t width, std::int64_t channels,
                  const std::function<float(std::int64_t, std::int64_t, std::int64_t)>& at) {
  LastImage image{height, width, channels, {}};
  for (std::int64_t y = 0; y < height; ++y) {
    for (std::int64_t x = 0; x < width; ++x) {
      for (std::int64_t c = 0; c < channels; ++c) image.data.push_back(at(y, x, c));
    }
  }
  return image;
}

/// The network from tensor `x`, the image, to tensor `y` makes `expected`.
void expect_made(TfliteBuilder& file, std::int32_t x, std::int32_t y, const LastImage& image,
                 const std::vector<float>& expected) {
  const Graph graph = file.read(x, y);
  EXPECT_LE(reference::difference(reference::run(graph, image.channels_first()), expected), 1e-5);
}

TEST(TfliteMoves, SliceTakesAPart) {
  const LastImage image = counted_image(4, 5, 3);
  TfliteBuilder file;
  const auto x = file.value(sizes_of(image));
  const auto y = file.node(Code::SLICE, {x, file.integers({0, 1, 2, 0}), file.integers({1, 2, -1, 2})}, {1, 2, 3, 2});
  const auto expected = made_of(2, 3, 2, [&](auto r, auto s, auto c) { return image.at(r + 1, s + 2, c); });
  expect_made(file, x, y, image, expected.channels_first());
}

TEST(TfliteMoves, StridedSliceWithMasksAndBackward) {
  const LastImage image = counted_image(5, 6, 3);
  TfliteBuilder file;
  const auto x = file.value(sizes_of(image));
  // rows 1 and 3, columns from the last back to the second, channels up to the last but one
  const auto options = tflite::CreateStride(file.fbb, 0b0100 | 0b1001, 0b0011);
  const auto y = file.node(Code::STRIDED_SLICE,
                           {x, file.integers({0, 1, 7, 9}), file.integers({0, 0, 0, -1}), file.integers({1, 2, -1, 1})},
                           {1, 2, 5, 2}, Options::Stride, options.Union());
  const auto expected = made_of(2, 5, 2, [&](auto r, auto s, auto c) { return image.at(2 * r + 1, 5 - s, c); });
  expect_made(file, x, y, image, expected.channels_first());
}

TEST(TfliteMoves, StridedSliceRemovesAnAxis) {
  const LastImage image = counted_image(3, 4, 2);
  TfliteBuilder file;
  const auto x = file.value(sizes_of(image));
  const auto options = tflite::CreateStride(file.fbb, 0b1101, 0b1101, 0, 0, 0b0010);
  const auto row = file.node(
      Code::STRIDED_SLICE, {x, file.integers({0, -1, 0, 0}), file.integers({0, 0, 0, 0}), file.integers({1, 1, 1, 1})},
      {1, 4, 2}, Options::Stride, options.Union());
  const auto y = file.node(Code::EXPAND_DIMS, {row, file.integers({1})}, {1, 1, 4, 2});
  const auto expected = made_of(1, 4, 2, [&](auto, auto s, auto c) { return image.at(2, s, c); });
  expect_made(file, x, y, image, expected.channels_first());
}

TEST(TfliteMoves, SplitsJoinedInAnotherOrder) {
  const LastImage image = counted_image(2, 3, 6);
  for (const bool equal : {true, false}) {
    TfliteBuilder file;
    const auto x = file.value(sizes_of(image));
    const std::int32_t first = equal ? 3 : 2;
    const auto a = file.value({1, 2, 3, first});
    const auto b = file.value({1, 2, 3, 6 - first});
    const auto axis = file.constant<std::int32_t>({}, Type::INT32, {-1});
    if (equal) {
      file.connect(Code::SPLIT, {axis, x}, {a, b});
    } else {
      file.connect(Code::SPLIT_V, {x, file.integers({2, -1}), axis}, {a, b});
    }
    const auto options = tflite::CreateConcatenation(file.fbb, 3);
    const auto y = file.node(Code::CONCATENATION, {b, a}, sizes_of(image), Options::Concatenation, options.Union());
    const auto expected = made_of(2, 3, 6, [&](auto r, auto s, auto c) { return image.at(r, s, (c + first) % 6); });
    expect_made(file, x, y, image, expected.channels_first());
  }
}

TEST(TfliteMoves, UnpackedRowsPackedInAnotherOrder) {
  const LastImage image = counted_image(2, 4, 3);
  TfliteBuilder file;
  const auto x = file.value(sizes_of(image));
  const auto top = file.value({1, 4, 3});
  const auto bottom = file.value({1, 4, 3});
  file.connect(Code::UNPACK, {x}, {top, bottom}, Options::Unpack, tflite::CreateStack(file.fbb, 2, 1).Union());
  const auto y =
      file.node(Code::PACK, {bottom, top}, {1, 2, 4, 3}, Options::Pack, tflite::CreateStack(file.fbb, 2, 1).Union());
  const auto expected = made_of(2, 4, 3, [&](auto r, auto s, auto c) { return image.at(1 - r, s, c); });
  expect_made(file, x, y, image, expected.channels_first());
}

TEST(TfliteMoves, GatherOfChannels) {
  const LastImage image = counted_image(2, 3, 4);
  TfliteBuilder file;
  const auto x = file.value(sizes_of(image));
  const auto y = file.node(Code::GATHER, {x, file.integers({3, 0, 0})}, {1, 2, 3, 3}, Options::Gather,
                           tflite::CreateGather(file.fbb, 3).Union());
  const auto expected = made_of(2, 3, 3, [&](auto r, auto s, auto c) { return image.at(r, s, c == 0 ? 3 : 0); });
  expect_made(file, x, y, image, expected.channels_first());
}

TEST(TfliteMoves, DepthToSpaceAndBack) {
  const LastImage deep = counted_image(2, 3, 8);  // blocks of 2 x 2 pixels with 2 channels
  const LastImage wide =
      made_of(4, 6, 2, [&](auto r, auto s, auto c) { return deep.at(r / 2, s / 2, (r % 2 * 2 + s % 2) * 2 + c); });
  TfliteBuilder file;
  const auto x = file.value(sizes_of(deep));
  const auto y = file.node(Code::DEPTH_TO_SPACE, {x}, sizes_of(wide), Options::DepthToSpace,
                           tflite::CreateBlocks(file.fbb, 2).Union());
  expect_made(file, x, y, deep, wide.channels_first());
  TfliteBuilder back;
  const auto from = back.value(sizes_of(wide));
  const auto to = back.node(Code::SPACE_TO_DEPTH, {from}, sizes_of(deep), Options::SpaceToDepth,
                            tflite::CreateBlocks(back.fbb, 2).Union());
  expect_made(back, from, to, wide, deep.channels_first());
}

TEST(TfliteMoves, MirrorPadReflectsTheImage) {
  const LastImage image = counted_image(3, 4, 2);
  TfliteBuilder file;
  const auto x = file.value(sizes_of(image));
  const auto pads = file.constant<std::int32_t>({4, 2}, Type::INT32, {0, 0, 2, 1, 1, 0, 0, 0});
  const auto y = file.node(Code::MIRROR_PAD, {x, pads}, {1, 6, 5, 2}, Options::MirrorPad,
                           tflite::CreateMirrorPad(file.fbb, tflite::Mirror::REFLECT).Union());
  const std::vector<std::int64_t> rows{2, 1, 0, 1, 2, 1};
  const std::vector<std::int64_t> columns{1, 0, 1, 2, 3};
  const auto expected = made_of(6, 5, 2, [&](auto r, auto s, auto c) {
    return image.at(rows[static_cast<std::size_t>(r)], columns[static_cast<std::size_t>(s)], c);
  });
  expect_made(file, x, y, image, expected.channels_first());
}

/// Every input spreads its window over the output; padding takes away the borders, the smaller half in front.
TEST(TfliteMoves, TransposeConvOfAllPaddings) {
  for (const bool same : {true, false}) {
    for (const std::int64_t stride : {1, 2, 3}) {
      const LastImage image = counted_image(3, 4, 2);
      const std::int64_t kernel = 3;
      const std::int64_t outputs = 2;
      LastImage weights = counted_image(outputs * kernel, kernel, 2);  // outputs x rows x columns x inputs
      const auto length = [&](std::int64_t in) { return same ? in * stride : (in - 1) * stride + kernel; };
      const auto before = [&](std::int64_t in) {
        return std::max<std::int64_t>((in - 1) * stride + kernel - length(in), 0) / 2;
      };
      const auto bias = [](std::int64_t o) { return o == 0 ? 0.5F : -1.0F; };
      const LastImage expected = made_of(length(3), length(4), outputs, [&](auto r, auto s, auto o) {
        double sum = bias(o);
        for (std::int64_t y = 0; y < 3; ++y) {
          for (std::int64_t x = 0; x < 4; ++x) {
            const std::int64_t row = r + before(3) - y * stride;
            const std::int64_t column = s + before(4) - x * stride;
            if (row < 0 || column < 0 || row >= kernel || column >= kernel) continue;
            for (std::int64_t i = 0; i < 2; ++i) {
              sum += double{image.at(y, x, i)} * weights.at(o * kernel + row, column, i);
            }
          }
        }
        return static_cast<float>(sum);
      });
      TfliteBuilder file;
      const auto x = file.value(sizes_of(image));
      const auto shape = file.value({4}, Type::INT32);
      file.connect(Code::SHAPE, {x}, {shape});  // computed, as where the batch is free; the output's tensor has it
      const auto options =
          tflite::CreateTransposedConvolution(file.fbb, same ? tflite::Window::SAME : tflite::Window::VALID,
                                              static_cast<std::int32_t>(stride), static_cast<std::int32_t>(stride));
      const auto y =
          file.node(Code::TRANSPOSE_CONV,
                    {shape, file.floats({2, 3, 3, 2}, weights.data), x, file.floats({2}, {bias(0), bias(1)})},
                    sizes_of(expected), Options::TransposedConvolution, options.Union());
      expect_made(file, x, y, image, expected.channels_first());
    }
  }
}

TEST(TfliteMoves, SumAndMinimumOverHeightAndWidth) {
  const LastImage image = counted_image(3, 4, 2);
  for (const bool minimum : {true, false}) {
    std::vector<float> expected;
    for (std::int64_t c = 0; c < 2; ++c) {
      double sum = 0;
      double least = 1e30;
      for (std::int64_t p = 0; p < 12; ++p) {
        sum += image.at(p / 4, p % 4, c);
        least = std::min(least, double{image.at(p / 4, p % 4, c)});
      }
      expected.push_back(static_cast<float>(minimum ? least : sum));
    }
    TfliteBuilder file;
    const auto x = file.value(sizes_of(image));
    const auto y = file.node(minimum ? Code::REDUCE_MIN : Code::SUM, {x, file.integers({1, 2})}, {1, 2},
                             Options::Reducer, tflite::CreateReducer(file.fbb, false).Union());
    expect_made(file, x, y, image, expected);
  }
}

TEST(TfliteMoves, TheIndexOfTheLargestIsLeftToTheReaderOfTheAnswer) {
  const LastImage image = counted_image(1, 1, 4);
  TfliteBuilder file;
  const auto x = file.value(sizes_of(image));
  const auto flat = file.node(Code::RESHAPE, {x, file.integers({1, 4})}, {1, 4});
  const auto scores = file.node(Code::NEG, {flat}, {1, 4});
  const auto y = file.value({1}, Type::INT64);
  file.connect(Code::ARG_MAX, {scores, file.constant<std::int32_t>({}, Type::INT32, {-1})}, {y});
  expect_made(file, x, y, image, {3, 2.75F, 2.5F, 2.25F});
}

TEST(TfliteMoves, FunctionsOfPositiveNumbers) {
  LastImage image = counted_image(2, 2, 2);
  for (float& number : image.data) number += 3.5F;
  const std::pair<Code, double (*)(double)> functions[] = {{Code::LOG, std::log},
                                                           {Code::SIN, std::sin},
                                                           {Code::COS, std::cos},
                                                           {Code::FLOOR, std::floor},
                                                           {Code::CEIL, std::ceil},
                                                           {Code::SQUARE, [](double v) { return v * v; }},
                                                           {Code::RSQRT, [](double v) { return 1 / std::sqrt(v); }}};
  const auto expected = [&](const auto& function) {
    std::vector<float> result;
    for (const float v : image.channels_first()) result.push_back(static_cast<float>(function(v)));
    return result;
  };
  for (const auto& [code, function] : functions) {
    TfliteBuilder file;
    const auto x = file.value(sizes_of(image));
    expect_made(file, x, file.node(code, {x}, sizes_of(image)), image, expected(function));
  }
  TfliteBuilder file;
  const auto x = file.value(sizes_of(image));
  const auto y = file.node(Code::POW, {x, file.floats({}, {1.5F})}, sizes_of(image));
  expect_made(file, x, y, image, expected([](double v) { return std::pow(v, 1.5); }));
  TfliteBuilder difference;
  const auto a = difference.value(sizes_of(image));
  const auto b = difference.node(Code::SQUARED_DIFFERENCE, {a, difference.floats({}, {2})}, sizes_of(image));
  expect_made(difference, a, b, image, expected([](double v) { return (v - 2) * (v - 2); }));
}

TEST(TfliteMoves, GeluOfBothForms) {
  const LastImage image = counted_image(3, 4, 2);
  for (const bool approximate : {true, false}) {
    std::vector<float> expected;
    for (const double v : image.channels_first()) {
      const double share = approximate ? 0.5 * (1 + std::tanh(std::sqrt(2 / M_PI) * (v + 0.044715 * v * v * v)))
                                       : 0.5 * std::erfc(-v / std::sqrt(2.0));
      expected.push_back(static_cast<float>(v * share));
    }
    TfliteBuilder file;
    const auto x = file.value(sizes_of(image));
    const auto y =
        file.node(Code::GELU, {x}, sizes_of(image), Options::Gelu, tflite::CreateGelu(file.fbb, approximate).Union());
    expect_made(file, x, y, image, expected);
  }
}

}  // namespace
}  // namespace trimtab
