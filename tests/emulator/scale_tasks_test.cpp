// Operating points of networks whose answers are no classes of one sample: the measure of the numbers that the emulated
// core computes, by its definition, against the one that was reported.

#include <gtest/gtest.h>

#include "base/file.h"
#include "emit/emulator.h"
#include "program/evaluate.h"
#include "scale/scale.h"
#include "support/task_networks.h"

namespace trimtab {
namespace {

using test::TaskNetwork;

/// Points of the frontier give the host's numbers and trade RAM for time; one of them has the smallest arena.
void expect_frontier(const ScaleResult& result) {
  ASSERT_FALSE(result.frontier.empty());
  const std::int64_t smallest =
      schedule(result.program, Core::cortex_m4, Optimize::speed, {.arena_bytes = 0}).arena_bytes;
  EXPECT_EQ(result.frontier.front().deployment.arena_bytes, smallest);
  const Target target = load_target("stm32f412");
  for (std::size_t i = 0; i < result.frontier.size(); ++i) {
    const Deployment& one = result.frontier[i].deployment;
    EXPECT_EQ(one.mismatches, 0);
    EXPECT_EQ(one.samples, 1);
    if (i == 0) continue;
    const Deployment& smaller = result.frontier[i - 1].deployment;
    EXPECT_GT(one.ram_bytes(), smaller.ram_bytes());
    EXPECT_LE(latency_of(target, one).held_ms(), latency_of(target, smaller).held_ms());
  }
}

class ScaledTask : public testing::TestWithParam<TaskKind> {};

TEST_P(ScaledTask, HasTheReportedMeasureOnTheDevice) {
  const TaskKind kind = GetParam();
  const TaskNetwork network(kind);
  const Dataset data = network.samples(24, 3);
  ScaleOptions options;
  options.table = load_energy_table("bitblade");
  options.task.kind = kind;
  options.points_per_level = 3;
  options.search.most_lost = 60;
  options.threads = options.calibration.threads = 1;
  options.target = load_target("stm32f412");
  options.bounds = {options.target->flash_bytes.value, options.target->ram_bytes.value, 0, 0};
  options.device_name = "net";
  options.frontier = true;
  const TemporaryDirectory folder;
  const ScaleResult result =
      scale(network.graph(), {}, {}, data, data, network.preprocessing(), options, folder.path());
  ASSERT_TRUE(result.deployment.has_value());
  EXPECT_EQ(result.deployment->mismatches, 0);
  expect_frontier(result);

  const Buffer& input = result.program.buffers[static_cast<std::size_t>(result.program.input)];
  const Buffer& output = result.program.buffers[static_cast<std::size_t>(result.program.output)];
  const std::size_t points = result.points.size();
  ASSERT_GE(points, 2U);
  const EmulatorRun run =
      run_firmware(folder.path() / "firmware.elf", *options.target, convert_samples(result.program, data),
                   input.bytes(), output.bytes(), static_cast<std::int64_t>(points));
  const runtime::Image layout = image_of(result.program, result.program.output);
  for (std::size_t k = 0; k < points; ++k) {
    std::vector<float> outputs;  // channels first
    for (std::size_t i = 0; i < static_cast<std::size_t>(data.size()); ++i) {
      const std::uint8_t* const own = run.outputs.data() + static_cast<std::int64_t>(i * points + k) * output.bytes();
      for (std::int32_t c = 0; c < output.channels; ++c) {
        for (std::int64_t p = 0; p < std::int64_t{output.height} * output.width; ++p)
          outputs.push_back(output.grid.scale * static_cast<float>(runtime::load_activation(
                                                    own + p * layout.pixel_stride, c, layout.format)));
      }
    }
    const double measured = test::naive_measure(kind, preprocess_features(data, network.preprocessing()), outputs);
    EXPECT_NEAR(result.points[k].measured[0].test.score.at(point_measure(result.task)), measured, 1e-5 * measured) << k;
  }
}

INSTANTIATE_TEST_SUITE_P(Tasks, ScaledTask, testing::ValuesIn(test::tasks_without_levels),
                         [](const auto& instance) { return name_of(instance.param); });

}  // namespace
}  // namespace trimtab
