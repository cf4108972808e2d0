// Kernels that work by rows, strip by strip, against the definition.

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <utility>

#include "program/row_kernels.h"
#include "support/naive_interpreter.h"
#include "support/row_strips.h"

namespace trimtab {
namespace {

/// The kernel of the step whose name has a part like that, the core's usual one included.
RowKernel kernel_like(const Step& step, const std::string& part, Core core = Core::cortex_m4) {
  RowKernel usual;
  usual.kernel = choose_kernel(step, core, Optimize::speed);
  usual.scratch_bytes = [bytes = usual.kernel.scratch_bytes](std::int32_t /*rows*/) { return bytes; };
  if (!usual.kernel.whole_maps && usual.kernel.name.find(part) != std::string::npos) return usual;
  for (const RowKernel& kernel : row_kernels(step, core)) {
    if (kernel.kernel.name.find(part) != std::string::npos) return kernel;
  }
  ADD_FAILURE() << "no kernel like " << part;
  return {};
}

/// Strips of `rows` rows, or of random ones.
void expect_definition(const ConvolutionCase& made, const std::string& part, int rows, std::uint64_t seed,
                       Core core = Core::cortex_m4) {
  const ConvolutionStep& step = made.step();
  if (part == "rows_m3" && step.convolution.output.format.bits != 8) return;  // it makes bytes
  const bool in_fours = step.convolution.input.channels % 4 == 0;
  const bool whole_fours = core == Core::cortex_m4 || part.find("4x4") != std::string::npos;
  if (whole_fours && step.convolution.window.kernel_height == 3 && !in_fours) return;
  const RowKernel kernel = kernel_like(made.program.steps[0], part, core);
  if (kernel.kernel.name.empty()) return;
  Random random(seed);
  WeightLayout layout = kernel.kernel.layout;
  const int filters = step.convolution.output.channels;
  if (layout.kind == WeightLayout::Kind::columns && stored_bits(step) < 8 && filters > 3 && random.integer(0, 1) == 0) {
    layout.parameter = 2 * static_cast<int>(random.integer(1, filters / 2));
  }
  const std::vector<std::uint8_t> packed = pack_weights(step, layout);
  const runtime::Convolution c = bound(step, packed);
  const auto run = std::get<ConvolutionFunction>(kernel_function(kernel.kernel.name));

  constexpr std::uint8_t unused = 0x5a;
  ScatteredRows input(c.input, random, 0xa5);
  ScatteredRows output(c.output, random, unused);
  const std::vector<std::uint8_t> bytes = made.bytes();
  const int row_bytes = c.input.width * c.input.pixel_stride;
  for (int first = 0; first < c.output.height;) {
    const int count = std::min(rows > 0 ? rows : static_cast<int>(random.integer(1, 9)), c.output.height - first);
    // only the rows that the strip needs hold what they should
    const int top = first * c.window.stride_rows - c.window.pad_top;
    const int end = top + (count - 1) * c.window.stride_rows + c.window.kernel_height;
    for (int row = 0; row < c.input.height; ++row) {
      if (row >= top && row < end) {
        input.write_row(row, bytes.data() + row * row_bytes);
      } else {
        input.fill_row(row, 0x77);
      }
    }
    const auto scratch_bytes = static_cast<std::size_t>(kernel.scratch_bytes(count));
    std::vector<std::uint32_t> scratch(scratch_bytes / 4 + 2, 0x12345678U);
    run(c, {first, count}, input.input(), output.output(), reinterpret_cast<std::uint8_t*>(scratch.data()));
    EXPECT_EQ(scratch[scratch_bytes / 4], 0x12345678U);
    first += count;
  }
  EXPECT_TRUE(output.gaps_hold(unused));
  EXPECT_EQ(made.integers(output.dense()), NaiveInterpreter::run(made.program, made.input)) << kernel.kernel.name;
}

struct KernelCase {
  const char* name;
  bool depthwise = false;
  WeightCode code = WeightCode::integer;
  Core core = Core::cortex_m4;
  int kernel = 3;
};

class RowKernels : public testing::TestWithParam<KernelCase> {};

TEST_P(RowKernels, MatchTheDefinitionOnRandomNumbers) {
  const auto [name, depthwise, code, core, kernel] = GetParam();
  for (std::uint64_t seed = 0; seed < 210 && !HasFailure(); ++seed) {
    SCOPED_TRACE(seed);
    expect_definition(random_square(kernel, seed, depthwise, 2 + static_cast<int>(seed % 7), CaseNumbers::any, code),
                      name, 0, seed, core);
  }
}

TEST_P(RowKernels, MatchTheDefinitionOnTheEndsOfTheRanges) {
  const auto [name, depthwise, code, core, kernel] = GetParam();
  for (std::uint64_t seed = 1000; seed < 1070 && !HasFailure(); ++seed) {
    SCOPED_TRACE(seed);
    const int weight_bits = 2 + static_cast<int>(seed % 7);
    for (const CaseNumbers numbers : {CaseNumbers::ends, CaseNumbers::greatest}) {
      expect_definition(random_square(kernel, seed, depthwise, weight_bits, numbers, code), name, 0, seed, core);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(
    CortexM4, RowKernels,
    testing::Values(KernelCase{"winograd2"}, KernelCase{"winograd4_dsp"}, KernelCase{"winograd4x4"},
                    KernelCase{"words", true}, KernelCase{"nested_winograd4x4", false, WeightCode::nested},
                    KernelCase{"nested_winograd2", false, WeightCode::nested},
                    KernelCase{"nested_winograd4_dsp", false, WeightCode::nested},
                    KernelCase{"winograd4_5x5", false, WeightCode::integer, Core::cortex_m4, 5},
                    KernelCase{"nested_winograd4_5x5", false, WeightCode::nested, Core::cortex_m4, 5}));
INSTANTIATE_TEST_SUITE_P(CortexM3, RowKernels,
                         testing::Values(KernelCase{"rows_m3", true, WeightCode::integer, Core::cortex_m3},
                                         KernelCase{"winograd2", false, WeightCode::integer, Core::cortex_m3},
                                         KernelCase{"winograd4_m3", false, WeightCode::integer, Core::cortex_m3},
                                         KernelCase{"winograd4x4", false, WeightCode::integer, Core::cortex_m3},
                                         KernelCase{"nested_winograd4x4", false, WeightCode::nested, Core::cortex_m3},
                                         KernelCase{"nested_winograd2", false, WeightCode::nested, Core::cortex_m3},
                                         KernelCase{"nested_winograd4_m3", false, WeightCode::nested, Core::cortex_m3},
                                         KernelCase{"winograd4_5x5", false, WeightCode::integer, Core::cortex_m3, 5},
                                         KernelCase{"nested_winograd4_5x5", false, WeightCode::nested, Core::cortex_m3,
                                                    5}));

TEST(DepthwiseWords, RunInPlaceRowForRow) {
  for (std::uint64_t seed = 0; seed < 40; ++seed) {
    SCOPED_TRACE(seed);
    ProgramBuilder b(seed);
    b.zero_points = true;
    const int channels = 4 * static_cast<int>(b.random.integer(1, 5));
    const int width = static_cast<int>(b.random.integer(2, 9));
    ConvolutionShape shape = square(channels, 3, 1, width, channels);
    b.program.input = b.add_buffer(6, width, channels, {1, 8, false});
    const BufferId y = b.convolution(b.program.input, shape, {1, 8, true}, 8);
    ConvolutionCase made{b.finish(y), {}};
    for (int i = 0; i < 6 * width * channels; ++i) made.input.push_back(b.random.integer(0, 255));
    const RowKernel kernel = kernel_like(made.program.steps[0], "words");
    ASSERT_TRUE(kernel.kernel.in_place);
    const std::vector<std::uint8_t> packed = pack_weights(made.step(), kernel.kernel.layout);
    const runtime::Convolution c = bound(made.step(), packed);
    std::vector<std::uint8_t> image = made.bytes();
    std::vector<std::uint32_t> scratch(static_cast<std::size_t>(kernel.scratch_bytes(6)) / 4);
    std::get<ConvolutionFunction>(kernel_function(kernel.kernel.name))(
        c, runtime::all_rows(c.output), runtime::dense_rows(std::as_const(image).data(), c.input),
        runtime::dense_rows(image.data(), c.output), reinterpret_cast<std::uint8_t*>(scratch.data()));
    EXPECT_EQ(made.integers(image), NaiveInterpreter::run(made.program, made.input));
  }
}

/// A convolution of the least number by the greatest in all products of one pixel. The sums of nested weights of 2 bits
/// are multiplied as -192 * 255.
ConvolutionCase greatest_sums(int channels, WeightCode code = WeightCode::integer, int kernel = 3) {
  ProgramBuilder b(1);
  b.program.input = b.add_buffer(kernel, kernel, channels, {1, 8, false});
  ConvolutionShape shape;
  shape.kernel_height = shape.kernel_width = kernel;
  const BufferId y = b.convolution(b.program.input, shape, {1, 16, true}, 8);
  ConvolutionCase made{b.finish(y),
                       std::vector<std::int64_t>(static_cast<std::size_t>(kernel * kernel * channels), 255)};
  auto& step = std::get<ConvolutionStep>(made.program.steps[0].operation);
  step.weight_code = code;
  if (code == WeightCode::nested) step.convolution.weight_bits = 2;
  std::ranges::fill(step.weights, std::int16_t{-128});
  step.convolution.shift = 0;
  step.bias = {0};
  step.multiplier = {1 << 19};
  step.convolution.output_minimum = -32768;
  return made;
}

class WinogradSums : public testing::TestWithParam<Core> {};

TEST_P(WinogradSums, AreExactUpToTheLimitAndNotOfferedBeyond) {
  const auto offered = [](const ConvolutionCase& made) {
    std::vector<int> tiles;
    for (const RowKernel& kernel : row_kernels(made.program.steps[0], GetParam())) tiles.push_back(kernel.tile_rows);
    return tiles;
  };
  // 9 * 255 * 128 * 912 is the last below 2^28 and ... * 3652 below 2^30
  EXPECT_EQ(offered(greatest_sums(912)), (std::vector<int>{2, 4}));
  EXPECT_EQ(offered(greatest_sums(916)), (std::vector<int>{2}));
  EXPECT_EQ(offered(greatest_sums(3652)), (std::vector<int>{2}));
  EXPECT_EQ(offered(greatest_sums(3656)), (std::vector<int>{}));
  expect_definition(greatest_sums(912), "winograd4", 1, 1, GetParam());
  expect_definition(greatest_sums(3652), "winograd2", 1, 1, GetParam());
  // 9 * 255 * 192 * 608 and ... * 2436
  EXPECT_EQ(offered(greatest_sums(608, WeightCode::nested)), (std::vector<int>{2, 4}));
  EXPECT_EQ(offered(greatest_sums(612, WeightCode::nested)), (std::vector<int>{2}));
  EXPECT_EQ(offered(greatest_sums(2436, WeightCode::nested)), (std::vector<int>{2}));
  EXPECT_EQ(offered(greatest_sums(2440, WeightCode::nested)), (std::vector<int>{}));
  expect_definition(greatest_sums(608, WeightCode::nested), "winograd4", 1, 1, GetParam());
  expect_definition(greatest_sums(2436, WeightCode::nested), "winograd2", 1, 1, GetParam());
  // 9 * 255 * 128 * 112 is the last below 2^25 of whole fours, and 9 * 255 * 192 * 76; F(4x4,3x3) comes last
  EXPECT_EQ(offered(greatest_sums(112)), (std::vector<int>{2, 4, 4}));
  EXPECT_EQ(offered(greatest_sums(116)), (std::vector<int>{2, 4}));
  EXPECT_EQ(offered(greatest_sums(76, WeightCode::nested)), (std::vector<int>{2, 4, 4}));
  EXPECT_EQ(offered(greatest_sums(80, WeightCode::nested)), (std::vector<int>{2, 4}));
  expect_definition(greatest_sums(112), "winograd4x4", 1, 1, GetParam());
  expect_definition(greatest_sums(76, WeightCode::nested), "winograd4x4", 1, 1, GetParam());
  // 25 * 255 * 128 * 164 is the last below 2^27, and 25 * 255 * 192 * 109
  EXPECT_EQ(offered(greatest_sums(164, WeightCode::integer, 5)), (std::vector<int>{4}));
  EXPECT_EQ(offered(greatest_sums(165, WeightCode::integer, 5)), (std::vector<int>{}));
  EXPECT_EQ(offered(greatest_sums(109, WeightCode::nested, 5)), (std::vector<int>{4}));
  EXPECT_EQ(offered(greatest_sums(110, WeightCode::nested, 5)), (std::vector<int>{}));
  expect_definition(greatest_sums(164, WeightCode::integer, 5), "winograd4", 1, 1, GetParam());
  expect_definition(greatest_sums(109, WeightCode::nested, 5), "winograd4", 1, 1, GetParam());
}

TEST_P(WinogradSums, OtherConvolutionsAreNotOffered) {
  const auto offers = [](const auto& change) {
    ProgramBuilder b(1);
    b.program.input = b.add_buffer(8, 8, 8, {1, 8, true});
    Program program = b.finish(b.convolution(b.program.input, square(8, 3, 1, 8), {1, 8, true}, 8));
    change(std::get<ConvolutionStep>(program.steps[0].operation));
    return !row_kernels(program.steps[0], GetParam()).empty();
  };
  EXPECT_TRUE(offers([](ConvolutionStep&) {}));
  EXPECT_FALSE(offers([](ConvolutionStep& s) { s.convolution.window.stride_columns = 2; }));
  EXPECT_FALSE(offers([](ConvolutionStep& s) { s.convolution.window.dilation_rows = 2; }));
  EXPECT_FALSE(offers([](ConvolutionStep& s) { s.convolution.window.kernel_width = 1; }));
  EXPECT_FALSE(offers([](ConvolutionStep& s) { s.convolution.groups = 2; }));
  EXPECT_FALSE(offers([](ConvolutionStep& s) { s.convolution.input.format.bits = 4; }));
  EXPECT_FALSE(offers([](ConvolutionStep& s) { s.padding_value.assign(8, 200); }));
  EXPECT_TRUE(offers([](ConvolutionStep& s) { s.padding_value.assign(8, -100); }));
}

INSTANTIATE_TEST_SUITE_P(Cores, WinogradSums, testing::Values(Core::cortex_m0, Core::cortex_m3, Core::cortex_m4));

}  // namespace
}  // namespace trimtab
