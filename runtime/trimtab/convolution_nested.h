#pragma once

// Convolution with weights on the nested mid-rise grid, at any precision, of any shape and core: slow and small. Every
// weight is stored as 8 bits q; at b = step.weight_bits it is 2 * (q >> (8 - b)) + 1, so that
//     accumulator = bias + 2 * sum of (q >> (8 - b)) * x + sum of x,
// and one copy of the weights serves all precisions. Filters are bytes in the order kernel row, kernel column, input
// channel of the group.

#include "trimtab/operators.h"

namespace trimtab::runtime {

/// The stored weight at `bits` bits, less its half step: what is multiplied.
constexpr int32_t nested_digits(int8_t stored, int bits) { return stored >> (8 - bits); }

constexpr int32_t convolution_nested_filter_size(const Convolution& step) {
  return step.window.kernel_height * step.window.kernel_width * (step.input.channels / step.groups);
}
/// One filter at the present precision.
constexpr int32_t convolution_nested_scratch_bytes(const Convolution& step) {
  return convolution_nested_filter_size(step);
}

inline void convolution_nested(const Convolution& step, const uint8_t* input, uint8_t* output, uint8_t* scratch) {
  const Window& window = step.window;
  const int32_t group_inputs = step.input.channels / step.groups;
  const int32_t group_outputs = step.output.channels / step.groups;
  const int32_t size = convolution_nested_filter_size(step);
  auto* filter = reinterpret_cast<int8_t*>(scratch);
  for (int32_t channel = 0; channel < step.output.channels; ++channel) {
    const auto* stored = reinterpret_cast<const int8_t*>(step.weights) + channel * size;
    for (int32_t i = 0; i < size; ++i) filter[i] = static_cast<int8_t>(nested_digits(stored[i], step.weight_bits));
    const int32_t first_input = channel / group_outputs * group_inputs;
    for (int32_t y = 0; y < step.output.height; ++y) {
      for (int32_t x = 0; x < step.output.width; ++x) {
        int32_t products = 0;
        int32_t sum = 0;
        const int8_t* weight = filter;
        for (int32_t i = 0; i < window.kernel_height; ++i) {
          const int32_t row = y * window.stride_rows - window.pad_top + i * window.dilation_rows;
          for (int32_t j = 0; j < window.kernel_width; ++j, weight += group_inputs) {
            const int32_t column = x * window.stride_columns - window.pad_left + j * window.dilation_columns;
            if (row < 0 || row >= step.input.height || column < 0 || column >= step.input.width) {
              if (step.padding_value == nullptr) continue;
              for (int32_t k = 0; k < group_inputs; ++k) {
                products += step.padding_value[first_input + k] * weight[k];
                sum += step.padding_value[first_input + k];
              }
              continue;
            }
            const uint8_t* pixel = input + (row * step.input.width + column) * step.input.pixel_stride;
            for (int32_t k = 0; k < group_inputs; ++k) {
              const int32_t value = load_activation(pixel, first_input + k, step.input.format);
              products += value * weight[k];
              sum += value;
            }
          }
        }
        store_activation(output + (y * step.output.width + x) * step.output.pixel_stride, channel,
                         requantize(step.bias[channel] + 2 * products + sum, step.multiplier[channel], step.shift,
                                    step.output_minimum, step.output_maximum),
                         step.output.format);
      }
    }
  }
}

}  // namespace trimtab::runtime
