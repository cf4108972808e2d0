#pragma once

// Convolution of any shape, groups, bit-widths and core: slow and small. Each filter is unpacked once into the scratch
// memory and then run over the whole image. Filters are packed as in weights.h, in the order kernel row, kernel column,
// input channel of the group.

#include "trimtab/operators.h"
#include "trimtab/weights.h"

namespace trimtab::runtime {

constexpr int32_t convolution_generic_filter_size(const Convolution& step) {
  return step.window.kernel_height * step.window.kernel_width * (step.input.channels / step.groups);
}
constexpr int32_t convolution_generic_scratch_bytes(const Convolution& step) {
  return convolution_generic_filter_size(step);
}

inline void convolution_generic(const Convolution& step, const uint8_t* input, uint8_t* output, uint8_t* scratch) {
  const Window& window = step.window;
  const int32_t group_inputs = step.input.channels / step.groups;
  const int32_t group_outputs = step.output.channels / step.groups;
  const int32_t size = convolution_generic_filter_size(step);
  auto* filter = reinterpret_cast<int8_t*>(scratch);
  for (int32_t channel = 0; channel < step.output.channels; ++channel) {
    unpack_weights(step.weights + channel * packed_filter_bytes(size, step.weight_bits), size, step.weight_bits,
                   filter);
    const int32_t first_input = channel / group_outputs * group_inputs;
    for (int32_t y = 0; y < step.output.height; ++y) {
      for (int32_t x = 0; x < step.output.width; ++x) {
        int32_t accumulator = step.bias[channel];
        const int8_t* weight = filter;
        for (int32_t i = 0; i < window.kernel_height; ++i) {
          const int32_t row = y * window.stride_rows - window.pad_top + i * window.dilation_rows;
          for (int32_t j = 0; j < window.kernel_width; ++j, weight += group_inputs) {
            const int32_t column = x * window.stride_columns - window.pad_left + j * window.dilation_columns;
            if (row < 0 || row >= step.input.height || column < 0 || column >= step.input.width) {
              if (step.padding_value == nullptr) continue;
              for (int32_t k = 0; k < group_inputs; ++k) accumulator += step.padding_value[first_input + k] * weight[k];
              continue;
            }
            const uint8_t* pixel = input + (row * step.input.width + column) * step.input.pixel_stride;
            for (int32_t k = 0; k < group_inputs; ++k) {
              accumulator += load_activation(pixel, first_input + k, step.input.format) * weight[k];
            }
          }
        }
        store_activation(
            output + (y * step.output.width + x) * step.output.pixel_stride, channel,
            requantize(accumulator, step.multiplier[channel], step.shift, step.output_minimum, step.output_maximum),
            step.output.format);
      }
    }
  }
}

}  // namespace trimtab::runtime
