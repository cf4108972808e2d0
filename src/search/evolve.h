#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "search/knapsack.h"

namespace trimtab {

struct EvolveOptions {
  unsigned population = 64;  ///< a multiple of 4
  unsigned generations = 150;
};

/// The same question as solve_knapsack, answered by NSGA-II (Deb et al. 2002, pagmo's) on the objectives cost and loss:
/// the choices of least loss within the budget that the last population holds. Not exact: for comparison, and for
/// losses that do not add up.
[[nodiscard]] std::optional<std::vector<std::size_t>> evolve_choices(std::span<const std::vector<Choice>> items,
                                                                     std::int64_t budget, std::uint64_t seed,
                                                                     const EvolveOptions& options = {});

}  // namespace trimtab
