#pragma once

// Requantization of vectors of four sums, exactly as requantize_around() in arithmetic.h, for NEON.

#include "trimtab/neon.h"
#include "trimtab/operators.h"

namespace trimtab::TRIMTAB_RUNTIME::neon {

/// What all sums of a convolution share. Kernels in assembly read it by the offsets of its members.
struct Requantization {
  int32x4_t shift;
  uint8x16_t minimum, maximum;  // of an output of bytes
  int16x8_t zero;               // that comes behind the rounding
  // Of `kind`: sums are shifted; an output of bytes is signed, holds more numbers than these, or has a zero point.
  static constexpr uint32_t shifts = 1, is_signed = 2, clamps = 4, has_zero = 8;
  uint32_t kind;

  bool has(uint32_t property) const { return (kind & property) != 0; }
};

inline Requantization requantization(const Convolution& step) {
  const bool is_signed = step.output.format.is_signed;
  const int32_t least = is_signed ? -128 : 0;
  const bool clamps = step.output_minimum > least || step.output_maximum < least + 255;
  return {vdupq_n_s32(step.shift), vdupq_n_u8(static_cast<uint8_t>(step.output_minimum)),
          vdupq_n_u8(static_cast<uint8_t>(step.output_maximum)), vdupq_n_s16(step.output_zero),
          (step.shift != 0 ? Requantization::shifts : 0U) | (is_signed ? Requantization::is_signed : 0U) |
              (clamps ? Requantization::clamps : 0U) | (step.output_zero != 0 ? Requantization::has_zero : 0U)};
}

/// floor(2 * sums * 2^shift * multiplier / 2^32). Half of it, rounded with halves upward, is requantize()'s number,
/// even where the product saturates: that of two numbers -2^31.
inline int32x4_t scale_twice(int32x4_t sums, int32x4_t multiplier, const Requantization& to) {
  return vqdmulhq_s32(to.has(Requantization::shifts) ? vshlq_s32(sums, to.shift) : sums, multiplier);
}

/// Eight numbers, `2^times` times as large, rounded with halves upward.
template <int times>
inline int16x8_t round_eight(int32x4_t a, int32x4_t b) {
#if defined(__aarch64__)
  return vqrshrn_high_n_s32(vqrshrn_n_s32(a, times), b, times);
#else
  return vcombine_s16(vqrshrn_n_s32(a, times), vqrshrn_n_s32(b, times));
#endif
}

/// Sixteen numbers of 16 bits as bytes of the output.
inline uint8x16_t narrow_words(int16x8_t first, int16x8_t second, const Requantization& to) {
  first = vqaddq_s16(first, to.zero);
  second = vqaddq_s16(second, to.zero);
  if (to.has(Requantization::is_signed)) {
    const int8x16_t bytes = vqmovn_high_s16(vqmovn_s16(first), second);
    return vreinterpretq_u8_s8(
        vminq_s8(vmaxq_s8(bytes, vreinterpretq_s8_u8(to.minimum)), vreinterpretq_s8_u8(to.maximum)));
  }
  return vminq_u8(vmaxq_u8(vqmovun_high_s16(vqmovun_s16(first), second), to.minimum), to.maximum);
}

/// Sixteen numbers, twice as large, as bytes of the output.
inline uint8x16_t narrow(int32x4_t a, int32x4_t b, int32x4_t c, int32x4_t d, const Requantization& to) {
  return narrow_words(round_eight<1>(a, b), round_eight<1>(c, d), to);
}

/// Eight of them.
inline uint8x8_t narrow_eight(int32x4_t a, int32x4_t b, const Requantization& to) {
  const int16x8_t words = vqaddq_s16(round_eight<1>(a, b), to.zero);
  if (to.has(Requantization::is_signed)) {
    const int8x8_t minimum = vreinterpret_s8_u8(vget_low_u8(to.minimum));
    const int8x8_t maximum = vreinterpret_s8_u8(vget_low_u8(to.maximum));
    return vreinterpret_u8_s8(vmin_s8(vmax_s8(vqmovn_s16(words), minimum), maximum));
  }
  return vmin_u8(vmax_u8(vqmovun_s16(words), vget_low_u8(to.minimum)), vget_low_u8(to.maximum));
}

/// Stores a lane of 32 bits at any address.
template <int lane>
inline void store_word(uint8_t* to, uint8x16_t bytes) {
#if defined(__aarch64__)
  asm volatile("st1 {%1.s}[%2], [%0]" : : "r"(to), "w"(bytes), "i"(lane) : "memory");
#else
  if constexpr (lane < 2) {
    asm volatile("vst1.32 {%e1[%2]}, [%0]" : : "r"(to), "w"(bytes), "i"(lane) : "memory");
  } else {
    asm volatile("vst1.32 {%f1[%2]}, [%0]" : : "r"(to), "w"(bytes), "i"(lane - 2) : "memory");
  }
#endif
}

}  // namespace trimtab::TRIMTAB_RUNTIME::neon
