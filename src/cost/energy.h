#pragma once

#include <cstddef>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "cost/bounds.h"
#include "emit/deploy.h"
#include "target/power.h"
#include "target/target.h"

namespace trimtab {

/// The clock that a program runs at on a target, and its costs at each.
struct ClockChoice {
  std::size_t clock = 0;         ///< of the target's power: see choose_clock (target/power.h)
  std::vector<ClockCost> costs;  ///< by clock

  [[nodiscard]] const ClockCost& chosen() const { return costs[clock]; }
  /// The clock whose upper end of the time is the least.
  [[nodiscard]] std::size_t nearest() const;
};

/// Nothing where the energy is not known: the target has no [power], or no cycles were estimated.
[[nodiscard]] std::optional<ClockChoice> choose_clock(const Target& target, const Deployment& deployment,
                                                      const Bounds& bounds);

/// Why the energy on a target is never known, in words without a full stop; empty where it can be.
[[nodiscard]] std::string why_energy_is_unknown(const Target& target);

/// "an estimated 5486 uJ (5421 to 7255) at 120 MHz".
[[nodiscard]] std::string describe_energy(const Target& target, const ClockChoice& choice);
/// "an estimated 83.10 ms (80.00 to 85.20)".
[[nodiscard]] std::string describe_time(const ClockCost& cost);

/// The lines of a summary: energy and, where deadline or period are given, the clock and the energy of a period.
[[nodiscard]] std::string energy_lines(const Target& target, const Deployment& deployment, const Bounds& bounds);

/// Adds `energy`, or `energy_unknown` with the reason, and the bounds that were given to `bounds`; see docs/fit.md.
void add_energy(nlohmann::ordered_json& json, const Target& target, const Deployment& deployment, const Bounds& bounds);

}  // namespace trimtab
