#include "study/evolve.h"

#include <gtest/gtest.h>

#include <cmath>

#include "base/random.h"

namespace trimtab {
namespace {

double loss_of(const std::vector<std::vector<Choice>>& items, const std::vector<std::size_t>& chosen) {
  double loss = 0;
  for (std::size_t i = 0; i < items.size(); ++i) loss += items[i][chosen[i]].loss;
  return loss;
}

// Bits of layers of various sizes: what loses less costs more. The exact answer is never beaten, and nearly found.
TEST(Evolve, ComesCloseToTheExactKnapsack) {
  for (std::uint64_t seed = 1; seed <= 5; ++seed) {
    Random random(seed);
    std::vector<std::vector<Choice>> items;
    std::int64_t most = 0;
    for (int layer = 0; layer < 10; ++layer) {
      const std::int64_t weights = random.integer(100, 5000);
      const double sensitivity = random.uniform(0.1, 4);
      std::vector<Choice>& item = items.emplace_back();
      for (int bits = 2; bits <= 8; ++bits) item.push_back({weights * bits / 8, sensitivity * std::pow(4.0, -bits)});
      most += weights;
    }
    const std::int64_t budget = most / 2;
    const auto exact = solve_knapsack(items, budget);
    const auto evolved = evolve_choices(items, budget, seed);
    ASSERT_TRUE(exact && evolved);
    std::int64_t cost = 0;
    for (std::size_t i = 0; i < items.size(); ++i) cost += items[i][(*evolved)[i]].cost;
    EXPECT_LE(cost, budget);
    EXPECT_GE(loss_of(items, *evolved), loss_of(items, *exact) - 1e-12);
    EXPECT_LE(loss_of(items, *evolved), 2 * loss_of(items, *exact));
    EXPECT_EQ(evolve_choices(items, budget, seed), evolved);  // the same seed, the same answer
  }
}

TEST(Evolve, MeetsWhateverBudgetCanBeMet) {
  const std::vector<std::vector<Choice>> items{{{10, 1}, {20, 0}}, {{5, 2}, {9, 1}}};
  const auto cheapest = evolve_choices(items, 15, 1);
  ASSERT_TRUE(cheapest);
  EXPECT_EQ(*cheapest, (std::vector<std::size_t>{0, 0}));
  EXPECT_FALSE(evolve_choices(items, 14, 1));
}

}  // namespace
}  // namespace trimtab
