#pragma once

#include <memory>
#include <vector>

#include "thermal/kernel_governor.h"
#include "thermal/workload.h"

namespace trimtab::thermal {

/// A policy: it takes a reading of the sensor and gives the index of the thermal point until the next reading.
class Governor {
 public:
  Governor() = default;
  virtual ~Governor() = default;
  Governor(const Governor&) = delete;
  Governor& operator=(const Governor&) = delete;
  Governor(Governor&&) = delete;
  Governor& operator=(Governor&&) = delete;
  [[nodiscard]] virtual std::size_t decide(double celsius) = 0;
  /// Seconds between readings.
  [[nodiscard]] virtual double period_s() const = 0;
};

/// Spreads time over indices so that after every step each has had its share as nearly as possible (first-order
/// sigma-delta; a share of 1/3 gives every third step).
class Dither {
 public:
  explicit Dither(std::vector<double> fractions) : fractions_(std::move(fractions)), credit_(fractions_.size(), 0.0) {}
  [[nodiscard]] std::size_t next();
  void set(std::vector<double> fractions);

 private:
  std::vector<double> fractions_;
  std::vector<double> credit_;
};

/// The reactive policy: above `trip` it drops to one point, below `trip - hysteresis` it returns to another.
struct HysteresisOptions {
  double trip_c = 85;
  double hysteresis_k = 5;
  std::size_t dropped = 0;
  std::size_t normal = 0;
  double period_s = 0.25;
};
[[nodiscard]] std::unique_ptr<Governor> make_hysteresis(const HysteresisOptions& options);

/// Linux's bang_bang: the cooling device is fully on (the lowest point) from the trip until `hysteresis` below it.
[[nodiscard]] std::unique_ptr<Governor> make_bang_bang(double trip_c, double hysteresis_k, std::size_t points,
                                                       double period_s = 0.25);

/// Always the same point: the proactive policy, when it is the fastest point that is sustainable.
[[nodiscard]] std::unique_ptr<Governor> make_fixed(std::size_t point);

/// Fixed shares of time, without looking at the temperature.
[[nodiscard]] std::unique_ptr<Governor> make_mix(std::vector<double> fractions, double period_s = 0.05);

/// PI on the temperature over the index of the point, whose fraction is dithered; anti-windup by clamping.
struct PiOptions {
  double setpoint_c = 85;
  double proportional = 0.5;  ///< points per K
  double integral = 0.05;     ///< points per K s
  std::size_t points = 1;
  double period_s = 0.05;
};
[[nodiscard]] std::unique_ptr<Governor> make_pi(const PiOptions& options);

/// step_wise over the points, highest frequency at the end of the list.
[[nodiscard]] std::unique_ptr<Governor> make_step_wise(std::vector<StepWise::Binding> bindings, std::size_t points,
                                                       double period_s = 0.25);

/// power_allocator over the points. `power_mW` are the powers that an energy model of the points would hold.
[[nodiscard]] std::unique_ptr<Governor> make_power_allocator(const PowerAllocator::Parameters& parameters,
                                                             const std::vector<int>& power_mW);

}  // namespace trimtab::thermal
