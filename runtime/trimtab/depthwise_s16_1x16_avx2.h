#pragma once

// Depthwise convolution (one input and one output channel per group) in blocks of 1 pixel x 16 channels, two taps at a
// time: the channels of two taps are interleaved, so that VPMADDWD multiplies and adds both exactly.
//
// `step.weights` holds for every block of 16 channels the biases, the multipliers, and for every pair of taps the pairs
// of 16-bit weights, lanes in the order of block_channel(16, lane). `step.bias` and `step.multiplier` are not read.

#include "trimtab/convolution_s16_4x16_avx2.h"

#if defined(TRIMTAB_HAS_AVX2_KERNELS)

namespace trimtab::TRIMTAB_RUNTIME {

/// More taps than this are left to the kernel for all groups.
constexpr int32_t depthwise_s16_1x16_avx2_most_taps = 64;

constexpr int64_t depthwise_block_bytes(const Convolution& step) {
  return 128 + int64_t{64} * ((step.window.kernel_height * step.window.kernel_width + 1) / 2);
}

constexpr int64_t depthwise_s16_1x16_avx2_scratch_bytes(const Convolution& step) { return band_bytes(step); }

namespace detail {

/// All pixels of a band, for the 16 channels that `source` points at.
TRIMTAB_AVX2 inline void depthwise_band_avx2(const Convolution& step, const int16_t* source, int32_t rows,
                                             const uint8_t* block, uint8_t* output, int32_t channel, int32_t channels,
                                             const int32_t* taps, int32_t pairs) {
  const RequantizationAvx2 parameters =
      requantization_avx2(step.shift, step.output_minimum, step.output_maximum, step.output_zero);
  for (int32_t y = 0; y < rows; ++y) {
    for (int32_t x = 0; x < step.output.width; ++x) {
      const int16_t* window = source + y * step.window.stride_rows * padded_pitch(step) +
                              x * step.window.stride_columns * step.input.channels;
      __m256i low = load_lanes(block);
      __m256i high = load_lanes(block + 32);
      const uint8_t* weights = block + 128;
      for (int32_t pair = 0; pair < pairs; ++pair, weights += 64) {
        const __m256i a = load_lanes(reinterpret_cast<const uint8_t*>(window + taps[2 * pair]));
        const __m256i b = load_lanes(reinterpret_cast<const uint8_t*>(window + taps[2 * pair + 1]));
        low = _mm256_add_epi32(low, _mm256_madd_epi16(_mm256_unpacklo_epi16(a, b), load_lanes(weights)));
        high = _mm256_add_epi32(high, _mm256_madd_epi16(_mm256_unpackhi_epi16(a, b), load_lanes(weights + 32)));
      }
      low = requantize_avx2(low, load_lanes(block + 64), parameters);
      high = requantize_avx2(high, load_lanes(block + 96), parameters);
      store_activations_avx2(output + (y * step.output.width + x) * step.output.pixel_stride, channel, channels,
                             _mm256_packs_epi32(low, high), step.output.format);
    }
  }
}

}  // namespace detail

TRIMTAB_AVX2 inline void depthwise_s16_1x16_avx2(const Convolution& step, Strip /*strip*/, InputRows input,
                                                 OutputRows output, uint8_t* scratch) {
  auto* band = reinterpret_cast<int16_t*>(scratch);
  int32_t taps[depthwise_s16_1x16_avx2_most_taps + 1];
  int32_t count = 0;
  for (int32_t i = 0; i < step.window.kernel_height; ++i) {
    for (int32_t j = 0; j < step.window.kernel_width; ++j) {
      taps[count++] =
          i * step.window.dilation_rows * padded_pitch(step) + j * step.window.dilation_columns * step.input.channels;
    }
  }
  taps[count] = taps[count - 1];  // of an odd number, the last is paired with itself, at weight 0
  const int32_t pairs = (count + 1) / 2;
  const int32_t rows = band_rows(step);
  for (int32_t first = 0; first < step.output.height; first += rows) {
    const int32_t here = step.output.height - first < rows ? step.output.height - first : rows;
    widen_band_avx2(step, input.base, first, here, band);
    uint8_t* target = output.base + first * step.output.width * step.output.pixel_stride;
    const uint8_t* block = step.weights;
    for (int32_t channel = 0; channel < step.output.channels; channel += 16) {
      const int32_t channels = step.output.channels - channel < 16 ? step.output.channels - channel : 16;
      detail::depthwise_band_avx2(step, band + channel, here, block, target, channel, channels, taps, pairs);
      block += depthwise_block_bytes(step);
    }
  }
}

}  // namespace trimtab::TRIMTAB_RUNTIME

#endif
