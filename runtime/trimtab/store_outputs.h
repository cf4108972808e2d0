#pragma once

// Requantization of a block of accumulators, with the saturations that most layers have as one instruction.

#include "trimtab/operators.h"

namespace trimtab::TRIMTAB_RUNTIME {

/// requantize() around the output's zero point, without saturation, written so that compilers for 32-bit Arm make it a
/// shift and an SMLAL: the zero point lies above the half that the product is added to.
inline int32_t scale_sum(int32_t sum, int32_t multiplier, int shift, int32_t zero) {
  const auto scaled = static_cast<int32_t>(static_cast<uint32_t>(sum) << shift);
#if defined(__ARM_ARCH_6M__) || defined(__riscv)
  return multiply_high_rounded(scaled, multiplier) + zero;
#else
  const int64_t start = zero * (INT64_C(1) << 32) + INT64_C(0x80000000);
  return static_cast<int32_t>((start + static_cast<int64_t>(scaled) * multiplier) >> 32);
#endif
}

/// Whether scale_sum() adds a zero point without instructions of its own. On Armv6-M it takes a register too much.
#if defined(__ARM_ARCH_6M__)
constexpr bool adds_zero_for_free = false;
#else
constexpr bool adds_zero_for_free = true;
#endif

/// Bytes around any zero point. A function of its own, so that it takes no register from those without one.
__attribute__((noinline)) inline void store_around_zero(const Convolution& step, const int32_t* sums, int32_t count,
                                                        int32_t channel, uint8_t* pixels) {
  for (int32_t p = 0; p < count; ++p, pixels += step.output.pixel_stride) {
    const int32_t value = scale_sum(sums[p], step.multiplier[channel], step.shift, step.output_zero);
    *pixels = static_cast<uint8_t>(saturate(value, step.output_minimum, step.output_maximum));
  }
}

/// Stores channel `channel` of `count` neighbouring pixels, from sums[0], sums[1] ...
inline void store_channel(const Convolution& step, const int32_t* sums, int32_t count, int32_t channel,
                          uint8_t* pixels) {
  const int32_t multiplier = step.multiplier[channel];
  const int32_t minimum = step.output_minimum;
  const int32_t maximum = step.output_maximum;
  const int shift = step.shift;
  const int32_t zero = step.output_zero;
  const int32_t stride = step.output.pixel_stride;
  if (step.output.format.bits != 8) {
    for (int32_t p = 0; p < count; ++p, pixels += stride) {
      store_activation(pixels, channel, saturate(scale_sum(sums[p], multiplier, shift, zero), minimum, maximum),
                       step.output.format);
    }
    return;
  }
  pixels += channel;
  if (!adds_zero_for_free && zero != 0) return store_around_zero(step, sums, count, channel, pixels);
  const int32_t usual_zero = adds_zero_for_free ? zero : 0;
  if (minimum == 0 && maximum == 255) {
    for (int32_t p = 0; p < count; ++p, pixels += stride) {
      *pixels = static_cast<uint8_t>(saturate(scale_sum(sums[p], multiplier, shift, usual_zero), 0, 255));
    }
  } else if (minimum == -128 && maximum == 127) {
    for (int32_t p = 0; p < count; ++p, pixels += stride) {
      *pixels = static_cast<uint8_t>(saturate(scale_sum(sums[p], multiplier, shift, usual_zero), -128, 127));
    }
  } else {
    for (int32_t p = 0; p < count; ++p, pixels += stride) {
      *pixels = static_cast<uint8_t>(saturate(scale_sum(sums[p], multiplier, shift, usual_zero), minimum, maximum));
    }
  }
}

}  // namespace trimtab::TRIMTAB_RUNTIME
