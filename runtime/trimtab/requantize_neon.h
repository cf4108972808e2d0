#pragma once

// Requantization of vectors of four sums, exactly as requantize_around() in arithmetic.h, for NEON.

#include "trimtab/neon.h"
#include "trimtab/operators.h"

namespace trimtab::TRIMTAB_RUNTIME::neon {

/// What all sums of a convolution with an output of bytes share. Results are made as signed bytes, unsigned ones less
/// 128, which `flip` takes back: so one way of narrowing serves both.
struct Requantization {
  int64x2_t rounding;  // 2^31, and 2^32 times the zero point that results have
  int32x4_t shift;
  int8x16_t minimum, maximum, flip;
};

inline Requantization requantization(const Convolution& step) {
  const int32_t less = step.output.format.is_signed ? 0 : 128;
  const int64_t zero = step.output_zero - less;
  return {vdupq_n_s64(INT64_C(0x80000000) + zero * (INT64_C(1) << 32)), vdupq_n_s32(step.shift),
          vdupq_n_s8(static_cast<int8_t>(step.output_minimum - less)),
          vdupq_n_s8(static_cast<int8_t>(step.output_maximum - less)), vdupq_n_s8(static_cast<int8_t>(less))};
}

/// round(sums * 2^shift * multiplier / 2^32) and the zero point that results have.
template <bool shifts>
inline int32x4_t scale(int32x4_t sums, int32x4_t multiplier, const Requantization& to) {
  if constexpr (shifts) sums = vshlq_s32(sums, to.shift);
  const int64x2_t low = vmull_s32(vget_low_s32(sums), vget_low_s32(multiplier));
  const int64x2_t high = vmull_high_s32(sums, multiplier);
  return vaddhn_high_s64(vaddhn_s64(low, to.rounding), high, to.rounding);
}

/// Sixteen scaled sums as bytes of the output.
inline int8x16_t narrow(int32x4_t a, int32x4_t b, int32x4_t c, int32x4_t d, const Requantization& to) {
  const int16x8_t first = vqmovn_high_s32(vqmovn_s32(a), b);
  const int16x8_t second = vqmovn_high_s32(vqmovn_s32(c), d);
  const int8x16_t bytes = vqmovn_high_s16(vqmovn_s16(first), second);
  return veorq_s8(vminq_s8(vmaxq_s8(bytes, to.minimum), to.maximum), to.flip);
}

// Lanes stored at any address.
using UnalignedWord = int32_t __attribute__((aligned(1), may_alias));
using UnalignedPair = int64_t __attribute__((aligned(1), may_alias));
template <int lane>
inline void store_word(uint8_t* to, int8x16_t bytes) {
  *reinterpret_cast<UnalignedWord*>(to) = vgetq_lane_s32(vreinterpretq_s32_s8(bytes), lane);
}
template <int lane>
inline void store_pair(uint8_t* to, int8x16_t bytes) {
  *reinterpret_cast<UnalignedPair*>(to) = vgetq_lane_s64(vreinterpretq_s64_s8(bytes), lane);
}

/// Eight scaled sums.
inline int8x8_t narrow_eight(int32x4_t a, int32x4_t b, const Requantization& to) {
  const int8x8_t bytes = vqmovn_s16(vqmovn_high_s32(vqmovn_s32(a), b));
  return veor_s8(vmin_s8(vmax_s8(bytes, vget_low_s8(to.minimum)), vget_low_s8(to.maximum)), vget_low_s8(to.flip));
}

}  // namespace trimtab::TRIMTAB_RUNTIME::neon
