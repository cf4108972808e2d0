#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "cost/pricer.h"
#include "fit/bit_choice.h"
#include "fit/bounds_check.h"
#include "fit/trials.h"
#include "study/study.h"

namespace trimtab {

struct PlanSearchOptions {
  PlanBounds bounds;
  BitChoiceOptions bits;  ///< its seed is that of the search
  /// Shares of the weights that stay, each a network of its own; 1: no filter is removed.
  std::vector<double> widths{1.0, 0.75, 0.5, 0.35, 0.25};
  std::int64_t filter_multiple = 4;
  TrialEffort recovery{1, 0};     ///< in float, of every pruned network
  TrialEffort first_round{1, 0};  ///< of short training under the plans; each round trains as long as all before
  TrialEffort last_round{10, 0};  ///< of the finalists
  std::int64_t finalists = 1;
  std::int64_t sensitivity_samples = 256;
  std::uint64_t seed = 1;
  std::function<void(const std::string&)> report;  ///< told what is being done; may be empty
};

/// A plan that meets the bounds, and how good it has been so far.
struct FoundPlan {
  Plan plan;  ///< with `filters` of the layers that lose some
  double share = 1;
  TrialSpec last;       ///< its last trial, see fit_trials.h for what it left
  double score = 0;     ///< the task's first measure, of the validation samples
  std::string made_by;  ///< see ChosenBits
  std::int64_t weights_bytes = 0;
};

/// A plan as a round of the search left it.
struct TriedPlan {
  std::string stage;
  std::string made_by;
  double share = 1;
  std::int64_t weights_bytes = 0;
  std::int64_t epochs = 0;  ///< of this round
  double score = 0;
};

struct PlanSearchResult {
  std::vector<FoundPlan> finalists;  ///< the best first
  std::vector<TriedPlan> tried;      ///< in the order of the rounds
  double epochs = 0;                 ///< of training on `FitTrialData::train` that the search cost
  std::int64_t trials = 0;
};

/// Searches widths and bits with the highest accuracy within the bounds: every width that can meet them is pruned and
/// recovered; choose_bits gives each some plans; these candidates then train shortly under their plans, in rounds that
/// keep the better half each (Jamieson and Talwalkar 2016), and the finalists long. Deterministic in the options and
/// the trials' results. Throws Error (bound not met), with the smallest flash and RAM reachable, where no candidate
/// meets the bounds.
[[nodiscard]] PlanSearchResult search_plan(const FitTrialData& data, const Pricer& pricer,
                                           const PlanSearchOptions& options, Study& study, TrialRunner& runner);

}  // namespace trimtab
