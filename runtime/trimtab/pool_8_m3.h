#pragma once

// Pooling of bytes for cores without SIMD, any window. The maximum takes four channels at a time in a word where all
// pixels begin at words.

#include "trimtab/window_clip.h"

namespace trimtab::TRIMTAB_RUNTIME {

namespace detail {

/// Byte by byte the greater one, unsigned: 12 instructions. The bytes of `high` are 0x80, and its low bits decide where
/// the highest are equal.
inline uint32_t greater_bytes(uint32_t a, uint32_t b, uint32_t high) {
  const uint32_t low_not_less = (a | high) - (b & ~high);
  const uint32_t differ = a ^ b;
  const uint32_t chosen = ((a & ~b) | (low_not_less & ~differ)) & high;
  const uint32_t mask = (chosen - (chosen >> 7)) | chosen;
  return b ^ (differ & mask);
}

}  // namespace detail

inline void max_pool_8_m3(const MaxPool& step, Strip strip, InputRows input, OutputRows output) {
  const Image& image = step.input;
  const int32_t channels = image.channels;
  // signed bytes compare as unsigned ones do once their highest bit is flipped
  constexpr uint32_t high = 0x80808080U;
  const uint32_t flip = image.format.is_signed ? high : 0;
  const bool words = ((reinterpret_cast<uintptr_t>(input.base) | reinterpret_cast<uintptr_t>(output.base) |
                       static_cast<uintptr_t>(image.pixel_stride | step.output.pixel_stride | channels)) &
                      3) == 0;
  const bool saturates = image.format.is_signed ? step.output_minimum > -128 || step.output_maximum < 127
                                                : step.output_minimum > 0 || step.output_maximum < 255;
  detail::for_each_window(step.input, step.output, step.window, strip, input, output,
                          [&](const detail::ClippedWindow& window, uint8_t* out) {
                            if (words) {
                              for (int32_t channel = 0; channel < channels; channel += 4) {
                                uint32_t best = 0;  // the least there is
                                for (int32_t i = 0; i < window.rows; ++i) {
                                  const uint8_t* at = window.row(i) + channel;
                                  for (int32_t j = window.columns; j > 0; --j, at += window.column_step) {
                                    uint32_t four;
                                    __builtin_memcpy(&four, __builtin_assume_aligned(at, 4), 4);
                                    best = detail::greater_bytes(four ^ flip, best, high);
                                  }
                                }
                                best ^= flip;
                                __builtin_memcpy(__builtin_assume_aligned(out + channel, 4), &best, 4);
                              }
                            } else {
                              for (int32_t channel = 0; channel < channels; ++channel) {
                                uint32_t best = 0;
                                for (int32_t i = 0; i < window.rows; ++i) {
                                  const uint8_t* at = window.row(i) + channel;
                                  for (int32_t j = window.columns; j > 0; --j, at += window.column_step) {
                                    const uint32_t one = *at ^ (flip & 0xff);
                                    if (one > best) best = one;
                                  }
                                }
                                out[channel] = static_cast<uint8_t>(best ^ flip);
                              }
                            }
                            if (saturates) {
                              for (int32_t channel = 0; channel < channels; ++channel) {
                                const int32_t value = image.format.is_signed ? static_cast<int8_t>(out[channel])
                                                                             : static_cast<int32_t>(out[channel]);
                                out[channel] =
                                    static_cast<uint8_t>(saturate(value, step.output_minimum, step.output_maximum));
                              }
                            }
                          });
}

namespace detail {

template <typename Activation>
inline void average_pool_8(const AveragePool& step, Strip strip, InputRows input, OutputRows output) {
  const int32_t channels = step.input.channels;
  for_each_window(
      step.input, step.output, step.window, strip, input, output, [&](const ClippedWindow& window, uint8_t* out) {
        const int32_t count = window.rows * window.columns;
        const int32_t multiplier = step.multiplier[step.fixed_divisor || count == 0 ? 0 : count - 1];
        const auto store = [&](int32_t channel, int32_t sum) {
          store_activation(out, channel,
                           requantize(sum, multiplier, step.shift, step.output_minimum, step.output_maximum),
                           step.output.format);
        };
        int32_t channel = 0;
        for (; channel + 4 <= channels; channel += 4) {
          int32_t sums[4] = {0, 0, 0, 0};
          for (int32_t i = 0; i < window.rows; ++i) {
            const auto* at = reinterpret_cast<const Activation*>(window.row(i)) + channel;
            for (int32_t j = window.columns; j > 0; --j, at += window.column_step) {
              sums[0] += at[0];
              sums[1] += at[1];
              sums[2] += at[2];
              sums[3] += at[3];
            }
          }
          for (int32_t k = 0; k < 4; ++k) store(channel + k, sums[k]);
        }
        for (; channel < channels; ++channel) {
          int32_t sum = 0;
          for (int32_t i = 0; i < window.rows; ++i) {
            const auto* at = reinterpret_cast<const Activation*>(window.row(i)) + channel;
            for (int32_t j = window.columns; j > 0; --j, at += window.column_step) sum += *at;
          }
          store(channel, sum);
        }
      });
}

}  // namespace detail

/// Input of 8 bits, output of any format.
inline void average_pool_u8_m3(const AveragePool& step, Strip strip, InputRows input, OutputRows output) {
  detail::average_pool_8<uint8_t>(step, strip, input, output);
}
inline void average_pool_s8_m3(const AveragePool& step, Strip strip, InputRows input, OutputRows output) {
  detail::average_pool_8<int8_t>(step, strip, input, output);
}

}  // namespace trimtab::TRIMTAB_RUNTIME
