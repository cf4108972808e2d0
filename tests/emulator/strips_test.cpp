// Programs that are made strip by strip, on emulated cores, against the definition.

#include <gtest/gtest.h>

#include <algorithm>

#include "base/file.h"
#include "emit/deploy.h"
#include "emit/firmware.h"
#include "emit/recipe.h"
#include "support/naive_interpreter.h"
#include "support/pooled_program.h"
#include "support/random_program.h"

namespace trimtab {
namespace {

class EmulatedStrips : public testing::TestWithParam<const char*> {};

TEST_P(EmulatedStrips, ChainsOfRandomShapes) {
  const Target target = with_memory_of_board(load_target(GetParam()));
  int programs = 0;
  for (std::uint64_t seed = 1; programs < 3; ++seed) {
    ASSERT_LT(seed, 200U);
    SCOPED_TRACE(seed);
    const Program program = seed % 2 == 0 ? pooled_program(seed, 3) : pooled_program(seed, 3, {8});
    const Schedule plan =
        schedule(program, core_of(target), seed % 3 == 0 ? Optimize::size : Optimize::speed, {.arena_bytes = 0});
    if (has_whole_maps(plan, program)) continue;
    ++programs;
    std::vector<std::uint8_t> inputs;
    std::vector<std::int32_t> expected;
    Random random(seed);
    for (int i = 0; i < 2; ++i) {
      const RandomSample sample(program, random);
      inputs.insert(inputs.end(), sample.bytes.begin(), sample.bytes.end());
      const std::vector<std::int64_t> outputs = NaiveInterpreter::run(program, sample.integers);
      std::transform(outputs.begin(), outputs.end(), std::back_inserter(expected),
                     [](std::int64_t value) { return static_cast<std::int32_t>(value); });
    }
    const TemporaryDirectory folder;
    const Deployment deployment = deploy(program, plan, target, "net", inputs, expected, folder.path());
    EXPECT_EQ(deployment.mismatches, 0);
  }
}

INSTANTIATE_TEST_SUITE_P(Cores, EmulatedStrips, testing::Values("rp2040", "cortex-m3", "stm32f412", "cortex-m55"),
                         [](const auto& instance) {
                           std::string name = instance.param;
                           std::replace(name.begin(), name.end(), '-', '_');
                           return name;
                         });

}  // namespace
}  // namespace trimtab
