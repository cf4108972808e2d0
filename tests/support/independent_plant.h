#pragma once

#include <algorithm>
#include <cmath>

#include "thermal/workload.h"

namespace trimtab::thermal {

/// A board with physics of its own, written from the formulas of soc.h: three nodes in a chain, explicit Euler steps of
/// 20 ms, the leakage at every step. It shares no integration, no observer and no table with the daemon's model.
class IndependentPlant {
 public:
  struct Parameters {
    double capacity[3] = {0.05, 0.41, 7.2};  ///< J/K
    double resistance[3] = {2.2, 3.7, 2.7};  ///< K/W
    double other_w = 0.25;
    double leakage = 0.16;  ///< W/V at 1 V and 60 degrees
    double leakage_per_volt = 4.2;
    double leakage_per_kelvin = 0.04;
  };
  IndependentPlant(const Parameters& parameters, double ambient_c)
      : parameters_(parameters), ambient_(ambient_c), celsius_{ambient_c, ambient_c, ambient_c} {}

  /// `factor` scales all power but the leakage.
  void advance(double seconds, const Load& load, double factor = 1) {
    const int steps = std::max(1, static_cast<int>(std::ceil(seconds / 0.02 - 1e-9)));
    const double h = seconds / steps;
    const Parameters& p = parameters_;
    const double scale = p.leakage * load.volts * std::exp(p.leakage_per_volt * (load.volts - 1));
    for (int i = 0; i < steps; ++i) {
      const double leakage = scale * std::exp(p.leakage_per_kelvin * (std::min(celsius_[0], 200.0) - 60));
      const double q0 = (celsius_[0] - celsius_[1]) / p.resistance[0];
      const double q1 = (celsius_[1] - celsius_[2]) / p.resistance[1];
      const double q2 = (celsius_[2] - ambient_) / (p.resistance[2] * (fan_failed_ ? 1.5 : 1));
      celsius_[0] += h * (factor * load.fixed_w + leakage - q0) / p.capacity[0];
      celsius_[1] += h * (q0 - q1) / p.capacity[1];
      celsius_[2] += h * (q1 - q2 + p.other_w) / p.capacity[2];
      peak_ = std::max(peak_, celsius_[0]);
    }
  }

  [[nodiscard]] double celsius() const { return celsius_[0]; }
  /// Of node 0 at any time since the last call.
  [[nodiscard]] double take_peak() {
    const double peak = peak_;
    peak_ = celsius_[0];
    return peak;
  }
  void set_ambient(double celsius) { ambient_ = celsius; }
  [[nodiscard]] double ambient() const { return ambient_; }
  void fail_fan(bool failed) { fan_failed_ = failed; }

 private:
  Parameters parameters_;
  double ambient_;
  double celsius_[3];
  double peak_ = -300;
  bool fan_failed_ = false;
};

[[nodiscard]] inline IndependentPlant::Parameters plant_of(const Soc& soc, const Cluster& cluster) {
  IndependentPlant::Parameters p;
  for (std::size_t i = 0; i < 3; ++i) {
    p.capacity[i] = soc.network.capacity.at(i);
    p.resistance[i] = soc.network.resistance.at(i);
  }
  p.other_w = soc.other_w;
  p.leakage = cluster.power.leakage;
  p.leakage_per_volt = cluster.power.leakage_per_volt;
  p.leakage_per_kelvin = cluster.power.leakage_per_kelvin;
  return p;
}

}  // namespace trimtab::thermal
