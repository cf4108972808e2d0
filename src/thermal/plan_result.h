#pragma once

#include <vector>

#include "base/result.h"
#include "thermal/plan.h"

namespace trimtab::thermal {

/// result.json of `trimtab sustain plan` as docs/sustain.md documents it, and a summary for people. `points` are those
/// that make_plan() chose from.
[[nodiscard]] Result describe(const SustainedPlan& plan, const Soc& soc, const Cluster& cluster,
                              const std::vector<ThermalPoint>& points, const PlanRequest& request);

}  // namespace trimtab::thermal
