#include <gtest/gtest.h>

#include "base/error.h"
#include "program/execute.h"
#include "support/naive_interpreter.h"
#include "support/random_program.h"

namespace trimtab {
namespace {

/// Runs `count` random samples on the core's kernels and by the definition.
void expect_exact(const Program& program, const ProgramRunner& runner, int count, std::uint64_t seed, int threads = 1) {
  Random random(seed);
  std::vector<std::uint8_t> inputs;
  std::vector<std::int64_t> expected;
  for (int i = 0; i < count; ++i) {
    const RandomSample sample(program, random);
    inputs.insert(inputs.end(), sample.bytes.begin(), sample.bytes.end());
    const std::vector<std::int64_t> result = NaiveInterpreter::run(program, sample.integers);
    expected.insert(expected.end(), result.begin(), result.end());
  }
  std::vector<std::int32_t> outputs(expected.size());
  runner.run(inputs, count, outputs, threads);
  EXPECT_EQ(std::vector<std::int64_t>(outputs.begin(), outputs.end()), expected);
}

/// Scratch memory that kernels are offered: what is least, and what they are fastest with.
constexpr std::int64_t scratch_limits[] = {0, 1 << 20};

/// A schedule in which nothing shares memory, so that only kernels can be wrong.
Schedule separate_schedule(const Program& program, Core core, std::int64_t scratch_limit = 0) {
  Schedule result;
  result.core = core;
  const auto place = [&](std::int64_t bytes) {
    const std::int64_t offset = result.arena_bytes;
    result.arena_bytes += (bytes + 7) / 8 * 8;
    return offset;
  };
  for (const Buffer& buffer : program.buffers) result.places.push_back({place(buffer.bytes()), -1});
  for (std::size_t s = 0; s < program.steps.size(); ++s) {
    Kernel kernel = choose_kernel(program.steps[s], core, Optimize::speed, scratch_limit);
    const std::int64_t scratch = place(kernel.scratch_bytes);
    result.add_whole(program, std::move(kernel), scratch);
  }
  for (std::size_t id = 0; id < program.buffers.size(); ++id) {
    const PlaceInOwner in = place_in_owner(program, static_cast<BufferId>(id));
    if (program.buffers[id].parent.has_value()) {
      result.places[id].offset = result.places[static_cast<std::size_t>(in.owner)].offset + in.offset;
    }
  }
  return result;
}

class RandomPrograms : public testing::TestWithParam<Core> {};

TEST_P(RandomPrograms, KernelsMatchTheDefinition) {
  for (std::uint64_t seed = 0; seed < 200; ++seed) {
    SCOPED_TRACE(seed);
    const Program program = RandomProgram::make(seed);
    for (const std::int64_t limit : scratch_limits) {
      expect_exact(program, ProgramRunner(program, separate_schedule(program, GetParam(), limit)), 2, seed);
    }
    if (HasFailure()) break;
  }
}

TEST_P(RandomPrograms, NestedWeightsMatchTheDefinitionAtEveryPoint) {
  for (std::uint64_t seed = 2000; seed < 2120; ++seed) {
    SCOPED_TRACE(seed);
    const Program program = RandomProgram::make(seed, 3);
    const Schedule plan = seed % 2 == 0 ? separate_schedule(program, GetParam(), seed % 4 == 0 ? 0 : 1 << 20)
                                        : schedule(program, GetParam());
    for (std::size_t point = 0; point < program.points.size(); ++point) {
      SCOPED_TRACE(point);
      expect_exact(program_at(program, point), ProgramRunner(program, plan, point), 2, seed);
    }
    if (HasFailure()) break;
  }
}

TEST_P(RandomPrograms, PointwiseConvolutionsMayBePaddedBehind) {
  for (const int channels : {3, 8, 12}) {
    for (const bool with_padding_value : {false, true}) {
      ProgramBuilder b(7);
      b.program.input = b.add_buffer(5, 7, channels, {1, 8, false});
      const Program program =
          b.finish(b.convolution(b.program.input, pointwise_padded_behind(), {1, 8, true}, 8, with_padding_value));
      expect_exact(program, ProgramRunner(program, separate_schedule(program, GetParam())), 2, 7);
    }
  }
}

TEST_P(RandomPrograms, MatchTheDefinitionInThePlannedArena) {
  for (std::uint64_t seed = 1000; seed < 1080; ++seed) {
    SCOPED_TRACE(seed);
    const Program program = RandomProgram::make(seed);
    expect_exact(program, ProgramRunner(program, GetParam()), 2, seed);
    if (HasFailure()) break;
  }
}

INSTANTIATE_TEST_SUITE_P(Execute, RandomPrograms,
                         testing::Values(Core::generic, Core::host, Core::cortex_m3, Core::cortex_m4),
                         [](const auto& test) {
                           return test.param == Core::host        ? "host"
                                  : test.param == Core::generic   ? "generic"
                                  : test.param == Core::cortex_m3 ? "scalar"
                                                                  : "dsp";
                         });

TEST(Execute, SeveralBandsOfRowsMatchTheDefinition) {
  ProgramBuilder b(5);
  b.program.input = b.add_buffer(40, 41, 24, {1, 8, false});
  const BufferId x = b.convolution(b.program.input, square(20, 3, 1, 40), {1, 4, false}, 3, true);
  const BufferId y = b.convolution(x, square(20, 3, 2, 40, 20), {1, 8, true}, 8);
  const Program program = b.finish(y);
  expect_exact(program, ProgramRunner(program), 1, 1);
}

TEST(Execute, ExtremesDoNotSaturateInside) {
  // VPMADDUBSW would: 255 * -128 * 2 is beyond 16 bits.
  ProgramBuilder b(6);
  b.program.input = b.add_buffer(2, 2, 64, {1, 8, false});
  const BufferId x = b.convolution(b.program.input, square(16, 1, 1, 2), {1, 16, true}, 8);
  auto& step = std::get<ConvolutionStep>(b.program.steps[0].operation);
  std::ranges::fill(step.weights, std::int16_t{-128});
  const Program program = b.finish(x);
  const ProgramRunner runner(program);
  const std::vector<std::uint8_t> inputs(static_cast<std::size_t>(runner.input_bytes()), 255);
  const std::vector<std::int64_t> expected = NaiveInterpreter::run(program, std::vector<std::int64_t>(256, 255));
  std::vector<std::int32_t> outputs(expected.size());
  runner.run(inputs, 1, outputs);
  EXPECT_EQ(std::vector<std::int64_t>(outputs.begin(), outputs.end()), expected);
}

TEST(Execute, ThreadsShareTheSamples) {
  const Program program = RandomProgram::make(7);
  expect_exact(program, ProgramRunner(program), 37, 7, 3);
}

TEST(Execute, WrongSizesAreRefused) {
  const Program program = RandomProgram::make(8);
  const ProgramRunner runner(program);
  std::vector<std::int32_t> outputs(static_cast<std::size_t>(runner.output_elements()));
  const std::vector<std::uint8_t> inputs(static_cast<std::size_t>(runner.input_bytes()) + 1);
  EXPECT_THROW(runner.run(inputs, 1, outputs), Error);
}

TEST(Execute, UnknownKernelsAreRefused) {
  const Program program = RandomProgram::make(9);
  Schedule schedule = separate_schedule(program, Core::generic);
  schedule.kernels[0].name = "convolution_of_no_core";
  EXPECT_THROW(ProgramRunner(program, schedule), Error);
}

TEST(Execute, DequantizeMultipliesByTheScale) {
  Program program = RandomProgram::make(10);
  program.buffers[static_cast<std::size_t>(program.output)].grid.scale = 0.25F;
  EXPECT_EQ(dequantize(program, std::vector<std::int32_t>{-3, 0, 8}), (std::vector<float>{-0.75F, 0, 2}));
}

}  // namespace
}  // namespace trimtab
