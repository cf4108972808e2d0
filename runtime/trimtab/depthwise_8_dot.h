#pragma once

// Depthwise 3x3 convolution of bytes for AArch64 with the dot product, stride 1, weights of at most 8 bits that are not
// nested: 8 channels at a time, two rows of outputs together. Four rows of the input are interleaved channel by
// channel, so that SDOT multiplies a column of the window: by (w0, w1, w2, 0) for the upper row of outputs, by
// (0, w0, w1, w2) for the lower one.
//
// `step.weights` holds for every block of channels (as in depthwise_8_neon.h) these columns for the upper row and for
// the lower one, 32 bytes each, as bytes, or in bit planes as filter_panels.h decodes them.

#include "trimtab/depthwise_8_neon.h"

namespace trimtab::TRIMTAB_RUNTIME {

constexpr int32_t depthwise_dot_decoded_bytes(const Convolution& step) {
  return (depthwise_blocks(step, 8) * 192 + 127) / 128 * 128;
}
/// The copy of a band, with the row below that the lower row of outputs may read in vain, and the decoded weights.
constexpr int32_t depthwise_8_dot_scratch_bytes(const Convolution& step, bool decodes) {
  return signed_rows_bytes(step, depthwise_band_rows(step) + 1) + (decodes ? depthwise_dot_decoded_bytes(step) : 0);
}

#if defined(__aarch64__) && defined(__ARM_FEATURE_DOTPROD)

namespace neon {

/// A column of four rows of 8 channels: words of the first four channels, and of the others.
struct FourRows {
  int8x16_t low, high;
};

inline FourRows load_four_rows(const uint8_t* from, int32_t pitch) {
  const int8x16_t a = vcombine_s8(vreinterpret_s8_u8(vld1_u8(from)), vdup_n_s8(0));
  const int8x16_t b = vcombine_s8(vreinterpret_s8_u8(vld1_u8(from + pitch)), vdup_n_s8(0));
  const int8x16_t c = vcombine_s8(vreinterpret_s8_u8(vld1_u8(from + 2 * pitch)), vdup_n_s8(0));
  const int8x16_t d = vcombine_s8(vreinterpret_s8_u8(vld1_u8(from + 3 * pitch)), vdup_n_s8(0));
  const int16x8_t upper = vreinterpretq_s16_s8(vzip1q_s8(a, b));
  const int16x8_t lower = vreinterpretq_s16_s8(vzip1q_s8(c, d));
  return {vreinterpretq_s8_s16(vzip1q_s16(upper, lower)), vreinterpretq_s8_s16(vzip2q_s16(upper, lower))};
}

/// The constants of a block of channels.
struct DotBlock {
  int8x16_t weights[12];  // upper row of outputs: three columns in two halves; lower row: the same
  int32x4_t bias[2], multiplier[2];
};

/// Two rows of outputs.
template <bool shifts>
inline void depthwise_two_rows(const uint8_t* from, int32_t pitch, int32_t channels, const DotBlock& block,
                               const Requantization& to, int32_t count, uint8_t* upper, uint8_t* lower,
                               int32_t upper_stride, int32_t lower_stride) {
  const auto load = [&]() __attribute__((always_inline)) {
    const FourRows column = load_four_rows(from, pitch);
    from += channels;
    return column;
  };
  const auto make = [&](const FourRows& a, const FourRows& b, const FourRows& c) __attribute__((always_inline)) {
    int32x4_t sums[4] = {block.bias[0], block.bias[1], block.bias[0], block.bias[1]};
#pragma GCC unroll 4
    for (int32_t i = 0; i < 4; ++i) {
      const int8x16_t* const weights = block.weights + i / 2 * 6 + i % 2;
      sums[i] = vdotq_s32(sums[i], i % 2 == 0 ? a.low : a.high, weights[0]);
      sums[i] = vdotq_s32(sums[i], i % 2 == 0 ? b.low : b.high, weights[2]);
      sums[i] = vdotq_s32(sums[i], i % 2 == 0 ? c.low : c.high, weights[4]);
      sums[i] = scale<shifts>(sums[i], block.multiplier[i % 2], to);
    }
    const int8x16_t bytes = narrow(sums[0], sums[1], sums[2], sums[3], to);
    vst1_s8(reinterpret_cast<int8_t*>(upper), vget_low_s8(bytes));
    store_pair<1>(lower, bytes);
    upper += upper_stride;
    lower += lower_stride;
  };
  FourRows a = load();
  FourRows b = load();
  FourRows c;
  for (;;) {
    c = load();
    make(a, b, c);
    if (--count == 0) return;
    a = load();
    make(b, c, a);
    if (--count == 0) return;
    b = load();
    make(c, a, b);
    if (--count == 0) return;
  }
}

inline void prepare_block(const Convolution& step, const int8_t* weights, int32_t channel, DotBlock& block) {
  int32x4_t sums[2] = {vdupq_n_s32(0), vdupq_n_s32(0)};
#pragma GCC unroll 12
  for (int32_t i = 0; i < 12; ++i) {
    block.weights[i] = vld1q_s8(weights + 16 * i);
    if (i < 6) sums[i % 2] = vdotq_s32(sums[i % 2], block.weights[i], vdupq_n_s8(1));
  }
  const int32_t missing = step.input.format.is_signed ? 0 : 128;
#pragma GCC unroll 2
  for (int32_t half = 0; half < 2; ++half) {
    block.bias[half] = vmlaq_n_s32(vld1q_s32(step.bias + channel + 4 * half), sums[half], missing);
    block.multiplier[half] = vld1q_s32(step.multiplier + channel + 4 * half);
  }
}

template <bool shifts>
inline void depthwise_dot(const Convolution& step, Strip strip, InputRows input, OutputRows output, uint8_t* scratch) {
  const int32_t channels = step.output.channels;
  const int32_t pitch = signed_columns(step) * channels;
  const int32_t most = depthwise_band_rows(step);
  uint8_t* const copy = scratch;
  const auto* weights = reinterpret_cast<const int8_t*>(step.weights);
  if (step.weight_bits < 8) {
    auto* const decoded = reinterpret_cast<int8_t*>(scratch + signed_rows_bytes(step, most + 1));
    decode_planes(step.weights, depthwise_dot_decoded_bytes(step) / 16, step.weight_bits, decoded);
    weights = decoded;
  }
  const Requantization to = requantization(step);
  uint8_t nobody[8];
  for (int32_t done = 0; done < strip.count; done += most) {
    const Strip band{strip.first + done, strip.count - done < most ? strip.count - done : most};
    copy_signed_rows(step, band, input, copy);
    for (int32_t b = 0; b < depthwise_blocks(step, 8); ++b) {
      const int32_t channel = depthwise_first_channel(step, 8, b);
      DotBlock block;
      prepare_block(step, weights + b * 192, channel, block);
      for (int32_t i = 0; i < band.count; i += 2) {
        const bool both = i + 1 < band.count;
        const int32_t stride = step.output.pixel_stride;
        depthwise_two_rows<shifts>(copy + i * pitch + channel, pitch, channels, block, to, step.output.width,
                                   output[band.first + i] + channel,
                                   both ? output[band.first + i + 1] + channel : nobody, stride, both ? stride : 0);
      }
    }
  }
}

}  // namespace neon

inline void depthwise_8_dot(const Convolution& step, Strip strip, InputRows input, OutputRows output,
                            uint8_t* scratch) {
  if (step.shift != 0) {
    neon::depthwise_dot<true>(step, strip, input, output, scratch);
  } else {
    neon::depthwise_dot<false>(step, strip, input, output, scratch);
  }
}

#endif

}  // namespace trimtab::TRIMTAB_RUNTIME
