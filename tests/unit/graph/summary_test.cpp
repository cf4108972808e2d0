#include "graph/summary.h"

#include <gtest/gtest.h>

#include "support/random_graph.h"

namespace trimtab {
namespace {

using reference::GraphBuilder;

Conv conv_1x1(GraphBuilder& builder, std::int64_t outputs, std::int64_t inputs) {
  Conv conv;
  conv.weight = builder.tensor({outputs, inputs, 1, 1}, -1, 1);
  conv.bias = builder.tensor({outputs}, -1, 1);
  return conv;
}

TEST(Summary, CountsOfAChain) {
  GraphBuilder builder(1, {3, 4, 4});
  ValueId x = builder.add(conv_1x1(builder, 8, 3), {0});
  x = builder.add(Relu{}, {x});
  x = builder.add(GlobalAveragePool{false}, {x});
  builder.add(Linear{builder.tensor({10, 8}, -1, 1), {}}, {x});
  const GraphSummary summary = summarize(builder.take());
  EXPECT_EQ(summary.parameters, 8 * 3 + 8 + 80);
  EXPECT_EQ(summary.multiply_accumulates, 8 * 3 * 16 + 80);
  EXPECT_EQ(summary.weight_bytes, 4 * summary.parameters);
  EXPECT_EQ(summary.activation_bytes, 48 + 128 + 128 + 8 + 10);
  EXPECT_EQ(summary.nodes[0].live_bytes, 48 + 128);
  EXPECT_EQ(summary.nodes[1].live_bytes, 128);  // in place
  EXPECT_EQ(summary.nodes[3].live_bytes, 8 + 10);
  EXPECT_EQ(summary.peak_ram_bytes, 48 + 128);
  EXPECT_EQ(summary.peak_node, summary.nodes[0].name);
}

TEST(Summary, AResidualKeepsItsInputAlive) {
  GraphBuilder builder(2, {4, 5, 5});
  const ValueId x = builder.add(conv_1x1(builder, 4, 4), {0});
  const ValueId a = builder.add(conv_1x1(builder, 6, 4), {x});
  const ValueId b = builder.add(conv_1x1(builder, 4, 6), {a});
  const ValueId sum = builder.add(Add{}, {b, x});
  builder.add(Relu{}, {sum});
  const GraphSummary summary = summarize(builder.take());
  EXPECT_EQ(summary.nodes[1].live_bytes, 100 + 150);
  EXPECT_EQ(summary.nodes[2].live_bytes, 100 + 150 + 100);
  EXPECT_EQ(summary.nodes[3].live_bytes, 100 + 100);  // the sum takes the place of an operand
  EXPECT_EQ(summary.peak_ram_bytes, 350);
}

}  // namespace
}  // namespace trimtab
