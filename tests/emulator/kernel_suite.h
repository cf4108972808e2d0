#pragma once

// The tests of the kernels of a core, against the generic ones on random shapes, in the emulator. A test program names
// the targets: INSTANTIATE_TEST_SUITE_P(Cores, Kernels, testing::Values(...), test::by_name).

#include <fmt/ranges.h>
#include <gtest/gtest.h>

#include "emulator/kernel_cases.h"

namespace trimtab {
class Kernels : public testing::TestWithParam<const char*> {};

inline void expect_right(const ProgramBuilder& builder, const char* target, Optimize optimize, bool overlap,
                         std::int64_t scratch_limit = 0) {
  ProgramBuilder copy = builder;
  const CasesResult result = run_cases(copy.finish(-1), load_target(target), optimize, overlap, scratch_limit);
  EXPECT_EQ(result.wrong.size(), 0U) << fmt::format("{}", fmt::join(result.wrong, "\n"));
}

TEST_P(Kernels, ConvolutionsOfBytes) {
  ProgramBuilder builder(1);
  builder.zero_points = true;
  for (int i = 0; i < 40; ++i) add_random_convolution(builder, {8}, false);
  builder.convolution(builder.add_buffer(5, 7, 8, {1, 8, false}), pointwise_padded_behind(), {1, 8, true}, 8);
  expect_right(builder, GetParam(), Optimize::speed, true);
  expect_right(builder, GetParam(), Optimize::size, false);
}

TEST_P(Kernels, ConvolutionsOfAllFormats) {
  ProgramBuilder builder(2);
  builder.zero_points = true;
  for (int i = 0; i < 40; ++i) add_random_convolution(builder, {2, 4, 8, 8, 16}, false);
  expect_right(builder, GetParam(), Optimize::speed, true);
  expect_right(builder, GetParam(), Optimize::speed, false, 1 << 16);
}

TEST_P(Kernels, DepthwiseConvolutions) {
  ProgramBuilder builder(3);
  builder.zero_points = true;
  for (int i = 0; i < 30; ++i) add_random_convolution(builder, {8}, true);
  for (int i = 0; i < 15; ++i) add_random_convolution(builder, {2, 4, 8, 16}, true);
  expect_right(builder, GetParam(), Optimize::speed, true);
  expect_right(builder, GetParam(), Optimize::speed, false);
}

TEST_P(Kernels, PoolsAndElements) {
  ProgramBuilder builder(4);
  builder.zero_points = true;
  Random& random = builder.random;
  const auto pick = [&](int low, int high) { return static_cast<int>(random.integer(low, high)); };
  for (int i = 0; i < 60; ++i) {
    ActivationGrid grid;
    grid.is_signed = pick(0, 1) == 1;
    if (i >= 40) grid.bits = 1 << pick(1, 4);
    ActivationGrid other = grid;
    if (pick(0, 3) == 0) other.is_signed = !grid.is_signed;
    if (pick(0, 7) == 0) other.bits = 4;
    const int height = pick(1, 12);
    const int width = pick(1, 12);
    const int channels = pick(0, 1) == 0 ? 4 * pick(1, 8) : pick(1, 19);
    const BufferId input = builder.add_buffer(height, width, channels, grid);
    const int kernel = pick(1, std::min({height, width, 5}));
    switch (i % 6) {
      case 0:
        builder.max_pool(input, kernel, pick(1, 3), pick(0, kernel / 2));
        break;
      case 1:
        builder.average_pool(input, kernel, kernel, pick(1, 3), pick(0, kernel / 2), pick(0, 1) == 0, other);
        break;
      case 2:
        builder.global_average_pool(input, other);
        break;
      case 3:
        builder.addition(input, builder.add_buffer(height, width, channels, other), grid);
        break;
      case 4:
        if (grid.bits <= 8) builder.lookup(input, other);
        if (grid.bits <= 8) builder.softmax(input, other);
        break;
      default:
        builder.multiplication(input, builder.add_buffer(1, 1, channels, other), grid);
    }
  }
  expect_right(builder, GetParam(), Optimize::speed, true);
  expect_right(builder, GetParam(), Optimize::size, false);
}

TEST_P(Kernels, Movements) {
  ProgramBuilder builder(5);
  const auto pick = [&](int low, int high) { return static_cast<std::int16_t>(builder.random.integer(low, high)); };
  for (int i = 0; i < 40; ++i) {
    const ActivationGrid grid{1, 1 << pick(1, 4), pick(0, 1) == 1};
    const BufferId input = builder.add_buffer(pick(1, 9), pick(1, 9), pick(1, 19), grid);
    const runtime::Box box{0, 0, 0, pick(1, 9), pick(1, 9), pick(1, 19)};
    builder.movement_into(builder.add_buffer(box.height, box.width, box.channels, grid), input, box);
  }
  expect_right(builder, GetParam(), Optimize::speed, true);
  expect_right(builder, GetParam(), Optimize::size, false);
}

}  // namespace trimtab
