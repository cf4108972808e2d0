// Every emulated board runs a small program: outputs, counted instructions, stack and sizes are what they must be.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <functional>
#include <numeric>

#include "base/error.h"
#include "base/file.h"
#include "emit/emulator.h"
#include "emit/firmware.h"
#include "emulator/handed_over.h"
#include "support/test_name.h"
#include "target/target.h"

namespace trimtab {
namespace {

constexpr std::string_view small_program = R"(
#include <stdint.h>
#include <string.h>
static uint8_t input[48];
static uint8_t output[48];
static volatile uint32_t table[3] = {1, 2, 3};
extern "C" void* small_input(void) { return input; }
extern "C" const void* small_output(void) { return output; }
extern "C" void small_run(void) {
  volatile uint8_t frame[STACK];
  memset((void*)frame, 1, sizeof frame);
  for (unsigned i = 0; i < sizeof input; ++i) output[i] = (uint8_t)(input[i] + table[i % 3] + frame[i % STACK]);
  uint32_t count = LOOPS;
#if defined(__riscv)
  asm volatile("1: addi %0, %0, -1\n bnez %0, 1b" : "+r"(count));
#else
  asm volatile(".syntax unified\n 1: subs %0, #1\n bne 1b" : "+l"(count) : : "cc");
#endif
}
)";

struct Small {
  TemporaryDirectory directory;
  BuildResult build;

  Small(const Target& target, int loops, int stack, Optimize optimize = Optimize::speed) {
    write_file(directory.path() / "small.cpp", small_program);
    FirmwareSources sources;
    sources.sources = {directory.path() / "small.cpp"};
    sources.definitions = {"LOOPS=" + std::to_string(loops), "STACK=" + std::to_string(stack)};
    sources.program_name = "small";
    build = build_firmware(sources, target, optimize, directory.path() / "small.elf");
  }
};

std::vector<std::uint8_t> ramp(std::size_t count) {
  std::vector<std::uint8_t> bytes(count);
  std::iota(bytes.begin(), bytes.end(), std::uint8_t{0});
  return bytes;
}

class EveryTarget : public testing::TestWithParam<std::string> {};

TEST_P(EveryTarget, RunsAndCounts) {
  const Target target = load_target(GetParam());
  const std::vector<std::uint8_t> inputs = ramp(144);
  const Small one(target, 1'000'000, 64);
  const EmulatorRun run = run_firmware(one.build.elf, target, inputs, 48, 48);
  ASSERT_EQ(run.outputs.size(), 144U);
  for (std::size_t i = 0; i < run.outputs.size(); ++i) {
    EXPECT_EQ(run.outputs[i], static_cast<std::uint8_t>(inputs[i] + i % 48 % 3 + 2)) << i;
  }
  // one more million turns of two instructions each
  const Small two(target, 2'000'000, 64);
  const EmulatorRun longer = run_firmware(two.build.elf, target, inputs, 48, 48);
  EXPECT_NEAR(static_cast<double>(longer.least_instructions - run.least_instructions), 2e6, 4);
  EXPECT_LE(run.greatest_instructions.front() - run.least_instructions, 2);
}

TEST_P(EveryTarget, MeasuresStackAndSizes) {
  const Target target = load_target(GetParam());
  const Small small(target, 1, 64);
  const Small large(target, 1, 64 + 4096, Optimize::size);
  const std::int64_t less = run_firmware(small.build.elf, target, ramp(48), 48, 48).stack_bytes;
  const std::int64_t more = run_firmware(large.build.elf, target, ramp(48), 48, 48).stack_bytes;
  EXPECT_GE(less, 64);
  EXPECT_LE(less, 64 + 128);
  EXPECT_NEAR(static_cast<double>(more - less), 4096, 64);
  EXPECT_GE(small.build.size.data, 12);
  EXPECT_LE(small.build.size.data, 24);
  EXPECT_GE(small.build.size.bss, 96);
  EXPECT_LE(small.build.size.bss, 128);
  EXPECT_GT(small.build.size.text, 300);
  EXPECT_LT(small.build.size.flash(), 2500);
}

/// Reads a word from an address that is no multiple of four: an Armv7-M does so, an Armv6-M faults.
constexpr std::string_view unaligned_program = R"(
#include <stdint.h>
static uint8_t bytes[8];
extern "C" void* odd_input(void) { return bytes; }
extern "C" const void* odd_output(void) { return bytes; }
extern "C" void odd_run(void) {
  uint32_t word;
  asm volatile(".syntax unified\n ldr %0, [%1]" : "=l"(word) : "l"(bytes + 1));
  bytes[0] = (uint8_t)word;
}
)";

TEST(SmallBoard, FaultsOnWhatAnArmv6mFaultsOn) {
  const Target target = load_target("rp2040");
  const std::optional<Target> board = small_board(target);
  ASSERT_TRUE(board.has_value());
  EXPECT_FALSE(small_board(load_target("cortex-m3")).has_value());
  const TemporaryDirectory directory;
  write_file(directory.path() / "odd.cpp", unaligned_program);
  FirmwareSources sources;
  sources.sources = {directory.path() / "odd.cpp"};
  sources.program_name = "odd";
  const BuildResult tolerant = build_firmware(sources, target, Optimize::speed, directory.path() / "odd.elf");
  EXPECT_EQ(run_firmware(tolerant.elf, target, ramp(8), 8, 8).outputs[0], 1);
  const BuildResult strict = build_firmware(sources, *board, Optimize::speed, directory.path() / "strict.elf");
  try {
    (void)run_firmware(strict.elf, *board, ramp(8), 8, 8);
    FAIL() << "an unaligned load is tolerated";
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), testing::HasSubstr("faults on the emulated microbit"));
  }
}

TEST(SmallBoard, CountsAsTheLargeOne) {
  const Target target = load_target("rp2040");
  const Target board = *small_board(target);
  const Small large(target, 100'000, 64);
  const Small small(board, 100'000, 64);
  const EmulatorRun first = run_firmware(large.build.elf, target, ramp(48), 48, 48);
  const EmulatorRun second = run_firmware(small.build.elf, board, ramp(48), 48, 48);
  EXPECT_EQ(first.outputs, second.outputs);
  EXPECT_EQ(first.stack_bytes, second.stack_bytes);
  EXPECT_NEAR(static_cast<double>(first.greatest_instructions.front()),
              static_cast<double>(second.greatest_instructions.front()), 20);  // starting the timer is in between
}

INSTANTIATE_TEST_SUITE_P(Boards, EveryTarget, testing::ValuesIn(microcontrollers()), test::by_name);

ExitCode code_of(const std::function<void()>& action, std::string& text) {
  try {
    action();
  } catch (const Error& error) {
    text = error.what();
    return error.code();
  }
  return ExitCode::success;
}

TEST(Firmware, SaysWhatDoesNotFit) {
  Target target = load_target("stm32f412");
  target.ram_bytes.value = 1024;
  target.flash_bytes.value = 1024;
  std::string text;
  const auto build = [&] {
    TemporaryDirectory directory;
    write_file(directory.path() / "big.cpp",
               "char big[4096]; extern const int table[900]; const int table[900] = {1};\n"
               "int main() { asm volatile(\"\" : : \"r\"(big), \"r\"(table)); return 0; }");
    FirmwareSources sources;
    sources.sources = {directory.path() / "big.cpp"};
    (void)build_firmware(sources, target, Optimize::speed, directory.path() / "big.elf");
  };
  EXPECT_EQ(code_of(build, text), ExitCode::bound_not_met);
  EXPECT_THAT(text, testing::HasSubstr("RAM"));
  EXPECT_THAT(text, testing::HasSubstr("flash"));
}

/// On a core of every architecture.
TEST(Firmware, EndsWith125WhereTheCoreFaults) {
  for (const auto& [name, nonsense] : {std::pair{"stm32f412", "asm volatile(\"udf #0\")"},
                                       {"esp32c3", "asm volatile(\"unimp\")"},
                                       {"esp32c3", "asm volatile(\"ebreak\")"},
                                       {"esp32c3", "*(volatile int*)0x30 = 1"}}) {
    SCOPED_TRACE(std::string(name) + ": " + nonsense);
    const Target target = load_target(name);
    const TemporaryDirectory directory;
    FirmwareSources sources;
    sources.sources = {directory.path() / "main.cpp"};
    write_file(directory.path() / "main.cpp", fmt::format("int main() {{ {}; return 0; }}", nonsense));
    const BuildResult fault = build_firmware(sources, target, Optimize::speed, directory.path() / "fault.elf");
    EXPECT_EQ(run_image(fault.elf, target, directory.path()).exit_code, 125);
  }
}

TEST(Firmware, SaysThatTheCoreNeverEnds) {
  const Target target = load_target("stm32f412");
  const TemporaryDirectory directory;
  FirmwareSources sources;
  sources.sources = {directory.path() / "main.cpp"};
  write_file(directory.path() / "main.cpp", "int main() { for (;;) asm volatile(\"\"); }");
  const BuildResult endless = build_firmware(sources, target, Optimize::speed, directory.path() / "endless.elf");
  std::string text;
  EXPECT_EQ(
      code_of([&] { (void)run_image(endless.elf, target, directory.path(), std::chrono::milliseconds(300)); }, text),
      ExitCode::failure);
  EXPECT_THAT(text, testing::HasSubstr("did not end"));
  write_file(directory.path() / "main.cpp", "int main() { return nonsense; }");
  EXPECT_EQ(code_of([&] { (void)build_firmware(sources, target, Optimize::speed, directory.path() / "x.elf"); }, text),
            ExitCode::failure);
  EXPECT_THAT(text, testing::HasSubstr("nonsense"));
}

TEST(Firmware, NamesThePackagesThatAreMissing) {
  const std::string path = std::getenv("PATH");
  ::setenv("PATH", "/nowhere", 1);
  for (const auto& [name, compiler, emulator] :
       {std::tuple{"stm32f412", "gcc-arm-none-eabi", "qemu-system-arm"},
        {"esp32c3", "gcc-riscv64-unknown-elf and picolibc-riscv64-unknown-elf", "qemu-system-misc"}}) {
    const Target target = load_target(name);
    std::string text;
    EXPECT_EQ(code_of([&] { (void)build_firmware({}, target, Optimize::speed, "x.elf"); }, text), ExitCode::bad_input);
    EXPECT_THAT(text, testing::HasSubstr(compiler));
    EXPECT_EQ(code_of([&] { (void)run_image("x.elf", target, "."); }, text), ExitCode::bad_input);
    EXPECT_THAT(text, testing::HasSubstr(emulator));
  }
  ::setenv("PATH", path.c_str(), 1);
}

}  // namespace
}  // namespace trimtab
