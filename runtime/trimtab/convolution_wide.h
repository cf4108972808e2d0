#pragma once

// Convolution with weights of 16 bits, for any shape, groups, activations and core: sums of 64 bits, one product at a
// time. Weights lie as 16-bit integers, lowest byte first, filter after filter, each in the order kernel row, kernel
// column, input channel of the group.

#include <string.h>

#include "trimtab/operators.h"

namespace trimtab::runtime {

inline void convolution_wide(const Convolution& step, const uint8_t* input, uint8_t* output, uint8_t* /*scratch*/) {
  const Window& window = step.window;
  const int32_t group_inputs = step.input.channels / step.groups;
  const int32_t group_outputs = step.output.channels / step.groups;
  const int32_t filter_bytes = 2 * window.kernel_height * window.kernel_width * group_inputs;
  const int64_t half = step.sum_shift == 0 ? 0 : INT64_C(1) << (step.sum_shift - 1);
  const auto load_weight = [](const uint8_t* from) {
    int16_t weight;
    memcpy(&weight, from, sizeof weight);
    return static_cast<int32_t>(weight);
  };
  for (int32_t channel = 0; channel < step.output.channels; ++channel) {
    const int32_t first_input = channel / group_outputs * group_inputs;
    for (int32_t y = 0; y < step.output.height; ++y) {
      for (int32_t x = 0; x < step.output.width; ++x) {
        int64_t sum = half;
        const uint8_t* weight = step.weights + channel * filter_bytes;
        for (int32_t i = 0; i < window.kernel_height; ++i) {
          const int32_t row = y * window.stride_rows - window.pad_top + i * window.dilation_rows;
          for (int32_t j = 0; j < window.kernel_width; ++j, weight += 2 * group_inputs) {
            const int32_t column = x * window.stride_columns - window.pad_left + j * window.dilation_columns;
            if (row < 0 || row >= step.input.height || column < 0 || column >= step.input.width) {
              if (step.padding_value == nullptr) continue;
              for (int32_t k = 0; k < group_inputs; ++k) {
                sum += static_cast<int64_t>(step.padding_value[first_input + k]) * load_weight(weight + 2 * k);
              }
              continue;
            }
            const uint8_t* pixel = input + (row * step.input.width + column) * step.input.pixel_stride;
            for (int32_t k = 0; k < group_inputs; ++k) {
              sum += static_cast<int64_t>(load_activation(pixel, first_input + k, step.input.format)) *
                     load_weight(weight + 2 * k);
            }
          }
        }
        const int32_t accumulator = step.bias[channel] + static_cast<int32_t>(sum >> step.sum_shift);
        store_activation(
            output + (y * step.output.width + x) * step.output.pixel_stride, channel,
            requantize(accumulator, step.multiplier[channel], step.shift, step.output_minimum, step.output_maximum),
            step.output.format);
      }
    }
  }
}

}  // namespace trimtab::runtime
