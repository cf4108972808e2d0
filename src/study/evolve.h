#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <vector>

#include "study/knapsack.h"

namespace trimtab {

struct EvolveOptions {
  unsigned population = 64;  ///< a multiple of 4
  unsigned generations = 150;
};

/// The two numbers that NSGA-II makes small at the same time.
struct Objectives {
  double cost = 0;
  double loss = 0;
};

/// Runs NSGA-II (Deb et al. 2002, pagmo's) over lists of whole numbers and returns the last population. The i-th number
/// is 0 to sizes[i] - 1 (sizes of at least 1). The first population has `start` and random lists. `objectives` is asked
/// for every member of every generation, also for one that it knows. The same seed gives the same answer.
[[nodiscard]] std::vector<std::vector<std::size_t>> evolve(
    const std::vector<std::size_t>& sizes, const std::vector<std::vector<std::size_t>>& start,
    std::function<Objectives(const std::vector<std::size_t>&)> objectives, std::uint64_t seed,
    const EvolveOptions& options);

/// The same question as solve_knapsack, answered by NSGA-II on the objectives cost and loss. Returns the choices of
/// least loss within the budget that the last population holds. They are not exact: for comparison, and for losses that
/// do not add up.
[[nodiscard]] std::optional<std::vector<std::size_t>> evolve_choices(std::span<const std::vector<Choice>> items,
                                                                     std::int64_t budget, std::uint64_t seed,
                                                                     const EvolveOptions& options = {});

}  // namespace trimtab
