#include "thermal/plan_result.h"

#include <fmt/format.h>

#include <cmath>

namespace trimtab::thermal {

using nlohmann::ordered_json;

Result describe(const SustainedPlan& plan, const Soc& soc, const Cluster& cluster,
                const std::vector<ThermalPoint>& points, const PlanRequest& request) {
  ordered_json json{{"command", "sustain plan"},
                    {"simulated", true},
                    {"soc", soc.name},
                    {"cluster", cluster.name},
                    {"ambient_c", request.ambient_c},
                    {"limit_c", request.limit_c},
                    {"rate_per_s", plan.rate},
                    {"accuracy", plan.accuracy},
                    {"power_w", plan.power_w},
                    {"energy_mj", plan.power_w / plan.rate * 1e3},
                    {"steady_c", plan.steady_c},
                    {"rate_per_kelvin", plan.rate_per_kelvin},
                    {"rate_per_accuracy_point", plan.rate_per_point}};
  std::string text = fmt::format(
      "simulated: {:.2f} inferences/s at {:.1f} degrees, {:.2f} W, {:.1f} mJ each, mean accuracy {:.2f} %\n", plan.rate,
      plan.steady_c, plan.power_w, plan.power_w / plan.rate * 1e3, plan.accuracy);
  for (const PlanShare& share : plan.shares) {
    const ThermalPoint& p = points[share.point];
    json["shares"].push_back({{"variant", p.variant},
                              {"cores", p.cores},
                              {"mhz", p.opp.mhz},
                              {"time_fraction", share.fraction},
                              {"latency_ms", p.latency_s * 1e3}});
    text += fmt::format("  {:6.2f} % of the time {} on {} cores at {:g} MHz\n", 100 * share.fraction, p.variant,
                        p.cores, p.opp.mhz);
  }
  if (plan.rate_per_kelvin > 0)
    text += fmt::format("one kelvin more would give {:.3f} inferences/s\n", plan.rate_per_kelvin);
  text += "a cool, idle board may sprint (simulated):\n";
  for (const Sprint& sprint : sprint_times(soc, cluster, points, request.ambient_c, request.limit_c)) {
    const ThermalPoint& p = points[sprint.point];
    if (p.rate <= 0 || !std::isfinite(sprint.seconds)) continue;
    json["sprints"].push_back({{"variant", p.variant},
                               {"mhz", p.opp.mhz},
                               {"seconds", sprint.seconds},
                               {"inferences", sprint.seconds * p.rate}});
    text += fmt::format("  {} at {:g} MHz for {:.1f} s, {:.0f} inferences\n", p.variant, p.opp.mhz, sprint.seconds,
                        sprint.seconds * p.rate);
  }
  return {json, text};
}

}  // namespace trimtab::thermal
