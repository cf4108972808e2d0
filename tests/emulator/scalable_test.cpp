// A scalable program on an emulated core at all its operating points, against the same points on the host: every number
// of every output, switching between them without building anew.

#include <gtest/gtest.h>

#include <string>

#include "base/file.h"
#include "emit/scalable_deploy.h"
#include "graph/networks.h"
#include "learn/nested_grid.h"
#include "learn/nested_simulation.h"
#include "plan/layers.h"
#include "support/noise.h"
#include "target/target.h"

namespace trimtab {
namespace {

class Scaled : public testing::TestWithParam<std::string> {};

TEST_P(Scaled, GivesTheBitsOfTheHostAtEveryPoint) {
  const Shape input{3, 16, 16};
  const Graph prepared = prepare_for_deployment(make_network(GetParam(), input, 10, 9), {});
  const Dataset data = noise(input, 4);
  const NestedNetwork network = make_nested(prepared, data, {});
  NestedSimulation simulation(network, data, true, 1);
  const std::vector<Layer> layers = fuse_layers(network.graph);
  const std::vector<int> groups = activation_groups(network.graph, layers);
  std::vector<OperatingPoint> points;
  std::vector<runtime::PointSummary> summaries;
  for (const auto& [weights, activations] : {std::pair{8, 8}, {6, 6}, {5, 4}, {2, 8}}) {
    std::vector<Precision> precision(layers.size(), {weights, activations});
    for (std::size_t l = 0; l < layers.size(); ++l) precision[l].activations = groups[l] % 2 == 0 ? activations : 8;
    points.push_back(simulation.point(precision));
    summaries.push_back(
        {static_cast<std::int32_t>(summaries.size()), 0, 9000 - static_cast<std::int32_t>(points.size()), 100});
  }
  const ScalableProgram scalable = lower_scalable(network, points, {}, data.classes);
  const TemporaryDirectory folder;
  const ScalableDeployment deployment =
      deploy_scalable(scalable, load_target("stm32f412"), summaries, "net", data.slice(0, 2), folder.path());
  EXPECT_EQ(deployment.mismatches, 0);
  ASSERT_EQ(deployment.instructions.size(), 4U);
  // A few instructions for every layer, and none for its weights.
  EXPECT_GT(deployment.switch_instructions, 0);
  EXPECT_LT(deployment.switch_instructions, 40 * static_cast<std::int64_t>(layers.size()));
}

INSTANTIATE_TEST_SUITE_P(Programs, Scaled, testing::Values("resnet8", "squeezenet"));

}  // namespace
}  // namespace trimtab
