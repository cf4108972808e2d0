#include "program/program_file.h"

#include <gtest/gtest.h>

#include <cmath>
#include <functional>

#include "base/error.h"
#include "base/file.h"
#include "program/check.h"
#include "program/execute.h"
#include "support/random_program.h"

namespace trimtab {
namespace {

Program complete_program(std::uint64_t seed) {
  Program program = RandomProgram::make(seed, seed % 3 == 0 ? 3 : 1);
  program.name = "tree";
  program.classes = {"oak", "beech"};
  program.points.front().plan.layers = {{"conv1", 16, 4, 8}, {"fc", 0, 2, 16}};
  const auto channels = static_cast<std::size_t>(program.buffers[static_cast<std::size_t>(program.input)].channels);
  program.preprocessing.mean.assign(channels, 0.5F);
  program.preprocessing.deviation.assign(channels, 0.25F);
  return program;
}

std::vector<std::int32_t> run_once(const Program& program) {
  const ProgramRunner runner(program, Core::generic);
  Random random(3);
  const RandomSample sample(program, random);
  std::vector<std::int32_t> outputs(static_cast<std::size_t>(runner.output_elements()));
  runner.run(sample.bytes, 1, outputs);
  return outputs;
}

TEST(ProgramFile, RoundTripGivesTheSameProgram) {
  const TemporaryDirectory folder;
  const std::filesystem::path path = folder.path() / "program.bin";
  for (std::uint64_t seed = 0; seed < 60; ++seed) {
    SCOPED_TRACE(seed);
    const Program program = complete_program(seed);
    save_program(program, path);
    const Program read = load_program(path);
    EXPECT_EQ(encode_program(read), encode_program(program));
    EXPECT_EQ(run_once(read), run_once(program));
    EXPECT_EQ(read.name, program.name);
    EXPECT_EQ(read.classes, program.classes);
    EXPECT_EQ(read.points.front().plan, program.points.front().plan);
    EXPECT_EQ(read.preprocessing.mean, program.preprocessing.mean);
    EXPECT_EQ(read.preprocessing.deviation, program.preprocessing.deviation);
    EXPECT_EQ(read.buffers.back().grid, program.buffers.back().grid);
  }
}

TEST(ProgramFile, EveryTruncationIsRefused) {
  const std::vector<std::uint8_t> bytes = encode_program(complete_program(1));
  const std::size_t step = bytes.size() / 2000 + 1;
  for (std::size_t length = 0; length < bytes.size(); length += step) {
    EXPECT_THROW((void)decode_program(std::span(bytes).first(length), "a file"), Error) << length;
  }
}

TEST(ProgramFile, DamagedBytesAreRefusedOrGiveAProgramThatRuns) {
  Random random(4);
  int refused = 0;
  for (std::uint64_t seed = 0; seed < 300; ++seed) {
    SCOPED_TRACE(seed);
    std::vector<std::uint8_t> bytes = encode_program(RandomProgram::make(seed % 20));
    for (int i = 0; i < 3; ++i) {
      bytes[static_cast<std::size_t>(random.integer(0, std::ssize(bytes) - 1))] =
          static_cast<std::uint8_t>(random.bits());
    }
    try {
      const Program program = decode_program(bytes, "a file");
      EXPECT_NO_THROW((void)encode_program(program));
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ExitCode::bad_input);
      ++refused;
    }
  }
  EXPECT_GT(refused, 0);
}

TEST(ProgramFile, OtherFilesAreRefused) {
  const TemporaryDirectory folder;
  const std::filesystem::path path = folder.path() / "program.bin";
  write_file(path, std::string_view("neither this"));
  EXPECT_THROW((void)load_program(path), Error);
  EXPECT_THROW((void)load_program(folder.path() / "missing"), Error);
  save_program(complete_program(2), path);
  std::vector<std::uint8_t> bytes = read_file(path);
  for (const std::size_t position : {std::size_t{0}, std::size_t{8}, std::size_t{12}, bytes.size() - 1}) {
    std::vector<std::uint8_t> damaged = bytes;
    damaged[position] ^= 1;
    write_file(path, damaged);
    EXPECT_THROW((void)load_program(path), Error) << position;
  }
}

TEST(Check, RandomProgramsAreValid) {
  for (std::uint64_t seed = 0; seed < 300; ++seed) {
    EXPECT_NO_THROW(check_program(RandomProgram::make(seed), "it")) << seed;
  }
}

TEST(Check, RefusesWhatKernelsCannotBear) {
  ProgramBuilder b(1);
  b.program.input = b.add_buffer(8, 8, 4, {1, 8, false});
  BufferId x = b.convolution(b.program.input, square(6, 3, 1, 8), {1, 8, true}, 4, true);
  x = b.average_pool(x, 2, 2, 2, 0, false, {1, 8, true});
  x = b.lookup(x, {1, 8, false});
  x = b.addition(x, b.global_average_pool(x, {1, 8, true}), {1, 8, true});
  const Program good = b.finish(x);
  check_program(good, "it");

  const auto convolution = [](Program& p) -> ConvolutionStep& { return std::get<0>(p.steps[0].operation); };
  const auto lies_in_a_wider_value = [](Program& p, BufferId id) {
    Buffer wider = p.buffers[static_cast<std::size_t>(id)];
    wider.channels += 8;
    p.buffers[static_cast<std::size_t>(id)].parent = static_cast<BufferId>(p.buffers.size());
    p.buffers.push_back(wider);
  };
  const std::vector<std::function<void(Program&)>> faults = {
      [&](Program& p) { lies_in_a_wider_value(p, p.input); },
      [&](Program& p) { lies_in_a_wider_value(p, p.output); },
      [](Program& p) { p.input = 99; },
      [](Program& p) { p.output = -1; },
      [](Program& p) { p.output = static_cast<BufferId>(p.buffers.size()); },
      [](Program& p) { p.buffers[1].grid.bits = 5; },
      [](Program& p) { p.buffers[1].grid.scale = NAN; },
      [](Program& p) { p.buffers[1].height = 40000; },
      [](Program& p) { p.buffers[1].parent = 1; },
      [](Program& p) { p.buffers[1].parent = 77; },
      [](Program& p) { p.steps[0].inputs.clear(); },
      [](Program& p) { p.steps[0].inputs[0] = 2; },
      [](Program& p) { p.steps[1].output = p.steps[0].output; },
      [](Program& p) { p.steps[0].output = p.input; },
      [](Program& p) { p.steps.pop_back(); },
      [&](Program& p) { convolution(p).weights.pop_back(); },
      [&](Program& p) { convolution(p).weights[0] = 8; },
      [&](Program& p) { convolution(p).bias.push_back(0); },
      [&](Program& p) { convolution(p).bias[0] = INT32_MIN; },
      [&](Program& p) { convolution(p).multiplier.clear(); },
      [&](Program& p) { convolution(p).padding_value.pop_back(); },
      [&](Program& p) { convolution(p).convolution.groups = 0; },
      [&](Program& p) { convolution(p).convolution.groups = 3; },
      [&](Program& p) { convolution(p).convolution.weight_bits = 9; },
      [&](Program& p) { convolution(p).convolution.shift = 31; },
      [&](Program& p) { convolution(p).convolution.sum_shift = 1; },
      [&](Program& p) { convolution(p).convolution.output_maximum = 128; },
      [&](Program& p) { convolution(p).convolution.output_zero = 128; },
      [&](Program& p) {
        convolution(p).weight_code = WeightCode::nested;
        convolution(p).convolution.output_zero = 1;
      },
      [&](Program& p) { convolution(p).convolution.window.stride_rows = 0; },
      [&](Program& p) { convolution(p).convolution.window.pad_left = -1; },
      [&](Program& p) { convolution(p).convolution.window.dilation_rows = 32767; },
      [&](Program& p) { convolution(p).convolution.input.channels = 5; },
      [](Program& p) { std::get<AveragePoolStep>(p.steps[1].operation).multiplier.pop_back(); },
      [](Program& p) { std::get<LookupStep>(p.steps[2].operation).table.pop_back(); },
      [](Program& p) { std::get<LookupStep>(p.steps[2].operation).table[0] = 256; },
      [](Program& p) { std::get<AdditionStep>(p.steps[4].operation).addition.shift = 0; },
      [](Program& p) { std::get<AdditionStep>(p.steps[4].operation).addition.multiplier_a = INT32_MAX; },
      [](Program& p) { p.preprocessing.deviation.assign(4, 0.0F); },
      [](Program& p) { p.preprocessing.mean = {1}; },
      [](Program& p) {
        p.points[0].plan.layers = {{"conv", 1, 99, 8}};
      },
      [](Program& p) { p.points.clear(); },
      [](Program& p) { p.points[0].energy_nj = -1; },
      [](Program& p) { p.points[0].quality = {50}; },
      [](Program& p) {
        p.measure = Measure::mse;
        p.points[0].quality = {0.5, 0.5};
      },
      [](Program& p) {
        p.measure = Measure::top1;
        p.points[0].quality = {101};
      },
      [](Program& p) {
        p.measure = Measure::mse;
        p.points[0].quality = {std::nan("")};
      },
      [](Program& p) {
        p.levels = {{"all", {"one"}, {0}}};
      },
      [&](Program& p) { p.steps[0].points.resize(1); },
      [&](Program& p) { convolution(p).weight_code = static_cast<WeightCode>(2); },
  };
  for (std::size_t i = 0; i < faults.size(); ++i) {
    Program bad = good;
    faults[i](bad);
    EXPECT_THROW(check_program(bad, "it"), Error) << i;
  }
}

}  // namespace
}  // namespace trimtab
