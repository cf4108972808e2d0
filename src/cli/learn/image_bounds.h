#pragma once

#include <string>

#include "cost/pricer.h"
#include "target/target.h"

namespace trimtab::cli {

/// The bounds that --flash and --ram set; where one is empty, all that the target has. Throws Error (bad input) for a
/// bound of 0 and for one above the target's memory.
[[nodiscard]] Bounds image_bounds(const Target& target, const std::string& flash, const std::string& ram);

/// A bound in bytes. Throws Error (bad input) for 0.
[[nodiscard]] std::int64_t parse_bound(const std::string& text, const std::string& option);

}  // namespace trimtab::cli
