#pragma once

// Activations of any format but unsigned 16 bits, as 16-bit lanes: every AVX2 kernel computes on those. Sixteen
// channels always start at a byte.

#include "trimtab/activations.h"
#include "trimtab/arithmetic_avx2.h"

#if defined(TRIMTAB_HAS_AVX2_KERNELS)

#include <string.h>

namespace trimtab::TRIMTAB_RUNTIME {

/// Whether the kernels here can hold the format in 16 signed bits.
constexpr bool fits_s16(ActivationFormat format) { return format.bits < 16 || format.is_signed; }

namespace detail {

/// Splits every byte of the lower half into its two fields of `bits`, the lower one first.
TRIMTAB_AVX2_INLINE __m128i split_fields_avx2(__m128i bytes, int bits) {
  const __m128i mask = _mm_set1_epi8(static_cast<char>((1 << bits) - 1));
  const __m128i upper = _mm_srl_epi16(bytes, _mm_cvtsi32_si128(bits));
  return _mm_unpacklo_epi8(_mm_and_si128(bytes, mask), _mm_and_si128(upper, mask));
}

/// Joins neighbouring bytes, each a field of `bits`, into one byte; the result is in the lower half.
TRIMTAB_AVX2_INLINE __m128i join_fields_avx2(__m128i bytes, int bits) {
  const __m128i weights = _mm_set1_epi16(static_cast<int16_t>(1 + (256 << bits)));
  const __m128i joined = _mm_maddubs_epi16(bytes, weights);
  return _mm_packus_epi16(joined, joined);
}

}  // namespace detail

/// Sixteen activations from `source`, as 16-bit lanes in order. Reads 2 * bits bytes.
TRIMTAB_AVX2_INLINE __m256i load_activations_avx2(const uint8_t* source, ActivationFormat format) {
  __m128i bytes;
  if (format.bits == 8) {
    bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(source));
  } else if (format.bits == 16) {
    return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(source));
  } else {
    if (format.bits == 4) {
      bytes = detail::split_fields_avx2(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(source)), 4);
    } else {
      int32_t word;
      memcpy(&word, source, sizeof(word));
      bytes = detail::split_fields_avx2(detail::split_fields_avx2(_mm_cvtsi32_si128(word), 4), 2);
    }
    if (format.is_signed) {
      const __m128i sign = _mm_set1_epi8(static_cast<char>(1 << (format.bits - 1)));
      bytes = _mm_sub_epi8(_mm_xor_si128(bytes, sign), sign);
    }
  }
  return format.is_signed ? _mm256_cvtepi8_epi16(bytes) : _mm256_cvtepu8_epi16(bytes);
}

/// Stores sixteen saturated activations. Writes 2 * bits bytes.
TRIMTAB_AVX2_INLINE void store_activations_avx2(uint8_t* target, __m256i lanes, ActivationFormat format) {
  if (format.bits == 16) {
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(target), lanes);
    return;
  }
  const __m256i fields = _mm256_and_si256(lanes, _mm256_set1_epi16(static_cast<int16_t>((1 << format.bits) - 1)));
  const __m128i bytes = _mm_packus_epi16(_mm256_castsi256_si128(fields), _mm256_extracti128_si256(fields, 1));
  if (format.bits == 8) {
    _mm_storeu_si128(reinterpret_cast<__m128i*>(target), bytes);
  } else if (format.bits == 4) {
    _mm_storel_epi64(reinterpret_cast<__m128i*>(target), detail::join_fields_avx2(bytes, 4));
  } else {
    const int32_t word = _mm_cvtsi128_si32(detail::join_fields_avx2(detail::join_fields_avx2(bytes, 2), 4));
    memcpy(target, &word, sizeof(word));
  }
}

/// Stores the first `count` of sixteen saturated activations as the channels from `channel` on. Packed neighbours keep
/// their value.
TRIMTAB_AVX2_INLINE void store_activations_avx2(uint8_t* pixel, int32_t channel, int32_t count, __m256i lanes,
                                                ActivationFormat format) {
  const int32_t first_bit = channel * format.bits;
  if (count == 16 && (first_bit & 7) == 0) {
    store_activations_avx2(pixel + (first_bit >> 3), lanes, format);
  } else if (((first_bit | count * format.bits) & 7) == 0) {
    uint8_t bytes[32];
    store_activations_avx2(bytes, lanes, format);
    memcpy(pixel + (first_bit >> 3), bytes, static_cast<size_t>(count * format.bits / 8));
  } else {
    int16_t values[16];
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(values), lanes);
    for (int32_t i = 0; i < count; ++i) store_activation(pixel, channel + i, values[i], format);
  }
}

/// `count` channels that start at a byte, to 16 bits each. Reads and writes nothing beyond them.
TRIMTAB_AVX2 inline void widen_activations_avx2(const uint8_t* source, int32_t count, ActivationFormat format,
                                                int16_t* target) {
  int32_t i = 0;
  for (; i + 16 <= count; i += 16) {
    const __m256i lanes = load_activations_avx2(source + i * format.bits / 8, format);
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(target + i), lanes);
  }
  for (; i < count; ++i) target[i] = static_cast<int16_t>(load_activation(source, i, format));
}

}  // namespace trimtab::TRIMTAB_RUNTIME

#endif
