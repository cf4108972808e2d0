#pragma once

// Convolution with weights of 16 bits, for any shape, groups, activations and core: sums of 64 bits, one product at a
// time. Weights lie as 16-bit integers, lowest byte first, filter after filter, each in the order kernel row, kernel
// column, input channel of the group.

#include <string.h>

#include "trimtab/window_products.h"

namespace trimtab::TRIMTAB_RUNTIME {

/// As it lies in memory, at any address.
struct WideWeight {
  uint8_t bytes[2];
};

inline void convolution_wide(const Convolution& step, Strip strip, InputRows input, OutputRows output,
                             uint8_t* /*scratch*/) {
  const int32_t group_inputs = step.input.channels / step.groups;
  const int32_t group_outputs = step.output.channels / step.groups;
  const int32_t size = convolution_filter_size(step);
  const int64_t half = step.sum_shift == 0 ? 0 : INT64_C(1) << (step.sum_shift - 1);
  for (int32_t channel = 0; channel < step.output.channels; ++channel) {
    const auto* filter = reinterpret_cast<const WideWeight*>(step.weights) + channel * size;
    const int32_t first_input = channel / group_outputs * group_inputs;
    for (int32_t y = strip.first; y < strip.first + strip.count; ++y) {
      for (int32_t x = 0; x < step.output.width; ++x) {
        int64_t sum = half;
        for_window_products(step, input, y, x, first_input, filter, [&](WideWeight weight, int32_t value) {
          int16_t integer;
          memcpy(&integer, weight.bytes, sizeof integer);
          sum += static_cast<int64_t>(value) * integer;
        });
        store_output(step, output, y, x, channel, step.bias[channel] + static_cast<int32_t>(sum >> step.sum_shift));
      }
    }
  }
}

}  // namespace trimtab::TRIMTAB_RUNTIME
