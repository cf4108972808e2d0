#pragma once

// Pooling of any shape and format.

#include "trimtab/rows.h"

namespace trimtab::TRIMTAB_RUNTIME {

namespace detail {

/// Calls visit(pixel) for the pixels of a window that lie inside the image; returns how many.
template <typename Visit>
inline int32_t for_each_inside(const Image& image, const Window& window, InputRows input, int32_t y, int32_t x,
                               Visit visit) {
  int32_t count = 0;
  for (int32_t i = 0; i < window.kernel_height; ++i) {
    const int32_t row = y * window.stride_rows - window.pad_top + i * window.dilation_rows;
    if (row < 0 || row >= image.height) continue;
    for (int32_t j = 0; j < window.kernel_width; ++j) {
      const int32_t column = x * window.stride_columns - window.pad_left + j * window.dilation_columns;
      if (column < 0 || column >= image.width) continue;
      visit(input[row] + column * image.pixel_stride);
      ++count;
    }
  }
  return count;
}

}  // namespace detail

inline void max_pool_generic(const MaxPool& step, Strip strip, InputRows input, OutputRows output) {
  for (int32_t y = strip.first; y < strip.first + strip.count; ++y) {
    for (int32_t x = 0; x < step.output.width; ++x) {
      for (int32_t channel = 0; channel < step.output.channels; ++channel) {
        int32_t best = INT32_MIN;
        detail::for_each_inside(step.input, step.window, input, y, x, [&](const uint8_t* pixel) {
          const int32_t value = load_activation(pixel, channel, step.input.format);
          if (value > best) best = value;
        });
        store_activation(output[y] + x * step.output.pixel_stride, channel,
                         saturate(best, step.output_minimum, step.output_maximum), step.output.format);
      }
    }
  }
}

inline void average_pool_generic(const AveragePool& step, Strip strip, InputRows input, OutputRows output) {
  for (int32_t y = strip.first; y < strip.first + strip.count; ++y) {
    for (int32_t x = 0; x < step.output.width; ++x) {
      for (int32_t channel = 0; channel < step.output.channels; ++channel) {
        int32_t sum = 0;
        const int32_t count = detail::for_each_inside(step.input, step.window, input, y, x, [&](const uint8_t* pixel) {
          sum += load_activation(pixel, channel, step.input.format);
        });
        const int32_t multiplier = step.multiplier[step.fixed_divisor || count == 0 ? 0 : count - 1];
        store_activation(output[y] + x * step.output.pixel_stride, channel,
                         requantize_around(step.output_zero, sum - count * step.input_zero, multiplier, step.shift,
                                           step.output_minimum, step.output_maximum),
                         step.output.format);
      }
    }
  }
}

}  // namespace trimtab::TRIMTAB_RUNTIME
