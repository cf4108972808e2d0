#include "study/knapsack.h"

#include <gtest/gtest.h>

#include "base/random.h"

namespace trimtab {
namespace {

/// The least loss over all combinations, or nothing.
std::optional<double> brute_force(const std::vector<std::vector<Choice>>& items, std::int64_t budget) {
  std::optional<double> best;
  std::vector<std::size_t> chosen(items.size(), 0);
  for (;;) {
    std::int64_t cost = 0;
    double loss = 0;
    for (std::size_t i = 0; i < items.size(); ++i) {
      cost += items[i][chosen[i]].cost;
      loss += items[i][chosen[i]].loss;
    }
    if (cost <= budget && (!best || loss < *best)) best = loss;
    std::size_t i = 0;
    while (i < items.size() && ++chosen[i] == items[i].size()) chosen[i++] = 0;
    if (i == items.size()) return best;
  }
}

TEST(Knapsack, FindsWhatBruteForceFinds) {
  int without = 0;
  for (std::uint64_t seed = 0; seed < 300; ++seed) {
    Random random(seed);
    std::vector<std::vector<Choice>> items(static_cast<std::size_t>(random.integer(1, 6)));
    for (std::vector<Choice>& item : items) {
      for (std::int64_t c = random.integer(1, 5); c > 0; --c)
        item.push_back({random.integer(0, 40), random.uniform(-1, 5)});
    }
    const std::int64_t budget = random.integer(0, 150);
    const std::optional<double> expected = brute_force(items, budget);
    const auto chosen = solve_knapsack(items, budget);
    ASSERT_EQ(chosen.has_value(), expected.has_value()) << "seed " << seed;
    if (!chosen) {
      ++without;
      continue;
    }
    std::int64_t cost = 0;
    double loss = 0;
    for (std::size_t i = 0; i < items.size(); ++i) {
      cost += items[i][(*chosen)[i]].cost;
      loss += items[i][(*chosen)[i]].loss;
    }
    EXPECT_LE(cost, budget);
    EXPECT_NEAR(loss, *expected, 1e-9) << "seed " << seed;
  }
  EXPECT_GT(without, 5);  // both cases were met
  EXPECT_LT(without, 200);
}

TEST(Knapsack, TakesNothingForNothing) {
  EXPECT_TRUE(solve_knapsack({}, 0).has_value());
  const std::vector<std::vector<Choice>> empty(1);
  EXPECT_FALSE(solve_knapsack(empty, 10).has_value());
}

}  // namespace
}  // namespace trimtab
