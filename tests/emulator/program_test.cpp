// Whole programs on emulated cores against the portable kernels on the host: every number of every output.

#include <gtest/gtest.h>

#include <algorithm>
#include <ostream>

#include "base/file.h"
#include "emit/deploy.h"
#include "emit/recipe.h"
#include "graph/networks.h"
#include "learn/quantize.h"
#include "plan/layers.h"
#include "program/evaluate.h"
#include "program/execute.h"
#include "program/lower.h"
#include "support/joined_network.h"
#include "support/noise.h"
#include "target/target.h"

namespace trimtab {
namespace {

struct Case {
  std::string network;
  Shape input;
  int weight_bits;
  int activation_bits;
  std::string target;
  Optimize optimize = Optimize::speed;
};

/// The name of a test.
void PrintTo(const Case& test, std::ostream* stream) {
  *stream << test.network << " w" << test.weight_bits << " a" << test.activation_bits << " on " << test.target;
}

class Deployed : public testing::TestWithParam<Case> {};

TEST_P(Deployed, GivesTheBitsOfThePortableKernels) {
  const Case& parameters = GetParam();
  const Graph graph = make_network(parameters.network, parameters.input, 10, 9);
  const Graph prepared = prepare_for_deployment(
      graph, parse_preprocessing(parameters.input[0] == 3 ? "imagenet" : "unit", parameters.input[0]));
  const Dataset data = noise(parameters.input, 4);
  CalibrationOptions options;
  options.samples = 0;
  const Plan plan = uniform_plan(prepared, parameters.weight_bits, parameters.activation_bits);
  const Program program = lower(quantize_post_training(prepared, plan, data, options), {}, data.classes);

  const std::vector<std::uint8_t> inputs = convert_samples(program, data);
  const ProgramRunner reference(program, Core::generic);
  std::vector<std::int32_t> expected(static_cast<std::size_t>(reference.output_elements() * data.size()));
  reference.run(inputs, data.size(), expected);
  // Numbers that are all alike would compare equal whatever the kernels do.
  EXPECT_GT(*std::max_element(expected.begin(), expected.end()), *std::min_element(expected.begin(), expected.end()));

  const TemporaryDirectory folder;
  const Target target = load_target(parameters.target);
  const Deployment deployment = deploy(program, schedule(program, core_of(target), parameters.optimize), target, "net",
                                       inputs, expected, folder.path());
  EXPECT_EQ(deployment.mismatches, 0);
  EXPECT_EQ(deployment.samples, data.size());
  EXPECT_GT(deployment.instructions(), 0);
}

TEST(Joined, InputsAndOutputsOnTheDevice) {
  const Graph graph = prepare_for_deployment(joined_network(), {});
  const Dataset data = joined_samples(4);
  const Program program = lower(quantize_post_training(graph, uniform_plan(graph, 8, 8), data, {}), {}, {});
  const std::vector<std::uint8_t> inputs = convert_samples(program, data);
  const TemporaryDirectory folder;
  const Target target = load_target("stm32f412");
  const Deployment deployment = deploy(program, schedule(program, core_of(target)), target, "net", inputs,
                                       host_outputs(program, inputs, data.size()), folder.path());
  EXPECT_EQ(deployment.mismatches, 0);
  EXPECT_EQ(deployment.samples, data.size());
}

INSTANTIATE_TEST_SUITE_P(
    Programs, Deployed,
    testing::Values(
        Case{"resnet8", {3, 16, 16}, 8, 8, "stm32f412"}, Case{"resnet8", {3, 16, 16}, 3, 8, "stm32f412"},
        Case{"resnet8", {3, 16, 16}, 5, 4, "stm32f412"}, Case{"resnet8", {3, 16, 16}, 2, 2, "stm32f412"},
        Case{"resnet8", {3, 16, 16}, 16, 16, "stm32f412"}, Case{"resnet8", {3, 16, 16}, 16, 8, "rp2040"},
        Case{"cifar10_quick", {3, 16, 16}, 16, 4, "cortex-m55"}, Case{"dscnn", {1, 49, 10}, 16, 16, "cortex-m55"},
        Case{"resnet8", {3, 16, 16}, 8, 8, "stm32f412", Optimize::size}, Case{"resnet8", {3, 16, 16}, 4, 8, "rp2040"},
        Case{"resnet8", {3, 16, 16}, 6, 8, "stm32f767"}, Case{"resnet8", {3, 16, 16}, 7, 8, "cortex-m33"},
        Case{"resnet8", {3, 16, 16}, 8, 8, "cortex-m55"}, Case{"resnet8", {3, 16, 16}, 4, 8, "cortex-m55"},
        Case{"dscnn", {1, 49, 10}, 8, 8, "stm32f412"}, Case{"dscnn", {1, 49, 10}, 8, 8, "rp2040"},
        Case{"dscnn", {1, 49, 10}, 4, 4, "cortex-m55"}, Case{"mobilenet_v1:0.25", {3, 32, 32}, 8, 8, "stm32f412"},
        Case{"mobilenet_v1:0.25", {3, 32, 32}, 8, 8, "cortex-m55"}, Case{"squeezenet", {3, 32, 32}, 8, 8, "stm32f767"},
        Case{"cifar10_quick", {3, 16, 16}, 8, 8, "stm32f412"}, Case{"cifar10_quick", {3, 16, 16}, 4, 8, "rp2040"},
        Case{"resnet8", {3, 16, 16}, 8, 8, "esp32c3"}, Case{"resnet8", {3, 16, 16}, 3, 8, "esp32c3"},
        Case{"resnet8", {3, 16, 16}, 16, 16, "esp32c3"}, Case{"resnet8", {3, 16, 16}, 8, 8, "esp32c3", Optimize::size},
        Case{"dscnn", {1, 49, 10}, 5, 4, "esp32c3"}, Case{"mobilenet_v1:0.25", {3, 32, 32}, 8, 8, "esp32c3"},
        Case{"cifar10_quick", {3, 16, 16}, 8, 8, "esp32c3"}));

}  // namespace
}  // namespace trimtab
