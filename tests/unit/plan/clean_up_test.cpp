#include "plan/clean_up.h"

#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>

#include "import/onnx.h"
#include "plan/layers.h"
#include "support/models.h"
#include "support/random_graph.h"
#include "support/reference.h"

namespace trimtab {
namespace {

using reference::GraphBuilder;

constexpr Range around_zero{-1, 1};

/// The outputs of both networks on samples within [-1, 1], some of them at its ends.
void expect_same_outputs(const Graph& before, const Graph& after, std::uint64_t seed) {
  ASSERT_NO_THROW(validate(after)) << seed;
  Random random(seed);
  for (int i = 0; i < 4; ++i) {
    reference::Values sample;
    for (std::int64_t n = 0; n < element_count(before.input_shape()); ++n) {
      const double x = random.uniform(-1, 1);
      sample.push_back(static_cast<float>(i == 0 ? (x < 0 ? -1 : 1) : x));
    }
    const auto expected = reference::run(before, sample);
    EXPECT_LE(reference::difference(expected, reference::run(after, sample)), 1e-5 * reference::largest(expected))
        << "seed " << seed;
  }
}

CleanUp cleaned(const Graph& graph) {
  return clean_up(graph, std::vector<Range>(static_cast<std::size_t>(graph.input_shape()[0]), around_zero));
}

/// Makes some filters constant or dead: their weights 0, or their bias far below 0.
void kill_filters(Graph& graph, std::uint64_t seed) {
  Random random(seed);
  for (Node& node : graph.nodes) {
    Tensor* weight = weight_of(node.op);
    if (weight == nullptr || node.output == graph.output) continue;
    Tensor& bias = *bias_of(node.op);
    const std::int64_t filters = weight->shape[0];
    const std::size_t size = weight->data.size() / static_cast<std::size_t>(filters);
    if (bias.empty()) bias = {{filters}, std::vector<float>(static_cast<std::size_t>(filters), 0.0F)};
    for (std::size_t o = 0; o < static_cast<std::size_t>(filters); ++o) {
      switch (random.integer(0, 4)) {
        case 0:
          bias.data[o] = -1000;
          break;
        case 1:
          std::fill_n(weight->data.begin() + static_cast<std::ptrdiff_t>(o * size), size, 0.0F);
          break;
        case 2:
          std::fill_n(weight->data.begin() + static_cast<std::ptrdiff_t>(o * size), size, 0.0F);
          bias.data[o] = 0;
          break;
        default:
          break;
      }
    }
  }
}

/// Blocks of Convs with Relu, residuals, concatenations, depthwise Convs and pools, of which many channels are dead.
Graph network_with_dead_filters(std::uint64_t seed) {
  GraphBuilder builder(seed, {3, 9, 8});
  Random& random = builder.random();
  const auto conv = [&](ValueId x, std::int64_t filters, std::int64_t groups) {
    Conv op;
    op.groups = groups;
    const std::int64_t kernel = builder.flip() ? 1 : 3;
    op.weight = builder.tensor({filters, builder.shape(x)[0] / groups, kernel, kernel}, -0.6, 0.6);
    op.bias = builder.tensor({filters}, -0.5, 0.5);
    op.padding = {kernel / 2, kernel / 2, kernel / 2, kernel / 2};
    if (builder.flip()) op.padding_value = builder.tensor({builder.shape(x)[0]}, 0, 0);
    ValueId y = builder.add(op, {x});
    if (builder.flip()) y = builder.add(builder.batch_normalization(filters), {y});
    return builder.flip() ? builder.add(Relu{}, {y}) : builder.add(Clip{0, 6}, {y});
  };
  ValueId x = conv(0, 8, 1);
  for (int i = 0; i < 5; ++i) {
    const std::int64_t channels = builder.shape(x)[0];
    switch (random.integer(0, 5)) {
      case 0:
        x = builder.add(Add{}, {x, conv(x, channels, 1)});
        break;
      case 1:
        x = builder.add(Concat{}, {conv(x, 6, 1), conv(x, 4, 1)});
        break;
      case 2:
        x = conv(conv(x, channels, channels), 8, 1);
        break;
      case 3:
        x = conv(x, channels, 2);
        break;
      case 4:
        x = builder.add(Mul{}, {x, builder.add(Sigmoid{}, {builder.add(GlobalAveragePool{}, {conv(x, channels, 1)})})});
        break;
      default: {
        Pool pool;
        pool.kind = builder.flip() ? PoolKind::max : PoolKind::average;
        pool.kernel = {2, 2};
        pool.stride = {1, 1};
        pool.padding = {1, 0, 0, 0};
        pool.count_include_pad = pool.kind == PoolKind::average && builder.flip();
        if (builder.shape(x)[1] > 2 && builder.shape(x)[2] > 2) x = builder.add(pool, {x});
      }
    }
  }
  x = conv(x, 6, 1);
  x = builder.add(Reshape{{element_count(builder.shape(x))}}, {x});
  builder.add(Linear{builder.tensor({4, builder.shape(x)[0]}, -0.3, 0.3), builder.tensor({4}, -1, 1)}, {x});
  Graph graph = builder.take();
  kill_filters(graph, seed);
  return graph;
}

TEST(CleanUp, KeepsTheOutputsOfRandomNetworksWithDeadFilters) {
  std::int64_t removed = 0;
  for (std::uint64_t seed = 0; seed < 150; ++seed) {
    const Graph graph = network_with_dead_filters(seed);
    const CleanUp clean = cleaned(graph);
    expect_same_outputs(graph, clean.graph, seed);
    removed += clean.removed_filters;
    EXPECT_TRUE(cleaned(clean.graph).is_empty()) << seed;
  }
  EXPECT_GT(removed, 1000);
}

TEST(CleanUp, KeepsTheOutputsOfAnyOperators) {
  for (std::uint64_t seed = 0; seed < 150; ++seed) {
    Graph graph = reference::random_graph(seed, 14);
    kill_filters(graph, seed);
    expect_same_outputs(graph, cleaned(graph).graph, seed);
  }
}

/// A Conv of one constant channel and three others, and a 3x3 Conv with padding that reads them.
Graph constant_before_padding(float constant, const Tensor& padding_value) {
  GraphBuilder builder(1, {2, 6, 6});
  Conv first;
  first.weight = builder.tensor({4, 2, 1, 1}, 0.5, 1);
  first.bias = {{4}, {constant, 0, 0, 0}};
  std::fill_n(first.weight.data.begin(), 2, 0.0F);
  const ValueId x = builder.add(Relu{}, {builder.add(first, {0})});
  Conv second;
  second.weight = builder.tensor({3, 4, 3, 3}, -1, 1);
  second.bias = builder.tensor({3}, -1, 1);
  second.padding = {1, 1, 1, 1};
  second.padding_value = padding_value;
  builder.add(second, {x});
  return builder.take();
}

TEST(CleanUp, ConstantsUnderPaddingStayUnlessThePaddingHasThem) {
  const Graph zero = constant_before_padding(-1, {});
  EXPECT_EQ(cleaned(zero).removed_filters, 1);
  expect_same_outputs(zero, cleaned(zero).graph, 1);
  const Graph other = constant_before_padding(0.5F, {});
  EXPECT_EQ(cleaned(other).removed_filters, 0);
  const Graph equal = constant_before_padding(0.5F, {{4}, {0.5F, 0, 0, 0}});
  EXPECT_EQ(cleaned(equal).removed_filters, 1);
  expect_same_outputs(equal, cleaned(equal).graph, 1);
}

TEST(CleanUp, RangeOfTheInputDecides) {
  GraphBuilder builder(2, {1, 4, 4});
  Conv conv;
  conv.weight = {{2, 1, 1, 1}, {1, 1}};
  conv.bias = {{2}, {-1.5F, 0}};
  const ValueId x = builder.add(Relu{}, {builder.add(conv, {0})});
  Conv last;
  last.weight = builder.tensor({2, 2, 1, 1}, 0.5, 1);
  builder.add(last, {x});
  const Graph graph = builder.take();
  EXPECT_EQ(clean_up(graph, {{-1, 1}}).removed_filters, 1);
  EXPECT_EQ(clean_up(graph, {{-1, 2}}).removed_filters, 0);
  EXPECT_EQ(clean_up(graph, {Range{}}).removed_filters, 0);
}

TEST(CleanUp, FiltersThatNobodyReadsGo) {
  GraphBuilder builder(3, {2, 4, 4});
  Conv first;
  first.weight = builder.tensor({4, 2, 3, 3}, -1, 1);
  Conv last;
  last.weight = builder.tensor({2, 4, 1, 1}, 0.5, 1);
  last.weight.data[1] = last.weight.data[5] = 0;
  builder.add(last, {builder.add(first, {0})});
  const Graph graph = builder.take();
  const CleanUp clean = cleaned(graph);
  EXPECT_EQ(clean.removed_filters, 1);
  expect_same_outputs(graph, clean.graph, 3);
}

TEST(CleanUp, MergesWhatIsEqualAndDropsWhatChangesNothing) {
  GraphBuilder builder(4, {2, 6, 6});
  Conv conv;
  conv.weight = builder.tensor({4, 2, 3, 3}, -1, 1);
  const ValueId a = builder.add(Relu{}, {builder.add(conv, {0})});
  const ValueId b = builder.add(Relu{}, {builder.add(conv, {0})});
  Affine nothing{{{4}, {1, 1, 1, 1}}, {{4}, {0, 0, 0, 0}}};
  builder.add(Add{}, {builder.add(Relu{}, {builder.add(nothing, {a})}), b});
  const Graph graph = builder.take();
  const CleanUp clean = cleaned(graph);
  EXPECT_EQ(clean.removed_nodes, 4);
  EXPECT_EQ(clean.graph.nodes.size(), 3U);
  expect_same_outputs(graph, clean.graph, 4);
}

TEST(CleanUp, KeepsTheGridsOfAQuantizedNetwork) {
  GraphBuilder builder(5, {2, 4, 4});
  const ValueId a = builder.add(Relu{}, {0});
  const ValueId b = builder.add(Relu{}, {0});
  builder.add(Add{}, {builder.add(Relu{}, {a}), b});
  Graph graph = builder.take();
  const auto nodes_left = [&] { return cleaned(graph).graph.nodes.size(); };
  EXPECT_EQ(nodes_left(), 2U);
  graph.values[static_cast<std::size_t>(b)].grid = SourceGrid{0.5F, 0, 8, false};
  EXPECT_EQ(nodes_left(), 3U);
  graph.values[static_cast<std::size_t>(graph.nodes[2].output)].grid = SourceGrid{0.25F, 0, 8, false};
  EXPECT_EQ(nodes_left(), 4U);
}

TEST(CleanUp, DescribesItself) {
  const CleanUp clean{{}, 2736, 978, 1000, 860, 0};
  EXPECT_EQ(describe(clean, 2.4e-7),
            "removed 978 dead filters of 2,736, 86 % of the weights; outputs differ by at most 2.4e-07");
}

TEST(CleanUp, FindsTheDeadFiltersOfATrainedNetwork) {
  const std::filesystem::path path = models / "mobilenetv1_0.25_vww96.onnx";
  if (!std::filesystem::exists(path)) GTEST_SKIP() << "shared/models is absent";
  const Graph graph = prepare_for_deployment(read_onnx(path), parse_preprocessing("unit", 3));
  const CleanUp clean = clean_up(graph, std::vector<Range>(3, {0, 255}));
  EXPECT_GE(clean.removed_filters, 1700);
  EXPECT_GT(static_cast<double>(clean.removed_weights), 0.857 * static_cast<double>(clean.weights));
  Random random(1);
  for (int i = 0; i < 2; ++i) {
    reference::Values sample;
    for (std::int64_t n = 0; n < element_count(graph.input_shape()); ++n) {
      sample.push_back(static_cast<float>(random.integer(0, 255)));
    }
    EXPECT_LE(reference::difference(reference::run(graph, sample), reference::run(clean.graph, sample)), 1e-5);
  }
}

}  // namespace
}  // namespace trimtab
