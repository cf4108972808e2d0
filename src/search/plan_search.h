#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "learn/sensitivity.h"
#include "search/fit_trials.h"
#include "search/pricer.h"
#include "search/study.h"

namespace trimtab {

/// Which engine distributes the bits over the layers of one width.
enum class BitEngine { knapsack, nsga2 };

struct PlanSearchOptions {
  Bounds bounds;
  std::vector<int> weight_bits{2, 3, 4, 5, 6, 8};  ///< to choose from, per layer
  std::vector<int> activation_bits{2, 4, 8};       ///< likewise; RAM decides
  /// Shares of the weights that stay, each a network of its own; 1: no filter is removed.
  std::vector<double> widths{1.0, 0.75, 0.5, 0.35, 0.25};
  std::int64_t filter_multiple = 4;
  std::int64_t weights_bytes = 0;  ///< bound on the packed weights alone, 0: none
  std::int64_t memory_bytes = 0;   ///< bound on packed weights and arena together, 0: none
  TrialEffort recovery{1, 0};      ///< in float, of every pruned network
  TrialEffort first_round{1, 0};   ///< of short training under the plans; each round trains as long as all before
  TrialEffort last_round{10, 0};   ///< of the finalists
  std::int64_t finalists = 1;
  std::int64_t sensitivity_samples = 256;
  BitEngine engine = BitEngine::knapsack;
  std::uint64_t seed = 1;
  std::function<void(const std::string&)> report;  ///< told what is being done; may be empty
};

/// A plan that meets the bounds, and how good it has been so far.
struct FoundPlan {
  Plan plan;  ///< with `filters` of the layers that lose some
  double share = 1;
  TrialSpec last;         ///< its last trial, see fit_trials.h for what it left
  double top1 = 0;        ///< percent of the validation samples
  Deployment deployment;  ///< of a network of these sizes
  std::string made_by;    ///< "knapsack of kl sensitivities", ...
};

struct PlanSearchResult {
  std::vector<FoundPlan> finalists;  ///< the best first
  double epochs = 0;                 ///< of training on `FitTrialData::train` that the search cost
  std::int64_t trials = 0;
};

/// Searches widths and bits with the highest accuracy within the bounds: every width that can meet them is pruned and
/// recovered; activations get the most bits with which the planner's arena fits; weights the bits that lose least by
/// each measure of sensitivity within what flash leaves (exactly: search/knapsack.h), checked against the linked image
/// (where both share a bound, activations get the bits with which the sum of both losses is least);
/// the candidates then train shortly under their plans, in rounds that keep the better half each (Jamieson and
/// Talwalkar 2016), and the finalists long. Deterministic in the options and the trials' results. Throws Error (bound
/// not met), with the smallest flash and RAM reachable, where no candidate meets the bounds.
[[nodiscard]] PlanSearchResult search_plan(const FitTrialData& data, const Pricer& pricer,
                                           const PlanSearchOptions& options, Study& study, TrialRunner& runner);

}  // namespace trimtab
