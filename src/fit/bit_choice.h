#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "fit/bounds_check.h"
#include "graph/graph.h"
#include "learn/sensitivity.h"
#include "plan/plan.h"

namespace trimtab {

/// Which engine distributes the bits over the layers of one width.
enum class BitEngine { knapsack, nsga2 };

struct BitChoiceOptions {
  std::vector<int> weight_bits{2, 3, 4, 5, 6, 8};  ///< to choose from, per layer, ascending
  std::vector<int> activation_bits{2, 4, 8};       ///< likewise; RAM decides
  BitEngine engine = BitEngine::knapsack;
  std::uint64_t seed = 1;  ///< of NSGA-II
};

struct ChosenBits {
  Plan plan;
  std::string made_by;  ///< "knapsack of kl", "uniform", ...
};

/// Gives every layer of a network bits with which it meets the bounds; several ways, of which training has to tell the
/// better one (empty: none meets them). Activations get the most bits with which the planner's arena fits; weights
/// those that lose least by each measure of sensitivity within what flash leaves (exactly: search/knapsack.h), checked
/// against the linked image, and the most uniform ones. Where weights and arena share a bound, activations get the bits
/// with which the sum of both losses by `by_kl` is least, once for every least number of bits. `plan` names the layers
/// and their filters, its bits are not used. `by_kl` rates weights and activations at all bits of the options,
/// `by_fisher` weights.
[[nodiscard]] std::vector<ChosenBits> choose_bits(const Graph& network, const Plan& plan,
                                                  const std::vector<LayerSensitivity>& by_kl,
                                                  const std::vector<LayerSensitivity>& by_fisher, BoundsCheck& bounds,
                                                  const BitChoiceOptions& options);

}  // namespace trimtab
