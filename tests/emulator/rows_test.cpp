// Kernels that work by rows against the definition, in the emulator.

#include <gtest/gtest.h>

#include "program/row_kernels.h"
#include "support/naive_interpreter.h"
#include "support/rows_firmware.h"

namespace trimtab {
namespace {

void expect_definition(Optimize optimize, std::uint64_t first_seed, const std::vector<std::string>& definitions = {}) {
  std::vector<ConvolutionCase> made;
  std::vector<RowsCase> cases;
  for (std::uint64_t seed = first_seed; seed < first_seed + 21; ++seed) {
    const CaseNumbers numbers = seed % 5 == 0 ? CaseNumbers::ends : CaseNumbers::any;
    const ConvolutionCase one = random_3x3(seed, seed % 3 == 0, 2 + static_cast<int>(seed % 7), numbers);
    const Step& step = one.program.steps[0];
    const int rows = 1 + static_cast<int>(seed % 6);
    const Kernel usual = choose_kernel(step, Core::cortex_m4, optimize);
    made.push_back(one);
    cases.push_back({one.step(), usual, usual.scratch_bytes, rows, one.bytes()});
    for (const RowKernel& kernel : row_kernels(step, Core::cortex_m4)) {
      made.push_back(one);
      cases.push_back({one.step(), kernel.kernel, kernel.scratch_bytes(rows), rows, one.bytes()});
    }
  }
  const RowsRun run = run_rows(cases, load_target("stm32f412"), optimize, false, definitions);
  for (std::size_t i = 0; i < cases.size(); ++i) {
    EXPECT_EQ(made[i].integers(run.outputs[i]), NaiveInterpreter::run(made[i].program, made[i].input))
        << cases[i].kernel.name;
  }
}

TEST(Rows, MatchTheDefinition) { expect_definition(Optimize::speed, 0); }
TEST(Rows, MatchTheDefinitionInTheSizeSetting) { expect_definition(Optimize::size, 100); }
TEST(Rows, MatchTheDefinitionWithChainedLoads) { expect_definition(Optimize::speed, 200, {"TRIMTAB_CHAINED_LOADS=1"}); }

}  // namespace
}  // namespace trimtab
