#pragma once

// Convolution of bytes in blocks of 8 windows x 8 filters, for AArch64 with the dot product. Where blocks of 7 windows
// are no more, as for 7 x 7 outputs, they are taken.

#include "trimtab/convolution_8_neon.h"
#include "trimtab/products_8x8_dot.h"

namespace trimtab::TRIMTAB_RUNTIME {

constexpr int32_t convolution_8_8x8_dot_scratch_bytes(const Convolution& step, bool decodes) {
  return neon_scratch(step, 8, 8, decodes).end;
}

#if defined(__aarch64__) && defined(__ARM_FEATURE_DOTPROD)

namespace neon {

template <bool nested>
inline void convolution_dot(const Convolution& step, Strip strip, InputRows input, OutputRows output,
                            uint8_t* scratch) {
  const int32_t rows = neon_band_rows(step) < strip.count ? neon_band_rows(step) : strip.count;
  const int32_t pixels = rows * step.output.width;
  if ((pixels + 6) / 7 == (pixels + 7) / 8) {
    convolution<ProductsDot<7>, nested>(step, strip, input, output, scratch);
  } else {
    convolution<ProductsDot<8>, nested>(step, strip, input, output, scratch);
  }
}

}  // namespace neon

inline void convolution_8_8x8_dot(const Convolution& step, Strip strip, InputRows input, OutputRows output,
                                  uint8_t* scratch) {
  neon::convolution_dot<false>(step, strip, input, output, scratch);
}
/// The same for nested weights (nested_weights.h).
inline void convolution_8_nested_8x8_dot(const Convolution& step, Strip strip, InputRows input, OutputRows output,
                                         uint8_t* scratch) {
  neon::convolution_dot<true>(step, strip, input, output, scratch);
}

#endif

}  // namespace trimtab::TRIMTAB_RUNTIME
