#pragma once

// Convolution of bytes in blocks of 4 windows x 4 filters, for NEON without the dot product.

#include "trimtab/convolution_8_neon.h"
#include "trimtab/products_4x4_neon.h"

namespace trimtab::TRIMTAB_RUNTIME {

constexpr int32_t convolution_8_4x4_neon_scratch_bytes(const Convolution& step, bool decodes) {
  return neon_scratch(step, 4, 4, decodes).end;
}

#if defined(__ARM_NEON)

inline void convolution_8_4x4_neon(const Convolution& step, Strip strip, InputRows input, OutputRows output,
                                   uint8_t* scratch) {
  neon::convolution<neon::Products4x4, false>(step, strip, input, output, scratch);
}
/// The same for nested weights (nested_weights.h).
inline void convolution_8_nested_4x4_neon(const Convolution& step, Strip strip, InputRows input, OutputRows output,
                                          uint8_t* scratch) {
  neon::convolution<neon::Products4x4, true>(step, strip, input, output, scratch);
}

#endif

}  // namespace trimtab::TRIMTAB_RUNTIME
