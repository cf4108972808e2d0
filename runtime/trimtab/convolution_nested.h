#pragma once

// Convolution with weights on the nested mid-rise grid (nested_weights.h), at any precision, of any shape and core:
// slow and small. Filters are bytes in the order kernel row, kernel column, input channel of the group.

#include "trimtab/nested_weights.h"
#include "trimtab/window_products.h"

namespace trimtab::TRIMTAB_RUNTIME {

/// One filter at the present precision.
constexpr int32_t convolution_nested_scratch_bytes(const Convolution& step) { return convolution_filter_size(step); }

inline void convolution_nested(const Convolution& step, Strip strip, InputRows input, OutputRows output,
                               uint8_t* scratch) {
  const int32_t group_inputs = step.input.channels / step.groups;
  const int32_t group_outputs = step.output.channels / step.groups;
  const int32_t size = convolution_filter_size(step);
  auto* filter = reinterpret_cast<int8_t*>(scratch);
  for (int32_t channel = 0; channel < step.output.channels; ++channel) {
    const auto* stored = reinterpret_cast<const int8_t*>(step.weights) + channel * size;
    for (int32_t i = 0; i < size; ++i) filter[i] = static_cast<int8_t>(nested_digits(stored[i], step.weight_bits));
    const int32_t first_input = channel / group_outputs * group_inputs;
    for (int32_t y = strip.first; y < strip.first + strip.count; ++y) {
      for (int32_t x = 0; x < step.output.width; ++x) {
        int32_t products = 0;
        int32_t sum = 0;
        for_window_products(step, input, y, x, first_input, filter, [&](int8_t digits, int32_t value) {
          products += value * digits;
          sum += value;
        });
        store_output(step, output, y, x, channel, step.bias[channel] + 2 * products + sum);
      }
    }
  }
}

}  // namespace trimtab::TRIMTAB_RUNTIME
