#pragma once

// Convolution with 16-bit activations and weights in blocks of 4 pixels x 16 output channels (x 8 where at most 8 are
// left in a group). VPMADDWD multiplies pairs of inputs exactly; the 8-bit VPMADDUBSW would saturate.
//
// `step.weights` holds, for every group and every block of its output channels: the biases, the multipliers, and for
// every pair of inputs in the order of the runs below the pairs of 16-bit weights, lane by lane. `step.bias` and
// `step.multiplier` are not read.

#include "trimtab/padded_rows_avx2.h"

#if defined(TRIMTAB_HAS_AVX2_KERNELS)

namespace trimtab::TRIMTAB_RUNTIME {

/// The inputs of a filter as runs that are contiguous in the padded rows: a whole row of the kernel where there are
/// neither groups nor dilated columns, else one pixel's channels. Every run is padded to pairs with a zero weight.
struct ConvolutionRuns {
  int32_t rows;     ///< of the kernel
  int32_t columns;  ///< runs in a row of the kernel
  int32_t length;   ///< inputs in a run
  constexpr int32_t pairs() const { return (length + 1) / 2; }
};

constexpr ConvolutionRuns convolution_runs(const Convolution& step) {
  const int32_t inputs = step.input.channels / step.groups;
  if (step.groups == 1 && step.window.dilation_columns == 1) {
    return {step.window.kernel_height, 1, step.window.kernel_width * inputs};
  }
  return {step.window.kernel_height, step.window.kernel_width, inputs};
}

/// Lanes of the block that starts where so many output channels of the group are left.
constexpr int32_t block_lanes(int32_t channels_left) { return channels_left <= 8 ? 8 : 16; }

/// The channel of a block that a lane holds: in blocks of 16, the order that VPACKSSDW undoes.
constexpr int32_t block_channel(int32_t lanes, int32_t lane) {
  return lanes == 8 ? lane : (lane & 3) | (lane & 4) << 1 | (lane & 8) >> 1;
}

/// Bytes of a block in step.weights.
constexpr int64_t block_bytes(const Convolution& step, int32_t lanes) {
  const ConvolutionRuns runs = convolution_runs(step);
  return int64_t{lanes} * (8 + 4 * runs.rows * runs.columns * runs.pairs());
}

constexpr int64_t convolution_s16_4x16_avx2_scratch_bytes(const Convolution& step) { return band_bytes(step); }

namespace detail {

TRIMTAB_AVX2_INLINE __m256i load_lanes(const uint8_t* bytes) {
  return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(bytes));
}

/// One block of Pixels x 8*Vectors outputs. `pixels` point at the first input of each pixel's window.
template <int Pixels, int Vectors>
TRIMTAB_AVX2_INLINE void convolution_block_avx2(const Convolution& step, const ConvolutionRuns& runs,
                                                const int16_t* const (&pixels)[4], const uint8_t* block,
                                                uint8_t* const (&outputs)[4], int32_t channel, int32_t count) {
  __m256i sums[Pixels][Vectors];
  for (int p = 0; p < Pixels; ++p) {
    for (int v = 0; v < Vectors; ++v) sums[p][v] = load_lanes(block + 32 * v);
  }
  const uint8_t* weights = block + 64 * Vectors;
  const int32_t row_step = step.window.dilation_rows * padded_pitch(step);
  const int32_t column_step = step.window.dilation_columns * step.input.channels;
  for (int32_t i = 0; i < runs.rows; ++i) {
    for (int32_t j = 0; j < runs.columns; ++j) {
      const int32_t start = i * row_step + j * column_step;
      for (int32_t pair = 0; pair < runs.pairs(); ++pair, weights += 32 * Vectors) {
        __m256i w[Vectors];
        for (int v = 0; v < Vectors; ++v) w[v] = load_lanes(weights + 32 * v);
        for (int p = 0; p < Pixels; ++p) {
          int32_t two_inputs;
          memcpy(&two_inputs, pixels[p] + start + 2 * pair, sizeof(two_inputs));
          const __m256i inputs = _mm256_set1_epi32(two_inputs);
          for (int v = 0; v < Vectors; ++v) sums[p][v] = _mm256_add_epi32(sums[p][v], _mm256_madd_epi16(w[v], inputs));
        }
      }
    }
  }
  const RequantizationAvx2 parameters =
      requantization_avx2(step.shift, step.output_minimum, step.output_maximum, step.output_zero);
  for (int p = 0; p < Pixels; ++p) {
    const __m256i low = requantize_avx2(sums[p][0], load_lanes(block + 32 * Vectors), parameters);
    const __m256i high = Vectors == 2
                             ? requantize_avx2(sums[p][Vectors - 1], load_lanes(block + 32 * Vectors + 32), parameters)
                             : _mm256_permute2x128_si256(low, low, 0x11);
    store_activations_avx2(outputs[p], channel, count, _mm256_packs_epi32(low, high), step.output.format);
  }
}

template <int Vectors>
TRIMTAB_AVX2_INLINE void convolution_block_avx2(const Convolution& step, const ConvolutionRuns& runs, int32_t count,
                                                const int16_t* const (&pixels)[4], const uint8_t* block,
                                                uint8_t* const (&outputs)[4], int32_t channel, int32_t channels) {
  if (count == 4) {
    convolution_block_avx2<4, Vectors>(step, runs, pixels, block, outputs, channel, channels);
  } else if (count == 3) {
    convolution_block_avx2<3, Vectors>(step, runs, pixels, block, outputs, channel, channels);
  } else if (count == 2) {
    convolution_block_avx2<2, Vectors>(step, runs, pixels, block, outputs, channel, channels);
  } else {
    convolution_block_avx2<1, Vectors>(step, runs, pixels, block, outputs, channel, channels);
  }
}

/// All pixels of a band, for one block of output channels.
template <int Vectors>
TRIMTAB_AVX2 void convolution_band_avx2(const Convolution& step, const int16_t* band, int32_t rows,
                                        const uint8_t* block, uint8_t* output, int32_t channel, int32_t channels) {
  const ConvolutionRuns runs = convolution_runs(step);
  const int32_t row_step = step.window.stride_rows * padded_pitch(step);
  const int32_t column_step = step.window.stride_columns * step.input.channels;
  const int32_t count = rows * step.output.width;
  const int16_t* row = band;
  int32_t x = 0;
  for (int32_t first = 0; first < count; first += 4) {
    const int16_t* pixels[4];
    uint8_t* outputs[4];
    const int32_t together = count - first < 4 ? count - first : 4;
    for (int32_t p = 0; p < together; ++p) {
      pixels[p] = row + x * column_step;
      outputs[p] = output + (first + p) * step.output.pixel_stride;
      if (++x == step.output.width) {
        x = 0;
        row += row_step;
      }
    }
    convolution_block_avx2<Vectors>(step, runs, together, pixels, block, outputs, channel, channels);
  }
}

}  // namespace detail

TRIMTAB_AVX2 inline void convolution_s16_4x16_avx2(const Convolution& step, Strip /*strip*/, InputRows input,
                                                   OutputRows output, uint8_t* scratch) {
  auto* band = reinterpret_cast<int16_t*>(scratch);
  const int32_t group_inputs = step.input.channels / step.groups;
  const int32_t group_outputs = step.output.channels / step.groups;
  const int32_t rows = band_rows(step);
  for (int32_t first = 0; first < step.output.height; first += rows) {
    const int32_t here = step.output.height - first < rows ? step.output.height - first : rows;
    widen_band_avx2(step, input.base, first, here, band);
    uint8_t* target = output.base + first * step.output.width * step.output.pixel_stride;
    const uint8_t* block = step.weights;
    for (int32_t group = 0; group < step.groups; ++group) {
      const int16_t* source = band + group * group_inputs;
      for (int32_t done = 0; done < group_outputs;) {
        const int32_t lanes = block_lanes(group_outputs - done);
        const int32_t channels = group_outputs - done < lanes ? group_outputs - done : lanes;
        const int32_t channel = group * group_outputs + done;
        if (lanes == 8) {
          detail::convolution_band_avx2<1>(step, source, here, block, target, channel, channels);
        } else {
          detail::convolution_band_avx2<2>(step, source, here, block, target, channel, channels);
        }
        block += block_bytes(step, lanes);
        done += channels;
      }
    }
  }
}

}  // namespace trimtab::TRIMTAB_RUNTIME

#endif
