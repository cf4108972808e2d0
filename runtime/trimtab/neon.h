#pragma once

// NEON's intrinsics, for AArch64 and for the 32-bit state. The 32-bit state lacks some: here they are made of others.

#include <arm_neon.h>

#include "trimtab/rows.h"

#if !defined(__aarch64__)

namespace trimtab::TRIMTAB_RUNTIME::neon {

inline int32x4_t vpaddq_s32(int32x4_t a, int32x4_t b) {
  return vcombine_s32(vpadd_s32(vget_low_s32(a), vget_high_s32(a)), vpadd_s32(vget_low_s32(b), vget_high_s32(b)));
}
inline int32_t vaddvq_s32(int32x4_t a) {
  const int32x4_t pairs = vpaddq_s32(a, a);
  return vgetq_lane_s32(vpaddq_s32(pairs, pairs), 0);
}

// On the high halves of vectors.
inline int32x4_t vmovl_high_s16(int16x8_t a) { return vmovl_s16(vget_high_s16(a)); }
inline int16x8_t vmlal_high_s8(int16x8_t sum, int8x16_t a, int8x16_t b) {
  return vmlal_s8(sum, vget_high_s8(a), vget_high_s8(b));
}
inline int32x4_t vmlal_high_s16(int32x4_t sum, int16x8_t a, int16x8_t b) {
  return vmlal_s16(sum, vget_high_s16(a), vget_high_s16(b));
}

// To the high half of a vector.
inline int8x16_t vqmovn_high_s16(int8x8_t low, int16x8_t a) { return vcombine_s8(low, vqmovn_s16(a)); }
inline uint8x16_t vqmovun_high_s16(uint8x8_t low, int16x8_t a) { return vcombine_u8(low, vqmovun_s16(a)); }

/// Bytes of a table of 64 (or 48) at `places`, and zeros where these lie outside it.
inline uint8x16_t vqtbl4q_u8(uint8x16x4_t table, uint8x16_t places) {
  const uint8x8x4_t first = {
      {vget_low_u8(table.val[0]), vget_high_u8(table.val[0]), vget_low_u8(table.val[1]), vget_high_u8(table.val[1])}};
  const uint8x8x4_t second = {
      {vget_low_u8(table.val[2]), vget_high_u8(table.val[2]), vget_low_u8(table.val[3]), vget_high_u8(table.val[3])}};
  const auto half = [&](uint8x8_t eight) __attribute__((always_inline)) {
    return vtbx4_u8(vtbl4_u8(first, eight), second, vsub_u8(eight, vdup_n_u8(32)));
  };
  return vcombine_u8(half(vget_low_u8(places)), half(vget_high_u8(places)));
}
inline uint8x16_t vqtbl3q_u8(uint8x16x3_t table, uint8x16_t places) {
  const uint8x8x4_t first = {
      {vget_low_u8(table.val[0]), vget_high_u8(table.val[0]), vget_low_u8(table.val[1]), vget_high_u8(table.val[1])}};
  const uint8x8x2_t second = {{vget_low_u8(table.val[2]), vget_high_u8(table.val[2])}};
  const auto half = [&](uint8x8_t eight) __attribute__((always_inline)) {
    return vtbx2_u8(vtbl4_u8(first, eight), second, vsub_u8(eight, vdup_n_u8(32)));
  };
  return vcombine_u8(half(vget_low_u8(places)), half(vget_high_u8(places)));
}

}  // namespace trimtab::TRIMTAB_RUNTIME::neon

#endif
