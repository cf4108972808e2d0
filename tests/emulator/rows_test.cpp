// Kernels that work by rows against the definition, in the emulator.

#include <gtest/gtest.h>

#include "program/row_kernels.h"
#include "support/naive_interpreter.h"
#include "support/rows_firmware.h"

namespace trimtab {
namespace {

void expect_definition(Optimize optimize, std::uint64_t first_seed) {
  std::vector<ConvolutionCase> made;
  std::vector<RowsCase> cases;
  std::vector<std::string> names;
  for (std::uint64_t seed = first_seed; seed < first_seed + 14; ++seed) {
    const CaseNumbers numbers = seed % 3 == 0 ? CaseNumbers::ends : CaseNumbers::any;
    const ConvolutionCase one = random_3x3(seed, 2 + static_cast<int>(seed % 7), numbers);
    for (const RowKernel& kernel : row_kernels(one.program.steps[0], Core::cortex_m4)) {
      const int rows = 1 + static_cast<int>(seed % 6);
      made.push_back(one);
      cases.push_back(
          {one.step(), kernel.kernel.name, kernel.kernel.header, kernel.scratch_bytes(rows), rows, one.bytes()});
      names.push_back(kernel.kernel.name);
    }
  }
  const RowsRun run = run_rows(cases, load_target("stm32f412"), optimize, false);
  for (std::size_t i = 0; i < cases.size(); ++i) {
    EXPECT_EQ(made[i].integers(run.outputs[i]), NaiveInterpreter::run(made[i].program, made[i].input)) << names[i];
  }
}

TEST(Rows, MatchTheDefinition) { expect_definition(Optimize::speed, 0); }
TEST(Rows, MatchTheDefinitionInTheSizeSetting) { expect_definition(Optimize::size, 100); }

}  // namespace
}  // namespace trimtab
