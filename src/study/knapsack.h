#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace trimtab {

/// One way to have an item: its cost and its loss.
struct Choice {
  std::int64_t cost = 0;  ///< >= 0
  double loss = 0;
};

/// The multiple-choice knapsack, solved exactly. Returns one choice of every item (index into its list) such that the
/// costs sum up to at most `budget` and the losses to the least. Returns nothing where even the cheapest choices cost
/// more. Dynamic programming over partial sums: a partial sum survives unless another one beats it in both cost and
/// loss. O(items * choices * min(budget, combinations)) time.
[[nodiscard]] std::optional<std::vector<std::size_t>> solve_knapsack(std::span<const std::vector<Choice>> items,
                                                                     std::int64_t budget);

}  // namespace trimtab
