// Whole programs on emulated application processors against the host, at all operating points: every number of every
// output, and the counts of instructions.

#include <gtest/gtest.h>

#include "base/file.h"
#include "base/random.h"
#include "emit/deploy.h"
#include "emit/emulator.h"
#include "emit/firmware.h"
#include "emit/recipe.h"
#include "program/execute.h"
#include "support/random_program.h"
#include "support/test_name.h"
#include "target/target.h"

namespace trimtab {
namespace {

std::vector<std::uint8_t> random_inputs(const Program& program, std::int64_t samples) {
  Random random(5);
  const std::int64_t bytes = program.buffers[static_cast<std::size_t>(program.input)].bytes();
  std::vector<std::uint8_t> inputs(static_cast<std::size_t>(samples * bytes));
  for (std::uint8_t& byte : inputs) byte = static_cast<std::uint8_t>(random.bits());
  return inputs;
}

/// A chain of convolutions of bytes, every other one depthwise, whose weights are nested.
Program nested_chain(std::uint64_t seed) {
  ProgramBuilder b(seed, 3);
  const auto pick = [&](int low, int high) { return static_cast<int>(b.random.integer(low, high)); };
  const int side = pick(4, 12);
  b.program.input = b.add_buffer(side, side, pick(8, 40), {1, 8, false});
  BufferId x = b.program.input;
  for (int i = 0; i < 4; ++i) {
    const Buffer from = b.buffer(x);
    const int groups = i % 2 == 0 ? from.channels : 1;
    const int filters = i % 2 == 0 ? from.channels : pick(8, 40);
    x = b.convolution(x, square(filters, 2 * pick(0, 2) + 1, pick(1, 2), from.height, groups), {1, 8, pick(0, 1) == 1},
                      8);
  }
  return b.finish(x);
}

class Processes : public testing::TestWithParam<const char*> {
 protected:
  static void expect_numbers_of_host(const Program& program) {
    const Target target = load_target(GetParam());
    constexpr std::int64_t samples = 2;
    const std::vector<std::uint8_t> inputs = random_inputs(program, samples);
    const TemporaryDirectory folder;
    const Deployment deployment = deploy(program, schedule(program, core_of(target)), target, "net", inputs,
                                         host_outputs(program, inputs, samples), folder.path());
    EXPECT_EQ(deployment.mismatches, 0);
    EXPECT_EQ(deployment.samples, samples);
    EXPECT_GT(deployment.instructions(), 0);
    EXPECT_GT(deployment.flash_bytes(), 0);
    EXPECT_GE(deployment.image.bss, deployment.arena_bytes);
  }
};

TEST_P(Processes, GiveTheNumbersOfTheHostAtEveryPoint) {
  for (std::uint64_t seed = 1; seed <= 6; ++seed) {
    SCOPED_TRACE(seed);
    expect_numbers_of_host(RandomProgram::make(seed, seed % 2 == 0 ? 3 : 1));
  }
}

TEST_P(Processes, MultiplyNestedWeights) {
  for (std::uint64_t seed = 1; seed <= 6; ++seed) {
    SCOPED_TRACE(seed);
    expect_numbers_of_host(nested_chain(seed));
  }
}

// fit refuses rows here; the library serves them all the same, and counts every push.
TEST_P(Processes, TakeRows) {
  const Program program = nested_chain(2);
  const Target target = load_target(GetParam());
  const std::vector<std::uint8_t> inputs = random_inputs(program, 2);
  const Schedule plan = schedule(program, core_of(target), Optimize::speed, {}, InputForm::pushed);
  const TemporaryDirectory folder;
  const Deployment deployment =
      deploy(program, plan, target, "net", inputs, host_outputs(program, inputs, 2), folder.path());
  EXPECT_EQ(deployment.mismatches, 0);
  ASSERT_TRUE(deployment.pushes.has_value());
  EXPECT_EQ(deployment.pushes->longest, deployment.pushes->last);  // all maps are whole
  EXPECT_LT(deployment.pushes->last, deployment.instructions());   // the other pushes return at once
  EXPECT_GT(deployment.pushes->last * 11, deployment.instructions() * 10);
}

/// A loop of a known number of instructions, as the program that the harness runs.
EmulatorRun run_loop(const Target& target, int turns) {
  const TemporaryDirectory directory;
  write_file(directory.path() / "small.cpp",
             "#include <stdint.h>\nstatic uint8_t byte;\nextern \"C\" void* small_input(void) { return &byte; }\n"
             "extern \"C\" const void* small_output(void) { return &byte; }\nextern \"C\" void small_run(void) {\n"
             "  uint32_t count = TURNS;\n#if defined(__aarch64__)\n"
             "  asm volatile(\"1: subs %w0, %w0, #1\\n b.ne 1b\" : \"+r\"(count) : : \"cc\");\n#else\n"
             "  asm volatile(\"1: subs %0, %0, #1\\n bne 1b\" : \"+r\"(count) : : \"cc\");\n#endif\n  ++byte;\n}\n");
  FirmwareSources sources;
  sources.sources = {directory.path() / "small.cpp"};
  sources.definitions = {"TURNS=" + std::to_string(turns)};
  sources.program_name = "small";
  const BuildResult build = build_firmware(sources, target, Optimize::speed, directory.path() / "small.elf");
  return run_firmware(build.elf, target, std::vector<std::uint8_t>{1, 5, 9}, 1, 1);
}

TEST_P(Processes, CountInstructions) {
  const Target target = load_target(GetParam());
  const EmulatorRun less = run_loop(target, 1'000'000);
  const EmulatorRun more = run_loop(target, 2'000'000);
  EXPECT_EQ(less.outputs, (std::vector<std::uint8_t>{2, 6, 10}));
  EXPECT_EQ(more.least_instructions - less.least_instructions, 2'000'000);
  EXPECT_EQ(less.greatest_instructions.front(), less.least_instructions);
  EXPECT_LT(less.least_instructions - 2'000'000, 20);
}

INSTANTIATE_TEST_SUITE_P(Cores, Processes,
                         testing::Values("cortex-a7", "cortex-a15", "cortex-a53", "cortex-a55", "cortex-a72",
                                         "cortex-a76"),
                         test::by_name);

}  // namespace
}  // namespace trimtab
