#pragma once

// Depthwise convolution (one filter per channel) of bytes for NEON: 8 channels at a time, as numbers of 16 bits, so
// that weights of every width and nested ones multiply in the same way. A window of 3 x 3 stays in registers; others
// are read anew for every pixel. Where the channels are no multiple of 8 the last block overlaps the one before.
//
// `step.weights` holds for every block the weights of its channels, tap by tap, as bytes, or in bit planes as
// filter_panels.h decodes them.

#include "trimtab/filter_panels.h"
#if defined(__ARM_NEON)
#include "trimtab/requantize_neon.h"
#endif

namespace trimtab::TRIMTAB_RUNTIME {

constexpr int32_t depthwise_taps(const Convolution& step) {
  return step.window.kernel_height * step.window.kernel_width;
}
/// Blocks of so many channels, at most all.
constexpr int32_t depthwise_blocks(const Convolution& step, int32_t channels) {
  return (step.output.channels + channels - 1) / channels;
}
/// The first channel of a block.
constexpr int32_t depthwise_first_channel(const Convolution& step, int32_t channels, int32_t block) {
  const int32_t last = step.output.channels - channels;
  return block * channels < last ? block * channels : last;
}
/// Bytes of the weights of all blocks, decoded: whole groups.
constexpr int32_t depthwise_decoded_bytes(const Convolution& step, int32_t channels) {
  return (depthwise_blocks(step, channels) * channels * depthwise_taps(step) + 127) / 128 * 128;
}
/// The copy of a band, the decoded weights of fewer than 8 bits, and those of a block as numbers of 16 bits.
constexpr int32_t depthwise_8_neon_scratch_bytes(const Convolution& step, bool decodes) {
  return signed_rows_bytes(step, signed_rows_of_band(step)) + (decodes ? depthwise_decoded_bytes(step, 8) : 0) +
         16 * depthwise_taps(step);
}

#if defined(__ARM_NEON)

namespace neon {

/// One block of channels.
struct DepthwiseBlock {
  int16_t* weights;  // {tap, channel}
  int32x4_t bias[2], multiplier[2];
};

inline int16x8_t load_channels(const uint8_t* from) { return vmovl_s8(vreinterpret_s8_u8(vld1_u8(from))); }

/// The output of 8 channels of a pixel, of their sums.
inline void store_channels(const DepthwiseBlock& block, const int32x4_t (&sums)[2], const Requantization& to,
                           uint8_t* pixel) {
  const int32x4_t low = scale_twice(sums[0], block.multiplier[0], to);
  const int32x4_t high = scale_twice(sums[1], block.multiplier[1], to);
  vst1_u8(pixel, narrow_eight(low, high, to));
}

inline void multiply_add(int32x4_t (&sums)[2], int16x8_t numbers, int16x8_t weights) {
  sums[0] = vmlal_s16(sums[0], vget_low_s16(numbers), vget_low_s16(weights));
  sums[1] = vmlal_high_s16(sums[1], numbers, weights);
}

/// A row of outputs by windows of 3 x 3. `columns` columns of the window move on from pixel to pixel.
template <int32_t columns>
inline void depthwise_row_3x3(const uint8_t* from, int32_t pitch, int32_t channels, const DepthwiseBlock& block,
                              const Requantization& to, int32_t count, uint8_t* pixel, int32_t stride) {
  int16x8_t weights[9];
#pragma GCC unroll 9
  for (int32_t tap = 0; tap < 9; ++tap) weights[tap] = vld1q_s16(block.weights + 8 * tap);
  int16x8_t window[3][3];  // by column, by row
  const auto load = [&](int16x8_t(&column)[3]) __attribute__((always_inline)) {
    column[0] = load_channels(from);
    column[1] = load_channels(from + pitch);
    column[2] = load_channels(from + 2 * pitch);
    from += channels;
  };
  const auto make = [&](const int16x8_t(&a)[3], const int16x8_t(&b)[3], const int16x8_t(&c)[3])
      __attribute__((always_inline)) {
    int32x4_t sums[2] = {block.bias[0], block.bias[1]};
#pragma GCC unroll 3
    for (int32_t i = 0; i < 3; ++i) {
      multiply_add(sums, a[i], weights[3 * i]);
      multiply_add(sums, b[i], weights[3 * i + 1]);
      multiply_add(sums, c[i], weights[3 * i + 2]);
    }
    store_channels(block, sums, to, pixel);
    pixel += stride;
  };
  load(window[0]);
  if constexpr (columns == 1) {
    load(window[1]);
    for (;;) {
      load(window[2]);
      make(window[0], window[1], window[2]);
      if (--count == 0) return;
      load(window[0]);
      make(window[1], window[2], window[0]);
      if (--count == 0) return;
      load(window[1]);
      make(window[2], window[0], window[1]);
      if (--count == 0) return;
    }
  } else {
    for (;;) {
      load(window[1]);
      load(window[2]);
      make(window[0], window[1], window[2]);
      if (--count == 0) return;
      load(window[1]);
      load(window[0]);
      make(window[2], window[1], window[0]);
      if (--count == 0) return;
    }
  }
}

/// A row of outputs by windows of any shape.
inline void depthwise_row(const Convolution& step, const uint8_t* from, int32_t pitch, const DepthwiseBlock& block,
                          const Requantization& to, uint8_t* pixel) {
  const Window& window = step.window;
  const int32_t column_step = window.dilation_columns * step.input.channels;
  for (int32_t x = 0; x < step.output.width; ++x, pixel += step.output.pixel_stride) {
    int32x4_t sums[2] = {block.bias[0], block.bias[1]};
    const int16_t* weights = block.weights;
    for (int32_t i = 0; i < window.kernel_height; ++i) {
      const uint8_t* tap = from + i * window.dilation_rows * pitch;
      for (int32_t j = 0; j < window.kernel_width; ++j, tap += column_step) {
        multiply_add(sums, load_channels(tap), vld1q_s16(weights));
        weights += 8;
      }
    }
    store_channels(block, sums, to, pixel);
    from += window.stride_columns * step.input.channels;
  }
}

/// Widens the weights of a block, and makes its constants.
template <bool nested>
inline void prepare_block(const Convolution& step, const int8_t* weights, int32_t channel, DepthwiseBlock& block) {
  int16x8_t sum = vdupq_n_s16(0);
  const int8x8_t shift = vdup_n_s8(static_cast<int8_t>(step.weight_bits - 8));
  const int32_t taps = depthwise_taps(step);
  for (int32_t tap = 0; tap < taps; ++tap) {
    int8x8_t stored = vld1_s8(weights + 8 * tap);
    if constexpr (nested) stored = vshl_s8(stored, shift);
    int16x8_t weight = vmovl_s8(stored);
    if constexpr (nested) weight = vaddq_s16(vshlq_n_s16(weight, 1), vdupq_n_s16(1));
    vst1q_s16(block.weights + 8 * tap, weight);
    sum = vaddq_s16(sum, weight);
  }
  const int32_t missing = step.input.format.is_signed ? 0 : 128;
  block.bias[0] = vmlaq_n_s32(vld1q_s32(step.bias + channel), vmovl_s16(vget_low_s16(sum)), missing);
  block.bias[1] = vmlaq_n_s32(vld1q_s32(step.bias + channel + 4), vmovl_high_s16(sum), missing);
  block.multiplier[0] = vld1q_s32(step.multiplier + channel);
  block.multiplier[1] = vld1q_s32(step.multiplier + channel + 4);
}

template <bool nested>
inline void depthwise(const Convolution& step, Strip strip, InputRows input, OutputRows output, uint8_t* scratch) {
  const int32_t taps = depthwise_taps(step);
  const int32_t channels = step.output.channels;
  const int32_t pitch = signed_columns(step) * channels;
  const int32_t most = signed_rows_of_band(step);
  const Window& window = step.window;
  const bool is_3x3 = window.kernel_height == 3 && window.kernel_width == 3 && window.dilation_rows == 1 &&
                      window.dilation_columns == 1 && window.stride_columns <= 2;
  uint8_t* const copy = scratch;
  scratch += signed_rows_bytes(step, most);
  DepthwiseBlock block;
  block.weights = reinterpret_cast<int16_t*>(scratch);
  scratch += 16 * taps;
  const auto* weights = reinterpret_cast<const int8_t*>(step.weights);
  if (!nested && step.weight_bits < 8) {
    decode_planes(step.weights, depthwise_decoded_bytes(step, 8) / 16, step.weight_bits,
                  reinterpret_cast<int8_t*>(scratch));
    weights = reinterpret_cast<const int8_t*>(scratch);
  }
  const Requantization to = requantization(step);
  for (int32_t done = 0; done < strip.count; done += most) {
    const Strip band{strip.first + done, strip.count - done < most ? strip.count - done : most};
    copy_signed_rows(step, band, input, copy);
    for (int32_t b = 0; b < depthwise_blocks(step, 8); ++b) {
      const int32_t channel = depthwise_first_channel(step, 8, b);
      prepare_block<nested>(step, weights + b * 8 * taps, channel, block);
      const uint8_t* from = copy + channel;
      for (int32_t y = band.first; y < band.first + band.count; ++y, from += window.stride_rows * pitch) {
        uint8_t* const pixel = output[y] + channel;
        if (!is_3x3) {
          depthwise_row(step, from, pitch, block, to, pixel);
        } else if (window.stride_columns == 1) {
          depthwise_row_3x3<1>(from, pitch, channels, block, to, step.output.width, pixel, step.output.pixel_stride);
        } else {
          depthwise_row_3x3<2>(from, pitch, channels, block, to, step.output.width, pixel, step.output.pixel_stride);
        }
      }
    }
  }
}

}  // namespace neon

inline void depthwise_8_neon(const Convolution& step, Strip strip, InputRows input, OutputRows output,
                             uint8_t* scratch) {
  neon::depthwise<false>(step, strip, input, output, scratch);
}
/// The same for nested weights (nested_weights.h).
inline void depthwise_8_nested_neon(const Convolution& step, Strip strip, InputRows input, OutputRows output,
                                    uint8_t* scratch) {
  neon::depthwise<true>(step, strip, input, output, scratch);
}

#endif

}  // namespace trimtab::TRIMTAB_RUNTIME
