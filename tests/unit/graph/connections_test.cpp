#include "graph/connections.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "support/graphs.h"
#include "support/random_graph.h"

namespace trimtab {
namespace {

/// The same as walks over all nodes, for every value.
void expect_as_found_by_walking(const Connections& connections, const Graph& graph) {
  for (std::size_t i = 0; i < graph.values.size(); ++i) {
    const auto value = static_cast<ValueId>(i);
    EXPECT_EQ(connections.producer(value), graph.producer(value));
    EXPECT_EQ(connections.consumers(value), graph.consumers(value));
    EXPECT_EQ(connections.only_consumer(value), graph.only_consumer(value));
  }
}

TEST(Connections, AreThoseThatWalksFind) {
  for (std::uint64_t seed = 0; seed < 30; ++seed) {
    const Graph graph = reference::random_graph(seed, 12);
    expect_as_found_by_walking(Connections(graph), graph);
  }
}

TEST(Connections, FollowAReaderThatReadsAnotherValue) {
  test::GraphMaker maker({3, 4, 4});
  const ValueId relu = maker.add(Relu{}, {0});
  const ValueId sigmoid = maker.add(Sigmoid{}, {relu});
  maker.add(Add{}, {sigmoid, relu});
  Graph graph = maker.graph();
  Connections connections(graph);
  std::replace(graph.nodes[2].inputs.begin(), graph.nodes[2].inputs.end(), relu, graph.input);
  connections.redirect(2, relu, graph.input);
  expect_as_found_by_walking(connections, graph);
}

}  // namespace
}  // namespace trimtab
