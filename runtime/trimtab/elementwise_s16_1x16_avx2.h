#pragma once

// Addition, multiplication and change of grid, 16 elements at a time, for every format but unsigned 16 bits. The output
// may lie where the first input lies.

#include "trimtab/activations_avx2.h"
#include "trimtab/elementwise_generic.h"

#if defined(TRIMTAB_HAS_AVX2_KERNELS)

namespace trimtab::TRIMTAB_RUNTIME {

namespace detail {

/// Two vectors of eight 32-bit lanes: sixteen elements in order.
struct Sixteen {
  __m256i low, high;
};

/// `count` (at most 16) elements that start at a byte; zeros beyond.
TRIMTAB_AVX2_INLINE Sixteen load_sixteen(const uint8_t* source, int32_t count, ActivationFormat format) {
  uint8_t bytes[32];
  if (count < 16) {
    memset(bytes, 0, sizeof(bytes));
    memcpy(bytes, source, static_cast<size_t>(pixel_bytes(count, format.bits)));
    source = bytes;
  }
  const __m256i lanes = load_activations_avx2(source, format);
  return {_mm256_cvtepi16_epi32(_mm256_castsi256_si128(lanes)),
          _mm256_cvtepi16_epi32(_mm256_extracti128_si256(lanes, 1))};
}

TRIMTAB_AVX2_INLINE void store_sixteen(uint8_t* target, int32_t count, const Sixteen& values, ActivationFormat format) {
  const __m256i lanes = _mm256_permute4x64_epi64(_mm256_packs_epi32(values.low, values.high), 0xD8);
  store_activations_avx2(target, 0, count, lanes, format);
}

/// Bytes from the first pixel to pixel `index`; 0 where the image is a single pixel that is broadcast.
TRIMTAB_AVX2_INLINE int32_t pixel_offset(const Image& image, int32_t index) {
  return image.height == 1 && image.width == 1 ? 0 : index * image.pixel_stride;
}

/// How an image is walked: as runs of elements without gaps.
struct Runs {
  int32_t count, length;
};

TRIMTAB_AVX2_INLINE bool without_gaps(const Image& image) {
  return image.pixel_stride * 8 == image.channels * image.format.bits;
}
TRIMTAB_AVX2_INLINE bool is_broadcast(const Image& image, const Image& output) {
  return image.height * image.width == 1 && output.height * output.width != 1;
}
/// The whole image in one run where every operand allows it, else a run per pixel.
TRIMTAB_AVX2_INLINE Runs runs_of(const Image& a, const Image& b, const Image& output) {
  const int32_t pixels = output.height * output.width;
  if (without_gaps(a) && without_gaps(b) && without_gaps(output) && !is_broadcast(a, output) &&
      !is_broadcast(b, output)) {
    return {1, pixels * output.channels};
  }
  return {pixels, output.channels};
}

TRIMTAB_AVX2_INLINE int32_t least(int32_t a, int32_t b) { return a < b ? a : b; }

}  // namespace detail

TRIMTAB_AVX2 inline void addition_s16_1x16_avx2(const Addition& step, Strip /*strip*/, InputRows a, InputRows b,
                                                OutputRows output) {
  const __m256i factor_a = _mm256_set1_epi32(step.multiplier_a);
  const __m256i factor_b = _mm256_set1_epi32(step.multiplier_b);
  const __m256i constant = _mm256_set1_epi32(step.offset + (1 << (step.shift - 1)));
  const __m128i shift = _mm_cvtsi32_si128(step.shift);
  const __m256i minimum = _mm256_set1_epi32(step.output_minimum);
  const __m256i maximum = _mm256_set1_epi32(step.output_maximum);
  const detail::Runs runs = detail::runs_of(step.a, step.b, step.output);
  for (int32_t run = 0; run < runs.count; ++run) {
    const uint8_t* left = a.base + detail::pixel_offset(step.a, run);
    const uint8_t* right = b.base + detail::pixel_offset(step.b, run);
    uint8_t* target = output.base + run * step.output.pixel_stride;
    for (int32_t i = 0; i < runs.length; i += 16) {
      const int32_t count = detail::least(runs.length - i, 16);
      const detail::Sixteen x = detail::load_sixteen(left + i * step.a.format.bits / 8, count, step.a.format);
      const detail::Sixteen y = detail::load_sixteen(right + i * step.b.format.bits / 8, count, step.b.format);
      __m256i low = _mm256_add_epi32(_mm256_mullo_epi32(x.low, factor_a), _mm256_mullo_epi32(y.low, factor_b));
      __m256i high = _mm256_add_epi32(_mm256_mullo_epi32(x.high, factor_a), _mm256_mullo_epi32(y.high, factor_b));
      low = _mm256_sra_epi32(_mm256_add_epi32(low, constant), shift);
      high = _mm256_sra_epi32(_mm256_add_epi32(high, constant), shift);
      low = _mm256_min_epi32(_mm256_max_epi32(low, minimum), maximum);
      high = _mm256_min_epi32(_mm256_max_epi32(high, minimum), maximum);
      detail::store_sixteen(target + i * step.output.format.bits / 8, count, {low, high}, step.output.format);
    }
  }
}

TRIMTAB_AVX2 inline void multiplication_s16_1x16_avx2(const Multiplication& step, Strip /*strip*/, InputRows a,
                                                      InputRows b, OutputRows output) {
  const __m256i multiplier = _mm256_set1_epi32(step.multiplier);
  const RequantizationAvx2 parameters = requantization_avx2(step.shift, step.output_minimum, step.output_maximum);
  const detail::Runs runs = detail::runs_of(step.a, step.b, step.output);
  for (int32_t run = 0; run < runs.count; ++run) {
    const uint8_t* left = a.base + detail::pixel_offset(step.a, run);
    const uint8_t* right = b.base + detail::pixel_offset(step.b, run);
    uint8_t* target = output.base + run * step.output.pixel_stride;
    for (int32_t i = 0; i < runs.length; i += 16) {
      const int32_t count = detail::least(runs.length - i, 16);
      const detail::Sixteen x = detail::load_sixteen(left + i * step.a.format.bits / 8, count, step.a.format);
      const detail::Sixteen y = detail::load_sixteen(right + i * step.b.format.bits / 8, count, step.b.format);
      const __m256i low = requantize_avx2(_mm256_mullo_epi32(x.low, y.low), multiplier, parameters);
      const __m256i high = requantize_avx2(_mm256_mullo_epi32(x.high, y.high), multiplier, parameters);
      detail::store_sixteen(target + i * step.output.format.bits / 8, count, {low, high}, step.output.format);
    }
  }
}

TRIMTAB_AVX2 inline void rescale_s16_1x16_avx2(const Rescale& step, Strip /*strip*/, InputRows input,
                                               OutputRows output) {
  const __m256i multiplier = _mm256_set1_epi32(step.multiplier);
  const RequantizationAvx2 parameters = requantization_avx2(step.shift, step.output_minimum, step.output_maximum);
  const detail::Runs runs = detail::runs_of(step.input, step.input, step.output);
  for (int32_t run = 0; run < runs.count; ++run) {
    const uint8_t* source = input.base + detail::pixel_offset(step.input, run);
    uint8_t* target = output.base + run * step.output.pixel_stride;
    for (int32_t i = 0; i < runs.length; i += 16) {
      const int32_t count = detail::least(runs.length - i, 16);
      detail::Sixteen x = detail::load_sixteen(source + i * step.input.format.bits / 8, count, step.input.format);
      if (step.multiplier != 0) {
        x = {requantize_avx2(x.low, multiplier, parameters), requantize_avx2(x.high, multiplier, parameters)};
      }
      detail::store_sixteen(target + i * step.output.format.bits / 8, count, x, step.output.format);
    }
  }
}

}  // namespace trimtab::TRIMTAB_RUNTIME

#endif
