#include "cost/energy.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/units.h"

namespace trimtab {
namespace {

std::string clock_text(const PowerClock& clock) { return format_frequency(static_cast<double>(clock.hz)); }

/// Microjoules with three digits or more.
std::string uj_text(double uj) { return uj >= 100 ? fmt::format("{:.0f}", uj) : fmt::format("{:.3g}", uj); }

std::string describe_uj(const Span& energy) {
  return fmt::format("an estimated {} uJ ({} to {})", uj_text(energy.expected), uj_text(energy.least),
                     uj_text(energy.most));
}

/// KEY_uj, KEY_least_uj and KEY_most_uj.
void add_uj(nlohmann::ordered_json& json, const std::string& key, const Span& energy) {
  json[key + "_uj"] = energy.expected;
  json[key + "_least_uj"] = energy.least;
  json[key + "_most_uj"] = energy.most;
}

nlohmann::ordered_json cost_json(const PowerClock& clock, const ClockCost& cost) {
  nlohmann::ordered_json json = {{"clock_hz", clock.hz}};
  if (clock.core_v > 0) json["core_v"] = clock.core_v;
  json["latency_lower_ms"] = cost.latency_ms.least;
  json["latency_expected_ms"] = cost.latency_ms.expected;
  json["latency_upper_ms"] = cost.latency_ms.most;
  add_uj(json, "inference", cost.inference_uj);
  if (cost.period_uj.has_value()) add_uj(json, "period", *cost.period_uj);
  return json;
}

}  // namespace

std::size_t ClockChoice::nearest() const {
  const auto least = std::ranges::min_element(costs, {}, [](const ClockCost& cost) { return cost.latency_ms.most; });
  return static_cast<std::size_t>(least - costs.begin());
}

std::optional<ClockChoice> choose_clock(const Target& target, const Deployment& deployment, const Bounds& bounds) {
  if (!target.power.has_value() || deployment.clock_cycles.empty()) return std::nullopt;
  ClockChoice choice;
  choice.costs = clock_costs(*target.power, deployment.clock_cycles, bounds.duty);
  choice.clock = choose_clock(choice.costs, bounds.duty, bounds.energy_uj);
  return choice;
}

std::string why_energy_is_unknown(const Target& target) {
  if (!target.power.has_value()) return fmt::format("the description of {} has no [power]", target.name);
  if (cycle_model(target.processor).empty())
    return fmt::format("there are no timings of the {}", name_of(target.processor));
  return {};
}

std::string describe_energy(const Target& target, const ClockChoice& choice) {
  return fmt::format("{} at {}", describe_uj(choice.chosen().inference_uj),
                     clock_text(target.power->clocks[choice.clock]));
}

std::string describe_time(const ClockCost& cost) {
  return fmt::format("an estimated {:.2f} ms ({:.2f} to {:.2f})", cost.latency_ms.expected, cost.latency_ms.least,
                     cost.latency_ms.most);
}

std::string energy_lines(const Target& target, const Deployment& deployment, const Bounds& bounds) {
  const std::optional<ClockChoice> choice = choose_clock(target, deployment, bounds);
  if (!choice.has_value()) {
    const std::string reason = why_energy_is_unknown(target);
    return fmt::format("energy        not known: {}\n", reason.empty() ? "no cycles were estimated" : reason);
  }
  std::string text = fmt::format("energy        {} per inference{}\n", describe_energy(target, *choice),
                                 bounds.energy_uj > 0 ? fmt::format(" of {} uJ", uj_text(bounds.energy_uj)) : "");
  if (!bounds.duty.is_given()) return text;
  const ClockCost& chosen = choice->chosen();
  const std::size_t clocks = choice->costs.size();
  text += fmt::format("clock         {}{}: {} of {:.2f} ms\n", clock_text(target.power->clocks[choice->clock]),
                      clocks > 1 ? fmt::format(", of {} clocks the one of the least energy", clocks) : ", the only one",
                      describe_time(chosen), bounds.duty.allowed_ms());
  if (chosen.period_uj.has_value()) {
    text += fmt::format("period        {} in {:.2f} ms, wake and sleep included{}\n", describe_uj(*chosen.period_uj),
                        bounds.duty.period_ms,
                        target.power->sleep->wake_us.has_value() ? "" : "; the time of the wake is not known");
  }
  return text;
}

void add_energy(nlohmann::ordered_json& json, const Target& target, const Deployment& deployment,
                const Bounds& bounds) {
  if (bounds.energy_uj > 0) json["bounds"]["energy_uj"] = bounds.energy_uj;
  if (bounds.duty.deadline_ms > 0) json["bounds"]["deadline_ms"] = bounds.duty.deadline_ms;
  if (bounds.duty.period_ms > 0) json["bounds"]["period_ms"] = bounds.duty.period_ms;
  const std::optional<ClockChoice> choice = choose_clock(target, deployment, bounds);
  if (!choice.has_value()) {
    const std::string reason = why_energy_is_unknown(target);
    json["energy_unknown"] = reason.empty() ? "no cycles were estimated" : reason;
    return;
  }
  const std::vector<PowerClock>& clocks = target.power->clocks;
  nlohmann::ordered_json energy = cost_json(clocks[choice->clock], choice->chosen());
  if (target.power->supply_v > 0) energy["supply_v"] = target.power->supply_v;
  energy["nj_per_cycle"] = clocks[choice->clock].nj_per_cycle;
  energy["nj_per_cycle_source"] = clocks[choice->clock].source;
  auto all = nlohmann::ordered_json::array();
  for (std::size_t c = 0; c < clocks.size(); ++c) {
    all.push_back(cost_json(clocks[c], choice->costs[c]));
    if (bounds.duty.is_given()) all.back()["in_time"] = choice->costs[c].in_time;
  }
  energy["clocks"] = std::move(all);
  json["energy"] = std::move(energy);
}

}  // namespace trimtab
