#include "program/pack.h"

#include "trimtab/weights.h"

namespace trimtab {

std::vector<std::uint8_t> pack_filters(std::span<const std::int8_t> weights, std::int64_t filters, int bits) {
  const auto size = static_cast<std::int32_t>(static_cast<std::int64_t>(weights.size()) / filters);
  const std::int64_t filter_bytes = runtime::packed_filter_bytes(size, bits);
  std::vector<std::uint8_t> packed(static_cast<std::size_t>(filter_bytes * filters));
  for (std::int64_t filter = 0; filter < filters; ++filter) {
    for (std::int64_t i = 0; i < size; ++i) {
      const auto weight = static_cast<std::uint32_t>(weights[static_cast<std::size_t>(filter * size + i)]);
      for (int bit = 0; bit < bits; ++bit) {
        const std::int64_t position = i * bits + bit;
        const std::uint32_t value = (weight >> bit & 1U) << (position & 7);
        packed[static_cast<std::size_t>(filter * filter_bytes + (position >> 3))] |= static_cast<std::uint8_t>(value);
      }
    }
  }
  return packed;
}

}  // namespace trimtab
