#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace trimtab {

/// Packs `filters` filters of equal size as runtime/trimtab/weights.h reads them.
[[nodiscard]] std::vector<std::uint8_t> pack_filters(std::span<const std::int8_t> weights, std::int64_t filters,
                                                     int bits);

}  // namespace trimtab
