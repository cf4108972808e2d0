#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>

#include "base/file.h"
#include "base/process.h"
#include "emit/interface_header.h"
#include "emit/source.h"
#include "program/execute.h"
#include "support/random_program.h"
#include "support/strict_warnings.h"
#include "target/share.h"

// NAME.h as a firmware includes it: its functions of values against the host's own and against double precision, and
// the warnings of compilers.
namespace trimtab {
namespace {

void run(const std::vector<std::string>& command) {
  const ProcessResult result = run_process(command, "install the packages gcc and clang");
  ASSERT_EQ(result.exit_code, 0) << command.front() << ": " << result.errors.substr(0, 3000);
}

/// Reads one sample of floats and one output, and writes the input and what the functions make of the output.
constexpr std::string_view caller = R"(#include <stdio.h>
#include "net.h"
static float values[NET_INPUTS], reals[NET_OUTPUTS];
static NET_ALIGNED uint8_t input[NET_INPUT_BYTES + 1], output[NET_OUTPUT_BYTES + 1];
static uint16_t probabilities[NET_OUTPUTS];
static int32_t integers[NET_OUTPUTS];
int main(int count, char **names) {
  int32_t best, i;
  FILE *in = fopen(names[1], "rb"), *out = fopen(names[2], "wb");
  const ELEMENT *answers = (const ELEMENT *)(void *)output;
  if (count != 3 || in == NULL || out == NULL) return 1;
  if (fread(values, sizeof values, 1, in) != 1 || fread(output, NET_OUTPUT_BYTES, 1, in) != 1) return 1;
  net_quantize(values, (INPUT *)(void *)input);
  best = net_argmax(answers);
  net_softmax(answers, probabilities);
  for (i = 0; i < NET_OUTPUTS; ++i) {
    integers[i] = net_output_at(answers, i);
    reals[i] = net_dequantize(integers[i]);
  }
  fwrite(input, NET_INPUT_BYTES, 1, out);
  fwrite(integers, sizeof integers, 1, out);
  fwrite(reals, sizeof reals, 1, out);
  fwrite(probabilities, sizeof probabilities, 1, out);
  fwrite(&best, sizeof best, 1, out);
  return fclose(in) + fclose(out);
}
)";

/// A program whose ends have these grids. Only its header is used.
Program program_between(const ActivationGrid& input_grid, const ActivationGrid& output_grid, bool preprocessed) {
  Program program = RandomProgram::make(3);
  Buffer& input = program.buffers[static_cast<std::size_t>(program.input)];
  input.height = 2;
  input.width = 3;
  input.channels = 5;
  input.grid = input_grid;
  Buffer& output = program.buffers[static_cast<std::size_t>(program.output)];
  output.height = output.width = 1;
  output.channels = 11;
  output.grid = output_grid;
  if (preprocessed) program.preprocessing = {{0.5F, -1.25F, 0, 3, 0.1F}, {2, 0.3F, 1, 0.7F, 1.1F}};
  return program;
}

class Bytes {
 public:
  explicit Bytes(std::vector<std::uint8_t> bytes) : bytes_(std::move(bytes)) {}
  template <typename Item>
  std::vector<Item> take(std::size_t count) {
    std::vector<Item> items(count);
    std::memcpy(items.data(), bytes_.data() + at_, count * sizeof(Item));
    at_ += count * sizeof(Item);
    return items;
  }
  [[nodiscard]] std::size_t left() const { return bytes_.size() - at_; }

 private:
  std::vector<std::uint8_t> bytes_;
  std::size_t at_ = 0;
};

void expect_host_values(const ActivationGrid& input_grid, const ActivationGrid& output_grid, bool preprocessed,
                        std::uint64_t seed) {
  const Program program = program_between(input_grid, output_grid, preprocessed);
  const Buffer& input = program.buffers[static_cast<std::size_t>(program.input)];
  const Buffer& output = program.buffers[static_cast<std::size_t>(program.output)];
  const TemporaryDirectory folder;
  const auto path = [&](const std::string& name) { return (folder.path() / name).string(); };
  write_file(path("net.h"), interface_header(program, {}, {}, "net", MeasuredRun{100}));
  write_file(path("main.c"), caller);
  std::string element = output_grid.bits == 16 ? "int16_t" : "int8_t";
  if (!output_grid.is_signed || output_grid.bits < 8) element.insert(0, "u");
  const std::string input_type = input_grid.bits == 16                          ? "int16_t"
                                 : input_grid.bits == 8 && input_grid.is_signed ? "int8_t"
                                                                                : "uint8_t";
  std::vector<std::string> command{
      "gcc", "-std=c99", "-O2", path("main.c"), "-o", path("main"), "-DELEMENT=" + element, "-DINPUT=" + input_type};
  command.insert(command.end(), test::strict_warnings.begin(), test::strict_warnings.end());
  run(command);

  Random random(seed);
  std::vector<float> values(static_cast<std::size_t>(input.elements()));
  const float reach = 1.3F * input_grid.scale * static_cast<float>(largest_magnitude(input_grid));
  for (float& value : values) value = static_cast<float>(random.uniform() * 2 - 1) * reach;
  values[0] = 2.5F * input_grid.scale;  // a tie
  std::vector<std::int32_t> integers(static_cast<std::size_t>(output.elements()));
  std::vector<std::uint8_t> bytes(values.size() * sizeof(float) + static_cast<std::size_t>(output.bytes()));
  std::memcpy(bytes.data(), values.data(), values.size() * sizeof(float));
  const runtime::ActivationFormat format{static_cast<std::uint8_t>(output_grid.bits), output_grid.is_signed};
  for (std::size_t i = 0; i < integers.size(); ++i) {
    const int range = output_grid.maximum() - output_grid.minimum() + 1;
    integers[i] = output_grid.minimum() + static_cast<int>(random.bits() % static_cast<std::uint64_t>(range));
    runtime::store_activation(bytes.data() + values.size() * sizeof(float), static_cast<std::int32_t>(i), integers[i],
                              format);
  }
  write_file(path("in"), bytes);
  run({path("main"), path("in"), path("out")});

  Bytes out(read_file(path("out")));
  const auto quantized = out.take<std::uint8_t>(static_cast<std::size_t>(input.bytes()));
  const runtime::ActivationFormat input_format{static_cast<std::uint8_t>(input_grid.bits), input_grid.is_signed};
  const std::int32_t stride = runtime::pixel_bytes(input.channels, input_grid.bits);
  for (std::size_t i = 0; i < values.size(); ++i) {
    const auto channel = static_cast<std::int32_t>(i % 5);
    const float real =
        (values[i] - program.preprocessing.mean_of(channel)) / program.preprocessing.deviation_of(channel);
    EXPECT_EQ(
        runtime::load_activation(quantized.data() + i / 5 * static_cast<std::size_t>(stride), channel, input_format),
        quantize(real, input_grid))
        << i;
  }
  EXPECT_EQ(out.take<std::int32_t>(integers.size()), integers);
  EXPECT_EQ(out.take<float>(integers.size()), dequantize(program, integers));
  const auto probabilities = out.take<std::uint16_t>(integers.size());
  double sum = 0;
  const std::int32_t largest = *std::ranges::max_element(integers);
  const auto exponential = [&](std::int32_t x) { return std::exp(double{output_grid.scale} * (x - largest)); };
  for (const std::int32_t x : integers) sum += exponential(x);
  for (std::size_t i = 0; i < integers.size(); ++i)
    EXPECT_NEAR(probabilities[i], 32768 * exponential(integers[i]) / sum, 1) << i;
  EXPECT_EQ(out.take<std::int32_t>(1).front(), std::ranges::max_element(integers) - integers.begin());
  EXPECT_EQ(out.left(), 0U);
}

TEST(ValueFunctions, GiveTheHostsNumbers) {
  std::uint64_t seed = 1;
  for (const bool preprocessed : {false, true}) {
    expect_host_values({0.037F, 8, true}, {0.0005F, 16, true}, preprocessed, seed++);
    expect_host_values({1, 8, false}, {0.1F, 8, true}, preprocessed, seed++);
    expect_host_values({0.3F, 4, true}, {0.4F, 4, false}, preprocessed, seed++);
    expect_host_values({0.9F, 2, false}, {1.7F, 2, true}, preprocessed, seed++);
    expect_host_values({0.037F, 8, true, -17}, {0.2F, 8, true, 100}, preprocessed, seed++);
    expect_host_values({0.3F, 4, true, 5}, {0.4F, 4, false, 9}, preprocessed, seed++);
    expect_host_values({0.0021F, 16, true}, {40'000, 8, false}, preprocessed, seed++);
  }
}

/// Two inputs and two outputs with scales of their own.
constexpr std::string_view joined_caller = R"(#include <stdio.h>
#include "net.h"
int main(void) {
  const float image[4] = {0.5f, -0.25f, 3.0f, 0.1f}, more[2] = {100.0f, -40.0f};
  int8_t input[NET_INPUTS], output[NET_OUTPUTS] = {3, 9, -7, 20, 5};
  uint16_t probabilities[NET_OUTPUT_BOXES_COUNT];
  int i;
  net_quantize_image(image, input);
  net_quantize_more_numbers(more, input);
  net_softmax_boxes(output, probabilities);
  for (i = 0; i < NET_INPUTS; ++i) printf("%d ", input[i]);
  printf("%d %d ", (int)net_argmax_scores(output), (int)net_argmax_boxes(output));
  printf("%.3f ", (double)net_dequantize_scores(net_output_at(output, 1)));
  printf("%.3f ", (double)net_dequantize_boxes(net_output_at(output, NET_OUTPUT_BOXES_FIRST)));
  printf("%d\n", probabilities[0] > probabilities[2]);
  return 0;
}
)";

TEST(ValueFunctions, OfSeveralInputsAndOutputs) {
  Program program = program_between({1, 8, true}, {1, 8, true}, false);
  Buffer& input = program.buffers[static_cast<std::size_t>(program.input)];
  input.height = input.width = 1;
  input.channels = 6;
  program.buffers[static_cast<std::size_t>(program.output)].channels = 5;
  program.input_parts = {{"image", {1, 2, 2}, {0.01F, 8, true}}, {"more numbers", {2}, {0.5F, 8, true, -20}}};
  program.output_parts = {{"scores", {2}, {0.125F, 8, true, 1}}, {"boxes", {3}, {4, 8, true}}};
  const TemporaryDirectory folder;
  const auto path = [&](const std::string& name) { return (folder.path() / name).string(); };
  write_file(path("net.h"), interface_header(program, {}, {}, "net", MeasuredRun{100}));
  write_file(path("main.c"), joined_caller);
  std::vector<std::string> command{"gcc", "-std=c99", "-O2", path("main.c"), "-o", path("main")};
  command.insert(command.end(), test::strict_warnings.begin(), test::strict_warnings.end());
  run(command);
  EXPECT_EQ(run_process({path("main")}, "").output, "50 -25 127 10 127 -100 1 1 1.000 -28.000 0\n");
}

/// Calls everything that the header has.
constexpr std::string_view user = R"(#include <string.h>
#include "net.h"
int classify(const float *values, uint16_t *probabilities);
int classify(const float *values, uint16_t *probabilities) {
  static const uint8_t sample[NET_INPUT_BYTES] = {0};
  memcpy(net_input(), sample, NET_INPUT_BYTES);
  net_run();
  net_quantize(values, net_input());
  net_run();
  net_softmax(net_output(), probabilities);
  return net_argmax(net_output()) + net_selftest() + (net_dequantize(1) > 0 ? 1 : 0) + (int)strlen(net_layer_name[0]);
}
)";

/// The same of a program that takes rows.
constexpr std::string_view row_user = R"(#include <string.h>
#include "net.h"
int classify(const float *values, uint16_t *probabilities);
int classify(const float *values, uint16_t *probabilities) {
  static const uint8_t sample[NET_INPUT_BYTES] = {0};
  do {
    memcpy(net_next_row(), sample, NET_INPUT_ROW_BYTES);
    net_quantize_row(values, net_next_row());
  } while (net_push_row() > 0);
  net_new_frame();
  net_run_sample((const void *)sample);
  net_softmax(net_output(), probabilities);
  return net_argmax(net_output()) + net_selftest() + (net_dequantize(1) > 0 ? 1 : 0) +
         NET_LAST_PUSH_INSTRUCTIONS + NET_LONGEST_PUSH_INSTRUCTIONS;
}
)";

class Interface : public testing::TestWithParam<InputForm> {};

TEST_P(Interface, CompilesWithoutWarnings) {
  const TemporaryDirectory folder;
  const auto path = [&](const std::string& name) { return (folder.path() / name).string(); };
  const Program program = RandomProgram::make(4);
  const Schedule plan = schedule(program, Core::generic, Optimize::speed, {}, GetParam());
  write_file(path("net.h"), interface_header(program, plan, {}, "net", MeasuredRun{100, {30, 20}}));
  std::string text(GetParam() == InputForm::pushed ? row_user : user);
  write_file(path("user.c"), text);
  // a pointer to anything becomes one to the input's numbers in C alone
  const std::size_t anything = text.find("(const void *)sample");
  if (anything != std::string::npos) text.insert(anything, "(decltype(net_next_row()))(void *)");
  write_file(path("user.cpp"), text);
  for (const std::string optimization : {"-O0", "-O1", "-O2", "-O3", "-Os", "-flto"}) {
    for (const std::vector<std::string>& compiler :
         {std::vector<std::string>{"gcc", "-std=c99", path("user.c")},
          {"clang", "-std=c99", path("user.c")},
          {"g++", "-std=c++11", path("user.cpp")},
          {"clang++", "-std=c++20", path("user.cpp")},
          {"arm-none-eabi-gcc", "-std=c99", "-mcpu=cortex-m4", "-mthumb", path("user.c")}}) {
      std::vector<std::string> command = compiler;
      command.insert(command.end(), test::strict_warnings.begin(), test::strict_warnings.end());
      command.insert(command.end(), {optimization, "-c", "-o", path("user.o")});
      SCOPED_TRACE(compiler.front() + " " + optimization);
      run(command);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Forms, Interface, testing::Values(InputForm::whole, InputForm::pushed),
                         [](const auto& test) { return name_of(test.param); });

/// Two instances and a network of another kind in one arena, whose runs alternate.
constexpr std::string_view instances = R"(#include <stdio.h>
#include <string.h>
#include "a.h"
#include "b.h"
static A_ALIGNED uint8_t one[A_ARENA_BYTES], two[A_ARENA_BYTES > B_ARENA_BYTES ? A_ARENA_BYTES : B_ARENA_BYTES];
static uint8_t samples[2 * A_INPUT_BYTES + B_INPUT_BYTES];
int main(int count, char **names) {
  FILE *in = fopen(names[1], "rb"), *out = fopen(names[2], "wb");
  if (count != 3 || in == NULL || out == NULL || fread(samples, sizeof samples, 1, in) != 1) return 1;
  memcpy(a_input_in(one), samples, A_INPUT_BYTES);
  memcpy(a_input_in(two), samples + A_INPUT_BYTES, A_INPUT_BYTES);
  a_run_in(two);
  a_run_in(one);
  fwrite(a_output_in(one), A_OUTPUT_BYTES, 1, out);
  fwrite(a_output_in(two), A_OUTPUT_BYTES, 1, out);
  memcpy(b_input_in(two), samples + 2 * A_INPUT_BYTES, B_INPUT_BYTES);
  b_run_in(two);
  fwrite(b_output_in(two), B_OUTPUT_BYTES, 1, out);
  return fclose(in) + fclose(out);
}
)";

std::vector<std::int32_t> host_answers(const Program& program, const std::vector<std::uint8_t>& inputs,
                                       std::int64_t samples) {
  const ProgramRunner runner(program, Core::generic);
  std::vector<std::int32_t> outputs(static_cast<std::size_t>(runner.output_elements() * samples));
  runner.run(inputs, samples, outputs);
  return outputs;
}

TEST(CallerArena, ServesSeveralInstancesAndNetworks) {
  const TemporaryDirectory folder;
  const auto path = [&](const std::string& name) { return (folder.path() / name).string(); };
  const std::vector<Program> programs{RandomProgram::make(11), RandomProgram::make(14)};
  const BuildRecipe recipe{"this machine", Core::generic, {}, {}};
  Random random(3);
  std::vector<std::uint8_t> samples;
  std::vector<std::int32_t> expected;
  std::vector<std::string> build{"g++",
                                 "-std=c++17",
                                 "-DA_CALLER_ARENA",
                                 "-DB_CALLER_ARENA",
                                 "-DA_WEIGHTS_SECTION=\"weights_of_a\"",
                                 path("main.cpp"),
                                 "-I" + folder.path().string(),
                                 "-o",
                                 path("main")};
  for (std::size_t p = 0; p < 2; ++p) {
    const std::string name = p == 0 ? "a" : "b";
    write_sources(programs[p], schedule(programs[p], Core::generic), recipe, name, runtime_directory(), folder.path());
    build.push_back(path(name + ".cpp"));
    std::vector<std::uint8_t> own;
    for (std::size_t i = 0; i < 2 - p; ++i) {
      const RandomSample sample(programs[p], random);
      own.insert(own.end(), sample.bytes.begin(), sample.bytes.end());
    }
    const std::vector<std::int32_t> answers = host_answers(programs[p], own, static_cast<std::int64_t>(2 - p));
    expected.insert(expected.end(), answers.begin(), answers.end());
    samples.insert(samples.end(), own.begin(), own.end());
  }
  write_file(path("main.cpp"), instances);
  write_file(path("in"), samples);
  run(build);
  run({path("main"), path("in"), path("out")});
  const std::vector<std::uint8_t> bytes = read_file(path("out"));
  std::vector<std::int32_t> answers;
  const std::uint8_t* at = bytes.data();
  for (const std::size_t p : {0, 0, 1}) {
    const Buffer& output = programs[p].buffers[static_cast<std::size_t>(programs[p].output)];
    const runtime::Image image = image_of(programs[p], programs[p].output);
    for (std::int64_t i = 0; i < output.elements(); ++i)
      answers.push_back(runtime::load_activation(at + i / output.channels * image.pixel_stride,
                                                 static_cast<std::int32_t>(i % output.channels), image.format));
    at += output.bytes();
  }
  EXPECT_EQ(at, bytes.data() + bytes.size());
  EXPECT_EQ(answers, expected);
  const ProcessResult sections = run_process({"readelf", "-SW", path("main")}, "install the package binutils");
  EXPECT_NE(sections.output.find("weights_of_a"), std::string::npos);
}

}  // namespace
}  // namespace trimtab
