#include "learn/inference.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/error.h"
#include "support/graphs.h"
#include "support/random_graph.h"
#include "support/reference.h"

namespace trimtab {
namespace {

using test::GraphMaker;
using test::random_conv;
using test::random_normalization;
using test::random_tensor;

/// The executor and the plain loops agree on three random samples.
void expect_equal_to_reference(const Graph& graph, Random& random) {
  constexpr std::int64_t count = 3;
  const FloatNetwork network(graph, "cpu", 1);
  std::vector<float> inputs;
  std::vector<float> expected;
  for (std::int64_t i = 0; i < count; ++i) {
    const Tensor sample = random_tensor(graph.input_shape(), random, -2, 2);
    inputs.insert(inputs.end(), sample.data.begin(), sample.data.end());
    const std::vector<float> output = reference::run(graph, sample.data);
    expected.insert(expected.end(), output.begin(), output.end());
  }
  const std::vector<float> outputs = network.run(inputs, count, 2);
  ASSERT_EQ(outputs.size(), expected.size());
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    ASSERT_NEAR(outputs[i], expected[i], 1e-4F * (1 + std::abs(expected[i]))) << "output " << i;
  }
}

Padding random_padding(Random& random, std::int64_t most) {
  return {random.integer(0, most), random.integer(0, most), random.integer(0, most), random.integer(0, most)};
}

TEST(FloatNetwork, ConvolvesWithEveryPaddingStrideDilationAndGrouping) {
  Random random(1);
  for (int trial = 0; trial < 60; ++trial) {
    const std::int64_t groups = random.integer(1, 3);
    const std::int64_t from = groups * random.integer(1, 3);
    const std::int64_t to = groups * random.integer(1, 3);
    Conv conv = random_conv(from, to, random.integer(1, 4), random.integer(1, 4), groups, random);
    conv.stride = {random.integer(1, 3), random.integer(1, 3)};
    conv.dilation = {random.integer(1, 2), random.integer(1, 2)};
    conv.padding = random_padding(random, 3);
    if (trial % 3 == 0) conv.padding_value = random_tensor({from}, random);
    if (trial % 4 == 0) conv.bias = {};
    GraphMaker maker({from, random.integer(7, 10), random.integer(7, 10)});
    maker.add(conv, {0});
    SCOPED_TRACE(trial);
    expect_equal_to_reference(maker.graph(), random);
  }
}

TEST(FloatNetwork, PoolsAsOnnxDefines) {
  Random random(2);
  for (int trial = 0; trial < 120; ++trial) {
    Pool pool;
    pool.kind = trial % 2 == 0 ? PoolKind::max : PoolKind::average;
    pool.kernel = {random.integer(1, 4), random.integer(1, 4)};
    pool.stride = {random.integer(1, 3), random.integer(1, 3)};
    if (pool.kind == PoolKind::max) pool.dilation = {random.integer(1, 2), random.integer(1, 2)};
    // ONNX wants padding smaller than the kernel.
    const std::int64_t most = std::min(pool.kernel[0], pool.kernel[1]) - 1;
    pool.padding = random_padding(random, most);
    if (trial % 3 == 0) pool.padding = {most, most, most, most};
    pool.ceil_mode = random.bits() % 2 == 0;
    pool.count_include_pad = random.bits() % 2 == 0;
    GraphMaker maker({2, random.integer(7, 11), random.integer(7, 11)});
    maker.add(pool, {0});
    SCOPED_TRACE(trial);
    expect_equal_to_reference(maker.graph(), random);
  }
}

TEST(FloatNetwork, RunsEveryElementwiseOperator) {
  Random random(3);
  constexpr float infinity = std::numeric_limits<float>::infinity();
  const std::vector<Operator> operators = {
      random_normalization(3, random),
      Affine{random_tensor({3}, random), random_tensor({3}, random)},
      Relu{},
      Clip{0, 1},
      Clip{-0.5F, infinity},
      LeakyRelu{0.1F},
      HardSigmoid{0.2F, 0.4F},
      HardSwish{},
      Sigmoid{},
      GlobalAveragePool{true},
      GlobalAveragePool{false},
      Reshape{{60}},
      Reshape{{5, 3, 4}},
      Pad{{1, 2, 3, 0}, -0.5F},
      Softmax{},
      Softmax{true},
      Gather{0, {2, 0, 0, 1}},
      Gather{1, {3, 1}},
      Gather{2, {4, 4, 0}},
      Permute{{3, 2, 2, 5}, {0, 2, 3, 1}, {3, 2, 10}},
  };
  for (const Operator& op : operators) {
    GraphMaker maker({3, 4, 5});
    maker.add(op, {0});
    SCOPED_TRACE(operator_name(op));
    expect_equal_to_reference(maker.graph(), random);
  }
}

TEST(FloatNetwork, RunsEveryStepOfAFunction) {
  using Kind = FunctionStep::Kind;
  Random random(5);
  for (int kind = 0; kind <= static_cast<int>(Kind::multiply); ++kind) {
    SCOPED_TRACE(kind);
    GraphMaker maker({3, 4, 5});
    // of positive numbers, for the logarithm, the square root and the like
    const FunctionStep positive{Kind::affine, -1, -1, 0.2F, 1.5F};
    maker.add(ScalarFunction{{positive, {static_cast<Kind>(kind), 0, -1, 0.5F, 1.25F}}}, {0});
    expect_equal_to_reference(maker.graph(), random);
    GraphMaker both({3, 4, 5});
    const bool of_all = kind != static_cast<int>(Kind::log) && kind != static_cast<int>(Kind::sqrt) &&
                        kind != static_cast<int>(Kind::power) && kind != static_cast<int>(Kind::reciprocal);
    if (!of_all) continue;
    both.add(ScalarFunction{{{static_cast<Kind>(kind), -1, -1, 0.5F, 1.25F}}}, {0});
    expect_equal_to_reference(both.graph(), random);
  }
}

TEST(FloatNetwork, JoinsAlongEveryAxis) {
  Random random(6);
  for (const std::int64_t axis : {0, 1, 2}) {
    GraphMaker maker({3, 4, 5});
    maker.add(Concat{axis}, {0, maker.add(Relu{}, {0})});
    expect_equal_to_reference(maker.graph(), random);
  }
}

TEST(FloatNetwork, RunsOperatorsOfVectors) {
  Random random(4);
  GraphMaker maker({6});
  const ValueId first = maker.add(Linear{random_tensor({5, 6}, random), random_tensor({5}, random)}, {0});
  const ValueId normal = maker.add(random_normalization(5, random), {first});
  const ValueId active = maker.add(Relu{}, {normal});
  const ValueId second = maker.add(Linear{random_tensor({5, 5}, random), {}}, {active});
  const ValueId sum = maker.add(Add{}, {second, active});
  const ValueId scaled = maker.add(Affine{random_tensor({5}, random), random_tensor({5}, random)}, {sum});
  maker.add(Softmax{}, {maker.add(Concat{}, {scaled, first})});
  expect_equal_to_reference(maker.graph(), random);
}

/// Branches that are read several times, squeeze-and-excitation's broadcast, and activation functions that could
/// overwrite what somebody else still reads.
TEST(FloatNetwork, KeepsValuesThatAreStillRead) {
  Random random(5);
  GraphMaker maker({4, 8, 8});
  Conv stem = random_conv(4, 8, 3, 3, 1, random);
  stem.padding = {1, 1, 1, 1};
  const ValueId a = maker.add(stem, {0});
  const ValueId relu = maker.add(Relu{}, {a});
  const ValueId leaky = maker.add(LeakyRelu{0.3F}, {a});
  const ValueId sum = maker.add(Add{}, {relu, leaky});
  const ValueId six = maker.add(Clip{0, 6}, {sum});
  const ValueId mean = maker.add(GlobalAveragePool{true}, {six});
  const ValueId squeezed = maker.add(random_conv(8, 2, 1, 1, 1, random), {mean});
  const ValueId gate =
      maker.add(HardSigmoid{}, {maker.add(random_conv(2, 8, 1, 1, 1, random), {maker.add(Relu{}, {squeezed})})});
  const ValueId gated = maker.add(Mul{}, {six, gate});
  const ValueId shifted = maker.add(Add{}, {gate, gated});
  const ValueId all = maker.add(Concat{}, {shifted, a, six});
  const ValueId flat = maker.add(Reshape{{24 * 64}}, {all});
  maker.add(Linear{random_tensor({10, 24 * 64}, random, -0.1, 0.1), random_tensor({10}, random)}, {flat});
  expect_equal_to_reference(maker.graph(), random);
}

TEST(FloatNetwork, RunsRandomNetworksOfAllOperators) {
  for (std::uint64_t seed = 0; seed < 60; ++seed) {
    Random random(seed);
    SCOPED_TRACE(seed);
    expect_equal_to_reference(reference::random_graph(seed, 12), random);
  }
}

TEST(FloatNetwork, RunsADataSetAsItsPreprocessedSamples) {
  Random random(7);
  GraphMaker maker({2, 3, 3});
  maker.add(random_conv(2, 4, 3, 3, 1, random), {0});
  Dataset data;
  data.shape = {2, 3, 3};
  data.classes = {"a"};
  std::vector<float> values;
  for (int i = 0; i < 5 * 18; ++i) values.push_back(static_cast<float>(random.uniform(-1, 1)));
  data.features = {values, 18};
  data.labels.assign(5, 0);
  const Preprocessing preprocessing{{0.5F, -1}, {2, 4}};
  std::vector<float> inputs;
  for (std::size_t i = 0; i < values.size(); ++i) {
    const bool second = i / 9 % 2 == 1;
    inputs.push_back(second ? (values[i] + 1) / 4 : (values[i] - 0.5F) / 2);
  }
  const FloatNetwork network(maker.graph(), "cpu", 1);
  const std::vector<float> expected = network.run(inputs, 5);
  const std::vector<float> outputs = network.run(data, preprocessing, 2);
  ASSERT_EQ(outputs.size(), expected.size());
  for (std::size_t i = 0; i < outputs.size(); ++i) EXPECT_NEAR(outputs[i], expected[i], 1e-5F) << i;
}

TEST(FloatNetwork, NamesWrongInputs) {
  Random random(6);
  GraphMaker maker({6});
  maker.add(Linear{random_tensor({5, 6}, random), {}}, {0});
  const FloatNetwork network(maker.graph(), "cpu", 1);
  EXPECT_THROW(static_cast<void>(network.run(std::vector<float>(11), 2)), Error);
  EXPECT_TRUE(network.run({}, 0).empty());
  EXPECT_THROW(FloatNetwork(maker.graph(), "gpu"), Error);
  EXPECT_THROW(FloatNetwork(maker.graph(), "cuda:99"), Error);
}

}  // namespace
}  // namespace trimtab
