#pragma once

// Convolution of any shape, groups, bit-widths and core: slow and small. Each filter is unpacked once into the scratch
// memory and then run over the whole image. Filters are packed as in weights.h, in the order kernel row, kernel column,
// input channel of the group.

#include "trimtab/weights.h"
#include "trimtab/window_products.h"

namespace trimtab::TRIMTAB_RUNTIME {

constexpr int32_t convolution_generic_scratch_bytes(const Convolution& step) { return convolution_filter_size(step); }

inline void convolution_generic(const Convolution& step, Strip strip, InputRows input, OutputRows output,
                                uint8_t* scratch) {
  const int32_t group_inputs = step.input.channels / step.groups;
  const int32_t group_outputs = step.output.channels / step.groups;
  const int32_t size = convolution_filter_size(step);
  auto* filter = reinterpret_cast<int8_t*>(scratch);
  for (int32_t channel = 0; channel < step.output.channels; ++channel) {
    unpack_weights(step.weights + channel * packed_filter_bytes(size, step.weight_bits), size, step.weight_bits,
                   filter);
    const int32_t first_input = channel / group_outputs * group_inputs;
    for (int32_t y = strip.first; y < strip.first + strip.count; ++y) {
      for (int32_t x = 0; x < step.output.width; ++x) {
        int32_t accumulator = step.bias[channel];
        for_window_products(step, input, y, x, first_input, filter,
                            [&](int8_t weight, int32_t value) { accumulator += value * weight; });
        store_output(step, output, y, x, channel, accumulator);
      }
    }
  }
}

}  // namespace trimtab::TRIMTAB_RUNTIME
