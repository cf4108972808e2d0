#pragma once

#include <functional>
#include <string>
#include <vector>

#include "thermal/governor.h"

namespace trimtab::thermal {

struct SimulationOptions {
  double ambient_c = 25;
  double limit_c = 85;  ///< only for the time above it
  double duration_s = 900;
  double measure_from_s = 450;  ///< steady figures are taken from here on
  double sensor_step_k = 0;     ///< the sensor reports multiples of this, rounded down; 0: exact
  double start_c = -300;        ///< below -273: the ambient
  double sample_s = 0.5;        ///< between samples of the trace
  bool fan = false;
};

/// The means between this time and the next sample, so that fast switching does not alias.
struct Sample {
  double time_s = 0;
  double celsius = 0;
  double lowest_c = 0;
  double highest_c = 0;
  double mhz = 0;
  double rate = 0;
};

/// Everything here is simulated.
struct Simulation {
  double rate = 0;           ///< inferences/s, steady
  double latency_s = 0;      ///< 1/rate
  double accuracy = 0;       ///< mean over inferences, percent, steady
  double peak_c = 0;         ///< over all the run
  double mean_c = 0;         ///< steady
  double power_w = 0;        ///< of the cluster, steady
  double energy_j = 0;       ///< per inference, of the cluster, steady
  double above_limit_s = 0;  ///< time above the limit, over all the run
  bool runaway = false;      ///< the temperature left every bound; the simulation stopped there
  double mean_mhz = 0;       ///< steady
  std::int64_t changes = 0;  ///< changes of the thermal point, steady
  std::vector<Sample> samples;
};

/// Runs the policy over the points.
[[nodiscard]] Simulation simulate(const Soc& soc, const Cluster& cluster, const std::vector<ThermalPoint>& points,
                                  Governor& governor, const SimulationOptions& options);

/// A policy with one knob that raises its peak temperature.
using KnobbedGovernor = std::function<std::unique_ptr<Governor>(double knob)>;

/// Bisection for the largest knob in [low, high] whose peak does not pass limit_c, to 0.01 K or 18 steps, then a search
/// just above it where the peak jumps. The knob may be a trip temperature, a setpoint or a share of time.
struct Tuned {
  double knob = 0;
  Simulation simulation;
};
[[nodiscard]] Tuned tune_to_peak(const Soc& soc, const Cluster& cluster, const std::vector<ThermalPoint>& points,
                                 const KnobbedGovernor& make, double low, double high,
                                 const SimulationOptions& options);

}  // namespace trimtab::thermal
