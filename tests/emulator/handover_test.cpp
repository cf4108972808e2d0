// The build files that are handed over make the very image that was measured: for every target and setting the object
// that `make` and CMake compile, with nothing but the shipped files, links to the same sizes and runs in as many
// instructions.

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sstream>

#include "base/file.h"
#include "base/process.h"
#include "emit/c_text.h"
#include "emit/deploy.h"
#include "emit/emulator.h"
#include "emit/firmware.h"
#include "emit/recipe.h"
#include "emit/source.h"
#include "emulator/handed_over.h"
#include "support/random_program.h"
#include "support/strict_warnings.h"
#include "target/share.h"
#include "target/target.h"

namespace trimtab {
namespace {

namespace fs = std::filesystem;

void run(const std::vector<std::string>& command) {
  const ProcessResult result = run_process(command, "install the packages make and cmake");
  ASSERT_EQ(result.exit_code, 0) << result.output.substr(0, 2000) << result.errors.substr(0, 3000);
}

/// For scripts/results-handover.
void record(const std::string& form, std::int64_t flash, std::int64_t instructions, std::int64_t stack) {
  testing::Test::RecordProperty(form, fmt::format("{} {} {}", flash, instructions, stack));
}

/// The smallest firmware project: its first goal is the default one, whatever the included file brings. Its own options
/// must not matter: -O0 and frame pointers leave assembly too few registers, and warnings are its errors.
fs::path by_make(const fs::path& device, const BuildRecipe& recipe, const std::string& name = "net",
                 const std::string& setting = "") {
  write_file(device / "Makefile",
             fmt::format("CXX := arm-none-eabi-g++\nCXXFLAGS := -O0 -flto -fno-omit-frame-pointer -Wall -Wextra "
                         "-Wconversion -Wsign-conversion -Werror {0}\n{3}\ninclude {1}.mk\n\n"
                         "firmware: $({2}_OBJECT)\n\tcp $< firmware.o\n",
                         fmt::join(recipe.core_flags, " "), name, upper(name), setting));
  run({"make", "-s", "-B", "-C", device.string()});
  return device / "firmware.o";
}

fs::path by_cmake(const fs::path& device, const BuildRecipe& recipe, const std::string& setting = "") {
  const fs::path project = device / "project";
  make_directory(project);
  write_file(
      project / "CMakeLists.txt",
      fmt::format("cmake_minimum_required(VERSION 3.20)\nset(CMAKE_SYSTEM_NAME Generic)\n"
                  "set(CMAKE_TRY_COMPILE_TARGET_TYPE STATIC_LIBRARY)\nset(CMAKE_CXX_COMPILER arm-none-eabi-g++)\n"
                  "set(CMAKE_BUILD_TYPE Release)\nproject(firmware CXX)\nadd_compile_options({})\n{}\n"
                  "add_subdirectory(.. net)\n",
                  fmt::join(recipe.core_flags, " "), setting));
  run({"cmake", "-S", project.string(), "-B", (project / "build").string()});
  run({"cmake", "--build", (project / "build").string()});
  return project / "build" / "net" / "libnet.a";
}

class ShippedForms : public testing::TestWithParam<std::tuple<std::string, Optimize>> {};

TEST_P(ShippedForms, BuildFilesMakeTheMeasuredImage) {
  const auto [target_name, optimize] = GetParam();
  const Target target = load_target(target_name);
  const Program program = RandomProgram::make(11);
  const Schedule plan = schedule(program, core_of(target), optimize);
  Random random(1);
  const RandomSample sample(program, random);
  const TemporaryDirectory folder;
  const Deployment measured =
      deploy(program, plan, target, "net", sample.bytes, host_outputs(program, sample.bytes, 1), folder.path());
  ASSERT_EQ(measured.mismatches, 0);

  const BuildRecipe recipe = recipe_of(target, optimize);
  for (const auto& [form, object] :
       {std::pair{"make", by_make(folder.path(), recipe)}, std::pair{"cmake", by_cmake(folder.path(), recipe)}}) {
    SCOPED_TRACE(form);
    ASSERT_TRUE(fs::exists(object));
    FirmwareSources sources;
    sources.sources = {object};
    sources.program_name = "net";
    const BuildResult built = build_firmware(sources, target, optimize, folder.path() / "shipped.elf");
    EXPECT_EQ(built.size.text, measured.image.text);
    EXPECT_EQ(built.size.rodata, measured.image.rodata);
    EXPECT_EQ(built.size.data, measured.image.data);
    EXPECT_EQ(built.size.bss, measured.image.bss);
    const EmulatorRun again = run_firmware(built.elf, target, sample.bytes, std::ssize(sample.bytes),
                                           program.buffers[static_cast<std::size_t>(program.output)].bytes());
    // The board's counter ticks once in more than one instruction, so the count of the same run may differ by that
    // much.
    EXPECT_NEAR(static_cast<double>(again.greatest_instructions.front()),
                static_cast<double>(measured.point_instructions.front()), 2);
    EXPECT_EQ(again.stack_bytes, measured.stack_bytes);
    record(form, built.size.flash(), again.greatest_instructions.front(), again.stack_bytes);
  }
  record("measured", measured.flash_bytes(), measured.instructions(), measured.stack_bytes);
}

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
       {std::pair{"make", by_make(folder.path(), recipe, "net", "NET_HOT_SECTION := .itcm")},
        std::pair{"cmake", by_cmake(folder.path(), recipe, "set(NET_HOT_SECTION .itcm)")}}) {
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

/// The right answer of the emulated device: the program's output as it lies in memory, computed by the device's image
/// of this program alone.
std::vector<std::uint8_t> alone(const Program& program, const Target& target, Optimize optimize,
                                const std::string& name, const RandomSample& sample, const fs::path& folder) {
  const Deployment measured = deploy(program, schedule(program, core_of(target), optimize), target, name, sample.bytes,
                                     host_outputs(program, sample.bytes, 1), folder);
  EXPECT_EQ(measured.mismatches, 0);
  return run_firmware(folder / "firmware.elf", target, sample.bytes, std::ssize(sample.bytes),
                      program.buffers[static_cast<std::size_t>(program.output)].bytes())
      .outputs;
}

/// Kernels of both settings in one image: the linker must not take the one's for the other's.
TEST(TwoPrograms, OfAnySettingsRunInOneImage) {
  const Target target = load_target("stm32f412");
  Random random(5);
  const Program first = RandomProgram::make(11);
  const Program second = RandomProgram::make(14);
  const RandomSample first_sample(first, random);
  const RandomSample second_sample(second, random);
  std::vector<std::uint8_t> inputs = first_sample.bytes;
  inputs.insert(inputs.end(), second_sample.bytes.begin(), second_sample.bytes.end());
  for (const Optimize first_setting : {Optimize::speed, Optimize::size}) {
    for (const Optimize second_setting : {Optimize::speed, Optimize::size}) {
      const TemporaryDirectory folder;
      std::vector<std::uint8_t> expected = alone(first, target, first_setting, "a", first_sample, folder.path() / "a");
      const std::vector<std::uint8_t> rest =
          alone(second, target, second_setting, "b", second_sample, folder.path() / "b");
      expected.insert(expected.end(), rest.begin(), rest.end());
      write_file(folder.path() / "both.cpp", both_programs);
      FirmwareSources sources;
      sources.sources = {folder.path() / "both.cpp",
                         by_make(folder.path() / "a", recipe_of(target, first_setting), "a"),
                         by_make(folder.path() / "b", recipe_of(target, second_setting), "b")};
      sources.include_directories = {folder.path()};
      sources.program_name = "both";
      const BuildResult built = build_firmware(sources, target, Optimize::speed, folder.path() / "both.elf");
      const EmulatorRun run = run_firmware(built.elf, target, inputs, std::ssize(inputs), std::ssize(expected));
      EXPECT_EQ(run.outputs, expected) << (first_setting == Optimize::speed ? "speed" : "size") << " and "
                                       << (second_setting == Optimize::speed ? "speed" : "size");
    }
  }
}

/// A build that ignores the recipe altogether, as a debug build of a whole firmware does: assembly finds its registers
/// without an optimizer and beside a frame pointer, the strictest warnings say nothing, and every answer is right.
class OwnBuilds : public testing::TestWithParam<std::string> {};

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
    std::vector<std::string> command{"arm-none-eabi-g++",
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
    for (const auto* flags : {&test::strict_warnings, &recipe.core_flags})
      command.insert(command.end(), flags->begin(), flags->end());
    run(command);
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
    std::string library = run_process({"arm-none-eabi-g++", "-print-file-name=libc.a"}, "").output;
    library.resize(library.find_last_not_of('\n') + 1);
    command.insert(command.end(), {"--target=arm-none-eabi", "-isystem",
                                   (fs::path(library).parent_path().parent_path() / "include").string()});
    run(command);
    expect_right();
  }
}

INSTANTIATE_TEST_SUITE_P(Cores, OwnBuilds, testing::Values("rp2040", "cortex-m3", "stm32f412", "cortex-m55"),
                         [](const auto& test) {
                           std::string name = test.param;
                           std::erase(name, '-');
                           return name;
                         });

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

INSTANTIATE_TEST_SUITE_P(Targets, ShippedForms,
                         testing::Combine(testing::ValuesIn(microcontrollers()),
                                          testing::Values(Optimize::speed, Optimize::size)),
                         [](const auto& test) {
                           std::string name = std::get<0>(test.param);
                           std::erase(name, '-');
                           return name + (std::get<1>(test.param) == Optimize::speed ? "_speed" : "_size");
                         });

}  // namespace
}  // namespace trimtab
