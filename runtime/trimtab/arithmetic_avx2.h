#pragma once

// The arithmetic of arithmetic.h on eight accumulators at a time, for hosts with AVX2. The functions carry the
// instruction set as an attribute, so that the file compiles in a build for any x86-64; whoever calls them has asked
// the processor first.

#include "trimtab/arithmetic.h"

#if defined(__x86_64__)
#define TRIMTAB_HAS_AVX2_KERNELS 1

#include <immintrin.h>

#define TRIMTAB_AVX2 __attribute__((target("avx2")))
#define TRIMTAB_AVX2_INLINE __attribute__((target("avx2"), always_inline)) inline

namespace trimtab::TRIMTAB_RUNTIME {

/// The constants of requantization, in registers.
struct RequantizationAvx2 {
  __m128i shift;
  __m256i rounding;  ///< 2^31, and 2^32 times the output's zero point
  __m256i minimum, maximum;
};

TRIMTAB_AVX2_INLINE RequantizationAvx2 requantization_avx2(int shift, int32_t minimum, int32_t maximum,
                                                           int32_t zero = 0) {
  return {_mm_cvtsi32_si128(shift), _mm256_set1_epi64x(zero * (INT64_C(1) << 32) + INT64_C(0x80000000)),
          _mm256_set1_epi32(minimum), _mm256_set1_epi32(maximum)};
}

/// requantize_around() of eight accumulators, a multiplier each: the 64-bit products of the even and of the odd lanes
/// are rounded apart, and their high halves put together again.
TRIMTAB_AVX2_INLINE __m256i requantize_avx2(__m256i accumulators, __m256i multipliers,
                                            const RequantizationAvx2& parameters) {
  const __m256i scaled = _mm256_sll_epi32(accumulators, parameters.shift);
  const __m256i even = _mm256_add_epi64(_mm256_mul_epi32(scaled, multipliers), parameters.rounding);
  const __m256i odd = _mm256_add_epi64(
      _mm256_mul_epi32(_mm256_srli_epi64(scaled, 32), _mm256_srli_epi64(multipliers, 32)), parameters.rounding);
  const __m256i high = _mm256_blend_epi32(_mm256_srli_epi64(even, 32), odd, 0xAA);
  return _mm256_min_epi32(_mm256_max_epi32(high, parameters.minimum), parameters.maximum);
}

}  // namespace trimtab::TRIMTAB_RUNTIME

#endif
