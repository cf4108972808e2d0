// Kernels that work by rows against the definition, in the emulator.

#include <gtest/gtest.h>

#include "emit/explain.h"
#include "emit/recipe.h"
#include "program/kernel_cost.h"
#include "program/row_kernels.h"
#include "program/strip_cost.h"
#include "program/whole_maps.h"
#include "support/naive_interpreter.h"
#include "support/rows_firmware.h"
#include "support/test_name.h"

namespace trimtab {
namespace {

void expect_definition(const char* name, Optimize optimize, std::uint64_t first_seed,
                       const std::vector<std::string>& definitions = {}) {
  const Target target = load_target(name);
  const Core core = core_of(target);
  std::vector<ConvolutionCase> made;
  std::vector<RowsCase> cases;
  for (std::uint64_t seed = first_seed; seed < first_seed + 30; ++seed) {
    const CaseNumbers numbers = seed % 5 == 0 ? CaseNumbers::ends : CaseNumbers::any;
    const WeightCode code = seed % 3 == 1 ? WeightCode::nested : WeightCode::integer;
    const int weight_bits = 2 + static_cast<int>(seed % 7);
    const ConvolutionCase one = seed % 2 == 1 && seed % 3 != 0
                                    ? random_square(5, seed, false, weight_bits, numbers, code)
                                    : random_square(3, seed, seed % 3 == 0, weight_bits, numbers, code);
    const Step& step = one.program.steps[0];
    const int rows = 1 + static_cast<int>(seed % 6);
    const Kernel usual = choose_kernel(step, core, optimize);
    if (!usual.whole_maps) {
      made.push_back(one);
      cases.push_back({one.step(), usual, usual.scratch_bytes, rows, one.bytes()});
    }
    for (const RowKernel& kernel : row_kernels(step, core)) {
      made.push_back(one);
      cases.push_back({one.step(), kernel.kernel, kernel.scratch_bytes(rows), rows, one.bytes()});
    }
  }
  const RowsRun run = run_rows(cases, target, optimize, false, definitions);
  for (std::size_t i = 0; i < cases.size(); ++i) {
    EXPECT_EQ(made[i].integers(run.outputs[i]), NaiveInterpreter::run(made[i].program, made[i].input))
        << cases[i].kernel.name;
  }
}

class Rows : public testing::TestWithParam<const char*> {};

TEST_P(Rows, MatchTheDefinition) { expect_definition(GetParam(), Optimize::speed, 0); }
TEST_P(Rows, MatchTheDefinitionInTheSizeSetting) { expect_definition(GetParam(), Optimize::size, 100); }

INSTANTIATE_TEST_SUITE_P(Cores, Rows, testing::Values("rp2040", "cortex-m3", "stm32f412", "esp32c3"), test::by_name);

TEST(RowsOfTheCortexM4, MatchTheDefinitionWithChainedLoads) {
  expect_definition("stm32f412", Optimize::speed, 200, {"TRIMTAB_CHAINED_LOADS=1"});
}

/// Of cores whose costs were fitted.
class RowCosts : public Rows {};

TEST_P(RowCosts, AreWhatIsEstimated) {
  const Target target = load_target(GetParam());
  const Core core = core_of(target);
  struct Shape {
    int height, width, channels, filters, stride, bits, rows;
    bool depthwise;
    WeightCode code = WeightCode::integer;
    int kernel = 3;
  };
  std::vector<Step> steps;
  std::vector<RowsCase> cases;
  for (const Shape& s : {Shape{16, 16, 32, 24, 1, 8, 4, false},
                         {9, 13, 20, 10, 1, 8, 9, false},
                         {8, 8, 48, 16, 1, 4, 8, false},
                         {12, 20, 12, 16, 1, 3, 2, false},
                         {17, 15, 16, 12, 2, 8, 3, false},
                         {16, 16, 3, 16, 1, 8, 8, false},
                         {12, 12, 64, 64, 1, 8, 4, true},
                         {11, 13, 24, 24, 2, 8, 6, true},
                         {6, 6, 96, 96, 1, 4, 1, true},
                         {16, 16, 24, 16, 1, 8, 8, false, WeightCode::nested},
                         {10, 12, 40, 24, 1, 5, 4, false, WeightCode::nested},
                         {12, 12, 32, 48, 1, 8, 3, false, WeightCode::integer, 1},
                         {16, 16, 32, 16, 1, 8, 4, false, WeightCode::integer, 5},
                         {8, 20, 12, 24, 1, 3, 8, false, WeightCode::integer, 5},
                         {16, 12, 3, 32, 1, 8, 8, false, WeightCode::integer, 5},
                         {12, 16, 16, 16, 1, 6, 4, false, WeightCode::nested, 5}}) {
    ProgramBuilder b(1, s.code == WeightCode::nested ? 2 : 1);
    b.program.input = b.add_buffer(s.height, s.width, s.channels, {1, 8, false});
    ConvolutionShape shape = square(s.filters, s.kernel, s.stride, s.height, s.depthwise ? s.channels : 1);
    b.convolution(b.program.input, shape, {1, 8, false}, s.bits);
    Step step = program_at(b.finish(-1), 0).steps[0];
    auto& convolution = std::get<ConvolutionStep>(step.operation);
    convolution.convolution.weight_bits = static_cast<std::uint8_t>(s.bits);
    convolution.convolution.shift = 0;
    convolution.convolution.output_minimum = 0;
    convolution.convolution.output_maximum = 255;
    std::vector<std::uint8_t> input(static_cast<std::size_t>(s.height * s.width * s.channels));
    for (std::uint8_t& byte : input) byte = static_cast<std::uint8_t>(b.random.bits());
    const Kernel usual = choose_kernel(step, core, Optimize::speed, 1 << 20, s.rows);
    // columns of 27 numbers, whose runs have 9, are estimated too high on the Cortex-M4, by a fifth
    const bool odd_runs = core == Core::cortex_m4 && s.kernel == 3 && s.channels % 4 != 0;
    if (!usual.whole_maps && !odd_runs) {
      steps.push_back(step);
      cases.push_back({convolution, usual, usual.scratch_bytes, s.rows, input});
    }
    for (const RowKernel& kernel : row_kernels(step, core)) {
      steps.push_back(step);
      cases.push_back({convolution, kernel.kernel, kernel.scratch_bytes(s.rows), s.rows, input});
    }
  }
  const RowsRun run = run_rows(cases, target, Optimize::speed, true);
  for (std::size_t i = 0; i < cases.size(); ++i) {
    const RowsCase& one = cases[i];
    StripCost estimated;
    const int height = one.step.convolution.output.height;
    for (int first = 0; first < height; first += one.rows) {
      const auto cost = cost_of_strip(steps[i], one.kernel, core, first, std::min(one.rows, height - first));
      ASSERT_TRUE(cost.has_value()) << one.kernel.name;
      estimated.instructions += cost->instructions;
      estimated.cycles += cost->cycles;
    }
    const auto instructions = static_cast<double>(count_instructions(run.blocks[i]));
    const double cycles = estimate_cycles(run.blocks[i], target)->without_waits;
    // single layers are off by more than the mean error that the header states, columns of the Cortex-M4 by 7 % where
    // channels are no multiple of four
    const bool columns = one.kernel.header == "convolution_4x2_dsp.h";
    const double most = columns && one.step.convolution.input.channels % 4 != 0 ? 0.07 : 0.045;
    EXPECT_NEAR(estimated.instructions / instructions, 1, most) << i << " " << one.kernel.name;
    EXPECT_NEAR(estimated.cycles / cycles, 1, most) << i << " " << one.kernel.name;
  }
}

INSTANTIATE_TEST_SUITE_P(Cores, RowCosts, testing::Values("rp2040", "cortex-m3", "stm32f412"), test::by_name);

/// Depthwise layers as whole maps: what strips are held against. Widths that are no multiple of four among them.
TEST(WholeMaps, CostWhatIsEstimated) {
  ProgramBuilder b(1);
  b.program.input = b.add_buffer(48, 48, 8, {1, 8, false});
  BufferId value = b.program.input;
  for (const auto& [channels, stride] : {std::pair{8, 1}, {16, 2}, {32, 1}, {32, 2}, {64, 1}, {60, 2}, {107, 1}}) {
    const int size = b.buffer(value).height;
    if (b.buffer(value).channels != channels)
      value = b.convolution(value, square(channels, 1, 1, size), {1, 8, false}, 8);
    value = b.convolution(value, square(channels, 3, stride, size, channels), {1, 8, false}, 8);
  }
  Program program = b.finish(value);
  for (Step& step : program.steps) {
    runtime::Convolution& convolution = std::get<ConvolutionStep>(step.operation).convolution;
    convolution.shift = 0;
    convolution.output_minimum = 0;
    convolution.output_maximum = 255;
  }
  const Schedule plan = schedule_whole_maps(program, Core::cortex_m4, Optimize::speed);
  const std::vector<StepCost> costs = measure_steps(program, plan, load_target("stm32f412"));
  double estimated = 0;
  double measured = 0;
  for (std::size_t s = 0; s < program.steps.size(); ++s) {
    if (plan.kernels[s].header != "depthwise_1x4_dsp.h") continue;
    const double estimate = whole_map_cost(program.steps[s], plan.kernels[s], Core::cortex_m4);
    const auto instructions = static_cast<double>(costs[s].instructions);
    EXPECT_NEAR(estimate / instructions, 1, 0.1) << s << " " << plan.kernels[s].name;
    estimated += estimate;
    measured += instructions;
  }
  EXPECT_GT(measured, 1e6);
  EXPECT_NEAR(estimated / measured, 1, 0.05);
}

}  // namespace
}  // namespace trimtab
