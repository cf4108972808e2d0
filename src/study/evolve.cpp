#include "study/evolve.h"

#include <algorithm>
#include <pagmo/algorithm.hpp>
#include <pagmo/algorithms/nsga2.hpp>
#include <pagmo/population.hpp>
#include <pagmo/problem.hpp>
#include <utility>

namespace trimtab {
namespace {

std::vector<std::size_t> whole(const pagmo::vector_double& x) { return {x.begin(), x.end()}; }

/// The objectives in pagmo's interface of a problem.
class Problem {
 public:
  Problem() = default;
  Problem(const std::vector<std::size_t>& sizes, std::function<Objectives(const std::vector<std::size_t>&)> objectives)
      : objectives_(std::move(objectives)) {
    high_.clear();
    for (const std::size_t size : sizes) high_.push_back(static_cast<double>(size - 1));
  }
  [[nodiscard]] pagmo::vector_double fitness(const pagmo::vector_double& x) const {
    const Objectives value = objectives_(whole(x));
    return {value.cost, value.loss};
  }
  [[nodiscard]] static pagmo::vector_double::size_type get_nobj() { return 2; }
  [[nodiscard]] pagmo::vector_double::size_type get_nix() const { return high_.size(); }
  [[nodiscard]] std::pair<pagmo::vector_double, pagmo::vector_double> get_bounds() const {
    return {pagmo::vector_double(high_.size(), 0.0), high_};
  }

 private:
  pagmo::vector_double high_{0.0};
  std::function<Objectives(const std::vector<std::size_t>&)> objectives_;
};

}  // namespace

std::vector<std::vector<std::size_t>> evolve(const std::vector<std::size_t>& sizes,
                                             const std::vector<std::vector<std::size_t>>& start,
                                             std::function<Objectives(const std::vector<std::size_t>&)> objectives,
                                             std::uint64_t seed, const EvolveOptions& options) {
  const auto number = static_cast<unsigned>(seed);
  const auto given = static_cast<unsigned>(std::min<std::size_t>(start.size(), options.population));
  pagmo::population population(pagmo::problem(Problem(sizes, std::move(objectives))), options.population - given,
                               number);
  for (unsigned i = 0; i < given; ++i) population.push_back({start[i].begin(), start[i].end()});
  population = pagmo::algorithm(pagmo::nsga2(options.generations, 0.9, 10, 0.1, 20, number)).evolve(population);
  std::vector<std::vector<std::size_t>> last;
  for (const pagmo::vector_double& x : population.get_x()) last.push_back(whole(x));
  return last;
}

std::optional<std::vector<std::size_t>> evolve_choices(std::span<const std::vector<Choice>> items, std::int64_t budget,
                                                       std::uint64_t seed, const EvolveOptions& options) {
  if (items.empty()) return budget >= 0 ? std::optional(std::vector<std::size_t>()) : std::nullopt;
  if (std::any_of(items.begin(), items.end(), [](const auto& item) { return item.empty(); })) return std::nullopt;
  const auto sum = [items](const std::vector<std::size_t>& chosen) {
    Choice total;
    for (std::size_t i = 0; i < items.size(); ++i) {
      total.cost += items[i][chosen[i]].cost;
      total.loss += items[i][chosen[i]].loss;
    }
    return total;
  };
  // the cheapest of all is put in, so that every budget that can be met is met
  std::vector<std::size_t> sizes;
  std::vector<std::size_t> cheapest;
  for (const std::vector<Choice>& item : items) {
    const auto least =
        std::min_element(item.begin(), item.end(), [](const Choice& a, const Choice& b) { return a.cost < b.cost; });
    cheapest.push_back(static_cast<std::size_t>(least - item.begin()));
    sizes.push_back(item.size());
  }
  const auto objectives = [&sum](const std::vector<std::size_t>& chosen) {
    const Choice total = sum(chosen);
    return Objectives{static_cast<double>(total.cost), total.loss};
  };
  std::optional<std::vector<std::size_t>> best;
  for (std::vector<std::size_t>& chosen : evolve(sizes, {cheapest}, objectives, seed, options)) {
    if (sum(chosen).cost <= budget && (!best || sum(chosen).loss < sum(*best).loss)) best = std::move(chosen);
  }
  if (!best && sum(cheapest).cost <= budget) best = cheapest;
  return best;
}

}  // namespace trimtab
