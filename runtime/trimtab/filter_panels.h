#pragma once

// Filters for kernels that multiply the windows of some pixels by a block of filters at a time (NEON). `weights`
// holds the sum of every filter as 32 bits, and then, block by block (zeros fill up the last), the filters as vectors
// of 16 bytes, in the order in which the kernel reads them. Weights of fewer than 8 bits lie in bit planes: of every
// eight vectors the lowest four bits come first where there are as many (two vectors' in each of four), then two bits
// (four vectors' in each of two), then one (all in one). Kernels decode them before use, and nested weights as well.

#include "trimtab/nested_weights.h"
#include "trimtab/signed_rows_neon.h"

namespace trimtab::TRIMTAB_RUNTIME {

constexpr int32_t panel_group_vectors = 8;

/// Filters of a convolution with one group, rounded up to whole blocks.
constexpr int32_t panel_filters(const Convolution& step, int32_t block) {
  return (step.output.channels + block - 1) / block * block;
}
/// Vectors of all filters.
constexpr int32_t panel_vectors(const Convolution& step, int32_t block) {
  return panel_filters(step, block) * window_runs(step).size() / 16;
}
/// Bytes of the decoded filters: whole groups.
constexpr int32_t decoded_panels_bytes(const Convolution& step, int32_t block) {
  return (panel_vectors(step, block) + panel_group_vectors - 1) / panel_group_vectors * panel_group_vectors * 16;
}

#if defined(__ARM_NEON)

namespace neon {

/// Decodes vectors, rounded up to whole groups.
template <int bits>
inline void decode_planes(const uint8_t* packed, int32_t vectors, int8_t* to) {
  constexpr int nibbles = bits & 4;
  constexpr int twos = bits & 2;
  constexpr int ones = bits & 1;
  constexpr int unused = 8 - bits;
  for (; vectors > 0; vectors -= panel_group_vectors) {
    uint8x16_t nibble[4] = {}, two[2] = {}, one = {};
    if constexpr (nibbles != 0) {
      for (uint8x16_t& plane : nibble) plane = vld1q_u8(packed), packed += 16;
    }
    if constexpr (twos != 0) {
      for (uint8x16_t& plane : two) plane = vld1q_u8(packed), packed += 16;
    }
    if constexpr (ones != 0) one = vld1q_u8(packed), packed += 16;
    const int8x16_t right = vdupq_n_s8(-1);
    const int8x16_t right2 = vdupq_n_s8(-2);
#pragma GCC unroll 8
    for (int j = 0; j < panel_group_vectors; ++j, to += 16) {
      // what stands above a field is shifted out at the end
      uint8x16_t field = {};
      if constexpr (nibbles != 0) field = j % 2 == 0 ? nibble[j / 2] : vshrq_n_u8(nibble[j / 2], 4);
      if constexpr (twos != 0) {
        field = nibbles != 0 ? vsliq_n_u8(field, two[j / 4], 4) : two[j / 4];
        if (j % 4 != 3) two[j / 4] = vshlq_u8(two[j / 4], right2);
      }
      if constexpr (ones != 0) {
        field = nibbles + twos != 0 ? vsliq_n_u8(field, one, nibbles + twos) : one;
        if (j != 7) one = vshlq_u8(one, right);
      }
      const int8x16_t weight = vreinterpretq_s8_u8(vshlq_n_u8(field, unused));
      vst1q_s8(to, vshrq_n_s8(weight, unused));
    }
  }
}

inline void decode_planes(const uint8_t* packed, int32_t vectors, int bits, int8_t* to) {
  switch (bits) {
    case 2:
      return decode_planes<2>(packed, vectors, to);
    case 3:
      return decode_planes<3>(packed, vectors, to);
    case 4:
      return decode_planes<4>(packed, vectors, to);
    case 5:
      return decode_planes<5>(packed, vectors, to);
    case 6:
      return decode_planes<6>(packed, vectors, to);
    default:
      return decode_planes<7>(packed, vectors, to);
  }
}

/// Nested weights at `bits` bits: their odd integers, or at 8 bits, where these need nine, the digits.
inline void decode_nested(const uint8_t* stored, int32_t vectors, int bits, int8_t* to) {
  const int8x16_t shift = vdupq_n_s8(static_cast<int8_t>(bits - 8));
  const int8x16_t one = vdupq_n_s8(1);
  for (int32_t i = 0; i < vectors; ++i, stored += 16, to += 16) {
    const int8x16_t digits = vshlq_s8(vld1q_s8(reinterpret_cast<const int8_t*>(stored)), shift);
    vst1q_s8(to, bits == 8 ? digits : vorrq_s8(vshlq_n_s8(digits, 1), one));
  }
}

}  // namespace neon

#endif

}  // namespace trimtab::TRIMTAB_RUNTIME
