#pragma once

#include <optional>
#include <string>
#include <vector>

#include "thermal/plan.h"
#include "thermal/simulate.h"

namespace trimtab::thermal {

struct PolicyResult {
  std::string policy;
  std::string parameters;  ///< the tuned knob and its value, in words
  Simulation simulation;
};

/// The defaults are the reactive policy of the board's own vendor kernel: hardkernel's Linux 3.10 for the ODROID-XU3,
/// drivers/thermal/exynos_thermal.c, exynos5_tmu_data of the Exynos 5422. At its first trip (95 degrees there; here the
/// trip is moved until the peak is the limit) the Cortex-A15 is clipped to 900 MHz (freq_tab[0]). 2 K below the trip
/// (threshold_falling) the clip is taken back.
struct CompareOptions {
  SimulationOptions simulation;
  double drop_mhz = 900;    ///< hysteresis: the reactive policy drops to this frequency
  double hysteresis_k = 2;  ///< and it returns so far below its trip
};

/// Names of all policies, in the order in which they are shown.
[[nodiscard]] const std::vector<std::string>& policy_names();

/// Simulates one policy with its knob (trip, setpoint, share) set so that its peak temperature is the limit. The best
/// single OPP has no knob and stays below. `points` are one variant's, frequencies rising. Policies: hysteresis,
/// hysteresis-dt (drop to 600 MHz, back 10 K below: the lowest state and the hysteresis of the trip at 85 degrees in
/// Linux exynos5422-odroidxu3-common.dtsi, taken at once instead of step by step), bang_bang, step_wise, step_wise-dt
/// (the board's own two trips, 15 K apart), power_allocator (the kernel's default gains), power_allocator-tuned (gains
/// and sustainable power searched), fixed, dither, pi.
[[nodiscard]] PolicyResult run_policy(const std::string& policy, const Soc& soc, const Cluster& cluster,
                                      const std::vector<ThermalPoint>& points, const CompareOptions& options);

/// The joint policy: shares over all variants and OPPs from make_plan(), whose limit is lowered until the ripple of the
/// switching stays below the limit too.
[[nodiscard]] PolicyResult run_joint(const Soc& soc, const Cluster& cluster, const std::vector<ThermalPoint>& points,
                                     double accuracy_floor, const CompareOptions& options);

}  // namespace trimtab::thermal
