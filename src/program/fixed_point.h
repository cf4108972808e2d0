#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace trimtab {

/// Constants of runtime::requantize for real factors, with one shift for all of them: factor = multiplier *
/// 2^(shift-32).
struct FixedPoint {
  std::vector<std::int32_t> multiplier;
  std::uint8_t shift = 0;
};

/// The smallest common shift that brings every |factor| below one half (as the 32-bit multiplier needs), and the
/// nearest multipliers. Throws Error (bad input), naming `where`, for a factor that is not finite or beyond 2^15.
[[nodiscard]] FixedPoint to_fixed_point(std::span<const double> factors, const std::string& where);

}  // namespace trimtab
