#pragma once

// Softmax over the channels of every pixel, for any shape and format. The output may lie where the input lies.

#include "trimtab/rows.h"

namespace trimtab::TRIMTAB_RUNTIME {

inline void softmax_generic(const Softmax& step, Strip strip, InputRows input, OutputRows output) {
  const int32_t channels = step.input.channels;
  const int32_t pixels = strip.count * step.output.width;
  for (int32_t pixel = 0; pixel < pixels; ++pixel) {
    const int32_t row = strip.first + pixel / step.output.width;
    const int32_t column = pixel % step.output.width;
    const uint8_t* const from = input[row] + column * step.input.pixel_stride;
    uint8_t* const to = output[row] + column * step.output.pixel_stride;
    int32_t largest = load_activation(from, 0, step.input.format);
    for (int32_t c = 1; c < channels; ++c) {
      const int32_t value = load_activation(from, c, step.input.format);
      if (value > largest) largest = value;
    }
    uint32_t sum = 0;  // at most 32767 * 2^15
    for (int32_t c = 0; c < channels; ++c) sum += step.table[largest - load_activation(from, c, step.input.format)];
    for (int32_t c = 0; c < channels; ++c) {
      const uint32_t power = step.table[largest - load_activation(from, c, step.input.format)];
      const auto share = static_cast<int32_t>((power * 65536U + sum / 2) / sum);
      store_activation(to, c,
                       requantize_around(step.output_zero, share, step.multiplier, step.shift, step.output_minimum,
                                         step.output_maximum),
                       step.output.format);
    }
  }
}

}  // namespace trimtab::TRIMTAB_RUNTIME
