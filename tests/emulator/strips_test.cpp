// Programs that are made strip by strip, on emulated cores, against the definition.

#include <gtest/gtest.h>

#include <algorithm>

#include "base/file.h"
#include "base/index.h"
#include "emit/deploy.h"
#include "emit/explain.h"
#include "emit/firmware.h"
#include "emit/recipe.h"
#include "program/check_schedule.h"
#include "program/row_kernels.h"
#include "program/strip_schedule.h"
#include "support/naive_interpreter.h"
#include "support/pooled_program.h"
#include "support/random_program.h"
#include "support/residual_program.h"
#include "support/test_name.h"

namespace trimtab {
namespace {

/// Runs two random samples and compares the outputs with the definition.
void expect_definition(const Program& program, const Schedule& plan, const Target& target, std::uint64_t seed) {
  std::vector<std::uint8_t> inputs;
  std::vector<std::int32_t> expected;
  Random random(seed);
  for (int i = 0; i < 2; ++i) {
    const RandomSample sample(program, random);
    inputs.insert(inputs.end(), sample.bytes.begin(), sample.bytes.end());
    const std::vector<std::int64_t> outputs = NaiveInterpreter::run(program, sample.integers);
    std::transform(outputs.begin(), outputs.end(), std::back_inserter(expected),
                   [](std::int64_t value) { return static_cast<std::int32_t>(value); });
  }
  const TemporaryDirectory folder;
  const Deployment deployment = deploy(program, plan, target, "net", inputs, expected, folder.path());
  EXPECT_EQ(deployment.mismatches, 0);
}

/// A chain of so many 3x3 convolutions, with nested weights where there are several operating points.
Program long_chain(int layers, int points) {
  ProgramBuilder b(7, points);
  b.program.input = b.add_buffer(6, 5, 4, {1, 8, false});
  BufferId value = b.program.input;
  for (int i = 0; i < layers; ++i) value = b.convolution(value, square(4, 3, 1, 6), {1, 8, i % 2 == 0}, 8);
  return b.finish(value);
}

// Sources of more than 64 steps are cut into functions.
TEST(LongPrograms, MatchTheDefinition) {
  const Target target = with_memory_of_board(load_target("stm32f412"));
  for (const int points : {1, 2}) {
    const Program program = long_chain(130, points);
    Program first = program_at(program, 0);
    expect_definition(first, schedule(first, Core::cortex_m4), target, 1);
    const std::vector<std::int32_t> rows(program.steps.size(), 2);
    expect_definition(first, schedule_in_strips(first, Core::cortex_m4, Optimize::speed, rows), target, 2);
    if (points == 1) continue;
    const Schedule strips = schedule_in_strips(program, Core::cortex_m4, Optimize::speed, rows);
    EXPECT_FALSE(has_whole_maps(strips, program));
    Random random(3);
    const RandomSample sample(program, random);
    const std::vector<std::int32_t> expected = host_outputs(program, sample.bytes, 1);
    for (const Schedule& plan : {strips, schedule(program, Core::cortex_m4, Optimize::size)}) {
      const TemporaryDirectory folder;
      EXPECT_EQ(deploy(program, plan, target, "net", sample.bytes, expected, folder.path()).mismatches, 0);
    }
  }
}

class EmulatedStrips : public testing::TestWithParam<const char*> {};

TEST_P(EmulatedStrips, ChainsOfRandomShapes) {
  const Target target = with_memory_of_board(load_target(GetParam()));
  int programs = 0;
  for (std::uint64_t seed = 1; programs < 3; ++seed) {
    ASSERT_LT(seed, 200U);
    SCOPED_TRACE(seed);
    const Program program = seed % 2 == 0 ? pooled_program(seed, 3) : pooled_program(seed, 3, {8});
    const Schedule plan =
        schedule(program, core_of(target), seed % 3 == 0 ? Optimize::size : Optimize::speed, {.arena_bytes = 0});
    if (has_whole_maps(plan, program)) continue;
    ++programs;
    expect_definition(program, plan, target, seed);
  }
}

TEST_P(EmulatedStrips, OfPushedRows) {
  const Target target = with_memory_of_board(load_target(GetParam()));
  for (std::uint64_t seed = 1; seed <= 4; ++seed) {
    SCOPED_TRACE(seed);
    const Program program = seed % 2 == 0 ? pooled_program(seed, 3) : pooled_program(seed, 3, {8});
    const std::optional<std::int64_t> limit = seed > 2 ? std::optional<std::int64_t>(0) : std::nullopt;
    expect_definition(program,
                      schedule(program, core_of(target), seed % 3 == 0 ? Optimize::size : Optimize::speed,
                               {.arena_bytes = limit}, InputForm::pushed),
                      target, seed);
  }
}

// Strips of one step are made by different kernels.
TEST_P(EmulatedStrips, OfDifferentKernels) {
  const Target target = with_memory_of_board(load_target(GetParam()));
  std::size_t variants = 0;
  for (std::uint64_t seed = 1; seed <= 4; ++seed) {
    SCOPED_TRACE(seed);
    const Program program = residual_program(seed, 8);
    const Schedule plan =
        schedule_in_mixed_strips(program, core_of(target), seed, seed % 2 == 0 ? InputForm::whole : InputForm::pushed);
    variants += plan.variants.size();
    expect_definition(program, plan, target, seed);
  }
  if (row_kernels(residual_program(1, 8).steps[0], core_of(target)).empty()) {
    EXPECT_EQ(variants, 0U);
  } else {
    EXPECT_GE(variants, 8U);
  }
}

// Of several operating points, too, whose weights are nested.
TEST(StripsOfDifferentKernels, ServeSeveralOperatingPoints) {
  const Target target = with_memory_of_board(load_target("stm32f412"));
  for (std::uint64_t seed = 1; seed <= 3; ++seed) {
    SCOPED_TRACE(seed);
    const Program program = residual_program(seed, 8, 2);
    const Schedule plan = schedule_in_mixed_strips(program, Core::cortex_m4, seed, InputForm::pushed);
    EXPECT_GE(plan.variants.size(), 1U);
    check_schedule(program, plan);
    Random random(seed);
    const RandomSample sample(program, random);
    const TemporaryDirectory folder;
    EXPECT_EQ(deploy(program, plan, target, "net", sample.bytes, host_outputs(program, sample.bytes, 1), folder.path())
                  .mismatches,
              0);
  }
}

// The pushes of a sample together take what the whole program takes, but for the calls; the longest is one of them.
TEST(PushedRows, AreMeasuredPushByPush) {
  const Program program = pooled_program(4, 3, {8});
  const std::int32_t rows = nth(program.buffers, program.input).height;
  Random random(2);
  const RandomSample sample(program, random);
  const std::vector<std::int32_t> expected = host_outputs(program, sample.bytes, 1);
  const Target target = load_target("stm32f412");
  const std::vector<std::int32_t> heights(program.steps.size(), 1);
  const auto run = [&](InputForm input) {
    const TemporaryDirectory folder;
    const Schedule plan = schedule_in_strips(program, Core::cortex_m4, Optimize::speed, heights, input);
    Deployment deployment = deploy(program, plan, target, "net", sample.bytes, expected, folder.path());
    EXPECT_EQ(deployment.mismatches, 0);
    return deployment;
  };
  const Deployment whole = run(InputForm::whole);
  const Deployment pushed = run(InputForm::pushed);
  EXPECT_FALSE(whole.pushes.has_value());
  ASSERT_TRUE(pushed.pushes.has_value());
  constexpr std::int64_t most_of_a_call = 100;
  EXPECT_NEAR(double(pushed.instructions()), double(whole.instructions()), double(rows * most_of_a_call));
  EXPECT_LT(pushed.pushes->longest, pushed.instructions());
  EXPECT_GE(pushed.pushes->longest * rows, pushed.instructions());
  EXPECT_LE(pushed.pushes->last, pushed.pushes->longest);
  EXPECT_GT(pushed.pushes->last, 0);
  // the profile of single layers leaves out what lies between two pushes
  const Schedule plan = schedule(program, Core::cortex_m4, Optimize::speed, {.arena_bytes = 0}, InputForm::pushed);
  const TemporaryDirectory folder;
  const std::int64_t all = deploy(program, plan, target, "net", sample.bytes, expected, folder.path()).instructions();
  std::int64_t sum = 0;
  for (const StepCost& cost : measure_steps(program, plan, target)) sum += cost.instructions;
  EXPECT_NEAR(double(sum), double(all), 0.02 * double(all));
}

// Of several operating points: the one that a frame begins with holds for all of its rows.
TEST(PushedRows, ServeSeveralOperatingPoints) {
  const Program program = long_chain(70, 2);
  const std::vector<std::int32_t> heights(program.steps.size(), 2);
  Random random(3);
  const RandomSample sample(program, random);
  const std::vector<std::int32_t> expected = host_outputs(program, sample.bytes, 1);
  const Target target = with_memory_of_board(load_target("stm32f412"));
  for (const Schedule& plan :
       {schedule_in_strips(program, Core::cortex_m4, Optimize::speed, heights, InputForm::pushed),
        schedule(program, Core::cortex_m4, Optimize::size, {}, InputForm::pushed)}) {
    const TemporaryDirectory folder;
    EXPECT_EQ(deploy(program, plan, target, "net", sample.bytes, expected, folder.path()).mismatches, 0);
  }
}

INSTANTIATE_TEST_SUITE_P(Cores, EmulatedStrips,
                         testing::Values("rp2040", "cortex-m3", "stm32f412", "cortex-m55", "esp32c3"), test::by_name);

}  // namespace
}  // namespace trimtab
