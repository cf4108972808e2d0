// The pages' snippets, executed as a reader would: with nothing but what the pages tell to write, a main() and a
// linker's options added.

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <span>

#include "emit/source.h"
#include "forms.h"
#include "handed_over.h"
#include "support/pooled_program.h"
#include "target/share.h"

namespace trimtab {
namespace {

namespace fs = std::filesystem;

/// The first block of that language behind `heading` of a page.
std::string snippet(const std::string& page, const std::string& heading, const std::string& language) {
  const std::string text = read_text(std::string(TRIMTAB_SOURCE_DIR) + "/" + page);
  const std::string opening = "```" + language + "\n";
  const std::size_t section = text.find(heading);
  if (section == std::string::npos) return {};
  const std::size_t begin = text.find(opening, section) + opening.size();
  return text.substr(begin, text.find("```", begin) - begin);
}

/// Runs a snippet of commands in a folder; `trimtab` is the one that was built.
void execute_in(const fs::path& folder, const std::string& commands) {
#ifdef TRIMTAB_COMMAND
  const std::string path = fmt::format("PATH={}:$PATH\n", fs::path(TRIMTAB_COMMAND).parent_path().string());
#else
  const std::string path;
#endif
  const ProcessResult result = run_process({"sh", "-e", "-c", path + commands}, "", std::chrono::minutes(10), folder);
  ASSERT_EQ(result.exit_code, 0) << commands << result.output.substr(0, 2000) << result.errors.substr(0, 3000);
}

TEST(Documents, TheFirmwareOfFitBuilds) {
  const std::string heading = "## In your firmware";
  const Target target = load_target("stm32f412");
  const BuildRecipe recipe = recipe_of(target, Optimize::speed);
  const Program program = RandomProgram::make(11);
  const TemporaryDirectory folder;
  write_sources(program, schedule(program, core_of(target)), recipe, "resnet8_cifar10", runtime_directory(),
                folder.path() / "out" / "device");
  write_file(folder.path() / "main.c",
             snippet("docs/fit.md", heading, "c") +
                 "int main(void) {\n  static uint8_t pixels[RESNET8_CIFAR10_INPUT_BYTES];\n  return "
                 "classify(pixels);\n}\n");
  write_file(
      folder.path() / "Makefile",
      "CC := arm-none-eabi-gcc\nCXX := arm-none-eabi-g++\nLDFLAGS := --specs=nosys.specs\nCFLAGS = $(CXXFLAGS)\n" +
          snippet("docs/fit.md", heading, "make"));
  execute({"make", "-s", "-C", folder.path().string()});
  EXPECT_TRUE(fs::exists(folder.path() / "firmware.elf"));

  write_file(folder.path() / "readme.c", snippet("README.md", "`out/device/` then holds", "c"));
  execute({"arm-none-eabi-gcc", "-std=c99", "-Wall", "-Wextra", "-Wconversion", "-Werror",
           "-I" + (folder.path() / "out" / "device").string(), "-c", (folder.path() / "readme.c").string(), "-o",
           (folder.path() / "readme.o").string()});

  write_file(folder.path() / "CMakeLists.txt",
             fmt::format("cmake_minimum_required(VERSION 3.20)\nset(CMAKE_SYSTEM_NAME Generic)\n"
                         "set(CMAKE_TRY_COMPILE_TARGET_TYPE STATIC_LIBRARY)\nset(CMAKE_C_COMPILER arm-none-eabi-gcc)\n"
                         "set(CMAKE_CXX_COMPILER arm-none-eabi-g++)\nproject(firmware C CXX)\n"
                         "add_compile_options({0})\nadd_link_options({0} --specs=nosys.specs)\n"
                         "add_executable(firmware main.c)\n{1}",
                         fmt::join(recipe.core_flags, " "), snippet("docs/fit.md", heading, "cmake")));
  execute({"cmake", "-S", folder.path().string(), "-B", (folder.path() / "build").string()});
  execute({"cmake", "--build", (folder.path() / "build").string()});
  EXPECT_TRUE(fs::exists(folder.path() / "build" / "firmware"));
}

TEST(Documents, WhatIsHandedOverIsUsedAsThePagesSay) {
  const HandedOver handed("stm32f412", Optimize::speed);
  const fs::path folder = handed.out().parent_path();
  const std::string flags = fmt::format("{}", fmt::join(handed.core_flags(), " "));

  write_file(folder / "classify.c", snippet("docs/handover.md", "## The interface", "c") +
                                        "int main(void) {\n  static const uint8_t pixels[NET_INPUT_BYTES];\n  return "
                                        "classify(pixels);\n}\n");
  execute_in(folder,
             fmt::format("arm-none-eabi-gcc -std=c99 -Wall -Wextra -Werror {} -Iout/device -c classify.c", flags));

  // code in a section of its own
  write_file(folder / "Makefile", fmt::format("CXX := arm-none-eabi-g++\nCXXFLAGS := {}\n{}all: $(NET_OBJECT)\n", flags,
                                              snippet("docs/handover.md", "## The interface", "make")));
  execute_in(folder, "make -s all\narm-none-eabi-objdump -h -w out/device/net.o | grep -q ' .itcm.text._ZN7trimtab'");

  // the firmware for `trimtab validate`; its first line goes to out/device, as make does
  execute_in(folder, "rm out/device/net.o\n" + snippet("docs/validate.md", "## The firmware", "sh"));
  for (const std::string object : {"net.o", "net_board.o", "stm32f4_usart.o"})
    EXPECT_TRUE(fs::exists(handed.out() / "device" / object)) << object;
  write_file(folder / "port.c", snippet("docs/validate.md", "## The firmware", "c"));
  execute_in(folder, "gcc -std=c99 -Wall -Wextra -Werror -Iout/device -c port.c");

#ifdef TRIMTAB_COMMAND
  execute_in(folder, snippet("docs/handover.md", "## Packages", ""));
  EXPECT_TRUE(fs::exists(folder / "resnet8" / "library.json"));
#endif
}

// The caller of the page, the example, the self-test, the builds and the firmware for `trimtab validate` of a program
// that takes rows.
TEST(Documents, RowsArePushedAsThePageSays) {
  const HandedOver handed("stm32f412", Optimize::speed, pooled_program(4, 3, {8}), InputForm::pushed);
  ASSERT_EQ(handed.measured.mismatches, 0);
  const fs::path folder = handed.out().parent_path();
  const fs::path device = handed.out() / "device";
  const std::string flags = fmt::format("{}", fmt::join(handed.core_flags(), " "));
  write_file(folder / "classify.c",
             "extern void camera_read(void *row, int bytes);\n" + snippet("docs/handover.md", "## Pushed rows", "c"));
  execute_in(folder, fmt::format("arm-none-eabi-gcc -std=c99 -Wall -Wextra {} -Iout/device -c classify.c", flags));
  for (const std::string arena : {"-DNET_PROFILE", "-DNET_PROFILE -DNET_CALLER_ARENA"}) {
    for (const std::string source : {"net_board.c", "main.c"}) {
      if (source == "main.c" && arena.ends_with("ARENA")) continue;
      execute_in(folder, fmt::format("arm-none-eabi-gcc -std=c99 -Wall -Wextra -Wconversion -Wno-unused-parameter "
                                     "-Werror {} {} -Iout/device -c out/device/{} -o any.o",
                                     flags, arena, source));
    }
  }
  handed.expect_image("make", {by_make(device, handed.core_flags())}, true);
  FirmwareSources sources;
  sources.sources = {device / "net.cpp", device / "net_selftest.cpp", device / "main.c"};
  sources.include_directories = {device};
  const BuildResult example =
      build_firmware(sources, with_memory_of_board(handed.target), Optimize::speed, folder / "example.elf");
  EXPECT_EQ(run_image(example.elf, handed.target, folder).exit_code, 0);

  const std::string readme = read_text(device / "README.md");
  EXPECT_NE(readme.find("pushed row by row"), std::string::npos);
  EXPECT_NE(readme.find("after the last row"), std::string::npos);
  const std::string header = read_text(device / "net.h");
  EXPECT_NE(header.find(fmt::format("#define NET_LAST_PUSH_INSTRUCTIONS {}\n", handed.measured.pushes->last)),
            std::string::npos);
  const std::string sketch = read_text(handed.package("arduino") / "examples" / "net_selftest" / "net_selftest.ino");
  EXPECT_NE(sketch.find("net_push_row()"), std::string::npos);
  EXPECT_EQ(sketch.find("net_run()"), std::string::npos);
}

/// A classifier with three operating points, of ten classes and of two kinds. The cheaper a point, the worse it is.
Program scaled_classifier() {
  ProgramBuilder builder(7, 3);
  builder.program.name = "resnet8_cifar10";
  builder.program.input = builder.add_buffer(8, 8, 3, {1, 8, false});
  const BufferId features = builder.convolution(builder.program.input, square(8, 3, 2, 8), {1, 8, false}, 8);
  ConvolutionShape linear;
  linear.kernel_height = linear.kernel_width = builder.buffer(features).height;
  linear.outputs = 10;
  Program program = builder.finish(builder.convolution(features, linear, {1e-4F, 16, true}, 8));
  Level leaves{"class", {}, {}};
  Level kinds{"kind", {"even", "odd"}, {}};
  for (std::int64_t i = 0; i < linear.outputs; ++i) {
    program.classes.push_back(fmt::format("class {}", i));
    leaves.class_of.push_back(i);
    kinds.class_of.push_back(i % 2);
  }
  leaves.classes = program.classes;
  program.levels = {leaves, kinds};
  program.measure = Measure::top1;
  program.points[0].energy_nj = 300;
  program.points[0].quality = {90, 95};
  program.points[1].energy_nj = 200;
  program.points[1].quality = {86, 93};
  program.points[2].energy_nj = 100;
  program.points[2].quality = {70, 88};
  return program;
}

/// The class of a level with the largest sum of probabilities.
std::string best_class(const Level& level, std::span<const std::int32_t> logits, double scale) {
  std::vector<double> sums(level.classes.size());
  for (std::size_t i = 0; i < logits.size(); ++i)
    sums[static_cast<std::size_t>(level.class_of[i])] += std::exp(scale * logits[i]);
  return level.classes[static_cast<std::size_t>(std::ranges::max_element(sums) - sums.begin())];
}

TEST(Documents, ScaleAnswersAtALevelAsThePageSays) {
  const Program program = scaled_classifier();
  const TemporaryDirectory folder;
  write_sources(program, schedule(program, Core::generic), {"this machine", Core::generic, {}, {}}, "resnet8_cifar10",
                runtime_directory(), folder.path());
  constexpr int samples = 3;
  Random random(5);
  std::vector<std::uint8_t> pictures;
  for (int i = 0; i < samples; ++i) {
    const RandomSample sample(program, random);
    pictures.insert(pictures.end(), sample.bytes.begin(), sample.bytes.end());
  }
  write_file(
      folder.path() / "main.c",
      fmt::format("#include <stdio.h>\n{}\nstatic const uint8_t pictures[{}][RESNET8_CIFAR10_INPUT_BYTES] = "
                  "{{{}}};\nstatic void say(int sample, int level, int energy_nj) {{\n"
                  "  const char *name = answer(pictures[sample], level, energy_nj);\n"
                  "  puts(name == NULL ? \"none\" : name);\n}}\n"
                  "int main(void) {{\n  for (int i = 0; i < {}; ++i) {{\n    say(i, 0, 1000);\n"
                  "    say(i, 1, 1000);\n    say(i, 0, 150);\n    say(i, 0, 50);\n  }}\n  return 0;\n}}\n",
                  snippet("docs/scale.md", "## On the device", "c"), samples, fmt::join(pictures, ", "), samples));
  const std::string strict = "-std=c99 -Wall -Wextra -Wpedantic -Wconversion -Werror -Wno-missing-braces";
  execute_in(folder.path(), fmt::format("arm-none-eabi-gcc {0} -c main.c -o device.o\ngcc {0} -c main.c -o main.o\n"
                                        "g++ -std=c++17 -O1 -I. resnet8_cifar10.cpp main.o -lm -o scaled\n",
                                        strict));
  // the cheapest point that is good enough: 1 for the classes, 2 for the kinds; the best that is paid for: 2; none
  const std::vector<std::int32_t> outputs = host_outputs(program, pictures, samples);
  const Buffer& output = program.buffers[static_cast<std::size_t>(program.output)];
  const auto expected = [&](std::size_t point, std::size_t sample, std::size_t level) {
    const std::span logits = std::span(outputs).subspan((point * samples + sample) * 10, 10);
    return best_class(program.levels[level], logits, output.grid.scale);
  };
  std::string text;
  for (std::size_t i = 0; i < samples; ++i)
    text += fmt::format("{}\n{}\n{}\nnone\n", expected(1, i, 0), expected(2, i, 1), expected(2, i, 0));
  EXPECT_EQ(run_process({(folder.path() / "scaled").string()}, "").output, text);
}

}  // namespace
}  // namespace trimtab
