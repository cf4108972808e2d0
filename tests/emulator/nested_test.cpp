// A program with nested weights on emulated cores at all its operating points, against the same points on the host:
// every number of every output, switching between the points without building anew.

#include <gtest/gtest.h>

#include <algorithm>
#include <string>

#include "base/file.h"
#include "emit/deploy.h"
#include "emit/recipe.h"
#include "graph/networks.h"
#include "learn/nested_grid.h"
#include "learn/nested_simulation.h"
#include "plan/layers.h"
#include "program/evaluate.h"
#include "program/lower.h"
#include "support/noise.h"
#include "support/test_name.h"
#include "target/target.h"

namespace trimtab {
namespace {

struct NestedCase {
  const char* network;
  Shape input;
  const char* target;
};

class Nested : public testing::TestWithParam<NestedCase> {};

TEST_P(Nested, GivesTheBitsOfTheHostAtEveryPoint) {
  const NestedCase& parameters = GetParam();
  const Graph prepared = prepare_for_deployment(make_network(parameters.network, parameters.input, 10, 9), {});
  const Dataset data = noise(parameters.input, 2);
  const NestedNetwork network = make_nested(prepared, data, {});
  NestedSimulation simulation(network, data, true, 1);
  const std::vector<Layer> layers = fuse_layers(network.graph);
  const std::vector<int> groups = activation_groups(network.graph, layers);
  std::vector<OperatingPoint> points;
  for (const auto& [weights, activations] : {std::pair{8, 8}, {6, 6}, {5, 4}, {2, 8}, {3, 3}}) {
    std::vector<Precision> precision(layers.size(), {weights, activations});
    for (std::size_t l = 0; l < layers.size(); ++l) precision[l].activations = groups[l] % 2 == 0 ? activations : 8;
    points.push_back(simulation.point(precision));
  }
  const Program program = lower(network, points, {}, data.classes);
  const Target target = load_target(parameters.target);
  const std::vector<std::uint8_t> inputs = convert_samples(program, data);
  const std::vector<std::int32_t> expected = host_outputs(program, inputs, data.size());
  const TemporaryDirectory folder;
  const Deployment deployment =
      deploy(program, schedule(program, core_of(target)), target, "net", inputs, expected, folder.path());
  EXPECT_EQ(deployment.mismatches, 0);
  EXPECT_GT(deployment.stack_bytes, 0);
  ASSERT_EQ(deployment.point_instructions.size(), points.size());
  // no point takes more than the one with all bits, but for a few instructions of saturation; RISC-V takes a shift for
  // every digit that is cut from a byte, which was 3.4 %
  const double most = core_of(target) == Core::rv32imc ? 1.04 : 1.005;
  for (const std::int64_t instructions : deployment.point_instructions) {
    EXPECT_LE(static_cast<double>(instructions), most * static_cast<double>(deployment.point_instructions[0]));
  }
}

INSTANTIATE_TEST_SUITE_P(
    Programs, Nested,
    testing::Values(NestedCase{"resnet8", {3, 16, 16}, "stm32f412"}, NestedCase{"resnet8", {3, 16, 16}, "cortex-m3"},
                    NestedCase{"resnet8", {3, 16, 16}, "cortex-m55"},
                    NestedCase{"squeezenet", {3, 32, 32}, "stm32f412"}, NestedCase{"dscnn", {1, 49, 10}, "stm32f412"},
                    NestedCase{"dscnn", {1, 49, 10}, "cortex-m3"}, NestedCase{"dscnn", {1, 49, 10}, "cortex-m55"},
                    NestedCase{"resnet8", {3, 16, 16}, "esp32c3"}),
    [](const auto& instance) {
      return test::test_name(std::string(instance.param.network) + "_" + instance.param.target);
    });

}  // namespace
}  // namespace trimtab
