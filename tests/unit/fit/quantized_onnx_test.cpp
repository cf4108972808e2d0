#include "fit/quantized_onnx.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "base/random.h"
#include "graph/networks.h"
#include "import/onnx.h"
#include "learn/quantize.h"
#include "plan/layers.h"
#include "program/evaluate.h"
#include "program/execute.h"
#include "program/lower.h"
#include "support/pictures.h"
#include "support/quantized_reference.h"

// quantized.onnx against the program that it stands for: by plain loops over its operators, and by way of a second
// import.
namespace trimtab {
namespace {

struct Case {
  const char* network;
  Shape input;
  int weight_bits;
  int activation_bits;
};

class QuantizedOnnx : public testing::TestWithParam<Case> {};

TEST_P(QuantizedOnnx, HoldsTheNumbersOfTheProgram) {
  const auto& [name, shape, weight_bits, activation_bits] = GetParam();
  const Preprocessing preprocessing = parse_preprocessing("imagenet", shape[0]);
  const Graph prepared = prepare_for_deployment(make_network(name, shape, 10, 5), preprocessing);
  const Dataset data = random_pictures(shape, 6);
  const QuantizedNetwork network =
      quantize_post_training(prepared, uniform_plan(prepared, weight_bits, activation_bits), data, {});
  const Program program = lower(network, {}, {});
  const auto answers = [&](const Program& asked) {
    const ProgramRunner runner(asked);
    std::vector<std::int32_t> integers(static_cast<std::size_t>(runner.output_elements() * data.size()));
    runner.run(convert_samples(asked, data), data.size(), integers, 1);
    return integers;
  };
  const std::vector<std::int32_t> expected = answers(program);
  const Graph read = parse_onnx(quantized_onnx(network), "quantized.onnx");

  // Rounding to even, and in double precision, moves a number in many by a step.
  const float step = nth(network.values, network.graph.output)->scale;
  const auto size = expected.size() / static_cast<std::size_t>(data.size());
  for (std::int64_t i = 0; i < data.size(); ++i) {
    reference::Values sample(static_cast<std::size_t>(element_count(shape)));
    data.read(i, {}, sample);
    const reference::Values reals = reference::run_on_grids(read, sample);
    const auto row = std::span(expected).subspan(static_cast<std::size_t>(i) * size, size);
    const std::vector<float> wanted = dequantize(program, row);
    EXPECT_EQ(std::ranges::max_element(reals) - reals.begin(), std::ranges::max_element(wanted) - wanted.begin());
    // The 16-bit logits have steps 1/256 of those before them. A number that moves early reaches several of those: 342
    // was seen. Which numbers lie that near to a half depends on the last bits of the scales, and so on the processor
    // that libtorch calibrated with.
    for (std::size_t o = 0; o < size; ++o) EXPECT_NEAR(reals[o], wanted[o], 2 * 256 * step) << o;
  }

  // Read again, it keeps its grids, weights and biases, without calibration: other data would change nothing.
  const Graph again = prepare_for_deployment(read, {});
  const Program repeated = lower(
      quantize_post_training(again, uniform_plan(again, weight_bits, activation_bits), random_pictures(shape, 1), {}),
      {}, {});
  const std::vector<std::int32_t> found = answers(repeated);
  ASSERT_EQ(found.size(), expected.size());
  for (std::size_t i = 0; i < found.size(); ++i) EXPECT_NEAR(found[i], expected[i], 300) << i;
}

INSTANTIATE_TEST_SUITE_P(Networks, QuantizedOnnx,
                         testing::Values(Case{"resnet8", {3, 32, 32}, 8, 8}, Case{"resnet8", {3, 32, 32}, 4, 4},
                                         Case{"dscnn", {3, 32, 32}, 8, 8}, Case{"cifar10_quick", {3, 32, 32}, 5, 8},
                                         Case{"mobilenet_v1:0.25", {3, 32, 32}, 8, 8}));

}  // namespace
}  // namespace trimtab
