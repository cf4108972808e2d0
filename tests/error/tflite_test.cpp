#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <limits>

#include "base/error.h"
#include "base/file.h"
#include "base/random.h"
#include "import/network_file.h"
#include "support/command.h"
#include "support/tflite_builder.h"

// TensorFlow Lite files that are damaged, hostile or beyond what is supported: one sentence each, and no harm.
namespace trimtab {
namespace {

using reference::TfliteBuilder;
using reference::TfliteGrid;
using testing::AllOf;
using testing::HasSubstr;
using tflite::Code;
using tflite::Options;
using tflite::Type;
using tflite::Window;
using Shape32 = TfliteBuilder::Shape32;
using Bytes = std::vector<std::uint8_t>;

/// The sentence with which the bytes are refused; the empty string, and a failed test, where they are not.
std::string refusal(const Bytes& bytes) {
  try {
    static_cast<void>(parse_tflite(bytes, "bad.tflite"));
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::bad_input);
    const std::string sentence = error.what();
    EXPECT_EQ(sentence.find('\n'), std::string::npos);
    EXPECT_TRUE(sentence.starts_with("bad.tflite: ")) << sentence;
    return sentence;
  }
  ADD_FAILURE() << "was accepted";
  return {};
}

/// A small quantized network of everything that is common.
Bytes good(std::uint32_t version = 3, int subgraphs = 1) {
  TfliteBuilder file;
  const auto x = file.value({1, 6, 6, 2}, Type::INT8, {{0.5F}, {-128}});
  const auto weight = file.constant({3, 3, 3, 2}, Type::INT8, std::vector<std::int8_t>(54, 3), {{1, 2, 3}, {0, 0, 0}});
  const auto bias = file.constant<std::int32_t>({3}, Type::INT32, {1, 2, 3}, {{0.5F, 1, 1.5F}, {0, 0, 0}});
  const auto y = file.value({1, 6, 6, 3}, Type::INT8, {{1}, {-128}});
  file.connect(Code::CONV_2D, {x, weight, bias}, {y}, Options::Convolution,
               tflite::CreateConvolution(file.fbb, Window::SAME, 1, 1, tflite::Activation::RELU).Union());
  const auto pooled = file.node(Code::MAX_POOL_2D, {y}, {1, 3, 3, 3}, Options::Pooling,
                                tflite::CreatePooling(file.fbb, Window::VALID, 2, 2, 2, 2).Union());
  const auto flat = file.node(Code::RESHAPE, {pooled, file.integers({1, 27})}, {1, 27});
  const auto matrix = file.floats({5, 27}, std::vector<float>(135, 0.1F));
  const auto out = file.node(Code::FULLY_CONNECTED, {flat, matrix}, {1, 5}, Options::FullyConnected,
                             tflite::CreateFullyConnected(file.fbb).Union());
  return file.bytes({x}, {out}, version, subgraphs);
}

TEST(BadTflite, TheGoodOneIsGood) { EXPECT_EQ(parse_tflite(good(), "good.tflite").output_shape(), Shape{5}); }

TEST(BadTflite, NoModelAtAll) {
  for (const std::size_t length : {0, 1, 7}) EXPECT_THAT(refusal(Bytes(length, 0)), HasSubstr("no TensorFlow Lite"));
  EXPECT_THAT(refusal(Bytes(1000, 0xFF)), HasSubstr("lacks the identifier TFL3"));
  EXPECT_THAT(refusal(good(2)), HasSubstr("version 2 of the format; 3 is supported"));
  EXPECT_THAT(refusal(good(3, 2)), HasSubstr("has 2 subgraphs"));
  EXPECT_THAT(refusal(good(3, 0)), HasSubstr("has no network"));
}

TEST(BadTflite, TruncatedAnywhere) {
  const Bytes whole = good();
  for (std::size_t length = 0; length < whole.size(); ++length) {
    static_cast<void>(refusal(Bytes(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(length))));
  }
}

/// Refused or read, but nothing worse.
void expect_safe(const Bytes& bytes) {
  try {
    static_cast<void>(parse_tflite(bytes, "altered.tflite"));
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::bad_input) << error.what();
  }
}

TEST(BadTflite, AnyByteAltered) {
  const Bytes whole = good();
  for (std::size_t i = 0; i < whole.size(); ++i) {
    for (const int value : {0x00, 0x01, 0x7F, 0x80, 0xFF}) {
      Bytes altered = whole;
      altered[i] = static_cast<std::uint8_t>(value);
      expect_safe(altered);
    }
  }
}

TEST(BadTflite, ManyBytesAltered) {
  const Bytes whole = good();
  Random random(3);
  for (int round = 0; round < 5000; ++round) {
    Bytes altered = whole;
    for (std::int64_t i = random.integer(1, 6); i-- > 0;) {
      altered[static_cast<std::size_t>(random.integer(0, static_cast<std::int64_t>(whole.size()) - 1))] =
          static_cast<std::uint8_t>(random.integer(0, 255));
    }
    expect_safe(altered);
  }
}

/// The refusal of a convolution with this weight.
std::string refused_weight(const std::function<std::int32_t(TfliteBuilder&)>& weight) {
  TfliteBuilder file;
  const auto x = file.value({1, 4, 4, 2});
  const auto options = tflite::CreateConvolution(file.fbb, Window::SAME, 1, 1);
  const auto y = file.node(Code::CONV_2D, {x, weight(file)}, {1, 4, 4, 3}, Options::Convolution, options.Union());
  return refusal(file.bytes({x}, {y}));
}

/// The refusal of an operator that reads one quantized value.
std::string refused_value(Type type, const TfliteGrid& grid) {
  TfliteBuilder file;
  const auto x = file.value({1, 4});
  const auto y = file.value({1, 4}, type, grid);
  file.connect(Code::QUANTIZE, {x}, {y});
  return refusal(file.bytes({x}, {y}));
}

TEST(BadTflite, InconsistentQuantization) {
  const auto bytes = [](const TfliteGrid& grid) {
    return [grid](TfliteBuilder& file) {
      return file.constant({3, 1, 1, 2}, Type::INT8, std::vector<std::int8_t>(6, 1), grid);
    };
  };
  EXPECT_THAT(refused_weight(bytes({})), HasSubstr("of type INT8 but has no scale"));
  EXPECT_THAT(refused_weight(bytes({{1, 2}, {0, 0}, 0})), HasSubstr("one scale, or one per index"));
  EXPECT_THAT(refused_weight(bytes({{1, 2, 3}, {0, 0}, 0})), HasSubstr("one zero point per scale"));
  EXPECT_THAT(refused_weight(bytes({{1, 2, 3}, {}, 9})), HasSubstr("does not have this axis"));
  EXPECT_THAT(refused_weight(bytes({{1, 2, 3}, {}, -1})), HasSubstr("does not have this axis"));
  EXPECT_THAT(refused_weight(bytes({{NAN}, {0}})), HasSubstr("finite"));
  EXPECT_THAT(refused_weight(bytes({{1}, {1LL << 40}})), HasSubstr("zero point"));
  EXPECT_THAT(refused_value(Type::INT8, {{1}, {300}}), HasSubstr("zero point 300, which is not on its grid"));
  EXPECT_THAT(refused_value(Type::UINT8, {{1}, {-1}}), HasSubstr("not on its grid"));
  EXPECT_THAT(refused_value(Type::INT8, {{0}, {0}}), HasSubstr("one above 0 is needed"));
  EXPECT_THAT(refused_value(Type::INT8, {}), HasSubstr("0 scales"));
  EXPECT_THAT(refused_value(Type::COMPLEX64, {}), HasSubstr("COMPLEX64"));
}

TEST(BadTflite, DataThatDoesNotFit) {
  EXPECT_THAT(refused_weight([](TfliteBuilder& file) {
                return file.floats({3, 1, 1, 2}, {1, 2, 3});
              }),
              HasSubstr("12 bytes of data; 24 are needed"));
  EXPECT_THAT(refused_weight([](TfliteBuilder& file) {
                return file.floats({3, 1 << 30, 1 << 30, 2}, {1});
              }),
              HasSubstr("too large"));
  EXPECT_THAT(refused_weight([](TfliteBuilder& file) {
                return file.floats({3, -1, 1, 2}, {1});
              }),
              HasSubstr("negative"));
  EXPECT_THAT(refused_weight([](TfliteBuilder& file) {
                return file.floats({3, 1, 1, 2}, {1, 2, 3, 4, 5, std::numeric_limits<float>::infinity()});
              }),
              HasSubstr("not finite"));
  EXPECT_THAT(refused_weight([](TfliteBuilder& file) {
                return file.floats({3, 1, 1, 5}, std::vector<float>(15));
              }),
              HasSubstr("does not fit 2 channels"));
  EXPECT_THAT(refused_weight([](TfliteBuilder& file) {
                return file.constant<std::uint8_t>({3, 1, 1, 2}, Type::STRING, {1});
              }),
              HasSubstr("STRING"));
}

TEST(BadTflite, TensorsOutOfRangeOrOrder) {
  for (const std::int32_t index : {-2, 2, 1 << 30}) {
    TfliteBuilder file;
    const auto x = file.value({1, 4});
    const auto y = file.value({1, 4});
    file.connect(Code::RELU, {index}, {y});
    EXPECT_THAT(refusal(file.bytes({x}, {y})), HasSubstr("reads tensor"));
  }
  TfliteBuilder ends;
  EXPECT_THAT(refusal(ends.bytes({5}, {0})), HasSubstr("input is tensor 5, but the file has 0"));
  TfliteBuilder loop;
  const auto x = loop.value({1, 4});
  const auto y = loop.value({1, 4});
  loop.connect(Code::RELU, {y}, {y});
  EXPECT_THAT(refusal(loop.bytes({x}, {y})), HasSubstr("no earlier operator makes"));
  TfliteBuilder twice;
  const auto a = twice.value({1, 4});
  const auto b = twice.value({1, 4});
  twice.connect(Code::RELU, {a}, {b});
  twice.connect(Code::RELU, {a}, {b});
  EXPECT_THAT(refusal(twice.bytes({a}, {b})), HasSubstr("made twice"));
}

TEST(BadTflite, EveryObstacleIsNamedAtOnce) {
  TfliteBuilder file;
  const auto x = file.value({1, 4, 4, 2});
  const auto lost = file.node(Code::TOPK_V2, {x}, {1, 4, 4, 2});
  const auto mirrored =
      file.node(Code::MIRROR_PAD, {lost, file.constant<std::int32_t>({4, 2}, Type::INT32, {0, 0, 1, 1, 1, 1, 0, 0})},
                {1, 6, 6, 2}, Options::MirrorPad, tflite::CreateMirrorPad(file.fbb, tflite::Mirror::SYMMETRIC).Union());
  const auto y = file.value({1, 6, 6, 2});
  file.connect(Code::CUSTOM, {mirrored}, {y}, Options::NONE, 0, "Detect\nion");
  const auto unneeded = file.value({1, 4});
  file.connect(Code::WHERE, {x}, {unneeded});
  const std::string sentence = refusal(file.bytes({x}, {y}));
  EXPECT_THAT(sentence, AllOf(HasSubstr("TOPK_V2"), HasSubstr("custom operator 'Detect_ion'"), HasSubstr("MIRROR_PAD"),
                              HasSubstr("mirror image")));
  EXPECT_EQ(sentence.find("WHERE"), std::string::npos);
}

TEST(BadTflite, StateIsRefusedByName) {
  TfliteBuilder file;
  const auto x = file.value({1, 4});
  const auto handle = file.value({1}, Type::RESOURCE);
  file.connect(Code::VAR_HANDLE, {}, {handle});
  const auto old = file.node(Code::READ_VARIABLE, {handle}, {1, 4});
  const auto y = file.node(Code::ADD, {x, old}, {1, 4});
  file.connect(Code::ASSIGN_VARIABLE, {handle, y}, {});
  EXPECT_THAT(
      refusal(file.bytes({x}, {y}, 3, 2)),
      HasSubstr("keeps state between two inferences in variables, by ASSIGN_VARIABLE, READ_VARIABLE, VAR_HANDLE"));
}

TEST(BadTflite, ManyTensorsOfOneBuffer) {
  TfliteBuilder file;
  const auto x = file.value({1, 1000});
  std::int32_t y = x;
  const auto numbers = std::vector<float>(1'000'000, 0.5F);
  const auto first = file.floats({1000, 1000}, numbers);
  for (int i = 0; i < 50; ++i) {
    const auto weight = i == 0 ? first : file.alias({1000, 1000});
    y = file.node(Code::FULLY_CONNECTED, {y, weight}, {1, 1000}, Options::FullyConnected,
                  tflite::CreateFullyConnected(file.fbb).Union());
  }
  EXPECT_THAT(refusal(file.bytes({x}, {y})), HasSubstr("far more memory than its file has data"));
}

TEST(BadTflite, ChosenByContentOrName) {
  const auto folder = std::filesystem::path(testing::TempDir());
  write_file(folder / "network.bin", good());
  EXPECT_EQ(load_network(folder / "network.bin").output_shape(), Shape{5});
  write_file(folder / "empty.tflite", Bytes{});
  EXPECT_THROW(static_cast<void>(load_network(folder / "empty.tflite")), Error);
}

TEST(BadTflite, TheCommandEndsWithTwo) {
  const auto path = std::filesystem::path(testing::TempDir()) / "cut.tflite";
  Bytes bytes = good();
  bytes.resize(bytes.size() / 2);
  write_file(path, bytes);
  expect_refused({"inspect", path.string()}, "cut.tflite: the file is truncated or damaged");
}

}  // namespace
}  // namespace trimtab
