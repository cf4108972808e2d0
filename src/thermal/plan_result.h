#pragma once

#include <optional>
#include <vector>

#include "base/result.h"
#include "thermal/burst.h"
#include "thermal/plan.h"

namespace trimtab::thermal {

/// result.json of `trimtab sustain plan` as docs/sustain.md documents it, and a summary for people: the plan, its
/// sprints where it is of one cluster, and the burst where one was asked for.
[[nodiscard]] Result describe(const SustainedPlan& plan, const Soc& soc, const std::vector<ClusterPoints>& clusters,
                              const PlanRequest& request, const std::optional<Burst>& burst);

}  // namespace trimtab::thermal
