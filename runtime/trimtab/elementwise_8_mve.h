#pragma once

// Addition and maximum and average pooling of bytes for cores with MVE, any shape. The sum may lie where the first
// addend lies.

#include "trimtab/rows.h"
#include "trimtab/window_clip.h"
#if defined(__ARM_FEATURE_MVE)
#include "trimtab/requantize_mve.h"

namespace trimtab::TRIMTAB_RUNTIME {

namespace detail {

template <bool is_signed>
inline int32x4_t load_bytes_mve(const uint8_t* bytes) {
  if constexpr (is_signed) return vldrbq_s32(reinterpret_cast<const int8_t*>(bytes));
  return vreinterpretq_s32_u32(vldrbq_u32(bytes));
}

template <bool a_is_signed, bool b_is_signed, bool has_offset>
inline void add_bytes_mve(const Addition& step, const uint8_t* a, const uint8_t* b, uint8_t* output, int32_t pixels,
                          int32_t channels) {
  const int32x4_t minimum = vdupq_n_s32(step.output_minimum);
  const int32x4_t maximum = vdupq_n_s32(step.output_maximum);
  const int32_t multiplier_a = step.multiplier_a;
  const int32_t multiplier_b = step.multiplier_b;
  const int32_t shift = -static_cast<int32_t>(step.shift);
  const int32x4_t offset = vdupq_n_s32(step.offset);
  const auto sum = [&](int32_t i) {
    int32x4_t value = vmulq_n_s32(load_bytes_mve<a_is_signed>(a + i), multiplier_a);
    if constexpr (has_offset) value = vaddq_s32(value, offset);
    value = vmlaq_n_s32(value, load_bytes_mve<b_is_signed>(b + i), multiplier_b);
    return vreinterpretq_u32_s32(vminq_s32(vmaxq_s32(vrshlq_n_s32(value, shift), minimum), maximum));
  };
  for (; pixels > 0; --pixels) {
    int32_t i = 0;
    for (; i + 16 <= channels; i += 16) {
      vstrbq_u32(output + i, (sum(i)));
      vstrbq_u32(output + i + 4, (sum(i + 4)));
      vstrbq_u32(output + i + 8, (sum(i + 8)));
      vstrbq_u32(output + i + 12, (sum(i + 12)));
    }
    // loads beyond the end meet the arena or what follows it, and are not used
    for (; i < channels; i += 4) {
      const mve_pred16_t left = vctp32q(static_cast<uint32_t>(channels - i));
      vstrbq_p_u32(output + i, (sum(i)), left);
    }
    a += step.a.pixel_stride;
    b += step.b.pixel_stride;
    output += step.output.pixel_stride;
  }
}

template <bool a_is_signed, bool b_is_signed, bool has_offset>
inline void add_rows_mve(const Addition& step, Strip strip, InputRows a, InputRows b, OutputRows output) {
  int32_t pixels = step.output.width;
  int32_t rows = strip.count;
  if (a.is_dense() && b.is_dense() && output.is_dense()) {
    pixels *= rows;  // one long row
    rows = 1;
  }
  int32_t channels = step.output.channels;
  if (step.a.pixel_stride == channels && step.b.pixel_stride == channels && step.output.pixel_stride == channels) {
    channels *= pixels;  // without gaps: one long pixel
    pixels = 1;
  }
  for (int32_t row = strip.first; rows > 0; --rows, ++row) {
    add_bytes_mve<a_is_signed, b_is_signed, has_offset>(step, a[row], b[row], output[row], pixels, channels);
  }
}

/// An offset costs an instruction for four sums, so that only those that have one pay for it.
template <bool a_is_signed, bool b_is_signed>
inline void addition_8_mve(const Addition& step, Strip strip, InputRows a, InputRows b, OutputRows output) {
  if (step.offset == 0) {
    add_rows_mve<a_is_signed, b_is_signed, false>(step, strip, a, b, output);
  } else {
    add_rows_mve<a_is_signed, b_is_signed, true>(step, strip, a, b, output);
  }
}

template <bool is_signed>
inline void average_pool_8_mve(const AveragePool& step, Strip strip, InputRows input, OutputRows output) {
  for_each_window(step.input, step.output, step.window, strip, input, output,
                  [&](const ClippedWindow& window, uint8_t* out) {
                    const int32_t count = window.rows * window.columns;
                    const RequantizeMve requantized(step.multiplier[step.fixed_divisor || count == 0 ? 0 : count - 1],
                                                    step.shift, step.output_minimum, step.output_maximum);
                    for (int32_t channel = 0; channel < step.input.channels; channel += 4) {
                      int32x4_t sum = vdupq_n_s32(0);
                      for (int32_t i = 0; i < window.rows; ++i) {
                        const uint8_t* at = window.row(i) + channel;
                        for (int32_t j = window.columns; j > 0; --j, at += window.column_step) {
                          sum = vaddq_s32(sum, load_bytes_mve<is_signed>(at));
                        }
                      }
                      const mve_pred16_t left = vctp32q(static_cast<uint32_t>(step.input.channels - channel));
                      vstrbq_p_u32(out + channel, (vreinterpretq_u32_s32(requantized(sum))), left);
                    }
                  });
}

}  // namespace detail

inline void addition_u8_u8_mve(const Addition& step, Strip strip, InputRows a, InputRows b, OutputRows output) {
  detail::addition_8_mve<false, false>(step, strip, a, b, output);
}
inline void addition_u8_s8_mve(const Addition& step, Strip strip, InputRows a, InputRows b, OutputRows output) {
  detail::addition_8_mve<false, true>(step, strip, a, b, output);
}
inline void addition_s8_u8_mve(const Addition& step, Strip strip, InputRows a, InputRows b, OutputRows output) {
  detail::addition_8_mve<true, false>(step, strip, a, b, output);
}
inline void addition_s8_s8_mve(const Addition& step, Strip strip, InputRows a, InputRows b, OutputRows output) {
  detail::addition_8_mve<true, true>(step, strip, a, b, output);
}

inline void average_pool_u8_mve(const AveragePool& step, Strip strip, InputRows input, OutputRows output) {
  detail::average_pool_8_mve<false>(step, strip, input, output);
}
inline void average_pool_s8_mve(const AveragePool& step, Strip strip, InputRows input, OutputRows output) {
  detail::average_pool_8_mve<true>(step, strip, input, output);
}

/// Sixteen channels at a time; signed bytes compare as unsigned ones do once their highest bit is flipped.
inline void max_pool_8_mve(const MaxPool& step, Strip strip, InputRows input, OutputRows output) {
  const uint32_t flip = step.input.format.is_signed ? 0x80 : 0;
  const uint8x16_t flips = vdupq_n_u8(static_cast<uint8_t>(flip));
  const uint8x16_t minimum = vdupq_n_u8(static_cast<uint8_t>(static_cast<uint32_t>(step.output_minimum) ^ flip));
  const uint8x16_t maximum = vdupq_n_u8(static_cast<uint8_t>(static_cast<uint32_t>(step.output_maximum) ^ flip));
  detail::for_each_window(step.input, step.output, step.window, strip, input, output,
                          [&](const detail::ClippedWindow& window, uint8_t* out) {
                            for (int32_t channel = 0; channel < step.input.channels; channel += 16) {
                              uint8x16_t best = minimum;
                              for (int32_t i = 0; i < window.rows; ++i) {
                                const uint8_t* at = window.row(i) + channel;
                                for (int32_t j = window.columns; j > 0; --j, at += window.column_step) {
                                  best = vmaxq_u8(best, veorq_u8(vldrbq_u8(at), flips));
                                }
                              }
                              const mve_pred16_t left = vctp8q(static_cast<uint32_t>(step.input.channels - channel));
                              vstrbq_p_u8(out + channel, (veorq_u8(vminq_u8(best, maximum), flips)), left);
                            }
                          });
}

}  // namespace trimtab::TRIMTAB_RUNTIME

#endif
