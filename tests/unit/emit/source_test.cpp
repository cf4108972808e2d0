#include "emit/source.h"

#include <gtest/gtest.h>

#include <limits>

#include "base/file.h"
#include "base/process.h"
#include "emit/c_text.h"
#include "program/execute.h"
#include "support/pooled_program.h"
#include "support/random_program.h"
#include "target/share.h"

// The emitted sources, compiled as a firmware would compile them but for this machine, compute what the host computes.
namespace trimtab {
namespace {

void compile(const std::vector<std::string>& command) {
  const ProcessResult result = run_process(command, "install the package g++");
  ASSERT_EQ(result.exit_code, 0) << result.errors.substr(0, 3000);
}

/// Reads samples from one file and writes the outputs to another.
constexpr const char* main_program = R"(#include <stdio.h>
#include <string.h>
#include "net.h"
int main(int count, char **names) {
  FILE *in = fopen(names[1], "rb"), *out = fopen(names[2], "wb");
  if (count != 3 || in == NULL || out == NULL) return 1;
  while (fread(net_input(), NET_INPUT_BYTES, 1, in) == 1) {
    net_run();
    fwrite(net_output(), NET_OUTPUT_BYTES, 1, out);
  }
  return fclose(in) + fclose(out);
}
)";

/// The same for a program that takes rows: pushed one by one, in the middle of which a frame is given up, and all at
/// once. Twice the outputs.
constexpr const char* row_program = R"(#include <stdio.h>
#include <string.h>
#include "net.h"
int main(int count, char **names) {
  static char sample[NET_INPUT_BYTES + 8];
  FILE *in = fopen(names[1], "rb"), *out = fopen(names[2], "wb");
  if (count != 3 || in == NULL || out == NULL) return 1;
  while (fread(sample, NET_INPUT_BYTES, 1, in) == 1) {
    int row = 0, missing;
    memset(net_next_row(), 0, NET_INPUT_ROW_BYTES);
    if (net_push_row() != NET_INPUT_HEIGHT - 1) return 2;
    net_new_frame();
    do {
      memcpy(net_next_row(), sample + row * NET_INPUT_ROW_BYTES, NET_INPUT_ROW_BYTES);
      missing = net_push_row();
      if (missing != NET_INPUT_HEIGHT - ++row) return 3;
    } while (missing > 0);
    fwrite(net_output(), NET_OUTPUT_BYTES, 1, out);
    net_run_sample((const void *)sample);
    fwrite(net_output(), NET_OUTPUT_BYTES, 1, out);
  }
  return fclose(in) + fclose(out);
}
)";

/// Numbers that differ from the host's over a few random samples.
void expect_same_outputs(const Program& program, Core core, std::uint64_t seed, InputForm input = InputForm::whole) {
  const TemporaryDirectory folder;
  const auto path = [&](const std::string& name) { return (folder.path() / name).string(); };
  const BuildRecipe recipe{"this machine", core, {}, {}};
  const bool pushed = input == InputForm::pushed;
  ScheduleLimits limits;
  if (pushed) limits.arena_bytes = 0;
  const Schedule plan = schedule(program, core, Optimize::speed, limits, input);
  write_sources(program, plan, recipe, "net", runtime_directory(), folder.path());
  write_file(path("main.c"), pushed ? row_program : main_program);
  // the header and its user are C, the network C++
  compile({"gcc", "-std=c99", "-Wall", "-Wextra", "-Wpedantic", "-Werror", "-c", path("main.c"), "-o", path("main.o")});
  compile({"g++", "-std=c++17", "-O1", "-Wall", "-Wextra", "-Werror", "-fno-exceptions", "-fno-rtti", path("net.cpp"),
           path("main.o"), "-I" + folder.path().string(), "-o", path("net")});

  Random random(seed);
  std::vector<std::uint8_t> inputs;
  constexpr int samples = 4;
  for (int i = 0; i < samples; ++i) {
    const RandomSample sample(program, random);
    inputs.insert(inputs.end(), sample.bytes.begin(), sample.bytes.end());
  }
  write_file(path("inputs"), inputs);
  ASSERT_EQ(run_process({path("net"), path("inputs"), path("outputs")}, "").exit_code, 0);

  const ProgramRunner runner(program, Core::generic);
  std::vector<std::int32_t> expected;
  const int times = pushed ? 2 : 1;  // that every sample is run
  for (int i = 0; i < samples; ++i) {
    std::vector<std::int32_t> one(static_cast<std::size_t>(runner.output_elements()));
    runner.run(std::span(inputs).subspan(static_cast<std::size_t>(i * runner.input_bytes()),
                                         static_cast<std::size_t>(runner.input_bytes())),
               1, one);
    for (int k = 0; k < times; ++k) expected.insert(expected.end(), one.begin(), one.end());
  }
  const std::vector<std::uint8_t> outputs = read_file(path("outputs"));
  const Buffer& output = program.buffers[static_cast<std::size_t>(program.output)];
  ASSERT_EQ(static_cast<std::int64_t>(outputs.size()), samples * times * output.bytes());
  const runtime::Image image = image_of(program, program.output);
  std::vector<std::int32_t> integers;
  for (std::int64_t i = 0; i < static_cast<std::int64_t>(expected.size()); ++i)
    integers.push_back(runtime::load_activation(outputs.data() + i / output.channels * image.pixel_stride,
                                                static_cast<std::int32_t>(i % output.channels), image.format));
  EXPECT_EQ(integers, expected);
}

class Sources : public testing::TestWithParam<Core> {};

TEST_P(Sources, ComputeWhatTheHostComputes) {
  std::uint64_t seed = 3;
  for (int programs = 0; programs < 3; ++seed) {
    const Program program = RandomProgram::make(seed);
    if (program.buffers[static_cast<std::size_t>(program.output)].parent.has_value()) continue;  // no network's is
    SCOPED_TRACE(seed);
    expect_same_outputs(program, GetParam(), seed);
    expect_same_outputs(program, GetParam(), seed, InputForm::pushed);
    ++programs;
  }
}

INSTANTIATE_TEST_SUITE_P(Emit, Sources, testing::Values(Core::generic, Core::cortex_m3, Core::cortex_m4),
                         [](const auto& test) {
                           return test.param == Core::generic     ? "generic"
                                  : test.param == Core::cortex_m3 ? "scalar"
                                                                  : "dsp";
                         });

/// Chooses among the points as a firmware does, and prints the point and whether it meets the bound.
std::string chosen_by_sources(const Program& program, const std::string& calls) {
  const TemporaryDirectory folder;
  const auto path = [&](const std::string& name) { return (folder.path() / name).string(); };
  write_sources(program, schedule(program, Core::generic), {"this machine", Core::generic, {}, {}}, "net",
                runtime_directory(), folder.path());
  write_file(path("main.c"),
             "#include <stdio.h>\n#include \"net.h\"\n#define CHOOSE(...) meets = 2, point = "
             "net_choose_operating_point(__VA_ARGS__, &meets), printf(\"%d%c\", point, meets ? '+' : "
             "'-')\nint main(void) {\n  int point, meets;\n" +
                 calls + "  return 0;\n}\n");
  compile({"gcc", "-std=c99", "-Wall", "-Wextra", "-Wpedantic", "-Werror", "-c", path("main.c"), "-o", path("main.o")});
  compile({"g++", "-std=c++17", "-O1", "-Wall", "-Wextra", "-Werror", path("net.cpp"), path("main.o"),
           "-I" + folder.path().string(), "-o", path("net")});
  return run_process({path("net")}, "").output;
}

/// Three points of falling energy, whose quality falls with it.
Program with_points(Measure measure, std::vector<double> quality) {
  Program program = RandomProgram::make(6);
  program.measure = measure;
  program.points.resize(3);
  for (std::size_t k = 0; k < 3; ++k) {
    program.points[k].energy_nj = 300 - 100 * static_cast<double>(k);
    program.points[k].quality = {quality[k]};
  }
  return program;
}

TEST(Source, PointsAreChosenByTheMeasureOfTheTask) {
  // the cheapest that is good enough, the best that can be paid, none
  EXPECT_EQ(chosen_by_sources(with_points(Measure::mse, {0.010, 0.0125, 0.5}),
                              "  CHOOSE(1000, 0.013F);\n  CHOOSE(1000, 0.6F);\n  CHOOSE(1000, 0.005F);\n"
                              "  CHOOSE(250, 0.011F);\n  CHOOSE(50, 1.0F);\n"),
            "1+2+0-1--1-");
  EXPECT_EQ(chosen_by_sources(with_points(Measure::auc, {0.95, 0.9, 0.8}),
                              "  CHOOSE(1000, 9000);\n  CHOOSE(1000, 9001);\n  CHOOSE(250, 9600);\n"),
            "1+0+1-");
  EXPECT_EQ(chosen_by_sources(with_points(Measure::mean_iou, {61.25, 60, 40}), "  CHOOSE(1000, 6000);\n"), "1+");
  constexpr double infinite = std::numeric_limits<double>::infinity();
  EXPECT_EQ(chosen_by_sources(with_points(Measure::sqnr_db, {infinite, 40, 20}),
                              "  CHOOSE(1000, 4000);\n  CHOOSE(1000, 9999);\n"),
            "1+0+");
}

/// Frames of two cameras whose rows take turns, each with an arena of its own; then a whole sample.
TEST(Source, RowsArePushedIntoSeveralArenas) {
  const Program program = pooled_program(4, 3, {8});
  const TemporaryDirectory folder;
  const auto path = [&](const std::string& name) { return (folder.path() / name).string(); };
  const Schedule plan = schedule(program, Core::cortex_m4, Optimize::speed, {.arena_bytes = 0}, InputForm::pushed);
  write_sources(program, plan, {"this machine", Core::cortex_m4, {}, {}}, "net", runtime_directory(), folder.path());
  write_file(path("main.c"), R"(#include <stdio.h>
#include <string.h>
#include "net.h"
static NET_ALIGNED uint8_t arenas[2][NET_ARENA_BYTES];
static char samples[2][NET_INPUT_BYTES];
int main(int count, char **names) {
  struct net_frame frames[2] = {{0, 0}, {0, 0}};
  FILE *in = fopen(names[1], "rb"), *out = fopen(names[2], "wb");
  int row, camera;
  if (count != 3 || in == NULL || out == NULL || fread(samples, sizeof samples, 1, in) != 1) return 1;
  for (row = 0; row < NET_INPUT_HEIGHT; ++row) {
    for (camera = 0; camera < 2; ++camera) {
      memcpy(net_next_row_in(arenas[camera], &frames[camera]), samples[camera] + row * NET_INPUT_ROW_BYTES,
             NET_INPUT_ROW_BYTES);
      if (net_push_row_in(arenas[camera], &frames[camera]) != NET_INPUT_HEIGHT - 1 - row) return 2;
    }
  }
  for (camera = 0; camera < 2; ++camera) fwrite(net_output_in(arenas[camera]), NET_OUTPUT_BYTES, 1, out);
  net_run_sample_in(arenas[0], (const void *)samples[1]);
  fwrite(net_output_in(arenas[0]), NET_OUTPUT_BYTES, 1, out);
  return fclose(in) + fclose(out);
}
)");
  compile({"gcc", "-std=c99", "-Wall", "-Wextra", "-Wpedantic", "-Werror", "-c", path("main.c"), "-o", path("main.o")});
  compile({"g++", "-std=c++17", "-O1", "-Wall", "-Wextra", "-Werror", "-DNET_CALLER_ARENA", path("net.cpp"),
           path("main.o"), "-I" + folder.path().string(), "-o", path("net")});
  Random random(5);
  std::vector<std::uint8_t> inputs;
  for (int i = 0; i < 2; ++i) {
    const RandomSample sample(program, random);
    inputs.insert(inputs.end(), sample.bytes.begin(), sample.bytes.end());
  }
  write_file(path("inputs"), inputs);
  ASSERT_EQ(run_process({path("net"), path("inputs"), path("outputs")}, "").exit_code, 0);
  const ProgramRunner runner(program, Core::generic);
  std::vector<std::int32_t> expected(static_cast<std::size_t>(2 * runner.output_elements()));
  runner.run(inputs, 2, expected);
  expected.insert(expected.end(), expected.begin() + runner.output_elements(), expected.end());
  const runtime::Image image = image_of(program, program.output);
  ASSERT_EQ(image.format.bits, 8);
  std::vector<std::int32_t> integers;
  for (const std::uint8_t byte : read_file(path("outputs"))) {
    integers.push_back(runtime::load_activation(&byte, 0, image.format));
  }
  EXPECT_EQ(integers, expected);
}

TEST(Source, NamesFromOutsideStayInTheirComments) {
  Program program = RandomProgram::make(6);
  program.name = "evil */ int x; /*\nint y;";
  program.steps[0].name = "a\nint z = ;\\";
  expect_same_outputs(program, Core::generic, 6);
}

/// Ecosystems give every library the include paths of all: the kernels of another network may come first there.
TEST(Source, KernelsOfAnotherVersionAreNotTaken) {
  const TemporaryDirectory folder;
  const Program program = RandomProgram::make(11);
  const BuildRecipe recipe{"this machine", Core::cortex_m4, {}, {}};
  for (const std::string name : {"other", "net"})
    write_sources(program, schedule(program, recipe.core), recipe, name, runtime_directory(), folder.path() / name);
  for (const auto& entry : std::filesystem::directory_iterator(folder.path() / "other" / "trimtab"))
    write_file(entry.path(), "#error \"another version\"\n");
  const auto path = [&](const std::string& name) { return (folder.path() / name).string(); };
  compile({"g++", "-std=c++17", "-fsyntax-only", "-I" + path("other"), "-I" + path("net"), path("net/net.cpp")});
}

TEST(Source, IdentifiersAreValid) {
  EXPECT_EQ(to_identifier("ResNet-8 v1.0"), "resnet_8_v1_0");
  EXPECT_EQ(to_identifier("8bit"), "net_8bit");
  EXPECT_EQ(to_identifier(""), "net");
  EXPECT_EQ(to_identifier("模型"), "net");
  EXPECT_EQ(to_identifier("模型 v2"), "v2");
  EXPECT_EQ(to_identifier("a__b--"), "a_b");
  EXPECT_EQ(to_identifier("test"), "net_test");
  EXPECT_EQ(to_identifier("string.onnx"), "string_onnx");
  EXPECT_EQ(to_identifier("String"), "net_string");
  EXPECT_EQ(to_identifier("classify"), "net_classify");
  EXPECT_EQ(to_identifier("main"), "net_main");
  EXPECT_EQ(to_identifier(std::string(50, 'x')), std::string(40, 'x'));
}

}  // namespace
}  // namespace trimtab
