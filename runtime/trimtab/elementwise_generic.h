#pragma once

// Addition, multiplication, table lookup and change of grid, for any shape and format. The output may lie where the
// first input lies.

#include "trimtab/rows.h"

namespace trimtab::TRIMTAB_RUNTIME {

namespace detail {

/// Calls visit(row, column, channel) for every element of a strip of the image.
template <typename Visit>
inline void for_each_element(const Image& image, Strip strip, Visit visit) {
  for (int32_t row = strip.first; row < strip.first + strip.count; ++row) {
    for (int32_t column = 0; column < image.width; ++column) {
      for (int32_t channel = 0; channel < image.channels; ++channel) visit(row, column, channel);
    }
  }
}

/// The pixel of an operand that belongs to a pixel of the result: the only one where a single pixel is broadcast.
inline const uint8_t* operand_pixel(const Image& operand, InputRows rows, int32_t row, int32_t column) {
  return operand.height == 1 && operand.width == 1 ? rows[0] : rows[row] + column * operand.pixel_stride;
}

}  // namespace detail

inline void addition_generic(const Addition& step, Strip strip, InputRows a, InputRows b, OutputRows output) {
  const int32_t constant = step.offset + (1 << (step.shift - 1));
  detail::for_each_element(step.output, strip, [&](int32_t row, int32_t column, int32_t channel) {
    const int32_t left = load_activation(detail::operand_pixel(step.a, a, row, column), channel, step.a.format);
    const int32_t right = load_activation(detail::operand_pixel(step.b, b, row, column), channel, step.b.format);
    const int32_t sum = (left * step.multiplier_a + right * step.multiplier_b + constant) >> step.shift;
    store_activation(output[row] + column * step.output.pixel_stride, channel,
                     saturate(sum, step.output_minimum, step.output_maximum), step.output.format);
  });
}

inline void multiplication_generic(const Multiplication& step, Strip strip, InputRows a, InputRows b,
                                   OutputRows output) {
  detail::for_each_element(step.output, strip, [&](int32_t row, int32_t column, int32_t channel) {
    const int32_t left = load_activation(detail::operand_pixel(step.a, a, row, column), channel, step.a.format);
    const int32_t right = load_activation(detail::operand_pixel(step.b, b, row, column), channel, step.b.format);
    store_activation(output[row] + column * step.output.pixel_stride, channel,
                     requantize_around(step.output_zero, (left - step.a_zero) * (right - step.b_zero), step.multiplier,
                                       step.shift, step.output_minimum, step.output_maximum),
                     step.output.format);
  });
}

inline void lookup_generic(const Lookup& step, Strip strip, InputRows input, OutputRows output) {
  const int32_t mask = (1 << step.input.format.bits) - 1;
  detail::for_each_element(step.output, strip, [&](int32_t row, int32_t column, int32_t channel) {
    const int32_t value =
        load_activation(detail::operand_pixel(step.input, input, row, column), channel, step.input.format);
    store_activation(output[row] + column * step.output.pixel_stride, channel, step.table[value & mask],
                     step.output.format);
  });
}

inline void rescale_generic(const Rescale& step, Strip strip, InputRows input, OutputRows output) {
  detail::for_each_element(step.output, strip, [&](int32_t row, int32_t column, int32_t channel) {
    const int32_t value =
        load_activation(detail::operand_pixel(step.input, input, row, column), channel, step.input.format);
    const int32_t result = step.multiplier == 0
                               ? value
                               : requantize_around(step.output_zero, value - step.input_zero, step.multiplier,
                                                   step.shift, step.output_minimum, step.output_maximum);
    store_activation(output[row] + column * step.output.pixel_stride, channel, result, step.output.format);
  });
}

}  // namespace trimtab::TRIMTAB_RUNTIME
