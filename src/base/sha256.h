#pragma once

#include <cstdint>
#include <span>
#include <string>

namespace trimtab {

/// The SHA-256 hash (FIPS 180-4) of some bytes, as 64 hexadecimal digits. O(bytes).
[[nodiscard]] std::string sha256(std::span<const std::uint8_t> bytes);

}  // namespace trimtab
