// The build files that are handed over make the very image that was measured: for every target and setting the object
// that `make` and CMake compile, with nothing but the shipped files, links to the same sizes and runs in as many
// instructions.

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/file.h"
#include "base/process.h"
#include "emit/c_text.h"
#include "emit/deploy.h"
#include "emit/emulator.h"
#include "emit/firmware.h"
#include "emit/recipe.h"
#include "emit/source.h"
#include "support/random_program.h"
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
fs::path by_make(const fs::path& device, const BuildRecipe& recipe, const std::string& name = "net") {
  write_file(device / "Makefile",
             fmt::format("CXX := arm-none-eabi-g++\nCXXFLAGS := -O0 -flto -fno-omit-frame-pointer -Wall -Wextra "
                         "-Wconversion -Wsign-conversion -Werror {0}\n\ninclude {1}.mk\n\n"
                         "firmware: $({2}_OBJECT)\n\tcp $< firmware.o\n",
                         fmt::join(recipe.core_flags, " "), name, upper(name)));
  run({"make", "-s", "-C", device.string()});
  return device / "firmware.o";
}

fs::path by_cmake(const fs::path& device, const BuildRecipe& recipe) {
  const fs::path project = device / "project";
  make_directory(project);
  write_file(
      project / "CMakeLists.txt",
      fmt::format("cmake_minimum_required(VERSION 3.20)\nset(CMAKE_SYSTEM_NAME Generic)\n"
                  "set(CMAKE_TRY_COMPILE_TARGET_TYPE STATIC_LIBRARY)\nset(CMAKE_CXX_COMPILER arm-none-eabi-g++)\n"
                  "set(CMAKE_BUILD_TYPE Release)\nproject(firmware CXX)\nadd_compile_options({})\n"
                  "add_subdirectory(.. net)\n",
                  fmt::join(recipe.core_flags, " ")));
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

/// The block of that language of docs/fit.md, "In your firmware".
std::string snippet(const std::string& language) {
  const std::string text = read_text(std::string(TRIMTAB_SOURCE_DIR) + "/docs/fit.md");
  const std::string opening = "```" + language + "\n";
  const std::size_t begin = text.find(opening, text.find("## In your firmware")) + opening.size();
  return text.substr(begin, text.find("```", begin) - begin);
}

/// The snippets that the documents show build, with a main() and a linker's options added.
TEST(Documents, SnippetsBuildAFirmware) {
  const Target target = load_target("stm32f412");
  const Program program = RandomProgram::make(11);
  const TemporaryDirectory folder;
  write_sources(program, schedule(program, core_of(target)), recipe_of(target, Optimize::speed), "resnet8_cifar10",
                runtime_directory(), folder.path() / "out" / "device");
  write_file(folder.path() / "main.c",
             snippet("c") +
                 "int main(void) {\n  static uint8_t pixels[RESNET8_CIFAR10_INPUT_BYTES];\n  return "
                 "classify(pixels);\n}\n");
  write_file(
      folder.path() / "Makefile",
      "CC := arm-none-eabi-gcc\nCXX := arm-none-eabi-g++\nLDFLAGS := --specs=nosys.specs\nCFLAGS = $(CXXFLAGS)\n" +
          snippet("make"));
  run({"make", "-s", "-C", folder.path().string()});
  EXPECT_TRUE(fs::exists(folder.path() / "firmware.elf"));

  write_file(folder.path() / "CMakeLists.txt",
             fmt::format("cmake_minimum_required(VERSION 3.20)\nset(CMAKE_SYSTEM_NAME Generic)\n"
                         "set(CMAKE_TRY_COMPILE_TARGET_TYPE STATIC_LIBRARY)\nset(CMAKE_C_COMPILER arm-none-eabi-gcc)\n"
                         "set(CMAKE_CXX_COMPILER arm-none-eabi-g++)\nproject(firmware C CXX)\n"
                         "add_compile_options({0})\nadd_link_options({0} --specs=nosys.specs)\n"
                         "add_executable(firmware main.c)\n{1}",
                         fmt::join(recipe_of(target, Optimize::speed).core_flags, " "), snippet("cmake")));
  run({"cmake", "-S", folder.path().string(), "-B", (folder.path() / "build").string()});
  run({"cmake", "--build", (folder.path() / "build").string()});
  EXPECT_TRUE(fs::exists(folder.path() / "build" / "firmware"));
}

INSTANTIATE_TEST_SUITE_P(Targets, ShippedForms,
                         testing::Combine(testing::ValuesIn(target_names()),
                                          testing::Values(Optimize::speed, Optimize::size)),
                         [](const auto& test) {
                           std::string name = std::get<0>(test.param);
                           std::erase(name, '-');
                           return name + (std::get<1>(test.param) == Optimize::speed ? "_speed" : "_size");
                         });

}  // namespace
}  // namespace trimtab
