#include "plan/nested_network.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>

namespace trimtab {
namespace {

/// The b-bit mid-rise quantizer of the whole range [-128 s, 128 s], from its definition.
double mid_rise(double weight, double scale, int bits) {
  const double step = 256 * scale / std::exp2(bits);
  const double cell = std::floor(weight / step);
  const double last = std::exp2(bits - 1);
  return (std::max(-last, std::min(last - 1, cell)) + 0.5) * step;
}

TEST(StoredWeights, EveryTruncationIsTheQuantizerOfThatPrecision) {
  const float scale = 0.25F;
  StoredWeights stored;
  stored.scale = {scale};
  std::vector<double> weights;
  for (double weight = -33.9; weight < 34; weight += 0.0371) {
    weights.push_back(weight);
    const double cell = std::floor(weight / static_cast<double>(scale));
    stored.digits.push_back(static_cast<std::int8_t>(std::max(-128.0, std::min(127.0, cell))));
  }
  for (int bits = 2; bits <= 8; ++bits) {
    for (std::size_t i = 0; i < weights.size(); ++i) {
      EXPECT_FLOAT_EQ(stored.weight(i, bits), static_cast<float>(mid_rise(weights[i], scale, bits)))
          << weights[i] << " at " << bits << " bits";
    }
  }
}

TEST(StoredWeights, TwosComplementDropsBits) {
  const StoredWeights stored{StoredWeights::Grid::twos_complement, {100, -100, 3, -3}, {1, 0.5F}};
  EXPECT_EQ(stored.weight(0, 8), 100);
  EXPECT_EQ(stored.weight(0, 4), 96);
  EXPECT_EQ(stored.weight(1, 4), -112);
  EXPECT_EQ(stored.weight(2, 4), 0);
  EXPECT_EQ(stored.weight(3, 4), -8);  // -3 rounds down to -16, times one half
}

TEST(NestedActivationGrid, FewerBitsGrowTheScaleByPowersOfTwo) {
  NestedActivationGrid grid{{0.5F, 8, false}, {6, 6, 6, 5, 3, 3, 2, 1, 0}};
  EXPECT_EQ(grid.at(8), (ActivationGrid{0.5F, 8, false}));
  EXPECT_EQ(grid.at(6), (ActivationGrid{2.0F, 6, false}));
  EXPECT_EQ(grid.at(4), (ActivationGrid{4.0F, 4, false}));
  grid.grid.bits = 16;  // the network's output stays as it is
  EXPECT_EQ(grid.at(4), grid.grid);
}

/// conv a -> (conv b, conv c) -> concat -> conv d -> add with c's like -> output.
Graph branching() {
  Graph graph;
  const auto value = [&](const std::string& name, Shape shape) {
    graph.values.push_back({name, std::move(shape)});
    return static_cast<ValueId>(graph.values.size() - 1);
  };
  const auto conv = [&](const std::string& name, ValueId input, std::int64_t outputs, bool relu) {
    const std::int64_t inputs = graph.shape_of(input)[0];
    Conv op;
    op.weight = {{outputs, inputs, 1, 1}, std::vector<float>(static_cast<std::size_t>(outputs * inputs), 0.1F)};
    ValueId output = value(name, {outputs, 4, 4});
    graph.nodes.push_back({name, op, {input}, output});
    if (relu) {
      const ValueId rectified = value(name + ".relu", {outputs, 4, 4});
      graph.nodes.push_back({name + ".relu", Relu{}, {output}, rectified});
      output = rectified;
    }
    return output;
  };
  graph.input = value("in", {3, 4, 4});
  const ValueId a = conv("a", graph.input, 4, true);
  const ValueId b = conv("b", a, 2, true);
  const ValueId c = conv("c", a, 2, true);
  const ValueId joined = value("joined", {4, 4, 4});
  graph.nodes.push_back({"joined", Concat{}, {b, c}, joined});
  const ValueId d = conv("d", joined, 4, true);
  const ValueId sum = value("sum", {4, 4, 4});
  graph.nodes.push_back({"sum", Add{}, {a, d}, sum});
  graph.output = conv("e", sum, 2, false);
  return graph;
}

TEST(ActivationGroups, SiblingsOfConcatAndAddGoTogether) {
  const Graph graph = branching();
  validate(graph);
  const std::vector<Layer> layers = fuse_layers(graph);
  const std::vector<int> groups = activation_groups(graph, layers);
  const auto group = [&](const std::string& name) {
    for (std::size_t l = 0; l < layers.size(); ++l) {
      if (layers[l].name == name) return groups[l];
    }
    return -2;
  };
  EXPECT_EQ(group("b"), group("c"));
  EXPECT_EQ(group("b"), group("joined"));
  EXPECT_EQ(group("a"), group("d"));
  EXPECT_NE(group("a"), group("b"));
  EXPECT_NE(group("sum"), group("a"));
  EXPECT_EQ(group("e"), -1);  // the network's output keeps its bits
}

TEST(LayersWithoutNestedForm, AreNamed) {
  Graph graph = branching();
  EXPECT_TRUE(layers_without_nested_form(graph).empty());
  graph.nodes.back().op = Sigmoid{};
  graph.values[static_cast<std::size_t>(graph.output)].shape = {4, 4, 4};
  ASSERT_EQ(layers_without_nested_form(graph).size(), 1U);
  EXPECT_EQ(layers_without_nested_form(graph)[0], "'e' (Sigmoid)");
}

}  // namespace
}  // namespace trimtab
