// The kernels of every application processor's core.

#include "emulator/kernel_suite.h"
#include "support/test_name.h"

namespace trimtab {
namespace {

/// What a convolution's outputs go through: a shift of its sums, the type of its bytes, and a range within it.
struct OutputKind {
  int shift;
  bool is_signed, clamps;
};

/// The last convolution of the builder gets weights at both ends of their range and multipliers that make many of its
/// numbers fall on halves, or beyond the ends of 32 bits where they are doubled.
void make_extreme(ProgramBuilder& builder, const OutputKind& kind) {
  auto& step = std::get<ConvolutionStep>(builder.program.steps.back().operation);
  runtime::Convolution& c = step.convolution;
  const auto pick = [&](int low, int high) { return static_cast<int>(builder.random.integer(low, high)); };
  const std::size_t size = step.weights.size() / step.bias.size();
  // with -128 pairs of products may not fit 16 bits, and other kernels are taken
  const int least = -(1 << (c.weight_bits - 1)) + (c.weight_bits == 8 ? pick(0, 1) : 0);
  for (std::size_t filter = 0; filter < step.bias.size(); ++filter) {
    const bool is_small = pick(0, 1) == 0;
    for (std::size_t i = 0; i < size; ++i) {
      const int end = pick(0, 1) == 0 ? least : (1 << (c.weight_bits - 1)) - 1;
      step.weights[filter * size + i] = static_cast<std::int16_t>(is_small ? pick(-1, 1) : end);
    }
    // of small sums a quarter or an eighth; of large ones as small a part as their number asks for
    int digits = is_small ? pick(2, 3) : 7;
    for (std::size_t terms = 1; terms < size; terms *= 4) ++digits;
    step.multiplier[filter] =
        (pick(0, 3) == 0 ? -1 : 1) * (1 << (32 - digits - kind.shift)) + (pick(0, 3) == 0 ? 1 : 0);
    step.bias[filter] = pick(-300, 300);
  }
  c.shift = static_cast<std::uint8_t>(kind.shift);
  const Buffer& output = builder.program.buffers[static_cast<std::size_t>(builder.program.steps.back().output)];
  c.output_minimum = output.grid.minimum() + (kind.clamps ? 9 : 0);
  c.output_maximum = output.grid.maximum() - (kind.clamps ? 30 : 0);
  if (pick(0, 1) == 0) c.output_zero = static_cast<std::int16_t>(pick(output.grid.minimum(), output.grid.maximum()));
}

TEST_P(Kernels, RoundHalvesAndSaturateInEveryKindOfOutput) {
  for (const int bits : {8, 3}) {
    ProgramBuilder builder(11);
    for (const OutputKind& kind : {OutputKind{0, false, false}, OutputKind{0, true, false}, OutputKind{0, false, true},
                                   OutputKind{0, true, true}, OutputKind{2, false, false}, OutputKind{1, true, false},
                                   OutputKind{3, false, true}, OutputKind{2, true, true}}) {
      const ActivationGrid output{1, 8, kind.is_signed};
      const auto add = [&](int height, int width, int channels, const ConvolutionShape& shape) {
        const ActivationGrid input{1, 8, builder.random.integer(0, 1) == 1};
        builder.convolution(builder.add_buffer(height, width, channels, input), shape, output, bits);
        make_extreme(builder, kind);
      };
      add(9, 7, 16, square(24, 1, 1, 9));
      add(7, 7, 32, square(16, 1, 1, 7));
      add(9, 13, 16, square(20, 3, 2, 9));
      add(10, 9, 16, square(32, 3, 1, 9));   // F(4x4, 3x3), its tiles over the edges
      add(8, 12, 24, square(16, 3, 1, 12));  // the same without
      add(10, 9, 16, square(28, 3, 1, 9));   // with fewer filters than its blocks have
      add(8, 8, 24, square(12, 3, 1, 8));
      add(9, 8, 12, square(12, 3, 1, 8));  // and fewer inputs
      add(11, 10, 3, square(16, 3, 2, 10));
      add(6, 5, 4, square(9, 2, 1, 5));
      add(1, 1, 96, square(40, 1, 1, 1));
      add(7, 9, 40, square(40, 3, 1, 9, 40));
      add(10, 9, 24, square(24, 3, 2, 9, 24));
      add(8, 8, 12, square(12, 5, 1, 8, 12));
    }
    expect_right(builder, GetParam(), Optimize::speed, false);
  }
}

/// Maps so large that their copies are made in bands, and rows of panels that end where a row of the map does not.
TEST_P(Kernels, MakeLargeMapsInBands) {
  ProgramBuilder builder(12);
  const ActivationGrid bytes{1, 8, false};
  builder.convolution(builder.add_buffer(46, 50, 32, bytes), square(32, 3, 1, 46), bytes, 8);
  builder.convolution(builder.add_buffer(21, 30, 128, bytes), square(8, 3, 2, 21), bytes, 8);
  builder.convolution(builder.add_buffer(45, 50, 40, bytes), square(40, 3, 1, 45, 40), bytes, 8);
  builder.convolution(builder.add_buffer(51, 50, 40, bytes), square(40, 3, 2, 51, 40), bytes, 8);
  expect_right(builder, GetParam(), Optimize::speed, false);
}

INSTANTIATE_TEST_SUITE_P(Cores, Kernels, testing::Values("cortex-a15", "cortex-a53", "cortex-a76"), test::by_name);

}  // namespace
}  // namespace trimtab
