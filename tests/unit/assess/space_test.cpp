#include "assess/space.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "assess/assess.h"
#include "base/error.h"
#include "data/dataset.h"
#include "graph/networks.h"
#include "plan/layers.h"
#include "study/summary.h"

namespace trimtab {
namespace {

Graph prepared(const std::string& name) { return prepare_for_deployment(make_network(name, {3, 32, 32}, 10, 1), {}); }

/// Importance that rises with the channel, the same in every group.
std::vector<double> rising(const ChannelGroups& groups) {
  std::vector<double> importance(groups.units.size(), 0.0);
  for (const ChannelGroup& group : groups.groups) {
    double next = 1;
    for (const UnitId unit : group.units) importance[static_cast<std::size_t>(unit)] = next++;
  }
  return importance;
}

TEST(counted_numbers, are_those_of_the_published_experiment) {
  const CountedNumbers counted = count_numbers(prepared("cifar10_quick"));
  EXPECT_EQ(counted.weights, 89440 + 138);
  EXPECT_EQ(counted.activations, 3072 + 32768 + 8192);
  EXPECT_EQ(counted.total(), 133610);
  EXPECT_EQ(counted.bytes(8), 133610);
  EXPECT_EQ(counted.bytes(2), 33403);  // 33,402.5
  // the published budgets, in KB of 1024 bytes, hold the whole network at 2 to 7 and at 15 bits
  const int bits[] = {2, 3, 4, 5, 6, 7, 15};
  const std::int64_t kilobytes[] = {33, 49, 66, 82, 98, 115, 245};
  for (int i = 0; i < 7; ++i) {
    EXPECT_LE(counted.bytes(bits[i]), kilobytes[i] * 1024);
    EXPECT_GT(counted.bytes(bits[i] + 1), kilobytes[i] * 1024);
  }
}

TEST(counted_numbers, hold_what_a_residual_connection_keeps_alive) {
  // resnet8's first block: input and output of its second convolution, and the shortcut: 3 x 16 x 32 x 32
  EXPECT_EQ(count_numbers(prepared("resnet8")).activations, 3 * 16 * 32 * 32);
}

TEST(choose_filters, fits_and_leaves_no_room_for_the_next_step) {
  const Graph graph = prepared("cifar10_quick");
  const ChannelGroups groups = find_channel_groups(graph);
  const std::vector<double> importance = rising(groups);
  for (const PruningRule rule : {PruningRule::uniform, PruningRule::importance}) {
    for (const std::int64_t numbers : {20000, 33792, 67584, 120000}) {
      const KeptFilters kept = choose_filters(graph, groups, importance, rule, numbers);
      EXPECT_FALSE(kept.empty());
      const std::int64_t total = count_numbers(prune_to(graph, groups, importance, kept)).total();
      EXPECT_LE(total, numbers);
      // a filter takes at most 1024 + 256 + 75 + 1 + 25 * 32 numbers in conv1, 2,401 in conv2; uniform takes of all
      EXPECT_GT(total, numbers - (rule == PruningRule::uniform ? 2156 + 2401 + 2 * 961 : 2401)) << numbers;
    }
  }
}

TEST(choose_filters, keeps_all_where_all_fits_and_refuses_what_cannot_fit) {
  const Graph graph = prepared("cifar10_quick");
  const ChannelGroups groups = find_channel_groups(graph);
  const std::vector<double> importance = rising(groups);
  EXPECT_TRUE(choose_filters(graph, groups, importance, PruningRule::uniform, 133610).empty());
  try {
    (void)choose_filters(graph, groups, importance, PruningRule::uniform, 4000);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::bound_not_met);
    // 3,072 + 1,024 + 256 activations, 76 + 26 + 26 + 170 weights and biases
    EXPECT_THAT(error.what(), testing::HasSubstr("4650 numbers"));
  }
}

TEST(choose_filters, by_importance_takes_what_matters_least_for_its_size) {
  const Graph graph = prepared("cifar10_quick");
  const ChannelGroups groups = find_channel_groups(graph);
  std::vector<double> importance(groups.units.size(), 1.0);
  for (const UnitId unit : groups.groups[1].units) importance[static_cast<std::size_t>(unit)] = 1e-6;
  const KeptFilters kept = choose_filters(graph, groups, importance, PruningRule::importance, 110000);
  ASSERT_EQ(kept.size(), 1U);
  EXPECT_EQ(kept.begin()->first, "conv2");
}

TEST(prune_to, refuses_what_is_not_there) {
  const Graph graph = prepared("cifar10_quick");
  const ChannelGroups groups = find_channel_groups(graph);
  const std::vector<double> importance = rising(groups);
  EXPECT_THROW((void)prune_to(graph, groups, importance, {{"nowhere", 3}}), Error);
  EXPECT_THROW((void)prune_to(graph, groups, importance, {{"conv1", 33}}), Error);
  EXPECT_THROW((void)prune_to(graph, groups, importance, {{"conv1", 0}}), Error);
}

TEST(pixels, of_fewer_bits_lie_in_the_middle_of_their_steps) {
  Dataset data;
  data.shape = {1, 1, 4};
  data.pixels = {{0, 63, 64, 255}, 4};
  data.labels = {0};
  EXPECT_EQ(with_pixel_bits(data, 8).pixels, data.pixels);
  EXPECT_EQ(with_pixel_bits(data, 16).pixels, data.pixels);
  EXPECT_EQ(with_pixel_bits(data, 2).pixels.values(), (std::vector<std::uint8_t>{32, 32, 96, 224}));
}

TEST(pareto_front, holds_what_nothing_beats) {
  const std::vector<double> cost = {3, 1, 2, 2, 4, 1};
  const std::vector<double> value = {70, 50, 60, 65, 69, 50};
  EXPECT_EQ(pareto_front(cost, value), (std::vector<std::size_t>{1, 3, 0}));
  EXPECT_TRUE(pareto_front({}, {}).empty());
}

}  // namespace
}  // namespace trimtab
