// The lowered integer program against the simulation of the quantized network in libtorch, which shares no code with it
// beyond the grids.

#include <gtest/gtest.h>

#include <algorithm>

#include "base/random.h"
#include "graph/networks.h"
#include "learn/quantize.h"
#include "learn/quantized_simulation.h"
#include "plan/layers.h"
#include "program/evaluate.h"
#include "program/execute.h"
#include "program/lower.h"

namespace trimtab {
namespace {

/// Smooth random pictures: noise alone would leave every activation near zero.
Dataset random_pictures(const Shape& shape, std::int64_t count) {
  Random random(3);
  Dataset data;
  std::vector<std::uint8_t> values;
  data.shape = shape;
  data.classes.assign(10, "class");
  for (std::int64_t i = 0; i < count; ++i) {
    data.labels.push_back(i % 10);
    for (std::int64_t c = 0; c < shape[0]; ++c) {
      const double row_slope = random.uniform(-4, 4);
      const double column_slope = random.uniform(-4, 4);
      for (std::int64_t y = 0; y < shape[1]; ++y) {
        for (std::int64_t x = 0; x < shape[2]; ++x) {
          const double value = 128 + row_slope * static_cast<double>(y - shape[1] / 2) +
                               column_slope * static_cast<double>(x - shape[2] / 2) + 20 * random.normal();
          values.push_back(static_cast<std::uint8_t>(std::clamp(value, 0.0, 255.0)));
        }
      }
    }
  }
  data.pixels = {std::move(values), element_count(data.shape)};
  return data;
}

struct Case {
  std::string network;
  Shape input;
  int weight_bits;
  int activation_bits;
};

class Lowering : public testing::TestWithParam<Case> {};

TEST_P(Lowering, ComputesWhatTheSimulationComputes) {
  const Case& parameters = GetParam();
  const Graph graph = make_network(parameters.network, parameters.input, 10, 5);
  const Preprocessing preprocessing = parse_preprocessing("imagenet", parameters.input[0]);
  const Graph prepared = prepare_for_deployment(graph, preprocessing);
  const Dataset data = random_pictures(parameters.input, 16);
  CalibrationOptions options;
  options.samples = 0;
  const QuantizedNetwork network = quantize_post_training(
      prepared, uniform_plan(prepared, parameters.weight_bits, parameters.activation_bits), data, options);
  const Program program = lower(network, {}, data.classes);

  const ProgramRunner runner(program);
  std::vector<std::int32_t> integers(static_cast<std::size_t>(runner.output_elements() * data.size()));
  runner.run(convert_samples(program, data), data.size(), integers, 2);
  const std::vector<std::int32_t> simulated = QuantizedSimulation(network).run(data, 0, data.size());

  ASSERT_EQ(integers.size(), simulated.size());
  // A fixed-point multiplier may round a value within 1e-6 of a half to the other side; through later layers that moves
  // all logits of this picture by a few of their 65,536 steps. One step of an 8-bit activation grid would be hundreds.
  // Which pictures it happens to depends on the last bits of the scales, and so on the processor that libtorch
  // calibrated with; of SqueezeNet's two hundred thousand activations a picture, two pictures of 16 were seen to have
  // one.
  const std::size_t logits = integers.size() / static_cast<std::size_t>(data.size());
  std::vector<bool> moved(static_cast<std::size_t>(data.size()), false);
  for (std::size_t i = 0; i < integers.size(); ++i) {
    if (integers[i] != simulated[i]) moved[i / logits] = true;
    EXPECT_NEAR(integers[i], simulated[i], 400) << i;
  }
  EXPECT_LE(std::count(moved.begin(), moved.end(), true), data.size() / 4);
}

INSTANTIATE_TEST_SUITE_P(Networks, Lowering,
                         testing::Values(Case{"cifar10_quick", {3, 32, 32}, 8, 8}, Case{"resnet8", {3, 32, 32}, 8, 8},
                                         Case{"resnet8", {3, 32, 32}, 4, 8}, Case{"resnet8", {3, 32, 32}, 3, 4},
                                         Case{"resnet8", {3, 32, 32}, 2, 2}, Case{"dscnn", {3, 32, 32}, 8, 8},
                                         Case{"mobilenet_v1:0.25", {3, 64, 64}, 8, 8},
                                         Case{"mobilenet_v1:0.25", {3, 64, 64}, 5, 8},
                                         Case{"squeezenet", {3, 64, 64}, 8, 8}, Case{"squeezenet", {3, 64, 64}, 6, 4}),
                         [](const auto& test) {
                           std::string name = test.param.network + "_w" + std::to_string(test.param.weight_bits) +
                                              "_a" + std::to_string(test.param.activation_bits);
                           std::replace_if(
                               name.begin(), name.end(), [](char c) { return c == ':' || c == '.'; }, '_');
                           return name;
                         });

}  // namespace
}  // namespace trimtab
