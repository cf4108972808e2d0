#pragma once

// Pooling of bytes for cores without SIMD, any window. The maximum takes four channels at a time in a word where all
// pixels begin at words.

#include "trimtab/operators.h"

namespace trimtab::runtime {

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

/// The taps [first, end) of a kernel whose places lie inside the image along one axis.
inline void clip(int32_t start, int32_t kernel, int32_t dilation, int32_t size, int32_t& first, int32_t& end) {
  first = 0;
  end = kernel;
  while (first < end && start + first * dilation < 0) ++first;
  while (end > first && start + (end - 1) * dilation >= size) --end;
}

}  // namespace detail

inline void max_pool_8_m3(const MaxPool& step, const uint8_t* input, uint8_t* output) {
  const Window& window = step.window;
  const Image& image = step.input;
  const int32_t channels = image.channels;
  // signed bytes compare as unsigned ones do once their highest bit is flipped
  constexpr uint32_t high = 0x80808080U;
  const uint32_t flip = image.format.is_signed ? high : 0;
  const bool words = ((reinterpret_cast<uintptr_t>(input) | reinterpret_cast<uintptr_t>(output) |
                       static_cast<uintptr_t>(image.pixel_stride | step.output.pixel_stride | channels)) &
                      3) == 0;
  const bool saturates = image.format.is_signed ? step.output_minimum > -128 || step.output_maximum < 127
                                                : step.output_minimum > 0 || step.output_maximum < 255;
  for (int32_t y = 0; y < step.output.height; ++y) {
    const int32_t start_row = y * window.stride_rows - window.pad_top;
    int32_t first_row;
    int32_t end_row;
    detail::clip(start_row, window.kernel_height, window.dilation_rows, image.height, first_row, end_row);
    for (int32_t x = 0; x < step.output.width; ++x, output += step.output.pixel_stride) {
      const int32_t start_column = x * window.stride_columns - window.pad_left;
      int32_t first_column;
      int32_t end_column;
      detail::clip(start_column, window.kernel_width, window.dilation_columns, image.width, first_column, end_column);
      const int32_t column_step = window.dilation_columns * image.pixel_stride;
      const int32_t row_step = window.dilation_rows * image.width * image.pixel_stride;
      const int32_t columns = end_column - first_column;
      const uint8_t* const corner = input + ((start_row + first_row * window.dilation_rows) * image.width +
                                             start_column + first_column * window.dilation_columns) *
                                                image.pixel_stride;
      if (words) {
        for (int32_t channel = 0; channel < channels; channel += 4) {
          uint32_t best = 0;  // the least there is
          const uint8_t* row = corner + channel;
          for (int32_t i = first_row; i < end_row; ++i, row += row_step) {
            const uint8_t* at = row;
            for (int32_t j = columns; j > 0; --j, at += column_step) {
              uint32_t four;
              __builtin_memcpy(&four, __builtin_assume_aligned(at, 4), 4);
              best = detail::greater_bytes(four ^ flip, best, high);
            }
          }
          best ^= flip;
          __builtin_memcpy(__builtin_assume_aligned(output + channel, 4), &best, 4);
        }
      } else {
        for (int32_t channel = 0; channel < channels; ++channel) {
          uint32_t best = 0;
          const uint8_t* row = corner + channel;
          for (int32_t i = first_row; i < end_row; ++i, row += row_step) {
            const uint8_t* at = row;
            for (int32_t j = columns; j > 0; --j, at += column_step) {
              const uint32_t one = *at ^ (flip & 0xff);
              if (one > best) best = one;
            }
          }
          output[channel] = static_cast<uint8_t>(best ^ flip);
        }
      }
      if (saturates) {
        for (int32_t channel = 0; channel < channels; ++channel) {
          const int32_t value =
              image.format.is_signed ? static_cast<int8_t>(output[channel]) : static_cast<int32_t>(output[channel]);
          output[channel] = static_cast<uint8_t>(saturate(value, step.output_minimum, step.output_maximum));
        }
      }
    }
  }
}

namespace detail {

template <typename Activation>
inline void average_pool_8(const AveragePool& step, const uint8_t* input, uint8_t* output) {
  const Window& window = step.window;
  const Image& image = step.input;
  const int32_t channels = image.channels;
  const int32_t column_step = window.dilation_columns * image.pixel_stride;
  const int32_t row_step = window.dilation_rows * image.width * image.pixel_stride;
  for (int32_t y = 0; y < step.output.height; ++y) {
    const int32_t start_row = y * window.stride_rows - window.pad_top;
    int32_t first_row;
    int32_t end_row;
    clip(start_row, window.kernel_height, window.dilation_rows, image.height, first_row, end_row);
    for (int32_t x = 0; x < step.output.width; ++x, output += step.output.pixel_stride) {
      const int32_t start_column = x * window.stride_columns - window.pad_left;
      int32_t first_column;
      int32_t end_column;
      clip(start_column, window.kernel_width, window.dilation_columns, image.width, first_column, end_column);
      const int32_t columns = end_column - first_column;
      const int32_t count = (end_row - first_row) * columns;
      const int32_t multiplier = step.multiplier[step.fixed_divisor || count == 0 ? 0 : count - 1];
      const auto* const corner =
          reinterpret_cast<const Activation*>(input + ((start_row + first_row * window.dilation_rows) * image.width +
                                                       start_column + first_column * window.dilation_columns) *
                                                          image.pixel_stride);
      const auto store = [&](int32_t channel, int32_t sum) {
        store_activation(output, channel,
                         requantize(sum, multiplier, step.shift, step.output_minimum, step.output_maximum),
                         step.output.format);
      };
      int32_t channel = 0;
      for (; channel + 4 <= channels; channel += 4) {
        int32_t sums[4] = {0, 0, 0, 0};
        const Activation* row = corner + channel;
        for (int32_t i = first_row; i < end_row; ++i, row += row_step) {
          const Activation* at = row;
          for (int32_t j = columns; j > 0; --j, at += column_step) {
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
        const Activation* row = corner + channel;
        for (int32_t i = first_row; i < end_row; ++i, row += row_step) {
          const Activation* at = row;
          for (int32_t j = columns; j > 0; --j, at += column_step) sum += *at;
        }
        store(channel, sum);
      }
    }
  }
}

}  // namespace detail

/// Input of 8 bits, output of any format.
inline void average_pool_u8_m3(const AveragePool& step, const uint8_t* input, uint8_t* output) {
  detail::average_pool_8<uint8_t>(step, input, output);
}
inline void average_pool_s8_m3(const AveragePool& step, const uint8_t* input, uint8_t* output) {
  detail::average_pool_8<int8_t>(step, input, output);
}

}  // namespace trimtab::runtime
