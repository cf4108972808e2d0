#include "graph/passes.h"

#include <gtest/gtest.h>

#include <cmath>

#include "base/error.h"
#include "support/random_graph.h"
#include "support/reference.h"

namespace trimtab {
namespace {

using reference::GraphBuilder;
using reference::random_graph;
using reference::random_sample;

template <typename Op>
int count(const Graph& graph) {
  int found = 0;
  for (const Node& node : graph.nodes) found += std::holds_alternative<Op>(node.op) ? 1 : 0;
  return found;
}

Pool pool_3x3(PoolKind kind, std::int64_t stride) {
  Pool pool;
  pool.kind = kind;
  pool.kernel = {3, 3};
  pool.stride = {stride, stride};
  return pool;
}

void expect_same_function(const Graph& before, const Graph& after, std::uint64_t seed) {
  ASSERT_NO_THROW(validate(after)) << "seed " << seed;
  const auto sample = random_sample(before, seed);
  const auto expected = reference::run(before, sample);
  EXPECT_LE(reference::difference(expected, reference::run(after, sample)), 2e-5 * reference::largest(expected))
      << "seed " << seed;
}

TEST(Passes, KeepTheFunctionOfRandomGraphs) {
  for (std::uint64_t seed = 0; seed < 150; ++seed) {
    const Graph graph = random_graph(seed);
    ASSERT_NO_THROW(validate(graph)) << "seed " << seed;
    expect_same_function(graph, fold_batch_normalization(graph), seed);
    expect_same_function(graph, merge_padding(graph), seed);
    expect_same_function(graph, fold_affine_forward(graph), seed);
    expect_same_function(graph, remove_unused(graph), seed);
    const Graph all = fold_affine_forward(merge_padding(fold_batch_normalization(graph)));
    expect_same_function(graph, all, seed);
    EXPECT_EQ(count<BatchNormalization>(all), 0);
  }
}

TEST(FoldBatchNormalization, FoldsChainsBehindLayers) {
  GraphBuilder builder(1, {3, 8, 8});
  Conv conv;
  conv.weight = builder.tensor({4, 3, 3, 3}, -1, 1);
  conv.padding = {1, 1, 1, 1};
  ValueId x = builder.add(conv, {0});
  x = builder.add(builder.batch_normalization(4), {x});
  x = builder.add(builder.affine(4), {x});
  x = builder.add(Relu{}, {x});
  const Graph graph = builder.take();
  const Graph folded = fold_batch_normalization(graph);
  ASSERT_EQ(folded.nodes.size(), 2U);
  EXPECT_EQ(folded.nodes[0].name, graph.nodes[0].name);
  EXPECT_EQ(folded.values.size(), 3U);
  expect_same_function(graph, folded, 1);
}

TEST(FoldBatchNormalization, LeavesALayerThatOthersRead) {
  GraphBuilder builder(2, {3, 8, 8});
  Conv conv;
  conv.weight = builder.tensor({3, 3, 1, 1}, -1, 1);
  const ValueId made = builder.add(conv, {0});
  const ValueId normalized = builder.add(builder.batch_normalization(3), {made});
  builder.add(Add{}, {made, normalized});
  const Graph graph = builder.take();
  const Graph folded = fold_batch_normalization(graph);
  EXPECT_EQ(count<Affine>(folded), 1);
  EXPECT_EQ(count<BatchNormalization>(folded), 0);
  expect_same_function(graph, folded, 2);
}

TEST(FoldBatchNormalization, LeavesTheNetworksOutput) {
  GraphBuilder builder(3, {3, 4, 4});
  Conv conv;
  conv.weight = builder.tensor({2, 3, 1, 1}, -1, 1);
  const ValueId made = builder.add(conv, {0});
  builder.add(builder.batch_normalization(2), {made});
  Graph graph = builder.take();
  graph.output = made;
  const Graph folded = fold_batch_normalization(graph);
  expect_same_function(graph, folded, 3);
  EXPECT_EQ(folded.nodes.size(), 1U);
}

TEST(FoldAffineForward, GivesThePaddingItsValue) {
  GraphBuilder builder(4, {3, 6, 6});
  const ValueId x = builder.add(Affine{{{3}, {2.0F, 0.5F, -1.0F}}, {{3}, {-0.5F, 0.25F, 0.0F}}}, {0});
  Conv conv;
  conv.weight = builder.tensor({4, 3, 3, 3}, -1, 1);
  conv.padding = {1, 0, 2, 1};
  builder.add(conv, {x});
  const Graph graph = builder.take();
  const Graph folded = fold_affine_forward(graph);
  ASSERT_EQ(folded.nodes.size(), 1U);
  // scale * padding + offset = 0
  EXPECT_EQ(std::get<Conv>(folded.nodes[0].op).padding_value, (Tensor{{3}, {0.25F, -0.5F, 0.0F}}));
  expect_same_function(graph, folded, 4);
}

TEST(FoldAffineForward, FoldsIntoAllReadersOrNone) {
  for (const bool blocked : {false, true}) {
    GraphBuilder builder(5, {2, 6, 6});
    const ValueId x = builder.add(builder.affine(2), {0});
    Conv conv;
    conv.weight = builder.tensor({2, 2, 3, 3}, -1, 1);
    const ValueId a = builder.add(conv, {x});
    const ValueId b = blocked ? builder.add(pool_3x3(PoolKind::max, 1), {x}) : builder.add(conv, {x});
    builder.add(Add{}, {a, b});
    const Graph graph = builder.take();
    const Graph folded = fold_affine_forward(graph);
    EXPECT_EQ(count<Affine>(folded), blocked ? 1 : 0);
    expect_same_function(graph, folded, 5);
  }
}

TEST(FoldAffineForward, LeavesAPaddedConvBehindAScaleOfZero) {
  GraphBuilder builder(6, {2, 6, 6});
  const ValueId x = builder.add(Affine{{{2}, {0.0F, 1.0F}}, {{2}, {1.0F, 0.0F}}}, {0});
  Conv conv;
  conv.weight = builder.tensor({2, 2, 3, 3}, -1, 1);
  conv.padding = {1, 1, 1, 1};
  builder.add(conv, {x});
  const Graph graph = builder.take();
  const Graph folded = fold_affine_forward(graph);
  EXPECT_EQ(count<Affine>(folded), 1);
  expect_same_function(graph, folded, 6);
}

TEST(FoldAffineForward, GoesThroughAFlatteningToTheLinear) {
  GraphBuilder builder(7, {3, 2, 2});
  ValueId x = builder.add(builder.affine(3), {0});
  x = builder.add(Reshape{{12}}, {x});
  builder.add(Linear{builder.tensor({4, 12}, -1, 1), {}}, {x});
  const Graph graph = builder.take();
  const Graph folded = fold_affine_forward(graph);
  EXPECT_EQ(folded.nodes.size(), 2U);
  expect_same_function(graph, folded, 7);
}

TEST(MergePadding, MergesIntoConvAndCountingPool) {
  GraphBuilder builder(8, {2, 6, 6});
  ValueId x = builder.add(Pad{{1, 2, 0, 1}, 0}, {0});
  Conv conv;
  conv.weight = builder.tensor({2, 2, 3, 3}, -1, 1);
  conv.padding = {1, 0, 0, 0};
  x = builder.add(conv, {x});
  x = builder.add(Pad{{1, 1, 1, 1}, 0}, {x});
  builder.add(pool_3x3(PoolKind::average, 2), {x});
  const Graph graph = builder.take();
  const Graph merged = merge_padding(graph);
  ASSERT_EQ(merged.nodes.size(), 2U);
  EXPECT_EQ(std::get<Conv>(merged.nodes[0].op).padding, (Padding{2, 2, 0, 1}));
  EXPECT_TRUE(std::get<Pool>(merged.nodes[1].op).count_include_pad);
  expect_same_function(graph, merged, 8);
}

TEST(MergePadding, LeavesMaxPools) {
  GraphBuilder builder(9, {2, 6, 6});
  const ValueId x = builder.add(Pad{{1, 1, 1, 1}, 0}, {0});
  builder.add(pool_3x3(PoolKind::max, 2), {x});
  const Graph graph = builder.take();
  EXPECT_EQ(merge_padding(graph).nodes.size(), 2U);
}

TEST(RemoveUnused, DropsDeadBranchesAndTheirValues) {
  GraphBuilder builder(10, {2, 6, 6});
  const ValueId dead = builder.add(Relu{}, {0});
  builder.add(Sigmoid{}, {dead});
  builder.add(LeakyRelu{}, {0});
  const Graph graph = builder.take();
  const Graph cleaned = remove_unused(graph);
  EXPECT_EQ(cleaned.nodes.size(), 1U);
  EXPECT_EQ(cleaned.values.size(), 2U);
  expect_same_function(graph, cleaned, 10);
}

}  // namespace
}  // namespace trimtab
