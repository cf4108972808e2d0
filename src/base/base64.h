#pragma once

#include <cstdint>
#include <span>
#include <string>

namespace trimtab {

/// Bytes in the alphabet of RFC 4648, section 4, padded with '='.
[[nodiscard]] std::string base64(std::span<const std::uint8_t> bytes);

}  // namespace trimtab
