#pragma once

// Convolution with nested weights (nested_weights.h) on cores with the DSP extension: any shape and groups, activations
// of 8 bits, four pixels times two filters at a time. Weights are packed like those of 8 bits in
// convolution_columns_dsp.h and read in place at every precision, so that a precision costs neither memory nor time.
// `Widths`: the bit-widths that may occur (nested_weights.h).
//
// Scratch: the columns.

#include "trimtab/convolution_columns_dsp.h"
#include "trimtab/multiply_nested_4x2_dsp.h"

namespace trimtab::TRIMTAB_RUNTIME {

template <class A, unsigned Widths>
inline void convolution_nested_columns(const Convolution& step, Strip strip, InputRows input, OutputRows output,
                                       uint8_t* scratch) {
  auto* column = reinterpret_cast<uint32_t*>(scratch);
  const uint8_t* weights = step.weights + convolution_columns_header_bytes;
  const int32_t filters = step.output.channels / step.groups;
  const int32_t stride = step.output.pixel_stride;
  const bool dense = input.is_dense() && output.is_dense();
  const int32_t width = output.is_dense() ? strip.count * step.output.width : int32_t{step.output.width};
  const int32_t end = output.is_dense() ? strip.first + 1 : strip.first + strip.count;
  for (int32_t group = 0; group < step.groups; ++group) {
    Columns<A, 4> columns(step, group, input, strip.first, dense);
    const auto block = NestedMultiplyBlock::of<Widths>(step, columns.pairs());
    const int32_t first = group * filters;
    // Halves that no activation fills count in the sums of activations; gathering does not write all of them.
    if (column_layout(step).run_length % 2 != 0) memset(column, 0, static_cast<size_t>(16 * columns.pairs()));
    for (int32_t row = strip.first; row < end; ++row) {
      uint8_t* to = output[row];
      for (int32_t left = width; left > 0; left -= 4, to += 4 * stride) {
        const int32_t count = left < 4 ? left : 4;
        columns.gather(count, column);
        if (count == 4) {
          multiply_nested_4x2(block, column, weights, first, filters, to);
          continue;
        }
        for (int32_t p = 0; p < count; ++p) {
          multiply_nested_1x2(block, column + p, weights, first, filters, to + p * stride);
        }
      }
    }
    weights += 4 * convolution_block_words(step, filters);
  }
}

template <unsigned Widths>
inline void convolution_u8_nested_4x2_dsp(const Convolution& step, Strip strip, InputRows input, OutputRows output,
                                          uint8_t* scratch) {
  convolution_nested_columns<Activations<8, false>, Widths>(step, strip, input, output, scratch);
}
template <unsigned Widths>
inline void convolution_s8_nested_4x2_dsp(const Convolution& step, Strip strip, InputRows input, OutputRows output,
                                          uint8_t* scratch) {
  convolution_nested_columns<Activations<8, true>, Widths>(step, strip, input, output, scratch);
}

}  // namespace trimtab::TRIMTAB_RUNTIME
