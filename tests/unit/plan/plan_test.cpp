#include "plan/plan.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "base/error.h"
#include "graph/networks.h"
#include "plan/layers.h"

namespace trimtab {
namespace {

Graph resnet() { return make_network("resnet8", {3, 32, 32}, 10, 1); }

std::string refusal(const std::string& toml) {
  try {
    (void)parse_plan(toml, resnet(), {}, "plan.toml");
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::bad_input);
    return error.what();
  }
  return "accepted";
}

TEST(Plan, UniformGivesTheLogitsSixteenBits) {
  const Graph graph = resnet();
  const Plan plan = uniform_plan(graph, 4, 8);
  ASSERT_EQ(plan.layers.size(), fuse_layers(graph).size());
  for (std::size_t i = 0; i + 1 < plan.layers.size(); ++i) EXPECT_EQ(plan.layers[i].activation_bits, 8);
  EXPECT_EQ(plan.layers.back().activation_bits, 16);
  EXPECT_EQ(plan.layers.back().weight_bits, 4);
}

TEST(Plan, TextFormRoundTrips) {
  const Graph graph = resnet();
  Plan plan = uniform_plan(graph, 4, 8);
  plan.layers[1].weight_bits = 3;
  plan.layers[2].filters = 12;
  plan.layers[2].activation_bits = 2;
  EXPECT_EQ(parse_plan(to_toml(plan), graph, uniform_plan(graph, 8, 8), "text"), plan);
}

TEST(Plan, LayersThatAreNotNamedKeepTheDefaults) {
  const Graph graph = resnet();
  const std::string first = fuse_layers(graph)[0].name;
  const Plan defaults = uniform_plan(graph, 5, 8);
  const Plan plan = parse_plan("[[layer]]\nname = \"" + first + "\"\nweight_bits = 8\n", graph, defaults, "text");
  EXPECT_EQ(plan.layers[0].weight_bits, 8);
  EXPECT_EQ(plan.layers[1], defaults.layers[1]);
}

TEST(Plan, RefusesWhatItCannotMean) {
  const std::string first = fuse_layers(resnet())[0].name;
  const std::string named = "[[layer]]\nname = \"" + first + "\"\n";
  EXPECT_NE(refusal("[[layer]]\nname = \"nowhere\"\n").find("no such layer"), std::string::npos);
  EXPECT_NE(refusal(named + named).find("twice"), std::string::npos);
  EXPECT_NE(refusal(named + "weight_bits = 9\n").find("2 to 8"), std::string::npos);
  EXPECT_NE(refusal(named + "weight_bits = 1\n").find("2 to 8"), std::string::npos);
  EXPECT_NE(refusal(named + "activation_bits = 3\n").find("2, 4, 8 and 16"), std::string::npos);
  EXPECT_NE(refusal(named + "weight_bits = \"four\"\n").find("whole number"), std::string::npos);
  EXPECT_NE(refusal(named + "weigth_bits = 4\n").find("unknown key"), std::string::npos);
  EXPECT_NE(refusal("[[layers]]\n").find("unknown key"), std::string::npos);
  EXPECT_NE(refusal("[[layer]\n").find("line 1"), std::string::npos);
  EXPECT_NE(refusal("[[layer]]\nweight_bits = 4\n").find("no name"), std::string::npos);
}

TEST(Layers, EveryNodeBelongsToExactlyOne) {
  for (const std::string& name : network_names()) {
    const Graph graph = make_network(name, {3, 64, 64}, 10, 1);
    std::vector<int> times(graph.nodes.size());
    for (const Layer& layer : fuse_layers(graph)) {
      for (const std::int64_t node : {layer.node, layer.normalization, layer.activation}) {
        if (node >= 0) ++times[static_cast<std::size_t>(node)];
      }
    }
    EXPECT_EQ(std::count(times.begin(), times.end(), 1), static_cast<std::int64_t>(times.size())) << name;
  }
}

TEST(Layers, ResidualBlocksFuseAsTheDeviceRunsThem) {
  const Graph graph = resnet();
  std::int64_t convolutions = 0;
  std::int64_t saturating_additions = 0;
  for (const Layer& layer : fuse_layers(graph)) {
    const Operator& op = graph.nodes[static_cast<std::size_t>(layer.node)].op;
    if (std::holds_alternative<Conv>(op)) ++convolutions;
    if (std::holds_alternative<Add>(op) && layer.activation >= 0) ++saturating_additions;
    EXPECT_FALSE(std::holds_alternative<BatchNormalization>(op)) << layer.name;
    EXPECT_FALSE(std::holds_alternative<Relu>(op)) << layer.name;
  }
  EXPECT_EQ(convolutions, 9);  // 1 + 3 blocks of 2 + 2 shortcuts
  EXPECT_EQ(saturating_additions, 3);
}

}  // namespace
}  // namespace trimtab
