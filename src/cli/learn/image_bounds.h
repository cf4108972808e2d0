#pragma once

#include <optional>
#include <string>

#include "cost/pricer.h"
#include "target/target.h"

namespace trimtab::cli {

/// The bounds that --flash and --ram set; where one is empty, all that the target has. Throws Error (bad input) for a
/// bound of 0 and for one above the target's memory.
[[nodiscard]] Bounds image_bounds(const Target& target, const std::string& flash, const std::string& ram);

/// A bound in bytes. Throws Error (bad input) for 0.
[[nodiscard]] std::int64_t parse_bound(const std::string& text, const std::string& option);

/// Refuses what no target can hold: deadline, period and energy that are no numbers or contradict each other, and those
/// of a target whose energy is not known. Throws Error (bad input).
void check_duty(const Bounds& bounds, const std::optional<Target>& target);

}  // namespace trimtab::cli
