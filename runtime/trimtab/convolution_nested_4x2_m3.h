#pragma once

// Convolution with nested weights (nested_weights.h) for cores that multiply and accumulate one product at a time: as
// convolution_s32_4x2_m3.h, whose weights of 8 bits it reads. The digits of a precision are fields of the stored bytes:
// 13 instructions for 8 products at every precision. `Widths`: the bit-widths that may occur.

#include "trimtab/convolution_s32_4x2_m3.h"

namespace trimtab::TRIMTAB_RUNTIME {

namespace detail {

template <unsigned Widths, int Bits = 2>
inline void convolution_nested_4x2(const Convolution& step, Strip strip, InputRows input, OutputRows output,
                                   uint8_t* scratch) {
  if constexpr (Bits <= 8) {
    if constexpr (has_bit_width(Widths, Bits)) {
      if (step.weight_bits == Bits) {
        RunFilters* to_bytes = nullptr;
        uintptr_t saturation = 0;
#if defined(__ARM_ARCH_7M__)
        if (step.output.format.bits == 8) saturation = saturation_of(step.output_minimum, step.output_maximum);
        if (saturation != 0) to_bytes = run_nested_filters_4x2<Bits, true>;
#endif
        convolution_s32_4x2<true>(step, strip, input, output, scratch, run_nested_filters_4x2<Bits, false>, to_bytes,
                                  convolution_s32_4x2_m3_padded_size(step) * 2, saturation);
        return;
      }
    }
    convolution_nested_4x2<Widths, Bits + 1>(step, strip, input, output, scratch);
  }
}

}  // namespace detail

template <unsigned Widths>
inline void convolution_nested_4x2_m3(const Convolution& step, Strip strip, InputRows input, OutputRows output,
                                      uint8_t* scratch) {
  detail::convolution_nested_4x2<Widths>(step, strip, input, output, scratch);
}

}  // namespace trimtab::TRIMTAB_RUNTIME
