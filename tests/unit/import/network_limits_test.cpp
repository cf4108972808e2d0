#include "import/network_limits.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"
#include "support/graphs.h"

namespace trimtab {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

std::string refusal(const Graph& graph, std::int64_t memory_bytes = 0) {
  try {
    check_network_limits(graph, memory_bytes);
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::bad_input);
    return error.what();
  }
  return "accepted";
}

/// One layer over 3x32x32.
Graph one_layer(Operator op) {
  Graph graph;
  graph.values = {{"input", {3, 32, 32}}, {"output", {}}};
  graph.nodes = {{"layer", std::move(op), {0}, 1}};
  graph.values[1].shape = infer_shape(graph.nodes[0], {graph.values[0].shape});
  graph.input = 0;
  graph.output = 1;
  return graph;
}

TEST(NetworkLimits, RefusesStridesThatLibtorchDoesNotTake) {
  Pool pool;
  EXPECT_EQ(refusal(one_layer(pool)), "accepted");
  pool.stride = {2, std::int64_t{1} << 31};
  EXPECT_THAT(refusal(one_layer(pool)), AllOf(HasSubstr("'layer'"), HasSubstr("stride of 2147483648")));
}

TEST(NetworkLimits, BoundsMapsByNumbersAndMemory) {
  Pad pad;
  pad.padding = {10000, 10000, 10000, 10000};
  EXPECT_EQ(refusal(one_layer(pad), std::int64_t{1} << 40), "accepted");  // 3 x 20032 x 20032 numbers
  EXPECT_THAT(refusal(one_layer(pad), std::int64_t{1} << 30), HasSubstr("--memory-limit allows 1073741824"));
  pad.padding = {70000, 0, 0, 0};
  EXPECT_THAT(refusal(one_layer(pad)), HasSubstr("padding of 70000"));
}

}  // namespace
}  // namespace trimtab
