// An inner Softmax in integers: against real numbers, the definition, and the float network around it.

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "base/random.h"
#include "learn/inference.h"
#include "learn/quantize.h"
#include "measure/fidelity.h"
#include "plan/layers.h"
#include "program/check.h"
#include "program/evaluate.h"
#include "program/execute.h"
#include "program/lower.h"
#include "support/graphs.h"
#include "support/naive_interpreter.h"

namespace trimtab {
namespace {

/// What lies between the network's first layer and its last: the values become shares over their channels.
using Gate = ValueId (*)(test::GraphMaker& maker, ValueId x);

ValueId over_channels(test::GraphMaker& maker, ValueId x) { return maker.add(Softmax{}, {x}); }

/// As the reader of ONNX has it: the pixels become channels and go back.
ValueId over_pixels(test::GraphMaker& maker, ValueId x) {
  const ValueId turned = maker.add(Permute{{4, 30, 1}, {1, 0, 2}, {30, 4, 1}}, {x});
  return maker.add(Permute{{30, 4, 1}, {1, 0, 2}, {4, 5, 6}}, {maker.add(Softmax{}, {turned})});
}

ValueId of_channels_only(test::GraphMaker& maker, ValueId x) {
  return maker.add(Softmax{}, {maker.add(GlobalAveragePool{}, {x})});
}

/// A map that is multiplied with shares of what a convolution makes of it, as attention-like gates do.
Graph gated_network(Gate gate) {
  Random random(6);
  test::GraphMaker maker({3, 5, 6});
  Conv first = test::random_conv(3, 4, 1, 1, 1, random);
  const ValueId map = maker.add(first, {0});
  Conv second = test::random_conv(4, 4, 1, 1, 1, random);
  for (float& weight : second.weight.data) weight *= 2;
  const ValueId shares = gate(maker, maker.add(second, {map}));
  maker.add(Mul{}, {map, shares});
  return maker.graph();
}

Dataset features(const Shape& shape, std::int64_t count) {
  Random random(7);
  Dataset data;
  data.shape = shape;
  std::vector<float> numbers;
  for (std::int64_t i = 0; i < count * element_count(shape); ++i)
    numbers.push_back(static_cast<float>(random.uniform(-1, 1)));
  data.features = {std::move(numbers), element_count(shape)};
  return data;
}

void expect_faithful(Gate gate, double decibels) {
  const Graph graph = prepare_for_deployment(gated_network(gate), {});
  const Dataset data = features({3, 5, 6}, 32);
  CalibrationOptions options;
  options.samples = 0;
  const Program program = lower(quantize_post_training(graph, uniform_plan(graph, 8, 8), data, options), {}, {});
  check_program(program, "gated");
  ASSERT_TRUE(std::ranges::any_of(
      program.steps, [](const Step& step) { return std::holds_alternative<SoftmaxStep>(step.operation); }));
  std::vector<std::int32_t> first;
  for (const Core core : {Core::generic, Core::host, Core::cortex_m4}) {
    const ProgramRunner runner(program, core);
    std::vector<std::int32_t> integers(static_cast<std::size_t>(runner.output_elements() * data.size()));
    runner.run(convert_samples(program, data), data.size(), integers);
    if (first.empty()) first = integers;
    EXPECT_EQ(integers, first);
  }
  Task task;
  task.kind = TaskKind::outputs;
  task.output = graph.output_shape();
  FidelityMeter meter(task);
  meter.add(real_outputs(program, first), FloatNetwork(graph, "cpu", 1).run(data, {}));
  EXPECT_GT(meter.fidelity().sqnr_db.value_or(0), decibels);
}

TEST(InnerSoftmax, IsFaithfulToTheFloatNetwork) {
  expect_faithful(over_channels, 36);
  expect_faithful(over_pixels, 30);  // a step of the logits' 8 bits alone moves a power by some percent
  expect_faithful(of_channels_only, 36);
}

/// One layer, whose inputs are the network's own: every output is within a step of the real share.
TEST(InnerSoftmax, IsWithinAStepOfTheRealShares) {
  test::GraphMaker maker({300});
  maker.add(Reshape{{300}}, {maker.add(Softmax{}, {0})});
  Dataset data = features({300}, 20);
  std::vector<float> numbers = data.features.values();
  for (std::size_t i = 0; i < numbers.size(); ++i) numbers[i] *= static_cast<float>(1 + i / 300);
  data.features = {numbers, 300};
  CalibrationOptions options;
  options.samples = 0;
  options.activations = RangeMethod::min_max;
  for (const int bits : {8, 4}) {
    const Graph& graph = maker.graph();
    Plan plan = uniform_plan(graph, 8, bits);
    for (LayerPlan& layer : plan.layers) layer.activation_bits = bits;  // the last one, too
    const Program program = lower(quantize_post_training(graph, plan, data, options), {}, {});
    const Buffer& input = program.buffers[static_cast<std::size_t>(program.input)];
    const Buffer& output = program.buffers[static_cast<std::size_t>(program.output)];
    for (std::int64_t i = 0; i < data.size(); ++i) {
      std::vector<std::int64_t> integers;
      double sum = 0;
      for (const float number : data.features[i]) {
        integers.push_back(quantize(number, input.grid));
        sum += std::exp(input.grid.scale * static_cast<double>(integers.back()));
      }
      const std::vector<std::int64_t> shares = NaiveInterpreter::run(program, integers);
      for (std::size_t c = 0; c < shares.size(); ++c) {
        const double share = std::exp(input.grid.scale * static_cast<double>(integers[c])) / sum;
        const double step = share / static_cast<double>(output.grid.scale) + output.grid.zero_point;
        EXPECT_NEAR(static_cast<double>(shares[c]),
                    std::clamp<double>(step, output.grid.minimum(), output.grid.maximum()), 1)
            << i << ", " << c;
      }
    }
  }
}

}  // namespace
}  // namespace trimtab
