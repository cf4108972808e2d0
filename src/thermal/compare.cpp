#include "thermal/compare.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/error.h"

namespace trimtab::thermal {
namespace {

/// The powers that an energy model of the cluster would hold for the points: switching power without leakage, mW.
std::vector<int> energy_model(const std::vector<ThermalPoint>& points) {
  std::vector<int> power;
  for (const ThermalPoint& point : points) power.push_back(static_cast<int>(point.load.fixed_w * 1000));
  return power;
}

/// The fraction of time of the point above floor(level).
std::vector<double> neighbours(double level, std::size_t count) {
  std::vector<double> fractions(count, 0.0);
  const auto lower = std::min(static_cast<std::size_t>(std::max(0.0, level)), count - 1);
  const double share = level - static_cast<double>(lower);
  fractions[lower] = 1 - share;
  if (lower + 1 < count) fractions[lower + 1] = share;
  return fractions;
}

class Comparison {
 public:
  Comparison(const Soc& soc, const Cluster& cluster, const std::vector<ThermalPoint>& points,
             const CompareOptions& options)
      : soc_(soc), cluster_(cluster), points_(points), options_(options) {}

  [[nodiscard]] PolicyResult run(const std::string& policy) const {
    const double limit = options_.simulation.limit_c;
    const double low = limit - 30;
    PolicyResult result;
    result.policy = policy;
    const std::size_t count = points_.size();
    if (policy == "hysteresis" || policy == "hysteresis-dt") {
      const bool tree = policy == "hysteresis-dt";
      const double drop_mhz = tree ? 600 : options_.drop_mhz;
      const double hysteresis_k = tree ? 10 : options_.hysteresis_k;
      std::size_t dropped = 0;
      while (dropped + 1 < count && points_[dropped + 1].opp.mhz <= drop_mhz) ++dropped;
      const Tuned tuned = tune(
          [&](double trip) {
            return make_hysteresis({trip, hysteresis_k, dropped, count - 1, 0.25});
          },
          low, limit);
      result.parameters = fmt::format("trip {:.1f}, back {:g} K below, {:g} and {:g} MHz", tuned.knob, hysteresis_k,
                                      points_[dropped].opp.mhz, points_.back().opp.mhz);
      result.simulation = tuned.simulation;
    } else if (policy == "bang_bang") {
      const Tuned tuned = tune([&](double trip) { return make_bang_bang(trip, 5, count); }, low, limit);
      result.parameters = fmt::format("trip {:.1f}, back 5 K below, {:g} and {:g} MHz", tuned.knob, points_[0].opp.mhz,
                                      points_.back().opp.mhz);
      result.simulation = tuned.simulation;
    } else if (policy == "step_wise" || policy == "step_wise-dt") {
      const bool two = policy == "step_wise-dt";
      const int states = static_cast<int>(count) - 1;
      const auto bindings = [&](double trip) {
        const int mc = static_cast<int>(trip * 1000);
        if (!two) return std::vector<StepWise::Binding>{{mc, 0, states}};
        return std::vector<StepWise::Binding>{{mc - 15000, 0, std::min(2, states)}, {mc, std::min(3, states), states}};
      };
      const Tuned tuned = tune([&](double trip) { return make_step_wise(bindings(trip), count); }, low, limit);
      result.parameters = two ? fmt::format("trips {:.1f} (2 steps) and {:.1f}", tuned.knob - 15, tuned.knob)
                              : fmt::format("trip {:.1f}, all steps", tuned.knob);
      result.simulation = tuned.simulation;
    } else if (policy == "power_allocator") {
      const PowerAllocator::Parameters parameters = allocator(1);
      const Tuned tuned = tune_allocator(parameters);
      result.parameters = fmt::format("control trip {:.1f}, sustainable_power {} mW, default gains", tuned.knob,
                                      parameters.sustainable_mW);
      result.simulation = tuned.simulation;
    } else if (policy == "power_allocator-tuned") {
      for (const double sustainable : {0.6, 0.8, 0.9, 1.0, 1.1}) {
        for (const double proportional : {0.25, 1.0, 3.0}) {
          for (const double integral : {0.02, 0.1, 0.5}) {
            PowerAllocator::Parameters parameters = allocator(sustainable);
            const double gain = parameters.sustainable_mW * 1024.0 / 15000;
            parameters.k_po = static_cast<std::int64_t>(gain * proportional);
            parameters.k_pu = parameters.k_po;
            parameters.k_i = std::max<std::int64_t>(1, static_cast<std::int64_t>(gain * proportional * integral));
            parameters.integral_cutoff_mC = 3000;
            Tuned tuned = tune_allocator(parameters);
            if (tuned.simulation.peak_c > limit + 0.01 || tuned.simulation.rate <= result.simulation.rate) continue;
            result.parameters =
                fmt::format("control trip {:.1f}, sustainable_power {} mW, k_p {}, k_i {} mW/K", tuned.knob,
                            parameters.sustainable_mW, parameters.k_po * 1000 / 1024, parameters.k_i * 1000 / 1024);
            result.simulation = std::move(tuned.simulation);
          }
        }
      }
    } else if (policy == "fixed") {
      std::size_t best = count;
      for (std::size_t i = 0; i < count; ++i) {
        const Equilibrium at = equilibrium(soc_.network, cluster_.power, soc_.other_w, options_.simulation.ambient_c,
                                           points_[i].load, options_.simulation.fan);
        if (at.stability == Stability::stable && at.celsius <= limit) best = i;
      }
      if (best == count) {
        throw bound_not_met("no OPP stays below {} degrees at an ambient of {}", limit, options_.simulation.ambient_c);
      }
      result.parameters = fmt::format("{:g} MHz", points_[best].opp.mhz);
      const std::unique_ptr<Governor> governor = make_fixed(best);
      result.simulation = simulate(soc_, cluster_, points_, *governor, options_.simulation);
    } else if (policy == "dither") {
      const Tuned tuned =
          tune([&](double level) { return make_mix(neighbours(level, count)); }, 0, static_cast<double>(count) - 1);
      const auto lower = std::min(static_cast<std::size_t>(tuned.knob), count - 2);
      result.parameters =
          fmt::format("{:.1f} % at {:g} MHz, else {:g} MHz", 100 * (tuned.knob - static_cast<double>(lower)),
                      points_[lower + 1].opp.mhz, points_[lower].opp.mhz);
      result.simulation = tuned.simulation;
    } else if (policy == "pi") {
      const Tuned tuned = tune(
          [&](double setpoint) {
            return make_pi({setpoint, 0.15, 0.01, count, 0.05});
          },
          low, limit);
      result.parameters = fmt::format("setpoint {:.1f}", tuned.knob);
      result.simulation = tuned.simulation;
    } else {
      std::string names;
      for (const std::string& name : policy_names()) names += (names.empty() ? "" : ", ") + name;
      throw bad_input("there is no policy '{}'; there are {}", policy, names);
    }
    return result;
  }

 private:
  [[nodiscard]] Tuned tune(const KnobbedGovernor& make, double low, double high) const {
    return tune_to_peak(soc_, cluster_, points_, make, low, high, options_.simulation);
  }

  /// sustainable_power as a board's maker would state it: the power that the board gets rid of at the limit, without
  /// leakage.
  [[nodiscard]] PowerAllocator::Parameters allocator(double scale) const {
    PlanRequest request;
    request.ambient_c = options_.simulation.ambient_c;
    request.limit_c = options_.simulation.limit_c;
    request.fan = options_.simulation.fan;
    const SustainedPlan plan = make_plan(soc_, cluster_, points_, request);
    double fixed = 0;
    for (const PlanShare& share : plan.shares) fixed += share.fraction * points_[share.point].load.fixed_w;
    PowerAllocator::Parameters parameters;
    parameters.sustainable_mW = static_cast<int>(1000 * fixed * scale);
    return parameters;
  }

  [[nodiscard]] Tuned tune_allocator(const PowerAllocator::Parameters& base) const {
    return tune(
        [&](double control) {
          PowerAllocator::Parameters parameters = base;
          parameters.control_mC = static_cast<int>(control * 1000);
          parameters.switch_on_mC = parameters.control_mC - 15000;
          return make_power_allocator(parameters, energy_model(points_));
        },
        options_.simulation.limit_c - 30, options_.simulation.limit_c);
  }

  const Soc& soc_;
  const Cluster& cluster_;
  const std::vector<ThermalPoint>& points_;
  const CompareOptions& options_;
};

}  // namespace

const std::vector<std::string>& policy_names() {
  static const std::vector<std::string> names{
      "hysteresis",      "hysteresis-dt",         "bang_bang", "step_wise", "step_wise-dt",
      "power_allocator", "power_allocator-tuned", "fixed",     "dither",    "pi"};
  return names;
}

PolicyResult run_policy(const std::string& policy, const Soc& soc, const Cluster& cluster,
                        const std::vector<ThermalPoint>& points, const CompareOptions& options) {
  if (!(options.simulation.limit_c > options.simulation.ambient_c)) {
    throw bad_input(
        "the limit of {} degrees is not above the ambient of {}; no computer can be cooler than its ambient",
        options.simulation.limit_c, options.simulation.ambient_c);
  }
  return Comparison(soc, cluster, points, options).run(policy);
}

PolicyResult run_joint(const Soc& soc, const Cluster& cluster, const std::vector<ThermalPoint>& points,
                       double accuracy_floor, const CompareOptions& options) {
  PlanRequest request;
  request.ambient_c = options.simulation.ambient_c;
  request.limit_c = options.simulation.limit_c;
  request.accuracy_floor = accuracy_floor;
  request.fan = options.simulation.fan;
  const auto plan_at = [&](double limit) {
    request.limit_c = limit;
    return make_plan(soc, cluster, points, request);
  };
  const Tuned tuned = tune_to_peak(
      soc, cluster, points,
      [&](double limit) {
        std::vector<double> fractions(points.size(), 0.0);
        for (const PlanShare& share : plan_at(limit).shares) fractions[share.point] = share.fraction;
        return make_mix(std::move(fractions));
      },
      options.simulation.limit_c - 15, options.simulation.limit_c, options.simulation);
  PolicyResult result;
  result.policy = "joint";
  for (const PlanShare& share : plan_at(tuned.knob).shares) {
    result.parameters += fmt::format("{}{:.1f} % {} at {:g} MHz", result.parameters.empty() ? "" : ", ",
                                     100 * share.fraction, points[share.point].variant, points[share.point].opp.mhz);
  }
  result.simulation = tuned.simulation;
  return result;
}

}  // namespace trimtab::thermal
