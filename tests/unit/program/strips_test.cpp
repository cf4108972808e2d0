#include "program/strips.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>

#include "base/error.h"
#include "base/index.h"
#include "program/check_schedule.h"
#include "program/execute.h"
#include "program/strip_schedule.h"
#include "program/whole_maps.h"
#include "support/naive_interpreter.h"
#include "support/pooled_program.h"
#include "support/random_program.h"
#include "support/residual_program.h"

namespace trimtab {
namespace {

void expect_exact(const Program& program, const Schedule& plan, std::uint64_t seed) {
  Random random(seed);
  const RandomSample sample(program, random);
  const std::vector<std::int64_t> expected = NaiveInterpreter::run(program, sample.integers);
  std::vector<std::int32_t> outputs(expected.size());
  ProgramRunner(program, plan).run(sample.bytes, 1, outputs);
  EXPECT_EQ(std::vector<std::int64_t>(outputs.begin(), outputs.end()), expected);
}

std::vector<std::int32_t> random_heights(const Program& program, std::uint64_t seed) {
  Random random(seed);
  std::vector<std::int32_t> rows;
  for (std::size_t s = 0; s < program.steps.size(); ++s) {
    constexpr std::int32_t heights[] = {1, 1, 2, 4, INT32_MAX};
    rows.push_back(heights[random.integer(0, 4)]);
  }
  return rows;
}

class Strips : public testing::TestWithParam<Core> {};

TEST_P(Strips, OfRandomHeightsMatchTheDefinition) {
  int strips = 0;
  for (std::uint64_t seed = 0; seed < 200; ++seed) {
    SCOPED_TRACE(seed);
    const Program program = seed % 2 == 0 ? pooled_program(seed, 3) : RandomProgram::make(seed);
    const Schedule plan = schedule_in_strips(program, GetParam(), Optimize::speed, random_heights(program, seed));
    expect_exact(program, plan, seed);
    EXPECT_GE(plan.arena_bytes, plan.lower_bound_bytes);
    strips += has_whole_maps(plan, program) ? 0 : 1;
    if (HasFailure()) break;
  }
  EXPECT_GE(strips, 100);  // else nothing is tested here
}

TEST_P(Strips, AreChosenWhereTheArenaBecomesSmaller) {
  int chosen = 0;
  for (std::uint64_t seed = 2000; seed < 2040; ++seed) {
    SCOPED_TRACE(seed);
    const Program program = pooled_program(seed, 3);
    const Schedule plan = schedule(program, GetParam(), Optimize::speed, {.arena_bytes = 0});
    expect_exact(program, plan, seed);
    EXPECT_LE(plan.arena_bytes, schedule_whole_maps(program, GetParam(), Optimize::speed).arena_bytes);
    chosen += has_whole_maps(plan, program) ? 0 : 1;
    if (HasFailure()) break;
  }
  if (GetParam() == Core::generic) {
    EXPECT_EQ(chosen, 0);
  } else {
    EXPECT_GE(chosen, 10);
  }
}

TEST_P(Strips, OfPushedRowsMatchTheDefinition) {
  int smaller = 0;
  for (std::uint64_t seed = 0; seed < 200; ++seed) {
    SCOPED_TRACE(seed);
    const Program program = seed % 2 == 0 ? pooled_program(seed, 3) : RandomProgram::make(seed);
    const std::vector<std::int32_t> heights = random_heights(program, seed);
    const auto in_strips = [&](InputForm input) {
      return schedule_in_strips(program, GetParam(), Optimize::speed, heights, input);
    };
    const Schedule pushed = in_strips(InputForm::pushed);
    expect_exact(program, pushed, seed);
    check_schedule(program, pushed);
    check_schedule(program, in_strips(InputForm::whole));
    ASSERT_EQ(std::ssize(pushed.pushes), nth(program.buffers, program.input).height);
    EXPECT_TRUE(std::ranges::is_sorted(pushed.pushes));
    EXPECT_EQ(pushed.pushes.back(), pushed.operations.size());
    smaller += pushed.lower_bound_bytes < in_strips(InputForm::whole).lower_bound_bytes ? 1 : 0;
    if (HasFailure()) break;
  }
  EXPECT_GE(smaller, 30);  // else rows are not given back
}

TEST_P(Strips, OfDifferentKernelsMatchTheDefinition) {
  std::size_t variants = 0;
  for (std::uint64_t seed = 0; seed < 120; ++seed) {
    SCOPED_TRACE(seed);
    const Program program = residual_program(seed, 8);
    for (const InputForm input : {InputForm::whole, InputForm::pushed}) {
      const Schedule plan = schedule_in_mixed_strips(program, GetParam(), seed, input);
      check_schedule(program, plan);
      expect_exact(program, plan, seed);
      variants += plan.variants.size();
    }
    if (HasFailure()) break;
  }
  if (GetParam() == Core::generic) {
    EXPECT_EQ(variants, 0U);  // it has one kernel each
  } else {
    EXPECT_GE(variants, 200U);
  }
}

TEST_P(Strips, OfPushedRowsAreChosenWithinALimit) {
  for (std::uint64_t seed = 2000; seed < 2040; ++seed) {
    SCOPED_TRACE(seed);
    const Program program = pooled_program(seed, 3);
    for (const std::optional<std::int64_t> limit : {std::optional<std::int64_t>(), std::optional<std::int64_t>(0)}) {
      const Schedule plan = schedule(program, GetParam(), Optimize::speed, {.arena_bytes = limit}, InputForm::pushed);
      EXPECT_EQ(plan.input_form(), InputForm::pushed);
      expect_exact(program, plan, seed);
      EXPECT_LE(plan.arena_bytes, schedule_whole_maps(program, GetParam(), Optimize::speed).arena_bytes);
    }
    if (HasFailure()) break;
  }
}

INSTANTIATE_TEST_SUITE_P(Cores, Strips, testing::Values(Core::generic, Core::cortex_m3, Core::cortex_m4),
                         [](const auto& test) {
                           return test.param == Core::generic     ? "generic"
                                  : test.param == Core::cortex_m3 ? "scalar"
                                                                  : "dsp";
                         });

TEST(Strips, TheLargestValueOfTheCifarNetworkIsNeverWhole) {
  // 32 x 32 x 3 -> 32 x 32 x 32 -> 16 x 16 x 32: 32 KB between, of which four rows of 1 KB lie there at a time
  ProgramBuilder b(1);
  b.program.input = b.add_buffer(32, 32, 3, {1, 8, false});
  const BufferId x = b.convolution(b.program.input, square(32, 5, 1, 32), {1, 8, false}, 8);
  const Program program = b.finish(b.max_pool(x, 3, 2, 1));
  const std::int64_t limit = 3072 + 8192 + 3 * 1024 + 2048;
  ScheduleLimits limits;
  limits.arena_bytes = limit;  // else F(4,5) takes more for its transformed inputs
  const Schedule plan = schedule(program, Core::cortex_m4, Optimize::speed, limits);
  EXPECT_LT(plan.arena_bytes, limit);
  EXPECT_TRUE(has_whole_maps(schedule(program, Core::host), program));
  expect_exact(program, plan, 1);
}

// So that a search takes seconds at most, and whole maps are taken for what is larger.
TEST(Strips, OfLongNetworksAreSearchedWithinABudget) {
  for (const int layers : {20, 60}) {
    ProgramBuilder b(5);
    b.program.input = b.add_buffer(8, 8, 8, {1, 8, false});
    BufferId value = b.program.input;
    for (int i = 0; i < layers; ++i) value = b.convolution(value, square(8, 3, 1, 8), {1, 8, false}, 8);
    const Program program = b.finish(value);
    const auto strips = schedule_strips(program, Core::cortex_m4, Optimize::speed, 1 << 20, {});
    ASSERT_TRUE(strips.has_value());
    EXPECT_LT(strips->rows_priced, 120'000'000) << layers;
  }
  ProgramBuilder b(5);
  b.program.input = b.add_buffer(8, 8, 8, {1, 8, false});
  BufferId value = b.program.input;
  for (int i = 0; i < 2000; ++i) value = b.convolution(value, square(8, 3, 1, 8), {1, 8, false}, 8);
  EXPECT_FALSE(schedule_strips(b.finish(value), Core::cortex_m4, Optimize::speed, 1 << 20, {}).has_value());
}

TEST(Strips, ArePulledInTheOrderInWhichTheirRowsAreNeeded) {
  // two 3x3 convolutions of five rows, a row at a time: the first is two rows ahead of the second
  ProgramBuilder b(1);
  b.program.input = b.add_buffer(5, 8, 4, {1, 8, false});
  const BufferId x = b.convolution(b.program.input, square(4, 3, 1, 5), {1, 8, false}, 8);
  const Program program = b.finish(b.convolution(x, square(4, 3, 1, 5), {1, 8, false}, 8));
  const std::vector<StripChoice> choices(2, StripChoice{1, 0, false, false});
  StripMemory memory;
  StripPlanner(program).find_memory(choices, memory);
  std::string order;
  for (const StripOperation& operation : memory.operations) {
    order += operation.step == 0 ? 'a' : 'b';
    order += std::to_string(operation.first_row) + " ";
  }
  EXPECT_EQ(order, "a0 a1 b0 a2 b1 a3 b2 a4 b3 b4 ");
  // rows alive of the input, of x and of the output, by operation, counted by hand
  const int alive[][3] = {{5, 1, 0}, {5, 2, 0}, {4, 2, 1}, {4, 3, 1}, {3, 3, 2},
                          {3, 3, 2}, {2, 3, 3}, {2, 3, 3}, {0, 3, 4}, {0, 2, 5}};
  int most = 0;
  for (const auto& rows : alive) most = std::max(most, rows[0] + rows[1] + rows[2]);
  EXPECT_EQ(memory.most_alive(), most * 8 * 4);

  // pushed: a row of the input is there from the operation on that needs it first
  const Program& again = program;
  StripPlanner(again, InputForm::pushed).find_memory(choices, memory);
  EXPECT_EQ(memory.pushes, (std::vector<std::size_t>{0, 1, 3, 5, 10}));
  const int pushed[][3] = {{2, 1, 0}, {3, 2, 0}, {2, 2, 1}, {3, 3, 1}, {2, 3, 2},
                           {3, 3, 2}, {2, 3, 3}, {2, 3, 3}, {0, 3, 4}, {0, 2, 5}};
  most = 0;
  for (const auto& rows : pushed) most = std::max(most, rows[0] + rows[1] + rows[2]);
  EXPECT_EQ(memory.most_alive(), most * 8 * 4);
}

/// By row of the input, the products of all output rows that are made when it is there, counted one by one: each in the
/// first push in which all rows that the strip and the strips before it read have come.
std::vector<std::int64_t> counted_products(const Program& program, const Schedule& plan) {
  std::vector<std::int64_t> products(static_cast<std::size_t>(nth(program.buffers, program.input).height));
  std::int32_t come = 0;
  for (const ScheduledOperation& operation : plan.operations) {
    const auto& c = std::get<ConvolutionStep>(program.steps[operation.step].operation).convolution;
    for (std::int32_t y = operation.first_row; y < operation.first_row + operation.rows; ++y) {
      if (program.steps[operation.step].inputs[0] != program.input) continue;
      for (std::int32_t i = 0; i < c.window.kernel_height; ++i) {
        const std::int32_t row = y * c.window.stride_rows - c.window.pad_top + i * c.window.dilation_rows;
        if (row >= 0 && row < c.input.height) come = std::max(come, row);
      }
    }
    for (std::int32_t y = 0; y < operation.rows; ++y) {
      for (std::int32_t x = 0; x < c.output.width; ++x) {
        for (std::int32_t filter = 0; filter < c.output.channels; ++filter) {
          products[static_cast<std::size_t>(come)] +=
              std::int64_t{c.window.kernel_height} * c.window.kernel_width * (c.input.channels / c.groups);
        }
      }
    }
  }
  return products;
}

TEST(PushedRows, TheWorkOfEachPushIsCounted) {
  for (std::uint64_t seed = 1; seed < 20; ++seed) {
    SCOPED_TRACE(seed);
    ProgramBuilder b(seed);
    const int size = static_cast<int>(b.random.integer(8, 17));
    b.program.input = b.add_buffer(size, 9, 3, {1, 8, false});
    const int stride = static_cast<int>(b.random.integer(1, 2));
    BufferId x = b.convolution(b.program.input, square(8, 3, stride, size), {1, 8, false}, 8);
    x = b.convolution(x, square(8, 3, 1, b.buffer(x).height), {1, 8, false}, 8);
    const Program program = b.finish(b.convolution(x, square(4, 3, 2, b.buffer(x).height), {1, 8, false}, 8));
    const Schedule plan =
        schedule_in_strips(program, Core::cortex_m4, Optimize::speed, random_heights(program, seed), InputForm::pushed);
    const std::vector<std::int64_t> products = push_products(plan, program);
    EXPECT_EQ(products, counted_products(program, plan));
    std::int64_t all = 0;
    for (const Step& step : program.steps) all += step.multiply_accumulates();
    EXPECT_EQ(std::reduce(products.begin(), products.end()), all);
  }
}

// The input takes 27,648 bytes whole; its rows take 288.
TEST(PushedRows, OfAnImageOf96By96TakeAFractionOfIt) {
  ProgramBuilder b(1);
  b.program.input = b.add_buffer(96, 96, 3, {1, 8, false});
  ConvolutionShape first = square(8, 3, 2, 96);
  BufferId x = b.convolution(b.program.input, first, {1, 8, false}, 8);
  ConvolutionShape depthwise = square(8, 3, 1, 48);
  depthwise.groups = 8;
  x = b.convolution(x, depthwise, {1, 8, false}, 8);
  x = b.convolution(x, square(16, 1, 1, 48), {1, 8, false}, 8);
  const Program program = b.finish(b.max_pool(x, 4, 4, 0));
  const auto arena = [&](InputForm input) {
    const Schedule plan = schedule(program, Core::cortex_m4, Optimize::speed, {.arena_bytes = 0}, input);
    expect_exact(program, plan, 3);
    return plan.arena_bytes;
  };
  EXPECT_GT(arena(InputForm::whole), 27648);
  EXPECT_LE(arena(InputForm::pushed), 12 * 12 * 16 + 8 * 768 + 4 * 288);
}

/// MobileNetV1 with a quarter of its filters, at 96 x 96 (the visual wake words of MLPerf Tiny).
Program quarter_of_mobilenet() {
  ProgramBuilder b(3);
  b.program.input = b.add_buffer(96, 96, 3, {1, 8, false});
  int size = 48;
  BufferId x = b.convolution(b.program.input, square(8, 3, 2, 96), {1, 8, false}, 8);
  int channels = 8;
  for (const auto& [filters, stride] : {std::pair{16, 1},
                                        {32, 2},
                                        {32, 1},
                                        {64, 2},
                                        {64, 1},
                                        {128, 2},
                                        {128, 1},
                                        {128, 1},
                                        {128, 1},
                                        {128, 1},
                                        {128, 1},
                                        {256, 2},
                                        {256, 1}}) {
    x = b.convolution(x, square(channels, 3, stride, size, channels), {1, 8, false}, 8);
    size = (size + stride - 1) / stride;
    x = b.convolution(x, square(filters, 1, 1, size), {1, 8, false}, 8);
    channels = filters;
  }
  x = b.global_average_pool(x, {1, 8, false});
  Program program = b.finish(b.convolution(x, square(2, 1, 1, 1), {1, 16, true}, 8));
  return program;
}

// A prototype with rows that were placed by hand took 14,040 bytes, and with a whole input 29,400.
TEST(PushedRows, OfAMobileNetTakeAThirdOfItsWholeInput) {
  const Program program = quarter_of_mobilenet();
  const auto smallest = [&](InputForm input) {
    Schedule plan = schedule(program, Core::cortex_m4, Optimize::speed, {.arena_bytes = 0}, input);
    expect_exact(program, plan, 4);
    return plan;
  };
  const Schedule pushed = smallest(InputForm::pushed);
  EXPECT_LE(pushed.arena_bytes, 11500);
  EXPECT_LE(smallest(InputForm::whole).arena_bytes, 29600);
  // where maps are small and of odd widths they are made at once, so that blocks of pixels cross their rows
  const auto in_strips = schedule_strips(program, Core::cortex_m4, Optimize::speed, 14100, {}, InputForm::pushed);
  ASSERT_TRUE(in_strips.has_value());
  EXPECT_LE(in_strips->schedule.arena_bytes, 14100);
  EXPECT_LE(
      in_strips->instructions,
      1.05 * schedule_strips(program, Core::cortex_m4, Optimize::speed, 100'000, {}, InputForm::whole)->instructions);
  const std::vector<std::int32_t> heights = strip_rows(pushed);
  EXPECT_LT(heights.front(), 48);
  EXPECT_EQ(heights[heights.size() - 3], 3);
}

/// A schedule with one thing changed.
template <typename Change>
void expect_refused(const Program& program, Schedule plan, Change change) {
  check_schedule(program, plan);
  change(plan);
  EXPECT_THROW(check_schedule(program, plan), Error);
}

TEST(CheckSchedule, RefusesAKernelThatReadsOtherWeights) {
  const Program program = residual_program(3, 8);
  const Schedule plan = schedule_in_mixed_strips(program, Core::cortex_m4, 3);
  ASSERT_GT(plan.variants.size(), 0U);
  expect_refused(program, plan, [](Schedule& s) { s.variants[0].kernel.layout.parameter += 1; });
  expect_refused(program, plan, [](Schedule& s) { s.variants[0].step += 1; });
  expect_refused(program, plan, [](Schedule& s) { s.variants[0].kernel.scratch_bytes += s.arena_bytes; });
}

TEST(CheckSchedule, RefusesEveryKindOfFault) {
  ProgramBuilder b(1);
  b.program.input = b.add_buffer(12, 8, 4, {1, 8, false});
  const BufferId x = b.convolution(b.program.input, square(8, 3, 1, 12), {1, 8, false}, 8);
  const Program program = b.finish(b.convolution(x, square(4, 3, 1, 12), {1, 8, false}, 8));
  const std::vector<std::int32_t> rows{1, 1};
  const Schedule pushed = schedule_in_strips(program, Core::cortex_m4, Optimize::speed, rows, InputForm::pushed);
  const Schedule whole = schedule_in_strips(program, Core::cortex_m4, Optimize::speed, rows, InputForm::whole);
  ASSERT_GT(pushed.kernels[0].scratch_bytes, 0);
  const auto table_of = [&](BufferId id) { return static_cast<std::size_t>(nth(pushed.places, id).table); };
  expect_refused(program, pushed, [](Schedule& s) { s.pushes[1] += 1; });  // before its rows have come
  expect_refused(program, pushed, [](Schedule& s) { s.pushes.pop_back(); });
  expect_refused(program, pushed, [&](Schedule& s) {  // two rows in one place
    s.row_tables[table_of(program.input)][1] = s.row_tables[table_of(program.input)][2];
  });
  expect_refused(program, pushed, [&](Schedule& s) {  // outside of the arena
    s.row_tables[table_of(x)][3] = static_cast<std::uint16_t>(s.arena_bytes / 8);
  });
  expect_refused(program, pushed, [](Schedule& s) { std::swap(s.operations[3], s.operations[4]); });
  expect_refused(program, pushed, [](Schedule& s) { s.operations.pop_back(); });
  expect_refused(program, whole, [&](Schedule& s) {  // scratch memory over the input
    s.operations.front().scratch = nth(s.places, program.input).offset;
  });
  expect_refused(program, whole, [&](Schedule& s) { nth(s.places, program.output).offset = 1; });
}

}  // namespace
}  // namespace trimtab
