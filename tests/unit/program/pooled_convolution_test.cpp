// Convolutions that run band by band with the pool behind them, against the definition of both.

#include "trimtab/pooled_convolution.h"

#include <gtest/gtest.h>

#include "program/execute.h"
#include "program/overlap.h"
#include "support/naive_interpreter.h"
#include "support/pooled_program.h"
#include "support/random_program.h"

namespace trimtab {
namespace {

std::int64_t align(std::int64_t bytes) { return (bytes + 7) / 8 * 8; }

void expect_exact(const Program& program, const Schedule& schedule, std::uint64_t seed) {
  Random random(seed);
  const RandomSample sample(program, random);
  const std::vector<std::int64_t> expected = NaiveInterpreter::run(program, sample.integers);
  std::vector<std::int32_t> outputs(expected.size());
  ProgramRunner(program, schedule).run(sample.bytes, 1, outputs);
  EXPECT_EQ(std::vector<std::int64_t>(outputs.begin(), outputs.end()), expected);
}

/// The convolution and its pool in one, `rows` of the pool's rows at a time, the output `lead` bytes before the input
/// or
/// (-1) beside it.
Schedule pooled_schedule(const Program& program, Core core, std::int32_t rows, std::int64_t lead) {
  const auto& convolution = std::get<ConvolutionStep>(program.steps[0].operation).convolution;
  const runtime::Image pooled = image_of(program, program.output);
  const auto& operation = program.steps[1].operation;
  const runtime::Window window = std::holds_alternative<MaxPoolStep>(operation)
                                     ? std::get<MaxPoolStep>(operation).pool.window
                                     : std::get<AveragePoolStep>(operation).pool.window;
  Schedule result;
  result.core = core;
  ScheduledOperation& both = result.operations.emplace_back();
  both.kernel = choose_kernel(program.steps[0], core, Optimize::speed);
  both.pool.emplace();
  both.pool->step = 1;
  both.pool->kernel = choose_kernel(program.steps[1], core, Optimize::speed);
  both.pool->rows_at_a_time = std::min<std::int32_t>(rows, pooled.height);
  both.pool->band_bytes =
      align(runtime::pooled_convolution_band_bytes(convolution.output, window, both.pool->rows_at_a_time));
  both.kernel.scratch_bytes += both.pool->band_bytes;
  const std::int64_t output_bytes = align(program.buffers[2].bytes());
  const std::int64_t input_begin = lead < 0 ? output_bytes : align(lead);
  const std::int64_t end = std::max(output_bytes, input_begin + align(program.buffers[0].bytes()));
  result.offsets = {input_begin, end, 0};
  both.scratch = end;
  result.arena_bytes = end + both.kernel.scratch_bytes + align(program.buffers[1].bytes());
  return result;
}

class PooledConvolutions : public testing::TestWithParam<Core> {};

TEST_P(PooledConvolutions, MatchTheDefinition) {
  for (std::uint64_t seed = 0; seed < 150; ++seed) {
    SCOPED_TRACE(seed);
    const Program program = pooled_program(seed, 1);
    const auto rows = static_cast<std::int32_t>(1 + seed % 3);
    expect_exact(program, pooled_schedule(program, GetParam(), rows, -1), seed);
    if (HasFailure()) break;
  }
}

TEST_P(PooledConvolutions, RunIntoTheirInputBehindTheLead) {
  for (std::uint64_t seed = 1000; seed < 1150; ++seed) {
    SCOPED_TRACE(seed);
    const Program program = pooled_program(seed, 1);
    const auto& convolution = std::get<ConvolutionStep>(program.steps[0].operation).convolution;
    const auto* max = std::get_if<MaxPoolStep>(&program.steps[1].operation);
    const std::int64_t lead = overlap_lead_bytes(
        convolution, image_of(program, program.output),
        max != nullptr ? max->pool.window : std::get<AveragePoolStep>(program.steps[1].operation).pool.window);
    expect_exact(program, pooled_schedule(program, GetParam(), static_cast<std::int32_t>(1 + seed % 3), lead), seed);
    if (HasFailure()) break;
  }
}

TEST_P(PooledConvolutions, AreChosenWhereTheArenaBecomesSmaller) {
  int pooled = 0;
  for (std::uint64_t seed = 2000; seed < 2040; ++seed) {
    SCOPED_TRACE(seed);
    const Program program = pooled_program(seed, 3);
    const Schedule plan = schedule(program, GetParam());
    expect_exact(program, plan, seed);
    for (const ScheduledOperation& operation : plan.operations) pooled += operation.pool.has_value() ? 1 : 0;
    EXPECT_GE(plan.arena_bytes, plan.lower_bound_bytes);
    if (HasFailure()) break;
  }
  EXPECT_GE(pooled, 10);  // else nothing is tested here
}

INSTANTIATE_TEST_SUITE_P(Cores, PooledConvolutions, testing::Values(Core::generic, Core::cortex_m3, Core::cortex_m4),
                         [](const auto& test) {
                           return test.param == Core::generic     ? "generic"
                                  : test.param == Core::cortex_m3 ? "scalar"
                                                                  : "dsp";
                         });

TEST(PooledConvolution, TheLargestValueOfTheCifarNetworkIsNeverWhole) {
  // 32 x 32 x 3 -> 32 x 32 x 32 -> 16 x 16 x 32: 32 KB between, of which a band has 3 KB
  ProgramBuilder b(1);
  b.program.input = b.add_buffer(32, 32, 3, {1, 8, false});
  const BufferId x = b.convolution(b.program.input, square(32, 5, 1, 32), {1, 8, false}, 8);
  const Program program = b.finish(b.max_pool(x, 3, 2, 1));
  const Schedule plan = schedule(program, Core::cortex_m4);
  EXPECT_TRUE(plan.operations[0].pool.has_value());
  EXPECT_LT(plan.arena_bytes, 3072 + 8192 + 3 * 1024 + 2048);
  EXPECT_FALSE(schedule(program, Core::host).operations[0].pool.has_value());
  expect_exact(program, plan, 1);
}

}  // namespace
}  // namespace trimtab
