#include "program/strips.h"

#include <gtest/gtest.h>

#include "program/execute.h"
#include "program/strip_schedule.h"
#include "program/whole_maps.h"
#include "support/naive_interpreter.h"
#include "support/pooled_program.h"
#include "support/random_program.h"

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
    const auto strips = schedule_strips(program, Core::cortex_m4, Optimize::speed, 1 << 20, false);
    ASSERT_TRUE(strips.has_value());
    EXPECT_LT(strips->rows_priced, 120'000'000) << layers;
  }
  ProgramBuilder b(5);
  b.program.input = b.add_buffer(8, 8, 8, {1, 8, false});
  BufferId value = b.program.input;
  for (int i = 0; i < 2000; ++i) value = b.convolution(value, square(8, 3, 1, 8), {1, 8, false}, 8);
  EXPECT_FALSE(schedule_strips(b.finish(value), Core::cortex_m4, Optimize::speed, 1 << 20, false).has_value());
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
}

}  // namespace
}  // namespace trimtab
