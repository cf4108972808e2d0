#include "plan/prune.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <opencv2/dnn.hpp>

#include "base/error.h"
#include "graph/networks.h"
#include "import/onnx.h"
#include "plan/layers.h"
#include "support/random_graph.h"
#include "support/reference.h"

namespace trimtab {
namespace {

const std::filesystem::path models = TRIMTAB_SOURCE_DIR "/../shared/models";

std::int64_t parameters(const Graph& graph) {
  std::int64_t count = 0;
  for (const Node& node : graph.nodes) count += parameter_count(node);
  return count;
}

/// Sets to zero what reads the removed channels: in Convs and Linears that make new channels, the weights; before a
/// depthwise Conv nothing has to be done, as its outputs are removed with its inputs.
Graph without_readers(Graph graph, const ChannelGroups& groups, const std::vector<bool>& keep) {
  for (Node& node : graph.nodes) {
    const auto& units = groups.of_value[static_cast<std::size_t>(node.inputs[0])];
    const auto zero = [&](Tensor& weight, std::int64_t convolution_groups) {
      const std::int64_t outputs = weight.shape[0];
      const std::int64_t inputs = weight.shape[1];
      const std::int64_t size = element_count(weight.shape) / outputs / inputs;
      for (std::int64_t o = 0; o < outputs; ++o) {
        const std::int64_t first = o / (outputs / convolution_groups) * inputs;
        for (std::int64_t i = 0; i < inputs; ++i) {
          if (keep[static_cast<std::size_t>(units[static_cast<std::size_t>(first + i)])]) continue;
          std::fill_n(weight.data.begin() + (o * inputs + i) * size, size, 0.0F);
        }
      }
    };
    if (auto* conv = std::get_if<Conv>(&node.op)) {
      zero(conv->weight, conv->groups);
    } else if (auto* linear = std::get_if<Linear>(&node.op)) {
      zero(linear->weight, 1);
    }
  }
  return graph;
}

/// Some units of every group that has more than one.
std::vector<bool> remove_some(const ChannelGroups& groups, std::uint64_t seed) {
  Random random(seed);
  std::vector<bool> keep(groups.units.size(), true);
  for (const ChannelGroup& group : groups.groups) {
    for (std::size_t i = 1; i < group.units.size(); ++i)
      keep[static_cast<std::size_t>(group.units[i])] = random.uniform() < 0.6;
  }
  return keep;
}

void expect_same_function(const Graph& graph, std::uint64_t seed) {
  const ChannelGroups groups = find_channel_groups(graph);
  const std::vector<bool> keep = remove_some(groups, seed);
  const Graph pruned = prune(graph, groups, keep);
  const auto sample = reference::random_sample(graph, seed);
  const auto expected = reference::run(without_readers(graph, groups, keep), sample);
  const auto got = reference::run(pruned, sample);
  ASSERT_EQ(expected.size(), got.size());
  double largest = 1;
  for (const float x : expected) largest = std::max(largest, std::abs(static_cast<double>(x)));
  EXPECT_LE(reference::difference(expected, got), 1e-5 * largest) << graph.name << ", seed " << seed;
  const auto reread = reference::run(parse_onnx(serialize_onnx(pruned), "pruned.onnx"), sample);
  EXPECT_LE(reference::difference(reread, got), 1e-5 * largest) << graph.name << ", seed " << seed;
}

TEST(Prune, RandomNetworksKeepTheirFunction) {
  std::int64_t smaller = 0;
  for (std::uint64_t seed = 0; seed < 150; ++seed) {
    const Graph graph = reference::random_graph(seed);
    expect_same_function(graph, seed);
    const ChannelGroups groups = find_channel_groups(graph);
    smaller += parameters(prune(graph, groups, remove_some(groups, seed))) < parameters(graph) ? 1 : 0;
  }
  EXPECT_GE(smaller, 50);  // most random networks have something to remove
}

TEST(Prune, BuiltInNetworksKeepTheirFunctionAndShrink) {
  for (const std::string& name : network_names()) {
    const Graph graph = make_network(name, {3, 16, 16}, 10, 1);
    expect_same_function(graph, 3);
    const ChannelGroups groups = find_channel_groups(graph);
    EXPECT_LT(parameters(prune(graph, groups, remove_some(groups, 3))), 0.9 * static_cast<double>(parameters(graph)))
        << name;
  }
}

TEST(Prune, RealNetworksRunInOpenCv) {
  for (const char* name : {"resnet8_cifar10.onnx", "dscnn_kws.onnx", "mobilenetv1_0.25_vww96.onnx"}) {
    if (!std::filesystem::exists(models / name)) GTEST_SKIP() << models << " is not there";
    const Graph graph = read_onnx(models / name);
    const ChannelGroups groups = find_channel_groups(graph);
    const Graph pruned = prune(graph, groups, remove_some(groups, 1));
    auto sample = reference::random_sample(graph, 1);
    const auto bytes = serialize_onnx(pruned);
    EXPECT_LT(bytes.size(), serialize_onnx(graph).size() * 3 / 4) << name;
    cv::dnn::Net net = cv::dnn::readNetFromONNX(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    net.setPreferableBackend(cv::dnn::DNN_BACKEND_OPENCV);
    std::vector<int> sizes{1};
    for (const std::int64_t dimension : graph.input_shape()) sizes.push_back(static_cast<int>(dimension));
    net.setInput(cv::Mat(sizes, CV_32F, sample.data()));
    const cv::Mat output = net.forward().clone();
    const std::vector<float> by_opencv(output.ptr<float>(), output.ptr<float>() + output.total());
    EXPECT_LE(reference::difference(reference::run(pruned, sample), by_opencv), 1e-3) << name;
  }
}

TEST(ChannelGroups, OfResNet8) {
  const Graph graph = make_network("resnet8", {3, 32, 32}, 10, 1);
  const ChannelGroups groups = find_channel_groups(graph);
  // of each of the three stages: the residual stream (the stem or shortcut and the second conv) and the conv between
  std::vector<std::size_t> makers;
  std::vector<std::size_t> units;
  for (const ChannelGroup& group : groups.groups) {
    makers.push_back(group.nodes.size());
    units.push_back(group.units.size());
  }
  EXPECT_EQ(groups.groups.size(), 6U);
  std::sort(makers.begin(), makers.end());
  std::sort(units.begin(), units.end());
  EXPECT_EQ(makers, (std::vector<std::size_t>{1, 1, 1, 2, 2, 2}));
  EXPECT_EQ(units, (std::vector<std::size_t>{16, 16, 32, 32, 64, 64}));
  for (const UnitId unit : groups.of_value[static_cast<std::size_t>(graph.output)])
    EXPECT_EQ(groups.units[static_cast<std::size_t>(unit)].group, -1);
}

TEST(ChannelGroups, AFlattenTiesPixelsToTheirChannel) {
  const Graph graph = make_network("cifar10_quick", {3, 32, 32}, 10, 1);
  const ChannelGroups groups = find_channel_groups(graph);
  ASSERT_EQ(groups.groups.size(), 3U);  // three convolutions; the classes stay
  std::vector<bool> keep(groups.units.size(), true);
  keep[static_cast<std::size_t>(groups.groups[2].units[5])] = false;
  const Graph pruned = prune(graph, groups, keep);
  EXPECT_EQ(std::get<Linear>(pruned.nodes.back().op).weight.shape, (Shape{10, 63 * 16}));
}

TEST(Prune, RefusesToRemoveWhatMustStay) {
  const Graph graph = make_network("cifar10_quick", {3, 32, 32}, 10, 1);
  const ChannelGroups groups = find_channel_groups(graph);
  std::vector<bool> keep(groups.units.size(), true);
  for (const UnitId unit : groups.groups[0].units) keep[static_cast<std::size_t>(unit)] = false;
  EXPECT_THROW((void)prune(graph, groups, keep), Error);
  keep.assign(groups.units.size(), true);
  keep[static_cast<std::size_t>(groups.of_value[static_cast<std::size_t>(graph.output)][0])] = false;
  EXPECT_THROW((void)prune(graph, groups, keep), Error);
}

std::string refusal(const Graph& graph, const std::string& layer, std::int64_t filters, const std::string& other = "",
                    std::int64_t other_filters = 0) {
  Plan plan = uniform_plan(graph, 8, 8);
  for (LayerPlan& entry : plan.layers) {
    if (entry.layer == layer) entry.filters = filters;
    if (entry.layer == other) entry.filters = other_filters;
  }
  try {
    (void)kept_of_plan(graph, find_channel_groups(graph), plan, "plan.toml");
  } catch (const Error& error) {
    return error.what();
  }
  return "accepted";
}

TEST(KeptOfPlan, OneLayerSpeaksForItsGroup) {
  const Graph graph = make_network("resnet8", {3, 32, 32}, 10, 1);
  const ChannelGroups groups = find_channel_groups(graph);
  const ChannelGroup& stream = *std::find_if(groups.groups.begin(), groups.groups.end(),
                                             [](const ChannelGroup& g) { return g.nodes.size() == 2; });
  const auto group = static_cast<std::size_t>(&stream - groups.groups.data());
  const std::string first = graph.nodes[static_cast<std::size_t>(stream.nodes[0])].name;
  const std::string second = graph.nodes[static_cast<std::size_t>(stream.nodes[1])].name;
  Plan plan = uniform_plan(graph, 8, 8);
  for (LayerPlan& entry : plan.layers) {
    if (entry.layer == second) entry.filters = 12;
  }
  const std::vector<std::int64_t> kept = kept_of_plan(graph, groups, plan, "plan.toml");
  for (std::size_t g = 0; g < kept.size(); ++g)
    EXPECT_EQ(kept[g], g == group ? 12 : static_cast<std::int64_t>(groups.groups[g].units.size()));
  EXPECT_NE(refusal(graph, first, 12, second, 8).find("which keeps 12"), std::string::npos);
  EXPECT_NE(refusal(graph, first, 1000).find("it has"), std::string::npos);
  const std::string last = fuse_layers(graph).back().name;
  EXPECT_NE(refusal(graph, last, 4).find("of its 10"), std::string::npos);
}

TEST(RoundFilters, StaysWithinWhatThereIs) {
  EXPECT_EQ(round_filters(13.9, 4, 16), 12);
  EXPECT_EQ(round_filters(16, 4, 16), 16);
  EXPECT_EQ(round_filters(2.5, 4, 16), 4);
  EXPECT_EQ(round_filters(2.5, 4, 3), 3);
}

}  // namespace
}  // namespace trimtab
