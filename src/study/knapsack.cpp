#include "study/knapsack.h"

#include <algorithm>

namespace trimtab {
namespace {

/// The best way found to spend `cost` on the first items.
struct State {
  std::int64_t cost = 0;
  double loss = 0;
  std::int32_t before = -1;  ///< index of the state that it extends
  std::int32_t choice = 0;   ///< of the last item
};

/// Those that no other one beats: sorted by cost, each with less loss than all cheaper ones.
std::vector<State> undominated(std::vector<State> states) {
  std::stable_sort(states.begin(), states.end(),
                   [](const State& a, const State& b) { return a.cost != b.cost ? a.cost < b.cost : a.loss < b.loss; });
  std::vector<State> kept;
  for (const State& state : states) {
    if (kept.empty() || state.loss < kept.back().loss) kept.push_back(state);
  }
  return kept;
}

}  // namespace

std::optional<std::vector<std::size_t>> solve_knapsack(std::span<const std::vector<Choice>> items,
                                                       std::int64_t budget) {
  // least cost of the items after each one
  std::vector<std::int64_t> rest(items.size() + 1, 0);
  for (std::size_t i = items.size(); i-- > 0;) {
    if (items[i].empty()) return std::nullopt;
    const auto cheapest = std::min_element(items[i].begin(), items[i].end(),
                                           [](const Choice& a, const Choice& b) { return a.cost < b.cost; });
    rest[i] = rest[i + 1] + cheapest->cost;
  }
  if (rest[0] > budget) return std::nullopt;
  std::vector<std::vector<State>> states{{State{}}};
  for (std::size_t i = 0; i < items.size(); ++i) {
    std::vector<State> next;
    for (std::size_t s = 0; s < states[i].size(); ++s) {
      for (std::size_t c = 0; c < items[i].size(); ++c) {
        const State& from = states[i][s];
        const State to{from.cost + items[i][c].cost, from.loss + items[i][c].loss, static_cast<std::int32_t>(s),
                       static_cast<std::int32_t>(c)};
        if (to.cost + rest[i + 1] <= budget) next.push_back(to);
      }
    }
    states.push_back(undominated(std::move(next)));
  }
  std::vector<std::size_t> chosen(items.size());
  std::size_t at = states.back().size() - 1;  // the least loss is the last
  for (std::size_t i = items.size(); i-- > 0;) {
    const State& state = states[i + 1][at];
    chosen[i] = static_cast<std::size_t>(state.choice);
    at = static_cast<std::size_t>(state.before);
  }
  return chosen;
}

}  // namespace trimtab
