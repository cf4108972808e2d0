#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/toml_file.h"
#include "target/power.h"

namespace trimtab {

/// The table [power] of a target's description that comes from the file `path`; nothing where it has none. `most_hz`:
/// the target's highest clock. Throws Error (bad input) that names the file and the key where a number is missing, is
/// none, or cannot be, where there is no clock, and where a clock is faster than the target's.
[[nodiscard]] std::optional<Power> read_power(const toml::table& description, const std::string& path,
                                              std::int64_t most_hz);

}  // namespace trimtab
