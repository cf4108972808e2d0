// What a firmware does with the sources that are handed over: it places their code, links two networks, compiles them
// with options of its own, or for the wrong core.

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <span>
#include <sstream>

#include "base/file.h"
#include "base/process.h"
#include "emit/deploy.h"
#include "emit/emulator.h"
#include "emit/firmware.h"
#include "emit/recipe.h"
#include "emit/source.h"
#include "emulator/forms.h"
#include "support/random_program.h"
#include "support/strict_warnings.h"
#include "support/test_name.h"
#include "target/share.h"
#include "target/target.h"

namespace trimtab {
namespace {

namespace fs = std::filesystem;

/// A part of a linker script: code that is fetched from the board's SRAM, which is no flash.
constexpr std::string_view hot_script = "SECTIONS { .itcm 0x20200000 : { *(.itcm .itcm.*) } }\n";

struct Symbol {
  std::uint64_t address;
  std::string name;
};

std::vector<Symbol> code_symbols(const fs::path& elf) {
  const ProcessResult result = run_process({"arm-none-eabi-nm", elf.string()}, "install binutils-arm-none-eabi");
  std::vector<Symbol> symbols;
  std::istringstream lines(result.output);
  Symbol symbol{};
  for (std::string kind; lines >> std::hex >> symbol.address >> kind >> symbol.name;) {
    if (kind == "T" || kind == "t" || kind == "W") symbols.push_back(symbol);
  }
  return symbols;
}

/// All code of the network, kernels included, goes where the linker script puts the section, and stays what it was.
TEST(HotSection, PlacesTheCodeAndKeepsEveryBit) {
  const Target target = load_target("stm32f412");
  const Program program = RandomProgram::make(11);
  Random random(1);
  const RandomSample sample(program, random);
  const TemporaryDirectory folder;
  const Deployment measured = deploy(program, schedule(program, core_of(target)), target, "net", sample.bytes,
                                     host_outputs(program, sample.bytes, 1), folder.path());
  const BuildRecipe recipe = recipe_of(target, Optimize::speed);
  write_file(folder.path() / "hot.ld", hot_script);
  const std::int64_t output_bytes = program.buffers[static_cast<std::size_t>(program.output)].bytes();
  const EmulatorRun first =
      run_firmware(folder.path() / "firmware.elf", target, sample.bytes, std::ssize(sample.bytes), output_bytes);
  for (const auto& [form, object] :
       {std::pair{"make", by_make(folder.path(), recipe.core_flags, "net", "NET_HOT_SECTION := .itcm")},
        std::pair{"cmake", by_cmake(folder.path(), recipe.core_flags, "set(NET_HOT_SECTION .itcm)")}}) {
    SCOPED_TRACE(form);
    FirmwareSources sources;
    sources.sources = {object, folder.path() / "hot.ld"};
    sources.program_name = "net";
    const BuildResult built = build_firmware(sources, target, Optimize::speed, folder.path() / "hot.elf");
    std::size_t kernels = 0;
    for (const Symbol& symbol : code_symbols(built.elf)) {
      const bool is_network = symbol.name.starts_with("net_") || symbol.name.find("7trimtab") != std::string::npos;
      if (!is_network || symbol.name.find("firmware") != std::string::npos) continue;
      EXPECT_GE(symbol.address, 0x20200000U) << symbol.name;
      if (symbol.name.find("7trimtab") != std::string::npos) ++kernels;
    }
    EXPECT_GT(kernels, 0U);
    const EmulatorRun run = run_firmware(built.elf, target, sample.bytes, std::ssize(sample.bytes), output_bytes);
    EXPECT_EQ(run.outputs, first.outputs);
    EXPECT_EQ(run.stack_bytes, first.stack_bytes);
    // the linker's bridges between flash and RAM are a few instructions at every call of memcpy
    EXPECT_NEAR(static_cast<double>(run.greatest_instructions.front()), static_cast<double>(measured.instructions()),
                static_cast<double>(measured.instructions()) / 100);
  }
}

/// Two programs in one image, behind the interface of one: the second's output follows the first's.
constexpr std::string_view both_programs = R"(#include <string.h>
#include "a/a.h"
#include "b/b.h"
static unsigned char input[A_INPUT_BYTES + B_INPUT_BYTES], output[A_OUTPUT_BYTES + B_OUTPUT_BYTES];
extern "C" {
void *both_input(void) { return input; }
const void *both_output(void) { return output; }
void both_run(void) {
  memcpy(a_input(), input, A_INPUT_BYTES);
  memcpy(b_input(), input + A_INPUT_BYTES, B_INPUT_BYTES);
  a_run();
  b_run();
  memcpy(output, a_output(), A_OUTPUT_BYTES);
  memcpy(output + A_OUTPUT_BYTES, b_output(), B_OUTPUT_BYTES);
}
}
)";

class TwoPrograms : public testing::TestWithParam<const char*> {};

/// Kernels of both settings in one image: the linker must not take the one's for the other's.
TEST_P(TwoPrograms, OfAnySettingsRunInOneImage) {
  const Target target = with_memory_of_board(load_target(GetParam()));
  const std::array programs{RandomProgram::make(11), RandomProgram::make(14)};
  const std::array settings{Optimize::speed, Optimize::size};
  const TemporaryDirectory folder;
  const auto folder_of = [&](std::size_t which, Optimize setting) {
    return folder.path() / name_of_setting(setting) / (which == 0 ? "a" : "b");
  };
  Random random(5);
  std::vector<std::uint8_t> inputs;
  std::vector<std::int32_t> expected;
  std::array<std::int64_t, 2> output_bytes{};
  for (std::size_t which = 0; which < 2; ++which) {
    const Program& program = programs[which];
    const RandomSample sample(program, random);
    inputs.insert(inputs.end(), sample.bytes.begin(), sample.bytes.end());
    const std::vector<std::int32_t> answers = host_outputs(program, sample.bytes, 1);
    expected.insert(expected.end(), answers.begin(), answers.end());
    output_bytes[which] = program.buffers[static_cast<std::size_t>(program.output)].bytes();
    for (const Optimize setting : settings) {
      const BuildRecipe recipe = recipe_of(target, setting);
      const std::string name = which == 0 ? "a" : "b";
      write_sources(program, schedule(program, core_of(target), setting), recipe, name, runtime_directory(),
                    folder_of(which, setting));
      by_make(folder_of(which, setting), recipe.core_flags, name);
    }
  }
  write_file(folder.path() / "both.cpp", both_programs);
  for (const Optimize first : settings) {
    for (const Optimize second : settings) {
      SCOPED_TRACE(name_of_setting(first) + " and " + name_of_setting(second));
      FirmwareSources sources;
      sources.sources = {folder.path() / "both.cpp", folder_of(0, first) / "firmware.o",
                         folder_of(1, second) / "firmware.o"};
      sources.include_directories = {folder.path() / "speed"};
      sources.program_name = "both";
      const BuildResult built = build_firmware(sources, target, Optimize::speed, folder.path() / "both.elf");
      const std::vector<std::uint8_t> outputs =
          run_firmware(built.elf, target, inputs, std::ssize(inputs), output_bytes[0] + output_bytes[1]).outputs;
      std::vector<std::int32_t> answers = device_numbers(programs[0], outputs);
      const std::vector<std::int32_t> rest =
          device_numbers(programs[1], std::span(outputs).subspan(static_cast<std::size_t>(output_bytes[0])));
      answers.insert(answers.end(), rest.begin(), rest.end());
      EXPECT_EQ(answers, expected);
    }
  }
}

/// A build that ignores the recipe altogether, as a debug build of a whole firmware does: assembly finds its registers
/// without an optimizer and beside a frame pointer, the strictest warnings say nothing, and every answer is right.
class OwnBuilds : public testing::TestWithParam<const char*> {};

TEST_P(OwnBuilds, AreRightWithoutOptimization) {
  const Target target = with_memory_of_board(load_target(GetParam()));
  const BuildRecipe recipe = recipe_of(target, Optimize::speed);
  for (const std::uint64_t seed : {11, 14}) {
    SCOPED_TRACE(seed);
    const Program program = RandomProgram::make(seed);
    Random random(seed);
    const RandomSample sample(program, random);
    const TemporaryDirectory folder;
    write_sources(program, schedule(program, core_of(target)), recipe, "net", runtime_directory(), folder.path());
    const fs::path object = folder.path() / "net.o";
    std::vector<std::string> command{compiler_for(recipe.core_flags),
                                     "-std=c++17",
                                     "-O0",
                                     "-g",
                                     "-fno-omit-frame-pointer",
                                     "-fno-exceptions",
                                     "-fno-rtti",
                                     "-I" + folder.path().string(),
                                     "-c",
                                     (folder.path() / "net.cpp").string(),
                                     "-o",
                                     object.string()};
    const Flags core_flags = firmware_flags(recipe.core_flags);
    for (const auto* flags : {&test::strict_warnings, &core_flags})
      command.insert(command.end(), flags->begin(), flags->end());
    execute(command);
    FirmwareSources sources;
    sources.sources = {object};
    sources.program_name = "net";
    const auto expect_right = [&] {
      const BuildResult built = build_firmware(sources, target, Optimize::speed, folder.path() / "debug.elf");
      const EmulatorRun answered = run_firmware(built.elf, target, sample.bytes, std::ssize(sample.bytes),
                                                program.buffers[static_cast<std::size_t>(program.output)].bytes());
      EXPECT_EQ(device_numbers(program, answered.outputs), host_outputs(program, sample.bytes, 1));
    };
    expect_right();

    // clang, which Arm's own compiler is built on; the kernels need the frame pointer's register
    command.front() = "clang++";
    std::ranges::replace(command, "-fno-omit-frame-pointer", "-fomit-frame-pointer");
    if (is_riscv(recipe.core_flags)) {
      std::erase(command, "--specs=picolibc.specs");
      command.insert(command.end(),
                     {"--target=riscv32-unknown-elf", "-isystem", "/usr/lib/picolibc/riscv64-unknown-elf/include"});
    } else {
      std::string library = run_process({"arm-none-eabi-g++", "-print-file-name=libc.a"}, "").output;
      library.resize(library.find_last_not_of('\n') + 1);
      command.insert(command.end(), {"--target=arm-none-eabi", "-isystem",
                                     (fs::path(library).parent_path().parent_path() / "include").string()});
    }
    execute(command);
    expect_right();
  }
}

/// A target of every core.
constexpr std::array cores{"rp2040", "cortex-m3", "stm32f412", "cortex-m55", "esp32c3"};
INSTANTIATE_TEST_SUITE_P(Cores, TwoPrograms, testing::ValuesIn(cores), test::by_name);
INSTANTIATE_TEST_SUITE_P(Cores, OwnBuilds, testing::ValuesIn(cores), test::by_name);

/// A compiler that is set to another core is stopped with a sentence that names the right one.
TEST(WrongCore, IsAnErrorOfTheCompiler) {
  const Program program = RandomProgram::make(11);
  for (const auto& [made_for, compiled_for] :
       {std::pair{"stm32f412", "cortex-m3"}, std::pair{"cortex-m3", "stm32f412"}, std::pair{"rp2040", "cortex-m3"},
        std::pair{"cortex-m55", "stm32f412"}, std::pair{"stm32f412", "cortex-m55"}}) {
    SCOPED_TRACE(std::string(made_for) + " compiled for " + compiled_for);
    const Target target = load_target(made_for);
    const TemporaryDirectory folder;
    write_sources(program, schedule(program, core_of(target)), recipe_of(target, Optimize::speed), "net",
                  runtime_directory(), folder.path());
    std::vector<std::string> command{
        "arm-none-eabi-g++",          "-std=c++17", "-O2", "-fsyntax-only", (folder.path() / "net.cpp").string(),
        "-I" + folder.path().string()};
    const BuildRecipe other = recipe_of(load_target(compiled_for), Optimize::speed);
    command.insert(command.end(), other.core_flags.begin(), other.core_flags.end());
    const ProcessResult result = run_process(command, "install the package gcc-arm-none-eabi");
    EXPECT_NE(result.exit_code, 0);
    EXPECT_THAT(result.errors,
                testing::HasSubstr(fmt::format("this file is for {}; compile the firmware with -mcpu=", made_for)));
  }
}

/// Vectors have no portable form: another machine's compiler hears the sentence, too.
TEST(WrongCore, IsAnErrorOnOtherMachinesWhereKernelsAreOfVectors) {
  const Target target = load_target("cortex-m55");
  const Program program = RandomProgram::make(14);
  const TemporaryDirectory folder;
  write_sources(program, schedule(program, core_of(target)), recipe_of(target, Optimize::speed), "net",
                runtime_directory(), folder.path());
  const ProcessResult result =
      run_process({"g++", "-std=c++17", "-fsyntax-only", (folder.path() / "net.cpp").string()}, "");
  EXPECT_NE(result.exit_code, 0);
  EXPECT_THAT(result.errors, testing::HasSubstr("this file is for cortex-m55; compile the firmware with -mcpu="));
}

}  // namespace
}  // namespace trimtab
