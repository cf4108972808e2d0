#pragma once

// Packed weights of 2 to 8 bits: two's complement fields one after the other, lowest bits first, every filter (or every
// group of filters, or only the first) starting at a byte.

#include "trimtab/arithmetic.h"

namespace trimtab::TRIMTAB_RUNTIME {

/// Bytes of one packed filter.
constexpr int32_t packed_filter_bytes(int32_t count, int bits) { return (count * bits + 7) / 8; }

/// Unpacks `count` weights from the weight `first` on.
inline void unpack_weights(const uint8_t* packed, int32_t count, int bits, int8_t* weights, int32_t first = 0) {
  uint32_t buffer = 0;
  int held = 0;
  packed += first * bits / 8;
  if (const int skipped = first * bits % 8; skipped > 0) {
    buffer = static_cast<uint32_t>(*packed++) >> skipped;
    held = 8 - skipped;
  }
  const auto mask = static_cast<int32_t>((1U << bits) - 1);
  const int32_t sign = 1 << (bits - 1);
  for (int32_t i = 0; i < count; ++i) {
    if (held < bits) {
      buffer |= static_cast<uint32_t>(*packed++) << held;
      held += 8;
    }
    const int32_t field = static_cast<int32_t>(buffer) & mask;
    weights[i] = static_cast<int8_t>((field ^ sign) - sign);
    buffer >>= bits;
    held -= bits;
  }
}

/// Weight `index` of a row that starts at a byte.
template <int bits>
inline int32_t load_field(const uint8_t* packed, int32_t index) {
  if constexpr (bits == 8) return static_cast<int8_t>(packed[index]);
  const int32_t bit = index * bits;
  uint32_t held = packed[bit >> 3];
  if ((bit & 7) + bits > 8) held |= static_cast<uint32_t>(packed[(bit >> 3) + 1]) << 8;
  return static_cast<int32_t>(held << (32 - bits - (bit & 7))) >> (32 - bits);
}

}  // namespace trimtab::TRIMTAB_RUNTIME
