// Counts of the emulator's plugin against known numbers: the turns of a loop, and the counter of the board.

#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>

#include "base/file.h"
#include "emit/deploy.h"
#include "emit/emulator.h"
#include "emit/firmware.h"
#include "emit/recipe.h"
#include "program/execute.h"
#include "support/random_program.h"

namespace trimtab {
namespace {

/// Profile of a program of that name, which reads 4 bytes and writes 4, on the STM32F412.
auto profile_of(const std::string& name, const std::string& source) {
  const Target target = load_target("stm32f412");
  const TemporaryDirectory directory;
  const std::filesystem::path file = directory.path() / (name + ".cpp");
  write_file(file, source);
  FirmwareSources sources;
  sources.sources = {file};
  sources.definitions = {"TRIMTAB_PROFILE"};
  sources.program_name = name;
  const BuildResult build = build_firmware(sources, target, Optimize::speed, directory.path() / (name + ".elf"));
  return profile_firmware(build.elf, target, std::vector<std::uint8_t>(4), 4);
}

TEST(Profile, CountsTheTurnsOfALoop) {
  const auto steps = profile_of("loop", R"(
#include <stdint.h>
extern "C" void loop_after_layer(int step);
static uint8_t bytes[4];
extern "C" void* loop_input(void) { return bytes; }
extern "C" const void* loop_output(void) { return bytes; }
extern "C" void loop_run(void) {
  for (int step = 0; step < 2; ++step) {
    uint32_t count = step == 0 ? 1000 : 300;
    asm volatile("1: subs %0, #1\n bne 1b" : "+l"(count) : : "cc");
    loop_after_layer(step);
  }
}
)");
  ASSERT_EQ(steps.size(), 2U);
  for (std::size_t step = 0; step < 2; ++step) {
    // the first turn runs with what comes before it
    const std::int64_t turns = (step == 0 ? 1000 : 300) - 1;
    const auto loop = std::find_if(steps[step].begin(), steps[step].end(), [&](const ExecutedBlock& b) {
      return b.opcodes.size() == 2 && b.runs >= turns - 5;
    });
    ASSERT_NE(loop, steps[step].end());
    // the emulator may cut one turn in two where its time slice ends
    EXPECT_NEAR(static_cast<double>(loop->runs), static_cast<double>(turns), 2);
    EXPECT_NEAR(static_cast<double>(loop->left), static_cast<double>(turns - 1), 2);
    EXPECT_NEAR(static_cast<double>(count_instructions(steps[step])), 2.0 * static_cast<double>(turns + 1), 25);
  }
}

TEST(Profile, CountsReadsOfConstantsAndTheMissesOfCaches) {
  // Ten rounds over the 8 lines of 16 bytes that the cache for data holds, then over 9, of which each throws out the
  // line that comes next.
  const auto steps = profile_of("reads", R"(
#include <stdint.h>
extern "C" void reads_after_layer(int step);
static uint8_t bytes[4];
alignas(16) extern const uint32_t constants[36] = {1, 2, 3};
extern "C" void* reads_input(void) { return bytes; }
extern "C" const void* reads_output(void) { return bytes; }
extern "C" void reads_run(void) {
  for (int step = 0; step < 2; ++step) {
    const uint32_t lines = 8 + step;
    for (int round = 0; round < 10; ++round) {
      const uint32_t* from = constants;
      uint32_t count = lines, got;
      asm volatile("1: ldr %1, [%0], #16\n subs %2, #1\n bne 1b" : "+r"(from), "=&r"(got), "+l"(count) : : "cc");
    }
    reads_after_layer(step);
  }
}
)");
  ASSERT_EQ(steps.size(), 2U);
  for (std::size_t step = 0; step < 2; ++step) {
    std::int64_t lines = 0;
    FlashMisses misses{};
    for (const ExecutedBlock& block : steps[step]) {
      lines += block.flash_lines;
      for (std::size_t i = 0; i < misses.size(); ++i) misses[i] += block.flash_misses[i];
    }
    // a few instructions and literals beside the loop
    const double reads = step == 0 ? 80 : 90;
    const double missed = step == 0 ? 8 : 90 - 8;  // the eight lines before are still there
    EXPECT_NEAR(static_cast<double>(lines), reads, 10);
    EXPECT_NEAR(static_cast<double>(misses[data_lines]), missed, 5);
    EXPECT_NEAR(static_cast<double>(misses[data_reads]), missed, 5);
  }
}

TEST(Profile, StepsAddUpToTheCountOfTheBoard) {
  for (const std::string name : {"stm32f412", "cortex-m55", "esp32c3"}) {
    const Target target = load_target(name);
    ProgramBuilder b(3);
    b.program.input = b.add_buffer(12, 12, 8, {1, 8, false});
    BufferId x = b.convolution(b.program.input, square(32, 3, 1, 12), {1, 8, false}, 8);
    x = b.max_pool(x, 2, 2, 0);
    x = b.convolution(x, square(16, 1, 1, 6), {1, 8, false}, 4);
    const Program program = b.finish(x);
    Random random(1);
    const RandomSample sample(program, random);
    const ProgramRunner host(program, Core::generic);
    std::vector<std::int32_t> expected(static_cast<std::size_t>(host.output_elements()));
    host.run(sample.bytes, 1, expected);
    const TemporaryDirectory folder;
    const Schedule plan = schedule(program, core_of(target));
    const Deployment deployment = deploy(program, plan, target, "net", sample.bytes, expected, folder.path());
    EXPECT_EQ(deployment.mismatches, 0);
    const auto steps = profile_steps(program, plan, target, sample.bytes);
    ASSERT_EQ(steps.size(), 3U);
    std::int64_t sum = 0;
    for (const auto& blocks : steps) sum += count_instructions(blocks);
    // a few instructions more for every mark
    const double marks = 14.0 * static_cast<double>(plan.operations.size());
    EXPECT_NEAR(static_cast<double>(sum), static_cast<double>(deployment.instructions()), marks) << name;
  }
}

}  // namespace
}  // namespace trimtab
