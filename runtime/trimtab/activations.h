#pragma once

// How activations lie in memory: height x width x channels. 8 bits take a byte each, 16 bits two; 4 and 2 bits are
// packed along the channels, first channel in the lowest bits, and every pixel starts at a byte. "Signed" is two's
// complement of the given width.

#include "trimtab/arithmetic.h"

namespace trimtab::TRIMTAB_RUNTIME {

struct ActivationFormat {
  uint8_t bits;  // 2, 4, 8 or 16
  bool is_signed;
};

/// Bytes from one pixel to the next where a pixel has so many channels.
constexpr int32_t pixel_bytes(int32_t channels, int bits) { return (channels * bits + 7) / 8; }

/// Integer number `channel` of the pixel at `pixel`.
inline int32_t load_activation(const uint8_t* pixel, int32_t channel, ActivationFormat format) {
  if (format.bits == 8) return format.is_signed ? static_cast<int8_t>(pixel[channel]) : pixel[channel];
  if (format.bits == 16) {
    const auto value = static_cast<uint16_t>(pixel[2 * channel] | pixel[2 * channel + 1] << 8);
    return format.is_signed ? static_cast<int16_t>(value) : value;
  }
  const int32_t bit = channel * format.bits;
  const int32_t field = pixel[bit >> 3] >> (bit & 7) & ((1 << format.bits) - 1);
  const int32_t sign = 1 << (format.bits - 1);
  return format.is_signed ? (field ^ sign) - sign : field;
}

/// Stores a saturated integer. Packed neighbours in the same byte keep their value.
inline void store_activation(uint8_t* pixel, int32_t channel, int32_t value, ActivationFormat format) {
  if (format.bits == 8) {
    pixel[channel] = static_cast<uint8_t>(value);
  } else if (format.bits == 16) {
    pixel[2 * channel] = static_cast<uint8_t>(value);
    pixel[2 * channel + 1] = static_cast<uint8_t>(static_cast<uint32_t>(value) >> 8);
  } else {
    const int32_t bit = channel * format.bits;
    const int32_t mask = ((1 << format.bits) - 1) << (bit & 7);
    uint8_t& byte = pixel[bit >> 3];
    byte =
        static_cast<uint8_t>((byte & ~mask) | (static_cast<int32_t>(static_cast<uint32_t>(value) << (bit & 7)) & mask));
  }
}

}  // namespace trimtab::TRIMTAB_RUNTIME
