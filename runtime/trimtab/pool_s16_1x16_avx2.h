#pragma once

// Pooling in blocks of 1 pixel x 16 channels, for every format but unsigned 16 bits.

#include "trimtab/activations_avx2.h"
#include "trimtab/pool_generic.h"

#if defined(TRIMTAB_HAS_AVX2_KERNELS)

namespace trimtab::TRIMTAB_RUNTIME {

namespace detail {

/// Sixteen channels of a pixel, zeros beyond the last.
TRIMTAB_AVX2_INLINE __m256i load_channels_avx2(const uint8_t* pixel, int32_t channel, int32_t channels,
                                               ActivationFormat format) {
  const uint8_t* source = pixel + channel * format.bits / 8;
  if (channels - channel >= 16) return load_activations_avx2(source, format);
  uint8_t bytes[32] = {};
  memcpy(bytes, source, static_cast<size_t>(pixel_bytes(channels - channel, format.bits)));
  return load_activations_avx2(bytes, format);
}

/// The part of a window that lies inside the image.
struct Inside {
  int32_t first_row, rows, first_column, columns;
};

TRIMTAB_AVX2_INLINE Inside window_inside(const Image& image, const Window& window, int32_t y, int32_t x) {
  Inside inside = {y * window.stride_rows - window.pad_top, window.kernel_height,
                   x * window.stride_columns - window.pad_left, window.kernel_width};
  while (inside.rows > 0 && inside.first_row < 0) {
    inside.first_row += window.dilation_rows;
    --inside.rows;
  }
  while (inside.rows > 0 && inside.first_row + (inside.rows - 1) * window.dilation_rows >= image.height) --inside.rows;
  while (inside.columns > 0 && inside.first_column < 0) {
    inside.first_column += window.dilation_columns;
    --inside.columns;
  }
  while (inside.columns > 0 && inside.first_column + (inside.columns - 1) * window.dilation_columns >= image.width) {
    --inside.columns;
  }
  return inside;
}

TRIMTAB_AVX2_INLINE const uint8_t* pixel_inside(const Image& image, const Window& window, const Inside& inside,
                                                const uint8_t* input, int32_t i, int32_t j) {
  const int32_t row = inside.first_row + i * window.dilation_rows;
  const int32_t column = inside.first_column + j * window.dilation_columns;
  return input + (row * image.width + column) * image.pixel_stride;
}

}  // namespace detail

TRIMTAB_AVX2 inline void max_pool_s16_1x16_avx2(const MaxPool& step, Strip /*strip*/, InputRows input,
                                                OutputRows results) {
  uint8_t* output = results.base;
  const __m256i minimum = _mm256_set1_epi16(static_cast<int16_t>(step.output_minimum));
  const __m256i maximum = _mm256_set1_epi16(static_cast<int16_t>(step.output_maximum));
  for (int32_t y = 0; y < step.output.height; ++y) {
    for (int32_t x = 0; x < step.output.width; ++x, output += step.output.pixel_stride) {
      const detail::Inside inside = detail::window_inside(step.input, step.window, y, x);
      for (int32_t channel = 0; channel < step.output.channels; channel += 16) {
        __m256i best = minimum;
        for (int32_t i = 0; i < inside.rows; ++i) {
          for (int32_t j = 0; j < inside.columns; ++j) {
            const uint8_t* pixel = detail::pixel_inside(step.input, step.window, inside, input.base, i, j);
            best = _mm256_max_epi16(best,
                                    detail::load_channels_avx2(pixel, channel, step.input.channels, step.input.format));
          }
        }
        const int32_t left = step.output.channels - channel;
        store_activations_avx2(output, channel, left < 16 ? left : 16, _mm256_min_epi16(best, maximum),
                               step.output.format);
      }
    }
  }
}

TRIMTAB_AVX2 inline void average_pool_s16_1x16_avx2(const AveragePool& step, Strip /*strip*/, InputRows input,
                                                    OutputRows results) {
  uint8_t* output = results.base;
  const RequantizationAvx2 parameters = requantization_avx2(step.shift, step.output_minimum, step.output_maximum);
  for (int32_t y = 0; y < step.output.height; ++y) {
    for (int32_t x = 0; x < step.output.width; ++x, output += step.output.pixel_stride) {
      const detail::Inside inside = detail::window_inside(step.input, step.window, y, x);
      const int32_t count = inside.rows * inside.columns;
      const __m256i multiplier = _mm256_set1_epi32(step.multiplier[step.fixed_divisor || count == 0 ? 0 : count - 1]);
      for (int32_t channel = 0; channel < step.output.channels; channel += 16) {
        __m256i low = _mm256_setzero_si256();
        __m256i high = _mm256_setzero_si256();
        for (int32_t i = 0; i < inside.rows; ++i) {
          for (int32_t j = 0; j < inside.columns; ++j) {
            const uint8_t* pixel = detail::pixel_inside(step.input, step.window, inside, input.base, i, j);
            const __m256i values = detail::load_channels_avx2(pixel, channel, step.input.channels, step.input.format);
            low = _mm256_add_epi32(low, _mm256_cvtepi16_epi32(_mm256_castsi256_si128(values)));
            high = _mm256_add_epi32(high, _mm256_cvtepi16_epi32(_mm256_extracti128_si256(values, 1)));
          }
        }
        const __m256i packed = _mm256_packs_epi32(requantize_avx2(low, multiplier, parameters),
                                                  requantize_avx2(high, multiplier, parameters));
        const int32_t left = step.output.channels - channel;
        store_activations_avx2(output, channel, left < 16 ? left : 16, _mm256_permute4x64_epi64(packed, 0xD8),
                               step.output.format);
      }
    }
  }
}

}  // namespace trimtab::TRIMTAB_RUNTIME

#endif
