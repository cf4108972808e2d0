#include "search/evolve.h"

#include <algorithm>
#include <pagmo/algorithm.hpp>
#include <pagmo/algorithms/nsga2.hpp>
#include <pagmo/population.hpp>
#include <pagmo/problem.hpp>
#include <utility>

namespace trimtab {
namespace {

/// One whole number per item: its choice. Objectives: cost as a share of the dearest, and loss.
class ChoiceProblem {
 public:
  ChoiceProblem() = default;
  explicit ChoiceProblem(std::span<const std::vector<Choice>> items) : items_(items.begin(), items.end()) {}

  [[nodiscard]] Choice sum(const pagmo::vector_double& x) const {
    Choice total;
    for (std::size_t i = 0; i < items_.size(); ++i) {
      const Choice& choice = items_[i][static_cast<std::size_t>(x[i])];
      total.cost += choice.cost;
      total.loss += choice.loss;
    }
    return total;
  }
  // pagmo's interface of a problem
  [[nodiscard]] pagmo::vector_double fitness(const pagmo::vector_double& x) const {
    const Choice total = sum(x);
    return {static_cast<double>(total.cost), total.loss};
  }
  [[nodiscard]] static pagmo::vector_double::size_type get_nobj() { return 2; }
  [[nodiscard]] pagmo::vector_double::size_type get_nix() const { return items_.size(); }
  [[nodiscard]] std::pair<pagmo::vector_double, pagmo::vector_double> get_bounds() const {
    pagmo::vector_double high;
    for (const std::vector<Choice>& item : items_) high.push_back(static_cast<double>(item.size() - 1));
    return {pagmo::vector_double(items_.size(), 0.0), high};
  }

 private:
  std::vector<std::vector<Choice>> items_{{Choice{}}};
};

}  // namespace

std::optional<std::vector<std::size_t>> evolve_choices(std::span<const std::vector<Choice>> items, std::int64_t budget,
                                                       std::uint64_t seed, const EvolveOptions& options) {
  if (items.empty()) return budget >= 0 ? std::optional(std::vector<std::size_t>()) : std::nullopt;
  if (std::any_of(items.begin(), items.end(), [](const auto& item) { return item.empty(); })) return std::nullopt;
  const ChoiceProblem own(items);
  const auto number = static_cast<unsigned>(seed);
  pagmo::population population(pagmo::problem(own), options.population - 1, number);
  // the cheapest of all is put in, so that whatever budget can be met is met
  pagmo::vector_double cheapest;
  for (const std::vector<Choice>& item : items) {
    const auto least =
        std::min_element(item.begin(), item.end(), [](const Choice& a, const Choice& b) { return a.cost < b.cost; });
    cheapest.push_back(static_cast<double>(least - item.begin()));
  }
  population.push_back(cheapest);
  population = pagmo::algorithm(pagmo::nsga2(options.generations, 0.9, 10, 0.1, 20, number)).evolve(population);
  std::optional<pagmo::vector_double> best;
  for (const pagmo::vector_double& x : population.get_x()) {
    if (own.sum(x).cost <= budget && (!best || own.sum(x).loss < own.sum(*best).loss)) best = x;
  }
  if (!best && own.sum(cheapest).cost <= budget) best = cheapest;
  if (!best) return std::nullopt;
  std::vector<std::size_t> chosen;
  for (const double choice : *best) chosen.push_back(static_cast<std::size_t>(choice));
  return chosen;
}

}  // namespace trimtab
