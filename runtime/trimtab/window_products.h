#pragma once

// The walk over a convolution's window, for the kernels that run any shape.

#include "trimtab/rows.h"

namespace trimtab::TRIMTAB_RUNTIME {

constexpr int32_t convolution_filter_size(const Convolution& step) {
  return step.window.kernel_height * step.window.kernel_width * (step.input.channels / step.groups);
}

/// Calls visit(weight, input or padding value) for every product of the output pixel (y, x) with a filter of the group
/// whose inputs begin with the channel `first_input`; the filter is in the order kernel row, kernel column, input
/// channel. Zeros of the padding are left out.
template <typename Weight, typename Visit>
inline void for_window_products(const Convolution& step, InputRows input, int32_t y, int32_t x, int32_t first_input,
                                const Weight* filter, const Visit& visit) {
  const Window& window = step.window;
  const int32_t group_inputs = step.input.channels / step.groups;
  for (int32_t i = 0; i < window.kernel_height; ++i) {
    const int32_t row = y * window.stride_rows - window.pad_top + i * window.dilation_rows;
    for (int32_t j = 0; j < window.kernel_width; ++j, filter += group_inputs) {
      const int32_t column = x * window.stride_columns - window.pad_left + j * window.dilation_columns;
      if (row < 0 || row >= step.input.height || column < 0 || column >= step.input.width) {
        if (step.padding_value == nullptr) continue;
        for (int32_t k = 0; k < group_inputs; ++k) visit(filter[k], int32_t{step.padding_value[first_input + k]});
        continue;
      }
      const uint8_t* pixel = input[row] + column * step.input.pixel_stride;
      for (int32_t k = 0; k < group_inputs; ++k) {
        visit(filter[k], load_activation(pixel, first_input + k, step.input.format));
      }
    }
  }
}

/// Requantizes the accumulator of an output channel and stores it at the pixel (y, x).
inline void store_output(const Convolution& step, OutputRows output, int32_t y, int32_t x, int32_t channel,
                         int32_t accumulator) {
  store_activation(output[y] + x * step.output.pixel_stride, channel,
                   requantize_around(step.output_zero, accumulator, step.multiplier[channel], step.shift,
                                     step.output_minimum, step.output_maximum),
                   step.output.format);
}

}  // namespace trimtab::TRIMTAB_RUNTIME
