#pragma once

// arithmetic.h's requantize_around() for four accumulators at a time. Only for cores with MVE: VRMULH rounds as our
// arithmetic does, to nearest with halves upward.

#include <arm_mve.h>

#include "trimtab/arithmetic.h"

namespace trimtab::TRIMTAB_RUNTIME::detail {

struct RequantizeMve {
  int32x4_t multiplier;
  int32x4_t minimum;
  int32x4_t maximum;
  int32_t shift;
  int32_t zero;

  RequantizeMve(int32_t multiplier_, int32_t shift_, int32_t minimum_, int32_t maximum_, int32_t zero_ = 0)
      : multiplier(vdupq_n_s32(multiplier_)),
        minimum(vdupq_n_s32(minimum_)),
        maximum(vdupq_n_s32(maximum_)),
        shift(shift_),
        zero(zero_) {}

  int32x4_t operator()(int32x4_t sums) const {
    const int32x4_t scaled = vaddq_n_s32(vrmulhq_s32(vshlq_r_s32(sums, shift), multiplier), zero);
    return vminq_s32(vmaxq_s32(scaled, minimum), maximum);
  }
};

}  // namespace trimtab::TRIMTAB_RUNTIME::detail
