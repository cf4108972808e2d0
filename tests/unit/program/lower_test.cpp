#include "program/lower.h"

#include <gtest/gtest.h>

#include <cmath>

#include "base/error.h"
#include "base/file.h"
#include "base/random.h"
#include "program/check.h"
#include "program/describe.h"
#include "program/execute.h"
#include "program/program_file.h"
#include "program/requantization.h"
#include "support/quantized_builder.h"

// Lowering against integers computed by hand from the definitions in plan/quantized_network.h and runtime/.
namespace trimtab {
namespace {

using Integers = std::vector<int>;

template <typename T>
Integers integers(const std::vector<T>& values) {
  return {values.begin(), values.end()};
}

const ConvolutionStep& convolution(const Program& program, std::size_t index) {
  return std::get<ConvolutionStep>(program.steps.at(index).operation);
}

/// One factor at one operating point.
std::vector<std::vector<double>> one(double factor) { return {{factor}}; }

TEST(Requantization, PointsShareMultipliers) {
  const std::vector<std::vector<double>> factors{{0.003, -0.0007}, {0.024, -0.0056}, {0.00075, -0.000175}};
  const Requantization shared = requantization_of(factors, "layer");
  ASSERT_EQ(shared.shift.size(), 3U);
  for (std::size_t k = 0; k < factors.size(); ++k) {
    for (std::size_t c = 0; c < 2; ++c) {
      const double got = std::ldexp(shared.multiplier[c], shared.shift[k] - 32);
      EXPECT_NEAR(got / factors[k][c], 1, 1e-6);
    }
  }
  EXPECT_EQ(shared.shift[1] - shared.shift[0], 3);
  EXPECT_EQ(shared.shift[0] - shared.shift[2], 2);
  EXPECT_THROW((void)requantization_of(std::vector<std::vector<double>>{{0.1, 0.2}, {0.2, 0.5}}, "layer"), Error);
}

TEST(Requantization, NearestMultipliersWithTheSmallestShift) {
  Random random(1);
  for (int round = 0; round < 1000; ++round) {
    std::vector<double> factors(3);
    for (double& factor : factors) factor = std::exp2(random.uniform(-20, 14)) * (random.integer(0, 1) == 0 ? 1 : -1);
    const Requantization fixed = requantization_of(std::vector<std::vector<double>>{factors}, "layer");
    long double largest = 0;
    for (std::size_t i = 0; i < factors.size(); ++i) {
      const long double unit = std::exp2(static_cast<long double>(fixed.shift[0]) - 32);
      EXPECT_LE(std::abs(unit * fixed.multiplier[i] - static_cast<long double>(factors[i])), unit / 2);
      largest = std::max(largest, std::abs(static_cast<long double>(factors[i])));
    }
    // With one less, the largest would not fit 32 bits.
    if (fixed.shift[0] > 0) {
      EXPECT_GT(largest * std::exp2(static_cast<long double>(33 - fixed.shift[0])), 2147483647.0L);
    }
  }
}

TEST(Requantization, RequantizeRoundsTheExactProduct) {
  Random random(2);
  for (int round = 0; round < 10000; ++round) {
    const double factor = random.uniform(-0.3, 0.3);
    const Requantization fixed = requantization_of(one(factor), "layer");
    const auto accumulator = static_cast<std::int32_t>(random.integer(-1000000, 1000000));
    const std::int32_t result =
        runtime::requantize(accumulator, fixed.multiplier[0], fixed.shift[0], INT32_MIN, INT32_MAX);
    // Half of the result's rounding, and the multiplier's error of 2^-33 times the accumulator.
    EXPECT_LE(std::abs(static_cast<long double>(accumulator) * factor - result),
              0.5L + std::abs(static_cast<long double>(accumulator)) * std::exp2(fixed.shift[0] - 33.0L));
  }
}

TEST(Requantization, RefusesWhatHasNoMultiplier) {
  EXPECT_THROW(static_cast<void>(requantization_of(one(1e6), "layer")), Error);
  EXPECT_THROW(static_cast<void>(requantization_of(one(NAN), "layer")), Error);
  EXPECT_THROW(static_cast<void>(requantization_of(one(INFINITY), "layer")), Error);
}

/// Input 2 channels of 2 x 2, real = integer / 2; a 1 x 2 convolution to 2 channels with one scale of each sign, ReLU6,
/// and a Linear over the flattened 2 x 2 x 1 image.
class TwoLayers : public testing::Test {
 protected:
  TwoLayers() : builder_({2, 2, 2}, {0.5F, 8, false}) {
    Conv conv;
    // {O, I, H, W}: integers 1 2 | 3 4 times 0.25, and 1 2 | 3 4 times -0.5
    conv.weight = {{2, 2, 1, 2}, {0.25F, 0.5F, 0.75F, 1.0F, -0.5F, -1.0F, -1.5F, -2.0F}};
    conv.bias = {{2}, {0.3125F, 0.375F}};
    conv.padding = {0, 0, 0, 1};
    conv.padding_value = {{2}, {0.75F, 3.0F}};
    const ValueId x = builder_.add("conv", conv, {0}, {}, WeightGrid{4, {0.25F, -0.5F}});
    const ActivationGrid clipped{0.5F, 8, false};
    const ValueId y = builder_.add("relu6", Clip{0, 6}, {x}, clipped);
    const ValueId flat = builder_.add("flat", Reshape{{8}}, {y}, clipped);
    Linear linear;
    linear.weight = {{1, 8}, {1, 2, 3, 4, 5, 6, 7, -8}};
    builder_.add("linear", linear, {flat}, ActivationGrid{1, 16, true}, WeightGrid{8, {1}});
    program_ = builder_.lowered();
  }
  QuantizedBuilder builder_;
  Program program_;
};

TEST_F(TwoLayers, ConvolutionByHand) {
  ASSERT_EQ(program_.steps.size(), 2U);
  const ConvolutionStep& step = convolution(program_, 0);
  EXPECT_EQ(integers(step.weights), (Integers{1, 3, 2, 4, 1, 3, 2, 4}));  // {O, H, W, I}
  // 0.3125 / (0.5 * 0.25) = 2.5 and 0.375 / (0.5 * -0.5) = -1.5: halves go up
  EXPECT_EQ(integers(step.bias), (Integers{3, -1}));
  // factors 0.125 / 0.5 and -0.25 / 0.5: the second needs a shift of 1 to stay within 31 bits
  EXPECT_EQ(step.convolution.shift, 1);
  EXPECT_EQ(integers(step.multiplier), (Integers{1 << 29, -(1 << 30)}));
  EXPECT_EQ(integers(step.padding_value), (Integers{2, 6}));  // 1.5 and 6
  EXPECT_EQ(step.convolution.output_minimum, 0);
  EXPECT_EQ(step.convolution.output_maximum, 12);  // 6 / 0.5
  EXPECT_EQ(step.convolution.weight_bits, 4);
}

TEST_F(TwoLayers, LinearReadsTheImageInItsOwnOrder) {
  const ConvolutionStep& step = convolution(program_, 1);
  // channels first 1 2 3 4 | 5 6 7 -8 becomes pixel by pixel
  EXPECT_EQ(integers(step.weights), (Integers{1, 5, 2, 6, 3, 7, 4, -8}));
  EXPECT_EQ(step.convolution.window.kernel_height, 2);
  EXPECT_EQ(step.convolution.window.kernel_width, 2);
  EXPECT_EQ(integers(step.multiplier), (Integers{1 << 30}));  // 0.5 with a shift of 1
  EXPECT_EQ(integers(step.bias), (Integers{0}));
}

TEST_F(TwoLayers, RunsAsByHand) {
  const ProgramRunner runner(program_, Core::generic);
  // pixels (c0, c1) of rows: (1, 0) (0, 1) | (0, 0) (2, 0); beyond the right edge (2, 6)
  const std::vector<std::uint8_t> input{1, 0, 0, 1, 0, 0, 2, 0};
  std::vector<std::int32_t> output(1);
  runner.run(input, 1, output);
  // sums with bias, channel 0: 1+4+3 = 8, 3+(2*2+6*4)+3 = 34 | 2*2+3 = 7, 2+28+3 = 33; a quarter, halves up, at most
  // 12:
  //   2, 9 (8.5), 2 (1.75), 8 (8.25)
  // channel 1: 5-1 = 4 and so on are positive, times -0.5: 0 everywhere after ReLU
  // logits: (1*2 + 2*9 + 3*2 + 4*8) / 2 = 29
  EXPECT_EQ(output[0], 29);
}

TEST_F(TwoLayers, Descriptions) {
  const Schedule plan = schedule(program_, Core::generic);
  const std::string text = describe_steps(program_, plan, true);
  // 2 outputs x 4 pixels x 4 weights, and 8
  for (const std::string& words : {std::string("4 bit"), std::string("2x2x2"), std::string("40 MACs"),
                                   std::string("linear"), plan.kernels[0].name, plan.kernels[0].reason})
    EXPECT_NE(text.find(words), std::string::npos) << words << " in\n" << text;
  EXPECT_EQ(describe_steps(program_, plan, false).find(plan.kernels[0].reason + "\n"), std::string::npos);

  const std::string arena = draw_arena(program_, plan);
  EXPECT_NE(arena.find("8 bytes at"), std::string::npos) << arena;

  const nlohmann::ordered_json json = to_json(program_, plan);
  EXPECT_EQ(json["layers"].size(), 2U);
  EXPECT_EQ(json["layers"][0]["macs"], 32);
  EXPECT_EQ(json["layers"][0]["weight_bits"], 4);
  EXPECT_EQ(json["layers"][1]["activation_bits"], 16);
  EXPECT_EQ(json["arena_bytes"], plan.arena_bytes);
}

TEST(Lower, AdditionTakesTheLargestShiftThatCannotOverflow) {
  QuantizedBuilder b({1, 2, 2}, {0.5F, 8, false});
  b.add("sum", Add{}, {0, 0}, ActivationGrid{1, 8, false});
  const Program program = b.lowered();
  const runtime::Addition& step = std::get<AdditionStep>(program.steps.at(0).operation).addition;
  // (0.5 * 255 + 0.5 * 255 + 1) * 2^s + 510 < 2^31: s = 22, not 23
  EXPECT_EQ(step.shift, 22);
  EXPECT_EQ(step.multiplier_a, 1 << 21);
  EXPECT_EQ(step.multiplier_b, 1 << 21);
}

Conv pointwise(std::int64_t outputs, std::int64_t inputs) {
  Conv conv;
  conv.weight = {{outputs, inputs, 1, 1}, std::vector<float>(static_cast<std::size_t>(outputs * inputs), 1)};
  return conv;
}

QuantizedBuilder two_parts(std::int64_t channels, int bits) {
  const ActivationGrid grid{1, bits, false};
  QuantizedBuilder b({2, 3, 3}, {1, 8, false});
  const WeightGrid weights{2, std::vector<float>(static_cast<std::size_t>(channels), 1)};
  const ValueId x = b.add("a", pointwise(channels, 2), {0}, grid, weights);
  const ValueId y = b.add("b", pointwise(channels, 2), {0}, grid, weights);
  b.add("both", Concat{}, {x, y}, grid);
  return b;
}

TEST(Lower, ConcatenatedPartsAreWrittenInPlace) {
  const Program program = two_parts(4, 8).lowered();
  ASSERT_EQ(program.steps.size(), 2U);
  for (std::size_t i = 0; i < 2; ++i) {
    const Buffer& part = program.buffers.at(static_cast<std::size_t>(program.steps[i].output));
    EXPECT_EQ(part.parent, program.output);
    EXPECT_EQ(part.parent_channel, static_cast<std::int32_t>(4 * i));
    EXPECT_EQ(convolution(program, i).convolution.output.pixel_stride, 8);
  }
}

TEST(Lower, PartsThatDoNotStartAtAByteAreCopied) {
  const Program program = two_parts(3, 2).lowered();
  check_program(program, "it");
  ASSERT_EQ(program.steps.size(), 4U);
  EXPECT_TRUE(std::holds_alternative<MovementStep>(program.steps[2].operation));
  EXPECT_EQ(std::get<MovementStep>(program.steps[3].operation).movement.box.first_channel, 3);
}

TEST(Lower, ATableOfUnsigned16BitsHoldsAllOfThem) {
  QuantizedBuilder b({2, 2, 1}, {1.0F / 16, 8, true});
  const ActivationGrid grid{1.0F / 65535, 16, false};
  b.add("probability", Sigmoid{}, {0}, grid);
  const TemporaryDirectory folder;
  save_program(b.lowered(), folder.path() / "program.bin");
  const ProgramRunner runner(load_program(folder.path() / "program.bin"));
  const std::vector<std::uint8_t> inputs{127, 255, 128, 0};  // 127, -1, -128 and 0 sixteenths
  std::vector<std::int32_t> outputs(4);
  runner.run(inputs, 1, outputs);
  const double expected[] = {127, -1, -128, 0};
  for (std::size_t i = 0; i < 4; ++i) {
    EXPECT_NEAR(outputs[i] / 65535.0, 1 / (1 + std::exp(-expected[i] / 16)), 0.5001 / 65535);
  }
}

TEST(Lower, OverflowIsRefused) {
  const auto lowered = [](float bias, int bits) {
    QuantizedBuilder b({600, 1, 1}, {1, bits, false});
    Conv conv = pointwise(1, 600);
    for (float& weight : conv.weight.data) weight = 127;
    conv.bias = {{1}, {bias}};
    b.add("wide", conv, {0}, ActivationGrid{1e6F, 16, true}, WeightGrid{8, {1}});
    return b.lowered();
  };
  EXPECT_NO_THROW(static_cast<void>(lowered(0, 8)));
  EXPECT_THROW(static_cast<void>(lowered(3e9F, 8)), Error);  // the bias alone
  EXPECT_THROW(static_cast<void>(lowered(0, 16)), Error);    // 600 * 127 * 65535 > 2^31
}

TEST(Lower, SixteenBitWeightsDropTheLowestBitsOfTheirSums) {
  // 600 * 32767 * 65535 needs 41 bits: ten of them go, so that one is left for the sign and the bias has room
  QuantizedBuilder b({600, 1, 1}, {1, 16, false});
  Conv conv = pointwise(2, 600);
  for (float& weight : conv.weight.data) weight = 32767;
  conv.bias = {{2}, {10240, -3e9F}};
  b.add("wide", conv, {0}, ActivationGrid{65536.0F * 16384, 16, true}, WeightGrid{16, {1, 1}});
  const Program program = b.lowered();
  const ConvolutionStep& step = convolution(program, 0);
  EXPECT_EQ(step.weights[0], 32767);
  EXPECT_EQ(step.convolution.sum_shift, 10);
  EXPECT_EQ(step.bias[0], 10);
  EXPECT_EQ(step.bias[1], -2929687);  // -3e9 / 1024 is -2929687.5, and halves go upward
  const ProgramRunner runner(program);
  std::vector<std::uint8_t> input(1200, 0);
  for (std::size_t i = 0; i < 600; ++i) input[2 * i + 1] = 128;  // 32768 each
  std::vector<std::int32_t> output(2);
  runner.run(input, 1, output);
  // 600 * 32767 * 32768 / 2^30 = 599.98
  EXPECT_EQ(output, (std::vector<std::int32_t>{600, 597}));
}

TEST(Lower, LayersWithoutIntegerFormAreNamed) {
  QuantizedBuilder b({2, 3, 3}, {1, 8, false});
  const ValueId padded = b.add("border", Pad{{1, 1, 1, 1}, 1}, {0}, ActivationGrid{});
  b.add("soft", Softmax{true}, {padded}, ActivationGrid{});
  EXPECT_EQ(layers_without(&FormTraits::runs, b.network.graph), (std::vector<std::string>{"'soft' (Softmax)"}));
  EXPECT_THROW(static_cast<void>(b.lowered()), Error);
}

}  // namespace
}  // namespace trimtab
