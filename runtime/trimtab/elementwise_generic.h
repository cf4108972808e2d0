#pragma once

// Addition, multiplication, table lookup and change of grid, for any shape and format. The output may lie where the
// first input lies.

#include "trimtab/operators.h"

namespace trimtab::TRIMTAB_RUNTIME {

namespace detail {

/// Calls visit(index of the pixel, channel) for every element of the image.
template <typename Visit>
inline void for_each_element(const Image& image, Visit visit) {
  const int32_t pixels = image.height * image.width;
  for (int32_t pixel = 0; pixel < pixels; ++pixel) {
    for (int32_t channel = 0; channel < image.channels; ++channel) visit(pixel, channel);
  }
}

/// Bytes from the first pixel to pixel `index`; 0 where the image is a single pixel that is broadcast.
inline int32_t pixel_offset(const Image& image, int32_t index) {
  return image.height == 1 && image.width == 1 ? 0 : index * image.pixel_stride;
}

}  // namespace detail

inline void addition_generic(const Addition& step, const uint8_t* a, const uint8_t* b, uint8_t* output) {
  const int32_t constant = step.offset + (1 << (step.shift - 1));
  detail::for_each_element(step.output, [&](int32_t pixel, int32_t channel) {
    const int32_t left = load_activation(a + detail::pixel_offset(step.a, pixel), channel, step.a.format);
    const int32_t right = load_activation(b + detail::pixel_offset(step.b, pixel), channel, step.b.format);
    const int32_t sum = (left * step.multiplier_a + right * step.multiplier_b + constant) >> step.shift;
    store_activation(output + detail::pixel_offset(step.output, pixel), channel,
                     saturate(sum, step.output_minimum, step.output_maximum), step.output.format);
  });
}

inline void multiplication_generic(const Multiplication& step, const uint8_t* a, const uint8_t* b, uint8_t* output) {
  detail::for_each_element(step.output, [&](int32_t pixel, int32_t channel) {
    const int32_t left = load_activation(a + detail::pixel_offset(step.a, pixel), channel, step.a.format);
    const int32_t right = load_activation(b + detail::pixel_offset(step.b, pixel), channel, step.b.format);
    store_activation(output + detail::pixel_offset(step.output, pixel), channel,
                     requantize_around(step.output_zero, (left - step.a_zero) * (right - step.b_zero), step.multiplier,
                                       step.shift, step.output_minimum, step.output_maximum),
                     step.output.format);
  });
}

inline void lookup_generic(const Lookup& step, const uint8_t* input, uint8_t* output) {
  const int32_t mask = (1 << step.input.format.bits) - 1;
  detail::for_each_element(step.output, [&](int32_t pixel, int32_t channel) {
    const int32_t value = load_activation(input + detail::pixel_offset(step.input, pixel), channel, step.input.format);
    store_activation(output + detail::pixel_offset(step.output, pixel), channel, step.table[value & mask],
                     step.output.format);
  });
}

inline void rescale_generic(const Rescale& step, const uint8_t* input, uint8_t* output) {
  detail::for_each_element(step.output, [&](int32_t pixel, int32_t channel) {
    const int32_t value = load_activation(input + detail::pixel_offset(step.input, pixel), channel, step.input.format);
    const int32_t result = step.multiplier == 0
                               ? value
                               : requantize_around(step.output_zero, value - step.input_zero, step.multiplier,
                                                   step.shift, step.output_minimum, step.output_maximum);
    store_activation(output + detail::pixel_offset(step.output, pixel), channel, result, step.output.format);
  });
}

}  // namespace trimtab::TRIMTAB_RUNTIME
