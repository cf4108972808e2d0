#pragma once

#include <optional>
#include <string>
#include <vector>

#include "thermal/plan.h"
#include "thermal/simulate.h"

namespace trimtab::thermal {

struct PolicyResult {
  std::string policy;
  std::string parameters;  ///< what was tuned to which value, in words
  Simulation simulation;
};

struct CompareOptions {
  SimulationOptions simulation;
  double drop_mhz = 900;  ///< hysteresis: where the reactive policy drops to
  double hysteresis_k = 10;
};

/// Names of all policies, in the order in which they are shown.
[[nodiscard]] const std::vector<std::string>& policy_names();

/// Simulates one policy with its knob (trip, setpoint, share) set so that its peak temperature is the limit; the best
/// single OPP has no knob and stays below. Policies: hysteresis, bang_bang, step_wise, step_wise-dt (the board's own
/// two trips, 15 K apart), power_allocator (the kernel's default gains), power_allocator-tuned (gains and sustainable
/// power searched), fixed, dither, pi. `points` are one variant's, frequencies rising.
[[nodiscard]] PolicyResult run_policy(const std::string& policy, const Soc& soc, const Cluster& cluster,
                                      const std::vector<OperatingPoint>& points, const CompareOptions& options);

/// The joint policy: shares over all variants and OPPs from make_plan(), whose limit is lowered until the ripple of the
/// switching stays below the limit too.
[[nodiscard]] PolicyResult run_joint(const Soc& soc, const Cluster& cluster, const std::vector<OperatingPoint>& points,
                                     double accuracy_floor, const CompareOptions& options);

}  // namespace trimtab::thermal
