// The lowered integer program against the simulation of the quantized network in libtorch, which shares no code with it
// beyond the grids.

#include <gtest/gtest.h>

#include <algorithm>

#include "base/index.h"
#include "base/random.h"
#include "graph/networks.h"
#include "learn/evaluate.h"
#include "learn/inference.h"
#include "learn/nested_grid.h"
#include "learn/nested_simulation.h"
#include "learn/quantize.h"
#include "learn/quantized_simulation.h"
#include "measure/fidelity.h"
#include "plan/layers.h"
#include "program/evaluate.h"
#include "program/execute.h"
#include "program/lower.h"
#include "support/graphs.h"
#include "support/pictures.h"

namespace trimtab {
namespace {

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

/// Pictures to a map of five channels.
Graph picture_network() {
  Random random(8);
  test::GraphMaker maker({3, 10, 12});
  Conv first = test::random_conv(3, 8, 3, 3, 1, random);
  for (float& w : first.weight.data) w /= 256;
  first.padding = {1, 1, 1, 1};
  maker.add(first, {0});
  maker.add(Relu{}, {1});
  Conv second = test::random_conv(8, 5, 3, 3, 1, random);
  second.stride = {2, 2};
  maker.add(second, {2});
  return maker.graph();
}

/// The float network, the simulation and the program answer an image channels first, whatever the program's own order:
/// an order that one of them has alone would leave no signal.
TEST(ImageOutputs, HaveOneOrderEverywhere) {
  const Graph graph = picture_network();
  const Graph prepared = prepare_for_deployment(graph, {});
  Dataset data = random_pictures({3, 10, 12}, 24);
  data.labels.clear();
  data.classes.clear();
  CalibrationOptions calibration;
  calibration.samples = 0;
  const QuantizedNetwork network = quantize_post_training(prepared, uniform_plan(prepared, 8, 8), data, calibration);
  const Program program = lower(network, {}, {});
  const std::vector<float> reference = FloatNetwork(graph, "cpu", 1).run(data, {});

  Task task;
  task.kind = TaskKind::segmentation;
  task.output = graph.output_shape();
  std::vector<std::int32_t> map;  // the float network's own answers
  for (std::int64_t i = 0; i < data.size(); ++i) {
    std::vector<std::int64_t> classes;
    decide_pixels(task,
                  std::span(reference).subspan(static_cast<std::size_t>(i * task.outputs()),
                                               static_cast<std::size_t>(task.outputs())),
                  classes);
    map.insert(map.end(), classes.begin(), classes.end());
  }
  data.class_maps = {std::move(map), task.positions()};
  data.target_shape = {task.output[1], task.output[2]};

  FidelityMeter fidelity(task);
  std::vector<float> answers;
  ProgramEvaluateOptions options;
  options.observe = [&](std::int64_t, std::span<const float> outputs) {
    answers.insert(answers.end(), outputs.begin(), outputs.end());
  };
  const ProgramEvaluation evaluation = evaluate_program(program, data, options);
  fidelity.add(answers, reference);
  EXPECT_EQ(evaluation.task.kind, TaskKind::segmentation);
  EXPECT_EQ(evaluation.task.output, (Shape{5, 4, 5}));
  EXPECT_GT(fidelity.fidelity().sqnr_db.value(), 25);
  EXPECT_GT(evaluation.score.at(Measure::pixel_accuracy), 90);
  const Score simulated = QuantizedSimulation(network).score(data);
  EXPECT_NEAR(simulated.at(Measure::pixel_accuracy), evaluation.score.at(Measure::pixel_accuracy), 0.5);
  EXPECT_NEAR(simulated.at(Measure::mean_iou), evaluation.score.at(Measure::mean_iou), 0.5);
  EXPECT_EQ(evaluate(graph, data, {}, {16, 1, "cpu"}).at(Measure::pixel_accuracy), 100);
}

/// The picture network with no weights in its last layer or in any, and channel - 1.5 as bias, or none.
Graph network_without_weights(bool only_last, bool has_bias) {
  Graph graph = picture_network();
  for (Node& node : graph.nodes) {
    auto* const conv = std::get_if<Conv>(&node.op);
    if (conv == nullptr) continue;
    const std::int64_t channels = conv->weight.shape[0];
    if (channels == 5 || !only_last) std::ranges::fill(conv->weight.data, 0.0F);
    conv->bias = {{channels}, std::vector<float>(static_cast<std::size_t>(channels))};
    for (std::size_t c = 0; has_bias && c < conv->bias.data.size(); ++c)
      conv->bias.data[c] = static_cast<float>(c) - 1.5F;
  }
  return graph;
}

/// At every operating point the outputs are the biases, as far as `tolerance` grid steps of the output.
void expect_biases(const Program& program, const Dataset& data, bool has_bias, float tolerance) {
  for (std::size_t point = 0; point < program.points.size(); ++point) {
    SCOPED_TRACE(testing::Message() << "point " << point);
    const ProgramRunner runner(program, schedule(program, Core::host), point);
    std::vector<std::int32_t> integers(static_cast<std::size_t>(runner.output_elements() * data.size()));
    runner.run(convert_samples(program, data), data.size(), integers, 1);
    const std::vector<float> outputs = real_outputs(program, integers);
    const float step = nth(program.buffers, program.output).grid.scale;
    const std::size_t positions = outputs.size() / static_cast<std::size_t>(data.size()) / 5;
    for (std::size_t i = 0; i < outputs.size(); ++i) {
      const float expected = has_bias ? static_cast<float>(i / positions % 5) - 1.5F : 0.0F;
      ASSERT_NEAR(outputs[i], expected, tolerance * step) << i;
    }
  }
}

class ZeroWeights : public testing::TestWithParam<std::tuple<bool, bool>> {};

/// A layer without weights answers with its bias, whatever the picture is.
TEST_P(ZeroWeights, GiveTheBias) {
  const auto [only_last, has_bias] = GetParam();
  const Dataset data = random_pictures({3, 10, 12}, 6);
  const Graph prepared = prepare_for_deployment(network_without_weights(only_last, has_bias), {});
  const QuantizedNetwork network = quantize_post_training(prepared, uniform_plan(prepared, 8, 8), data, {});
  expect_biases(lower(network, {}, {}), data, has_bias, 1);

  // The nested grid has no zero: a half step of the coarsest precision stays, which is a share of the bias.
  const NestedNetwork nested = make_nested(prepared, data, {});
  NestedSimulation simulation(nested, data, true, 1);
  const std::size_t layers = fuse_layers(nested.graph).size();
  std::vector<OperatingPoint> points;
  for (const int bits : {8, 4}) points.push_back(simulation.point(std::vector<Precision>(layers, {bits, 8})));
  expect_biases(lower(nested, points, {}, {}), data, has_bias, 60);
}

INSTANTIATE_TEST_SUITE_P(Layers, ZeroWeights, testing::Combine(testing::Bool(), testing::Bool()));

}  // namespace
}  // namespace trimtab
