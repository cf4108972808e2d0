#include "target/power.h"

#include <algorithm>
#include <utility>

#include "base/boundary.h"

namespace trimtab {
namespace {

constexpr double us_per_ms = 1e3;
constexpr double uj_per_nj = 1e-3;

/// Microjoules of one draw of so many microwatts, for so many milliseconds.
double energy_uj(double uw, double ms) { return uw * ms * 1e-3; }

ClockCost cost_of(const Power& power, const PowerClock& clock, const CycleEstimate& cycles, const Duty& duty) {
  const double cycles_per_ms = static_cast<double>(clock.hz) / 1e3;
  const double wake_ms = power.sleep.has_value() ? power.sleep->wake_us.value_or(0) / us_per_ms : 0;
  const bool sleeps = duty.period_ms > 0 && power.sleep.has_value();
  ClockCost cost;
  Span period;
  const auto end = [&](double Span::*where, double count, double nj_per_cycle) {
    const double run_ms = count / cycles_per_ms;
    const double awake_ms = run_ms + (sleeps ? wake_ms : 0);
    const double wake_uj = wake_ms * cycles_per_ms * nj_per_cycle * uj_per_nj;
    cost.latency_ms.*where = awake_ms;
    cost.inference_uj.*where = count * nj_per_cycle * uj_per_nj;
    if (!sleeps) return;
    const double asleep_ms = std::max(0.0, duty.period_ms - awake_ms);
    period.*where = cost.inference_uj.*where + wake_uj + energy_uj(power.sleep->uw, asleep_ms);
  };
  end(&Span::least, cycles.least, clock.nj_per_cycle_least);
  end(&Span::expected, cycles.expected, clock.nj_per_cycle);
  end(&Span::most, cycles.most, clock.nj_per_cycle_most);
  if (sleeps) cost.period_uj = period;
  cost.in_time = !duty.is_given() || cost.latency_ms.most <= duty.allowed_ms();
  return cost;
}

}  // namespace

std::vector<ClockCost> clock_costs(const Power& power, std::span<const CycleEstimate> clock_cycles, const Duty& duty) {
  if (clock_cycles.size() != power.clocks.size())
    throw internal_fault("the cycles are not those of the clocks of the target");
  std::vector<ClockCost> costs;
  costs.reserve(power.clocks.size());
  for (std::size_t c = 0; c < power.clocks.size(); ++c)
    costs.push_back(cost_of(power, power.clocks[c], clock_cycles[c], duty));
  return costs;
}

std::size_t choose_clock(std::span<const ClockCost> costs, const Duty& duty, double most_uj) {
  const std::size_t fastest = costs.size() - 1;
  // what comes first: within the energy; then little energy, or a fast clock where no more is asked
  const auto rank = [&](std::size_t c) {
    const bool within = most_uj <= 0 || costs[c].inference_uj.most <= most_uj;
    const bool is_free = within && !duty.is_given();
    return std::pair(within ? 0 : 1, is_free ? static_cast<double>(fastest - c) : costs[c].spent_uj());
  };
  std::optional<std::size_t> best;
  for (std::size_t c = costs.size(); c-- > 0;) {
    if (costs[c].in_time && (!best.has_value() || rank(c) < rank(*best))) best = c;
  }
  return best.value_or(fastest);
}

}  // namespace trimtab
