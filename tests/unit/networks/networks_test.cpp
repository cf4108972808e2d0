#include "graph/networks.h"

#include <gtest/gtest.h>

#include <cmath>
#include <set>
#include <string>

#include "base/error.h"
#include "graph/passes.h"

namespace trimtab {
namespace {

struct Counts {
  std::int64_t weights = 0;              ///< of Conv and Linear
  std::int64_t biases = 0;               ///< of Conv and Linear
  std::int64_t normalized_channels = 0;  ///< channels that go through a BatchNormalization
  std::int64_t macs = 0;
  std::int64_t parameters = 0;  ///< all, running statistics included
};

Counts count(const Graph& graph) {
  Counts counts;
  for (const Node& node : graph.nodes) {
    if (const auto* conv = std::get_if<Conv>(&node.op)) {
      counts.weights += static_cast<std::int64_t>(conv->weight.data.size());
      counts.biases += static_cast<std::int64_t>(conv->bias.data.size());
    }
    if (const auto* linear = std::get_if<Linear>(&node.op)) {
      counts.weights += static_cast<std::int64_t>(linear->weight.data.size());
      counts.biases += static_cast<std::int64_t>(linear->bias.data.size());
    }
    if (const auto* norm = std::get_if<BatchNormalization>(&node.op)) {
      counts.normalized_channels += static_cast<std::int64_t>(norm->scale.data.size());
    }
    counts.macs += multiply_accumulates(graph, node);
    counts.parameters += parameter_count(node);
  }
  return counts;
}

const Node& node_named(const Graph& graph, const std::string& name) {
  for (const Node& node : graph.nodes) {
    if (node.name == name) return node;
  }
  throw std::out_of_range(name);
}

Shape shape_after(const Graph& graph, const std::string& name) {
  return graph.shape_of(node_named(graph, name).output);
}

// 89,440 weights and 138 biases; with the input, the first convolution's output and its pooled output 133,610 numbers:
// the published memory budgets are multiples of this.
TEST(Networks, Cifar10QuickHasThePublishedSize) {
  const Graph graph = make_network("cifar10_quick", {3, 32, 32}, 10, 1);
  const Counts counts = count(graph);
  EXPECT_EQ(counts.weights, 89'440);
  EXPECT_EQ(counts.biases, 138);
  EXPECT_EQ(shape_after(graph, "conv1"), (Shape{32, 32, 32}));
  EXPECT_EQ(shape_after(graph, "pool1"), (Shape{32, 16, 16}));
  EXPECT_EQ(shape_after(graph, "pool3"), (Shape{64, 4, 4}));
  EXPECT_EQ(counts.weights + counts.biases + 3072 + 32768 + 8192, 133'610);
}

TEST(Networks, NormalizedCifar10QuickHasTheSameSizeWhenFolded) {
  const Graph graph = make_network("cifar10_quick:bn", {3, 32, 32}, 10, 1);
  EXPECT_EQ(count(graph).normalized_channels, 128);
  const Counts folded = count(fold_batch_normalization(graph));
  EXPECT_EQ(folded.weights, 89'440);
  EXPECT_EQ(folded.biases, 138);
  EXPECT_EQ(folded.normalized_channels, 0);
}

// 78,666 parameters in MLPerf Tiny's reference, which keeps a bias in every convolution; one in front of a
// BatchNormalization has no effect, and is left out here.
TEST(Networks, ResNet8HasMlperfTinysSize) {
  const Graph graph = make_network("resnet8", {3, 32, 32}, 10, 1);
  const Counts counts = count(graph);
  EXPECT_EQ(counts.parameters + counts.normalized_channels, 78'666);
  EXPECT_EQ(counts.weights, 77'360);
  EXPECT_EQ(counts.macs, 12'501'632);
  // TensorFlow's "same": the zero of a strided 3x3 window on an even image stands behind it.
  EXPECT_EQ(std::get<Conv>(node_named(graph, "stage2.block1.conv1").op).padding, (Padding{0, 0, 1, 1}));
}

// He et al.'s depth 6n + 2 with n = 2, summed by hand: 432 + 9,216 + 32,768 + 131,072 + 640 weights.
TEST(Networks, ResNet14HasTwoBlocksPerStage) {
  const Counts counts = count(make_network("resnet14", {3, 32, 32}, 10, 1));
  EXPECT_EQ(counts.weights, 174'128);
  EXPECT_EQ(counts.weights + counts.biases + 2 * counts.normalized_channels, 175'258);
}

// 0.27 M trainable parameters, 40.8 M multiply-accumulates with 1x1 convolutions in the shortcuts.
TEST(Networks, ResNet20HasThePublishedSize) {
  const Counts counts = count(make_network("resnet20", {3, 32, 32}, 10, 1));
  EXPECT_EQ(counts.weights + counts.biases + 2 * counts.normalized_channels, 272'474);
  EXPECT_EQ(counts.macs, 40'813'184);
}

TEST(Networks, DsCnnHasMlperfTinysSize) {
  const Graph graph = make_network("dscnn", {1, 49, 10}, 12, 1);
  const Counts counts = count(graph);
  EXPECT_EQ(counts.parameters + counts.normalized_channels, 24'908);
  EXPECT_EQ(shape_after(graph, "stem.conv"), (Shape{64, 25, 5}));
  EXPECT_EQ(std::get<Conv>(node_named(graph, "stem.conv").op).padding, (Padding{4, 1, 5, 1}));
  EXPECT_NEAR(static_cast<double>(counts.macs), 2.66e6, 0.01e6);
}

TEST(Networks, MobileNetHasThePublishedSizes) {
  // MLPerf Tiny's visual wake words network: 221,794, again with biases in front of BatchNormalization.
  const Counts vww = count(make_network("mobilenet_v1", {3, 96, 96}, 2, 1));
  EXPECT_EQ(vww.parameters + vww.normalized_channels, 221'794);
  // Howard et al., tables 6 and 7: 569 M mult-adds and 4.2 M parameters; alpha 0.5 has 149 M and 1.3 M.
  const Counts full = count(make_network("mobilenet_v1:1.0", {3, 224, 224}, 1000, 1));
  EXPECT_NEAR(static_cast<double>(full.macs), 569e6, 0.5e6);
  EXPECT_EQ(full.parameters, 4'253'864);  // Keras' count of the same network
  const Counts half = count(make_network("mobilenet_v1:0.5", {3, 224, 224}, 1000, 1));
  EXPECT_NEAR(static_cast<double>(half.macs), 149e6, 1e6);
  EXPECT_NEAR(static_cast<double>(half.parameters), 1.3e6, 0.05e6);
}

TEST(Networks, SqueezeNetHasThePublishedSize) {
  const Graph graph = make_network("squeezenet", {3, 224, 224}, 1000, 1);
  const Counts counts = count(graph);
  EXPECT_EQ(counts.parameters, 1'235'496);
  EXPECT_NEAR(static_cast<double>(counts.macs), 350e6, 3e6);
  EXPECT_EQ(shape_after(graph, "conv1"), (Shape{64, 111, 111}));
  EXPECT_EQ(shape_after(graph, "fire9.concat"), (Shape{512, 13, 13}));
}

TEST(Networks, AdaptToInputAndClasses) {
  for (const std::string& name : network_names()) {
    for (const Shape& input : {Shape{3, 32, 32}, Shape{1, 28, 28}, Shape{1, 49, 10}, Shape{3, 96, 96}, Shape{3, 64, 80},
                               Shape{2, 17, 33}, Shape{1, 1, 1}}) {
      for (const std::int64_t classes : {1, 2, 100}) {
        const Graph graph = make_network(name, input, classes, 3);
        EXPECT_NO_THROW(validate(graph)) << name << " " << to_string(input);
        EXPECT_EQ(graph.input_shape(), input);
        EXPECT_EQ(graph.output_shape(), Shape{classes}) << name << " " << to_string(input);
      }
    }
  }
}

TEST(Networks, SmallImagesKeepTheirResolution) {
  EXPECT_EQ(shape_after(make_network("mobilenet_v1", {3, 32, 32}, 10, 1), "stem.conv"), (Shape{8, 32, 32}));
  EXPECT_EQ(shape_after(make_network("mobilenet_v1", {3, 96, 96}, 10, 1), "stem.conv"), (Shape{8, 48, 48}));
  EXPECT_EQ(shape_after(make_network("squeezenet", {3, 32, 32}, 10, 1), "conv1"), (Shape{64, 32, 32}));
}

TEST(Networks, NamesAreUnique) {
  for (const std::string& name : network_names()) {
    std::set<std::string> seen;
    for (const Node& node : make_network(name, {3, 32, 32}, 10, 1).nodes) {
      EXPECT_TRUE(seen.insert(node.name).second) << name << ": " << node.name;
    }
  }
}

TEST(Networks, SeedDecidesTheParameters) {
  const auto first_weights = [](std::uint64_t seed) {
    return std::get<Conv>(node_named(make_network("resnet8", {3, 32, 32}, 10, seed), "stem.conv").op).weight;
  };
  EXPECT_EQ(first_weights(7), first_weights(7));
  EXPECT_NE(first_weights(7), first_weights(8));
}

TEST(Networks, ConvolutionsHaveHesVariance) {
  const Graph graph = make_network("resnet8", {3, 32, 32}, 10, 1);
  const auto& weight = std::get<Conv>(node_named(graph, "stage3.block1.conv2").op).weight.data;
  double squares = 0;
  for (const float w : weight) squares += static_cast<double>(w) * w;
  EXPECT_NEAR(squares / static_cast<double>(weight.size()) * (64 * 9) / 2, 1, 0.03);
}

TEST(Networks, WidthsMultiplyFilters) {
  const Graph narrow = make_network("resnet8:0.75", {3, 32, 32}, 10, 1);
  EXPECT_EQ(shape_after(narrow, "stem.conv"), (Shape{12, 32, 32}));
  EXPECT_EQ(shape_after(narrow, "stage3.block1.conv2"), (Shape{48, 8, 8}));
  // 9 * (3 * 12 + 2 * 12 * 12 + 12 * 24 + 24 * 24 + 24 * 48 + 48 * 48) + 12 * 24 + 24 * 48 + 48 * 10
  EXPECT_EQ(count(narrow).weights, 43'716);
  EXPECT_EQ(count(make_network("resnet20:1", {3, 32, 32}, 10, 1)).weights,
            count(make_network("resnet20", {3, 32, 32}, 10, 1)).weights);
}

TEST(Networks, RefuseWhatCannotBe) {
  const auto message = [](const std::string& name, const Shape& input, std::int64_t classes) -> std::string {
    try {
      (void)make_network(name, input, classes, 1);
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ExitCode::bad_input);
      return error.what();
    }
    return "";
  };
  EXPECT_NE(message("resnet9", {3, 32, 32}, 10).find("cifar10_quick, resnet8"), std::string::npos);
  for (const char* name : {"mobilenet_v1:", "mobilenet_v1:x", "mobilenet_v1:0", "mobilenet_v1:1e9", "mobilenet_v1:nan",
                           "resnet8:0", "dscnn:2", "cifar10_quick:", "cifar10_quick:BN", ""}) {
    EXPECT_NE(message(name, {3, 32, 32}, 10), "") << name;
  }
  EXPECT_NE(message("resnet8", {3072}, 10), "");
  EXPECT_NE(message("resnet8", {3, 0, 32}, 10), "");
  EXPECT_NE(message("resnet8", {3, 32, 1 << 20}, 10), "");
  EXPECT_NE(message("resnet8", {3, 32, 32}, 0), "");
}

}  // namespace
}  // namespace trimtab
