#include "scale/point_choice.h"

#include <algorithm>
#include <vector>

namespace trimtab {

std::size_t choose_point(const ScaleResult& result, std::size_t level, double most_lost) {
  std::vector<std::size_t> order;  // from the most energy to the least
  for (std::size_t k = 0; k < result.points.size(); ++k) {
    if (!result.points[k].uniform) order.push_back(k);
  }
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    return result.points[a].energy.total() > result.points[b].energy.total();
  });
  struct Pooled {
    double sum = 0;
    std::size_t count = 0;
    [[nodiscard]] double mean() const { return sum / static_cast<double>(count); }
  };
  std::vector<Pooled> pools;
  for (const std::size_t k : order) {
    pools.push_back({result.points[k].measured[level].tune_lost.mean, 1});
    while (pools.size() > 1 && pools[pools.size() - 2].mean() > pools.back().mean()) {
      pools[pools.size() - 2].sum += pools.back().sum;
      pools[pools.size() - 2].count += pools.back().count;
      pools.pop_back();
    }
  }
  std::size_t good = 0;  // points whose smoothed loss is small enough: the first of the order
  for (const Pooled& pool : pools) {
    if (pool.mean() > most_lost + 1e-9) break;
    good += pool.count;
  }
  return good == 0 ? 0 : order[good - 1];
}

std::optional<std::size_t> choose_saving_point(const ScaleResult& result, std::size_t level,
                                               double least_saved_percent) {
  std::optional<std::size_t> best;
  const auto lost = [&](std::size_t k) { return result.points[k].measured[level].tune_lost.mean; };
  for (std::size_t k = 0; k < result.points.size(); ++k) {
    if (result.points[k].uniform || result.points[k].saved_percent < least_saved_percent) continue;
    if (!best || lost(k) < lost(*best)) best = k;
  }
  return best;
}

}  // namespace trimtab
