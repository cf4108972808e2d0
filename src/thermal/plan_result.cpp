#include "thermal/plan_result.h"

#include <fmt/format.h>

#include <cmath>

#include "thermal/fallback.h"

namespace trimtab::thermal {
namespace {

using nlohmann::ordered_json;

const ThermalPoint& point_of(const std::vector<ClusterPoints>& clusters, const PlanShare& share) {
  return clusters[share.cluster].points[share.point];
}

ordered_json to_json(const std::vector<ClusterPoints>& clusters, const PlanShare& share) {
  const ThermalPoint& point = point_of(clusters, share);
  return {{"cluster", clusters[share.cluster].cluster.name},
          {"variant", point.variant},
          {"cores", point.cores},
          {"mhz", point.opp.mhz},
          {"time_fraction", share.fraction},
          {"latency_ms", point.latency_s * 1e3}};
}

/// "int8 on 4 cores of a15 at 1700 MHz".
std::string words_of(const std::vector<ClusterPoints>& clusters, const PlanShare& share) {
  const ThermalPoint& point = point_of(clusters, share);
  const std::string& cluster = clusters[share.cluster].cluster.name;
  if (point.rate <= 0) return fmt::format("{} idle at {:g} MHz", cluster, point.opp.mhz);
  return fmt::format("{} on {} cores of {} at {:g} MHz", point.variant, point.cores, cluster, point.opp.mhz);
}

std::string names_of(const std::vector<ClusterPoints>& clusters) {
  std::string names;
  for (const ClusterPoints& cluster : clusters) names += (names.empty() ? "" : " and ") + cluster.cluster.name;
  return names;
}

void add_sprints(Result& result, const Soc& soc, const ClusterPoints& cluster, const PlanRequest& request) {
  std::string text;
  for (const Sprint& sprint : sprint_times(soc, cluster.cluster, cluster.points, request.ambient_c, request.limit_c)) {
    const ThermalPoint& p = cluster.points[sprint.point];
    if (p.rate <= 0 || !std::isfinite(sprint.seconds)) continue;
    result.json["sprints"].push_back({{"variant", p.variant},
                                      {"mhz", p.opp.mhz},
                                      {"seconds", sprint.seconds},
                                      {"inferences", sprint.seconds * p.rate}});
    text += fmt::format("  {} at {:g} MHz for {:.1f} s, {:.0f} inferences\n", p.variant, p.opp.mhz, sprint.seconds,
                        sprint.seconds * p.rate);
  }
  if (!text.empty()) result.text += "a cool, idle board may sprint (simulated):\n" + text;
}

/// The largest share of every cluster.
std::string main_shares(const std::vector<ClusterPoints>& clusters, const BurstSlot& slot) {
  std::string text;
  for (std::size_t c = 0; c < clusters.size(); ++c) {
    const PlanShare* largest = nullptr;
    for (const PlanShare& share : slot.shares) {
      if (share.cluster == c && (largest == nullptr || share.fraction > largest->fraction)) largest = &share;
    }
    if (largest != nullptr) text += (text.empty() ? "" : ", ") + words_of(clusters, *largest);
  }
  return text;
}

void add_burst(Result& result, const std::vector<ClusterPoints>& clusters, const Burst& burst) {
  const double duration_s = burst.slots.back().to_s;
  const double gain = burst.sustained_inferences > 0 ? 100 * (burst.inferences / burst.sustained_inferences - 1) : 0;
  ordered_json slots = ordered_json::array();
  result.text += fmt::format(
      "a cool board does {:.0f} inferences within {:g} s, {:+.1f} % over the plan for ever; mean accuracy {:.2f} %, "
      "peak "
      "{:.1f} degrees (simulated):\n",
      burst.inferences, duration_s, gain, burst.accuracy, burst.peak_c);
  std::string last;
  for (const BurstSlot& slot : burst.slots) {
    ordered_json shares = ordered_json::array();
    for (const PlanShare& share : slot.shares) shares.push_back(to_json(clusters, share));
    slots.push_back({{"from_s", slot.from_s},
                     {"to_s", slot.to_s},
                     {"rate_per_s", slot.rate},
                     {"celsius", slot.celsius},
                     {"shares", std::move(shares)}});
    const std::string now = main_shares(clusters, slot);
    if (now != last) result.text += fmt::format("  from {:6.1f} s mainly {}\n", slot.from_s, now);
    last = now;
  }
  result.json["burst"] = {{"duration_s", duration_s},
                          {"inferences", burst.inferences},
                          {"sustained_inferences", burst.sustained_inferences},
                          {"accuracy", burst.accuracy},
                          {"energy_j", burst.energy_j},
                          {"peak_c", burst.peak_c},
                          {"slots", std::move(slots)}};
}

}  // namespace

Result describe(const SustainedPlan& plan, const Soc& soc, const std::vector<ClusterPoints>& clusters,
                const PlanRequest& request, const std::optional<Burst>& burst) {
  const double energy_mj = plan.rate > 0 ? plan.power_w / plan.rate * 1e3 : 0;
  const double loss_percent = 100 * switching_loss(clusters, plan, GovernOptions().period_s);
  Result result;
  result.json = {{"command", "sustain plan"},
                 {"simulated", true},
                 {"soc", soc.name},
                 {"cluster", names_of(clusters)},
                 {"ambient_c", request.ambient_c},
                 {"limit_c", request.limit_c},
                 {"rate_per_s", plan.rate},
                 {"accuracy", plan.accuracy},
                 {"power_w", plan.power_w},
                 {"energy_mj", energy_mj},
                 {"steady_c", plan.steady_c},
                 {"rate_per_kelvin", plan.rate_per_kelvin},
                 {"rate_per_accuracy_point", plan.rate_per_point},
                 {"switching_loss_percent", loss_percent}};
  result.text = fmt::format(
      "simulated: {:.2f} inferences/s at {:.1f} degrees, {:.2f} W, {:.1f} mJ each, mean accuracy {:.2f} %\n", plan.rate,
      plan.steady_c, plan.power_w, energy_mj, plan.accuracy);
  if (std::isfinite(request.deadline_s)) {
    result.json["deadline_ms"] = request.deadline_s * 1e3;
    result.json["late_percent"] = 100 * plan.late_share;
    result.text += fmt::format("{:.2f} % of the inferences take longer than {:g} ms\n", 100 * plan.late_share,
                               request.deadline_s * 1e3);
  }
  for (const PlanShare& share : plan.shares) {
    result.json["shares"].push_back(to_json(clusters, share));
    result.text += fmt::format("  {:6.2f} % of the time {}\n", 100 * share.fraction, words_of(clusters, share));
  }
  if (loss_percent > 0)
    result.text += fmt::format("changes of frequency take at most {:.3f} % of the time\n", loss_percent);
  if (plan.rate_per_kelvin > 0)
    result.text += fmt::format("one kelvin more would give {:.3f} inferences/s\n", plan.rate_per_kelvin);
  if (burst) {
    add_burst(result, clusters, *burst);
  } else if (clusters.size() == 1) {
    add_sprints(result, soc, clusters.front(), request);
  }
  return result;
}

}  // namespace trimtab::thermal
