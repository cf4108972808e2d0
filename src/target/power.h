#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "target/cycle_estimate.h"

namespace trimtab {

/// A clock that a core can run at, and what a cycle takes there.
struct PowerClock {
  std::int64_t hz = 0;
  double core_v = 0;                   ///< voltage of the core at this clock; 0: not known
  std::int64_t flash_wait_states = 0;  ///< of a flash access at this clock
  double nj_per_cycle = 0;             ///< of the whole part while it computes
  double nj_per_cycle_least = 0;       ///< the ends of what is known of that
  double nj_per_cycle_most = 0;
  std::string source;
};

/// The deepest sleep that keeps the RAM.
struct Sleep {
  double uw = 0;
  std::optional<double> wake_us;  ///< until the core runs again; nothing where it is not known
  std::string source;
};

/// What a microcontroller draws from its supply, from the table [power] of its description.
struct Power {
  double supply_v = 0;        ///< at which the energies hold; 0: not known
  double supply_v_least = 0;  ///< of the part; 0: not known
  double supply_v_most = 0;
  std::string supply_source;
  std::vector<PowerClock> clocks;  ///< from the slowest to the fastest; at least one
  std::optional<Sleep> sleep;
};

/// When answers are needed. 0: not bounded, or not periodic.
struct Duty {
  double deadline_ms = 0;  ///< from the wake of the core, or else from the start of an inference, to the answer
  double period_ms = 0;    ///< from one inference to the next; the core sleeps in between

  /// The time that an inference may take: the deadline, or else the period; 0: any.
  [[nodiscard]] double allowed_ms() const { return deadline_ms > 0 ? deadline_ms : period_ms; }
  [[nodiscard]] bool is_given() const { return deadline_ms > 0 || period_ms > 0; }
};

/// A figure and the ends of what is known of it.
struct Span {
  double least = 0;
  double expected = 0;
  double most = 0;
};

/// What a program takes at one clock. The ends of each figure come from the ends of the cycles and of the energy of a
/// cycle.
struct ClockCost {
  Span latency_ms;                ///< with the wake, where there is a period
  Span inference_uj;              ///< of the inference alone
  std::optional<Span> period_uj;  ///< wake, inference and sleep; where there is a period, whose sleep is known
  bool in_time = true;            ///< whether the upper end of the latency is within the time that is allowed

  /// What the choice of a clock makes small.
  [[nodiscard]] double spent_uj() const { return period_uj.has_value() ? period_uj->expected : inference_uj.expected; }
};

/// The costs at every clock of `power`, of a program that takes `clock_cycles` there, by clock in the order of
/// `power.clocks`. The wake runs at the power of the clock that is woken to.
[[nodiscard]] std::vector<ClockCost> clock_costs(const Power& power, std::span<const CycleEstimate> clock_cycles,
                                                 const Duty& duty);

/// The clock of the least energy of a period (without a period: of an inference) among those in time; of two that spend
/// the same, the faster. Those whose inference takes at most `most_uj` by its upper end come first (0: no such bound).
/// Where neither deadline nor period is given, the fastest clock within `most_uj`. Where none is in time, the fastest.
/// O(clocks).
[[nodiscard]] std::size_t choose_clock(std::span<const ClockCost> costs, const Duty& duty, double most_uj = 0);

}  // namespace trimtab
