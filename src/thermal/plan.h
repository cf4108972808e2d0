#pragma once

#include <vector>

#include "thermal/workload.h"

namespace trimtab::thermal {

enum class Objective {
  throughput,  ///< most inferences per second
  energy,      ///< least power at a required rate
};

struct PlanRequest {
  Objective objective = Objective::throughput;
  double ambient_c = 25;
  double limit_c = 85;
  double accuracy_floor = 0;  ///< percent, mean over inferences
  double rate = 0;            ///< inferences per second, for Objective::energy
  bool fan = false;
};

struct PlanShare {
  std::size_t point = 0;
  double fraction = 0;  ///< of time
};

struct SustainedPlan {
  std::vector<PlanShare> shares;  ///< rising power; at most as many as there are constraints
  double rate = 0;                ///< inferences per second
  double power_w = 0;             ///< of the cluster at the steady temperature
  double accuracy = 0;            ///< mean over inferences
  double steady_c = 0;            ///< simulated
  double rate_per_kelvin = 0;     ///< inferences/s gained per kelvin of headroom (dual of the temperature's constraint)
  double rate_per_point = 0;      ///< inferences/s gained per point of accuracy given up (dual of the floor)
};

/// Chooses shares of time by a linear program (GLPK's simplex). Switching is fast against the thermal time constants,
/// so that the mean power counts. The leakage is taken at the limit. The map from temperature to temperature rises, so
/// that its fixed point is below the limit exactly if its value at the limit is. The constraint is thus exact where it
/// binds and safe where it does not. Throws Error (bad input) for a limit at or below the ambient. Throws Error (bound
/// not met), naming the nearest that can be met, where no share satisfies limit, accuracy floor and rate.
[[nodiscard]] SustainedPlan make_plan(const Soc& soc, const Cluster& cluster, const std::vector<ThermalPoint>& points,
                                      const PlanRequest& request);

struct Sprint {
  std::size_t point = 0;
  double seconds = 0;  ///< infinite where the point is sustainable
};

/// The time that each point may run until node 0 reaches the limit. The board starts in the steady state of the idle
/// point of the lowest OPP. Simulated; stops looking after an hour, which counts as for ever.
[[nodiscard]] std::vector<Sprint> sprint_times(const Soc& soc, const Cluster& cluster,
                                               const std::vector<ThermalPoint>& points, double ambient_c,
                                               double limit_c);

}  // namespace trimtab::thermal
