#pragma once

// Depthwise 3x3 convolution of bytes for AArch64, strides 1 and 2, weights of at most 8 bits that are not nested: 16
// channels at a time, two products of bytes in 16 bits before they are added to the sums. So no channel may have
// weights of -128 at both taps of a pair (0 and 1, 2 and 3, 4 and 5, 6 and 7). A row of outputs is one loop in
// assembly, with window, weights and constants in registers: GCC 12 spills them.
//
// `step.weights` as in depthwise_8_neon.h, in blocks of 16 channels.

#include "trimtab/depthwise_8_neon.h"

namespace trimtab::TRIMTAB_RUNTIME {

/// The copy of a band, and the decoded weights.
constexpr int32_t depthwise_8_pairs_neon_scratch_bytes(const Convolution& step, bool decodes) {
  return signed_rows_bytes(step, depthwise_band_rows(step)) + (decodes ? depthwise_decoded_bytes(step, 16) : 0);
}

#if defined(__aarch64__)

namespace neon {

/// What a row of outputs of 16 channels reads, in the order of its loads.
struct PairsConstants {
  int8x16_t weights[9];
  int32x4_t bias[4], multiplier[4];
  int64x2_t rounding;
  int32x4_t shift;
  int8x16_t minimum, maximum, flip;
};

// Registers: v0 to v8 weights, v9 to v17 the window, v18 to v21 biases, v22 to v25 multipliers, v27, v28, v30 and v31
// sums, v26 and v29 products.
#define TRIMTAB_LOW(operation, window, weight) operation " v26.8h, v" #window ".8b, v" #weight ".8b\n\t"
#define TRIMTAB_HIGH(operation, window, weight) operation "2 v29.8h, v" #window ".16b, v" #weight ".16b\n\t"
#define TRIMTAB_ADD(a, b, c, d) \
  "saddw v27.4s, v" #a          \
  ".4s, v26.4h\n\t"             \
  "saddw2 v28.4s, v" #b         \
  ".4s, v26.8h\n\t"             \
  "saddw v30.4s, v" #c          \
  ".4s, v29.4h\n\t"             \
  "saddw2 v31.4s, v" #d ".4s, v29.8h\n\t"
#define TRIMTAB_PAIR(window, weight, window2, weight2) \
  TRIMTAB_LOW("smull", window, weight)                 \
  TRIMTAB_HIGH("smull", window, weight) TRIMTAB_LOW("smlal", window2, weight2) TRIMTAB_HIGH("smlal", window2, weight2)
#define TRIMTAB_SCALE(sum, multiplier)               \
  "smull v26.2d, v" #sum ".2s, v" #multiplier        \
  ".2s\n\t"                                          \
  "smull2 v" #sum ".2d, v" #sum ".4s, v" #multiplier \
  ".4s\n\t"                                          \
  "addhn v26.2s, v26.2d, v29.2d\n\t"                 \
  "addhn2 v26.4s, v" #sum ".2d, v29.2d\n\t"
#define TRIMTAB_SHIFT                 \
  "ldr q29, [%[constants], #288]\n\t" \
  "sshl v27.4s, v27.4s, v29.4s\n\t"   \
  "sshl v28.4s, v28.4s, v29.4s\n\t"   \
  "sshl v30.4s, v30.4s, v29.4s\n\t"   \
  "sshl v31.4s, v31.4s, v29.4s\n\t"
// One pixel of the window a b c / d e f / g h i.
#define TRIMTAB_PIXEL(shift, a, b, c, d, e, f, g, h, i) \
  TRIMTAB_PAIR(a, 0, b, 1) TRIMTAB_ADD(18, 19, 20, 21)                                              \
  TRIMTAB_PAIR(c, 2, d, 3) TRIMTAB_ADD(27, 28, 30, 31)                                              \
  TRIMTAB_PAIR(e, 4, f, 5) TRIMTAB_ADD(27, 28, 30, 31)                                              \
  TRIMTAB_PAIR(g, 6, h, 7) TRIMTAB_ADD(27, 28, 30, 31)                                              \
  TRIMTAB_LOW("smull", i, 8) TRIMTAB_HIGH("smull", i, 8) TRIMTAB_ADD(27, 28, 30, 31)                \
  shift                                                                                             \
  "ldr q29, [%[constants], #272]\n\t"                                                              \
  TRIMTAB_SCALE(27, 22) "sqxtn v27.4h, v26.4s\n\t"                                                 \
  TRIMTAB_SCALE(28, 23) "sqxtn2 v27.8h, v26.4s\n\t"                                                \
  TRIMTAB_SCALE(30, 24) "sqxtn v30.4h, v26.4s\n\t"                                                 \
  TRIMTAB_SCALE(31, 25) "sqxtn2 v30.8h, v26.4s\n\t"                                                \
  "ldp q28, q29, [%[constants], #304]\n\t"                                                         \
  "ldr q31, [%[constants], #336]\n\t"                                                              \
  "sqxtn v27.8b, v27.8h\n\t"                                                                       \
  "sqxtn2 v27.16b, v30.8h\n\t"                                                                     \
  "smax v27.16b, v27.16b, v28.16b\n\t"                                                             \
  "smin v27.16b, v27.16b, v29.16b\n\t"                                                             \
  "eor v27.16b, v27.16b, v31.16b\n\t"                                                              \
  "st1 {v27.16b}, [%[pixel]], %[stride]\n\t"
#define TRIMTAB_COLUMN(a, b, c)         \
  "ld1 {v" #a                           \
  ".16b}, [%[first]], %[channels]\n\t"  \
  "ld1 {v" #b                           \
  ".16b}, [%[second]], %[channels]\n\t" \
  "ld1 {v" #c ".16b}, [%[third]], %[channels]\n\t"
#define TRIMTAB_CONSTANTS                  \
  "ldp q0, q1, [%[constants]]\n\t"         \
  "ldp q2, q3, [%[constants], #32]\n\t"    \
  "ldp q4, q5, [%[constants], #64]\n\t"    \
  "ldp q6, q7, [%[constants], #96]\n\t"    \
  "ldp q8, q18, [%[constants], #128]\n\t"  \
  "ldp q19, q20, [%[constants], #160]\n\t" \
  "ldp q21, q22, [%[constants], #192]\n\t" \
  "ldp q23, q24, [%[constants], #224]\n\t" \
  "ldr q25, [%[constants], #256]\n\t"
#define TRIMTAB_NEXT                  \
  "subs %w[count], %w[count], #1\n\t" \
  "b.eq 9f\n\t"
#define TRIMTAB_ROW_STRIDE_1(shift) \
  TRIMTAB_CONSTANTS TRIMTAB_COLUMN(9, 12, 15) TRIMTAB_COLUMN(10, 13, 16)                                 \
  "1:\n\t"                                                                                              \
  TRIMTAB_COLUMN(11, 14, 17) TRIMTAB_PIXEL(shift, 9, 10, 11, 12, 13, 14, 15, 16, 17) TRIMTAB_NEXT        \
  TRIMTAB_COLUMN(9, 12, 15) TRIMTAB_PIXEL(shift, 10, 11, 9, 13, 14, 12, 16, 17, 15) TRIMTAB_NEXT         \
  TRIMTAB_COLUMN(10, 13, 16) TRIMTAB_PIXEL(shift, 11, 9, 10, 14, 12, 13, 17, 15, 16)                     \
  "subs %w[count], %w[count], #1\n\t"                                                                   \
  "b.ne 1b\n"                                                                                           \
  "9:\n\t"
#define TRIMTAB_ROW_STRIDE_2(shift) \
  TRIMTAB_CONSTANTS TRIMTAB_COLUMN(9, 12, 15)                                                            \
  "1:\n\t"                                                                                              \
  TRIMTAB_COLUMN(10, 13, 16) TRIMTAB_COLUMN(11, 14, 17)                                                  \
  TRIMTAB_PIXEL(shift, 9, 10, 11, 12, 13, 14, 15, 16, 17) TRIMTAB_NEXT                                   \
  TRIMTAB_COLUMN(10, 13, 16) TRIMTAB_COLUMN(9, 12, 15)                                                   \
  TRIMTAB_PIXEL(shift, 11, 10, 9, 14, 13, 12, 17, 16, 15)                                                \
  "subs %w[count], %w[count], #1\n\t"                                                                   \
  "b.ne 1b\n"                                                                                           \
  "9:\n\t"
#define TRIMTAB_RUN_ROW(row)                                                                                           \
  asm volatile(                                                                                                        \
      row                                                                                                              \
      : [first] "+&r"(first), [second] "+&r"(second), [third] "+&r"(third), [pixel] "+&r"(pixel), [count] "+&r"(count) \
      : [constants] "r"(&constants), [channels] "r"(channels), [stride] "r"(stride)                                    \
      : "memory", "cc", "v0", "v1", "v2", "v3", "v4", "v5", "v6", "v7", "v8", "v9", "v10", "v11", "v12", "v13", "v14", \
        "v15", "v16", "v17", "v18", "v19", "v20", "v21", "v22", "v23", "v24", "v25", "v26", "v27", "v28", "v29",       \
        "v30", "v31")

/// A row of outputs of 16 channels; `columns`: of the window, that move on from pixel to pixel.
template <bool shifts, int32_t columns>
inline void depthwise_pairs_row(const uint8_t* first, int64_t pitch, int64_t channels, const PairsConstants& constants,
                                int32_t count, uint8_t* pixel, int64_t stride) {
  const uint8_t* second = first + pitch;
  const uint8_t* third = second + pitch;
  if constexpr (columns == 1 && !shifts) TRIMTAB_RUN_ROW(TRIMTAB_ROW_STRIDE_1(""));
  if constexpr (columns == 1 && shifts) TRIMTAB_RUN_ROW(TRIMTAB_ROW_STRIDE_1(TRIMTAB_SHIFT));
  if constexpr (columns == 2 && !shifts) TRIMTAB_RUN_ROW(TRIMTAB_ROW_STRIDE_2(""));
  if constexpr (columns == 2 && shifts) TRIMTAB_RUN_ROW(TRIMTAB_ROW_STRIDE_2(TRIMTAB_SHIFT));
}

#undef TRIMTAB_RUN_ROW
#undef TRIMTAB_ROW_STRIDE_2
#undef TRIMTAB_ROW_STRIDE_1
#undef TRIMTAB_NEXT
#undef TRIMTAB_CONSTANTS
#undef TRIMTAB_COLUMN
#undef TRIMTAB_PIXEL
#undef TRIMTAB_SHIFT
#undef TRIMTAB_SCALE
#undef TRIMTAB_PAIR
#undef TRIMTAB_ADD
#undef TRIMTAB_HIGH
#undef TRIMTAB_LOW

inline PairsConstants pairs_constants(const Convolution& step, const int8_t* weights, int32_t channel) {
  PairsConstants constants;
  int16x8_t sums[2] = {vdupq_n_s16(0), vdupq_n_s16(0)};
  for (int32_t tap = 0; tap < 9; ++tap) {
    const int8x16_t weight = vld1q_s8(weights + 16 * tap);
    constants.weights[tap] = weight;
    sums[0] = vaddw_s8(sums[0], vget_low_s8(weight));
    sums[1] = vaddw_high_s8(sums[1], weight);
  }
  const int32_t missing = step.input.format.is_signed ? 0 : 128;
  for (int32_t i = 0; i < 4; ++i) {
    const int16x4_t sum = i % 2 == 0 ? vget_low_s16(sums[i / 2]) : vget_high_s16(sums[i / 2]);
    constants.bias[i] = vmlaq_n_s32(vld1q_s32(step.bias + channel + 4 * i), vmovl_s16(sum), missing);
    constants.multiplier[i] = vld1q_s32(step.multiplier + channel + 4 * i);
  }
  const Requantization to = requantization(step);
  constants.rounding = to.rounding;
  constants.shift = to.shift;
  constants.minimum = to.minimum;
  constants.maximum = to.maximum;
  constants.flip = to.flip;
  return constants;
}

template <bool shifts, int32_t columns>
inline void depthwise_pairs(const Convolution& step, Strip strip, InputRows input, OutputRows output,
                            uint8_t* scratch) {
  const int32_t channels = step.output.channels;
  const int32_t pitch = signed_columns(step) * channels;
  const int32_t most = depthwise_band_rows(step);
  const auto* weights = reinterpret_cast<const int8_t*>(step.weights);
  if (step.weight_bits < 8) {
    auto* const decoded = reinterpret_cast<int8_t*>(scratch + signed_rows_bytes(step, most));
    decode_planes(step.weights, depthwise_decoded_bytes(step, 16) / 16, step.weight_bits, decoded);
    weights = decoded;
  }
  for (int32_t done = 0; done < strip.count; done += most) {
    const Strip band{strip.first + done, strip.count - done < most ? strip.count - done : most};
    copy_signed_rows(step, band, input, scratch);
    for (int32_t b = 0; b < depthwise_blocks(step, 16); ++b) {
      const int32_t channel = depthwise_first_channel(step, 16, b);
      const PairsConstants constants = pairs_constants(step, weights + b * 16 * 9, channel);
      const uint8_t* from = scratch + channel;
      for (int32_t y = band.first; y < band.first + band.count; ++y, from += step.window.stride_rows * pitch) {
        depthwise_pairs_row<shifts, columns>(from, pitch, channels, constants, step.output.width, output[y] + channel,
                                             step.output.pixel_stride);
      }
    }
  }
}

}  // namespace neon

inline void depthwise_8_pairs_neon(const Convolution& step, Strip strip, InputRows input, OutputRows output,
                                   uint8_t* scratch) {
  const bool shifts = step.shift != 0;
  if (step.window.stride_columns == 1) {
    shifts ? neon::depthwise_pairs<true, 1>(step, strip, input, output, scratch)
           : neon::depthwise_pairs<false, 1>(step, strip, input, output, scratch);
  } else {
    shifts ? neon::depthwise_pairs<true, 2>(step, strip, input, output, scratch)
           : neon::depthwise_pairs<false, 2>(step, strip, input, output, scratch);
  }
}

#endif

}  // namespace trimtab::TRIMTAB_RUNTIME
