#pragma once

// Depthwise 3x3 convolution of bytes for NEON, strides 1 and 2, weights of at most 8 bits that are not nested: 16
// channels at a time, or 8 in the 32-bit state, whose registers hold less. Two products of bytes are added in 16 bits
// before they are added to the sums. So no channel may have weights of -128 at both taps of a pair (0 and 1, 2 and 3, 4
// and 5, 6 and 7). A row of outputs is one loop in assembly, with window, weights and constants in registers: GCC 12
// spills them.
//
// `step.weights` as in depthwise_8_neon.h, in blocks of so many channels.

#include "trimtab/depthwise_8_neon.h"

namespace trimtab::TRIMTAB_RUNTIME {

/// The copy of a band, and the decoded weights. `channels`: of a block.
constexpr int32_t depthwise_8_pairs_neon_scratch_bytes(const Convolution& step, int32_t channels, bool decodes) {
  return signed_rows_bytes(step, signed_rows_of_band(step)) + (decodes ? depthwise_decoded_bytes(step, channels) : 0);
}

#if defined(__ARM_NEON)

namespace neon {

#if defined(__aarch64__)
constexpr int32_t pairs_channels = 16;
#else
constexpr int32_t pairs_channels = 8;
#endif

/// What a row of outputs of a block reads. Assembly reads it by the offsets of its members.
struct PairsConstants {
  int8_t weights[9 * pairs_channels];
  alignas(16) int32x4_t bias[pairs_channels / 4];
  int32x4_t multiplier[pairs_channels / 4];
  int32x4_t shift;
  uint8x16_t minimum, maximum;
  int16x8_t zero;
};

#if defined(__aarch64__)

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
#define TRIMTAB_SHIFT                 \
  "ldr q29, [%[constants], #272]\n\t" \
  "sshl v27.4s, v27.4s, v29.4s\n\t"   \
  "sshl v28.4s, v28.4s, v29.4s\n\t"   \
  "sshl v30.4s, v30.4s, v29.4s\n\t"   \
  "sshl v31.4s, v31.4s, v29.4s\n\t"
#define TRIMTAB_ADD_ZERO \
  "ldr q28, [%[constants], #320]\n\tsqadd v27.8h, v27.8h, v28.8h\n\tsqadd v30.8h, v30.8h, v28.8h\n\t"
// 16 numbers of 16 bits as bytes of the output.
#define TRIMTAB_NARROW(narrow) narrow " v27.8b, v27.8h\n\t" narrow "2 v27.16b, v30.8h\n\t"
#define TRIMTAB_CLAMP(maximum, minimum)                                                     \
  "ldp q28, q29, [%[constants], #288]\n\t" maximum " v27.16b, v27.16b, v28.16b\n\t" minimum \
  " v27.16b, v27.16b, v29.16b\n\t"
#define TRIMTAB_PLAIN TRIMTAB_NARROW("sqxtun")
#define TRIMTAB_SIGNED TRIMTAB_ADD_ZERO TRIMTAB_NARROW("sqxtn") TRIMTAB_CLAMP("smax", "smin")
#define TRIMTAB_UNSIGNED TRIMTAB_ADD_ZERO TRIMTAB_NARROW("sqxtun") TRIMTAB_CLAMP("umax", "umin")
// One pixel of the window a b c / d e f / g h i.
#define TRIMTAB_PIXEL(shift, narrow, a, b, c, d, e, f, g, h, i) \
  TRIMTAB_PAIR(a, 0, b, 1)                                      \
  TRIMTAB_ADD(18, 19, 20, 21)                                   \
  TRIMTAB_PAIR(c, 2, d, 3)                                      \
  TRIMTAB_ADD(27, 28, 30, 31)                                   \
  TRIMTAB_PAIR(e, 4, f, 5)                                      \
  TRIMTAB_ADD(27, 28, 30, 31)                                   \
  TRIMTAB_PAIR(g, 6, h, 7)                                      \
  TRIMTAB_ADD(27, 28, 30, 31)                                   \
  TRIMTAB_LOW("smull", i, 8)                                    \
  TRIMTAB_HIGH("smull", i, 8)                                   \
  TRIMTAB_ADD(27, 28, 30, 31)                                   \
  shift                                                         \
      "sqdmulh v27.4s, v27.4s, v22.4s\n\t"                      \
      "sqdmulh v28.4s, v28.4s, v23.4s\n\t"                      \
      "sqdmulh v30.4s, v30.4s, v24.4s\n\t"                      \
      "sqdmulh v31.4s, v31.4s, v25.4s\n\t"                      \
      "sqrshrn v27.4h, v27.4s, #1\n\t"                          \
      "sqrshrn v30.4h, v30.4s, #1\n\t"                          \
      "sqrshrn2 v27.8h, v28.4s, #1\n\t"                         \
      "sqrshrn2 v30.8h, v31.4s, #1\n\t" narrow "st1 {v27.16b}, [%[pixel]], %[stride]\n\t"
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
#define TRIMTAB_ROW_STRIDE_1(shift, narrow) \
  TRIMTAB_CONSTANTS TRIMTAB_COLUMN(9, 12, 15) TRIMTAB_COLUMN(10, 13, 16)                                 \
  "1:\n\t"                                                                                              \
  TRIMTAB_COLUMN(11, 14, 17) TRIMTAB_PIXEL(shift, narrow, 9, 10, 11, 12, 13, 14, 15, 16, 17) TRIMTAB_NEXT        \
  TRIMTAB_COLUMN(9, 12, 15) TRIMTAB_PIXEL(shift, narrow, 10, 11, 9, 13, 14, 12, 16, 17, 15) TRIMTAB_NEXT         \
  TRIMTAB_COLUMN(10, 13, 16) TRIMTAB_PIXEL(shift, narrow, 11, 9, 10, 14, 12, 13, 17, 15, 16)                     \
  "subs %w[count], %w[count], #1\n\t"                                                                   \
  "b.ne 1b\n"                                                                                           \
  "9:\n\t"
#define TRIMTAB_ROW_STRIDE_2(shift, narrow) \
  TRIMTAB_CONSTANTS TRIMTAB_COLUMN(9, 12, 15)                                                            \
  "1:\n\t"                                                                                              \
  TRIMTAB_COLUMN(10, 13, 16) TRIMTAB_COLUMN(11, 14, 17)                                                  \
  TRIMTAB_PIXEL(shift, narrow, 9, 10, 11, 12, 13, 14, 15, 16, 17) TRIMTAB_NEXT                                   \
  TRIMTAB_COLUMN(10, 13, 16) TRIMTAB_COLUMN(9, 12, 15)                                                   \
  TRIMTAB_PIXEL(shift, narrow, 11, 10, 9, 14, 13, 12, 17, 16, 15)                                                \
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

#else

// Registers: d0 to d8 weights, d9 to d17 the window, q9 and q10 biases, q11 and q12 sums, q13 products, q14 and q15
// multipliers.
#define TRIMTAB_PAIR(window, weight, window2, weight2) \
  "vmull.s8 q13, d" #window ", d" #weight "\n\tvmlal.s8 q13, d" #window2 ", d" #weight2 "\n\t"
#define TRIMTAB_ADD(a, b) "vaddw.s16 q11, q" #a ", d26\n\tvaddw.s16 q12, q" #b ", d27\n\t"
#define TRIMTAB_SHIFT                                               \
  "add %[at], %[constants], #144\n\tvld1.32 {d26-d27}, [%[at]]\n\t" \
  "vshl.s32 q11, q11, q13\n\tvshl.s32 q12, q12, q13\n\t"
#define TRIMTAB_ADD_ZERO \
  "vldr d22, [%[constants], #192]\n\tvldr d23, [%[constants], #200]\n\tvqadd.s16 q13, q13, q11\n\t"
// Eight numbers of 16 bits as bytes of the output.
#define TRIMTAB_NARROW(narrow) narrow " d26, q13\n\t"
#define TRIMTAB_CLAMP(maximum, minimum)        \
  "vldr d27, [%[constants], #160]\n\t" maximum \
  " d26, d26, d27\n\t"                         \
  "vldr d27, [%[constants], #176]\n\t" minimum " d26, d26, d27\n\t"
#define TRIMTAB_PLAIN TRIMTAB_NARROW("vqmovun.s16")
#define TRIMTAB_SIGNED TRIMTAB_ADD_ZERO TRIMTAB_NARROW("vqmovn.s16") TRIMTAB_CLAMP("vmax.s8", "vmin.s8")
#define TRIMTAB_UNSIGNED TRIMTAB_ADD_ZERO TRIMTAB_NARROW("vqmovun.s16") TRIMTAB_CLAMP("vmax.u8", "vmin.u8")
// One pixel of the window a b c / d e f / g h i.
#define TRIMTAB_PIXEL(shift, narrow, a, b, c, d, e, f, g, h, i) \
  TRIMTAB_PAIR(a, 0, b, 1)                                      \
  TRIMTAB_ADD(9, 10)                                            \
  TRIMTAB_PAIR(c, 2, d, 3)                                      \
  TRIMTAB_ADD(11, 12)                                           \
  TRIMTAB_PAIR(e, 4, f, 5)                                      \
  TRIMTAB_ADD(11, 12)                                           \
  TRIMTAB_PAIR(g, 6, h, 7)                                      \
  TRIMTAB_ADD(11, 12)                                           \
  "vmull.s8 q13, d" #i ", d8\n\t" TRIMTAB_ADD(11, 12) shift     \
      "vqdmulh.s32 q11, q11, q14\n\t"                           \
      "vqdmulh.s32 q12, q12, q15\n\t"                           \
      "vqrshrn.s32 d26, q11, #1\n\t"                            \
      "vqrshrn.s32 d27, q12, #1\n\t" narrow "vst1.8 {d26}, [%[pixel]], %[stride]\n\t"
#define TRIMTAB_COLUMN(a, b, c)                               \
  "vld1.8 {d" #a "}, [%[first]], %[channels]\n\tvld1.8 {d" #b \
  "}, [%[second]], %[channels]\n\t"                           \
  "vld1.8 {d" #c "}, [%[third]], %[channels]\n\t"
#define TRIMTAB_CONSTANTS                                                         \
  "mov %[at], %[constants]\n\tvldmia %[at]!, {d0-d8}\n\tadd %[at], %[at], #8\n\t" \
  "vldmia %[at]!, {d18-d21}\n\tvldmia %[at]!, {d28-d31}\n\t"
#define TRIMTAB_NEXT                \
  "subs %[count], %[count], #1\n\t" \
  "beq 9f\n\t"
#define TRIMTAB_AGAIN               \
  "subs %[count], %[count], #1\n\t" \
  "bne 1b\n"                        \
  "9:\n\t"
#define TRIMTAB_ROW_STRIDE_1(shift, narrow)                                                                       \
  TRIMTAB_CONSTANTS TRIMTAB_COLUMN(9, 12, 15) TRIMTAB_COLUMN(10, 13, 16) "1:\n\t" TRIMTAB_COLUMN(11, 14, 17)      \
      TRIMTAB_PIXEL(shift, narrow, 9, 10, 11, 12, 13, 14, 15, 16, 17) TRIMTAB_NEXT TRIMTAB_COLUMN(9, 12, 15)      \
          TRIMTAB_PIXEL(shift, narrow, 10, 11, 9, 13, 14, 12, 16, 17, 15) TRIMTAB_NEXT TRIMTAB_COLUMN(10, 13, 16) \
              TRIMTAB_PIXEL(shift, narrow, 11, 9, 10, 14, 12, 13, 17, 15, 16) TRIMTAB_AGAIN
#define TRIMTAB_ROW_STRIDE_2(shift, narrow)                                                                   \
  TRIMTAB_CONSTANTS TRIMTAB_COLUMN(9, 12, 15) "1:\n\t" TRIMTAB_COLUMN(10, 13, 16) TRIMTAB_COLUMN(11, 14, 17)  \
      TRIMTAB_PIXEL(shift, narrow, 9, 10, 11, 12, 13, 14, 15, 16, 17) TRIMTAB_NEXT TRIMTAB_COLUMN(10, 13, 16) \
          TRIMTAB_COLUMN(9, 12, 15) TRIMTAB_PIXEL(shift, narrow, 11, 10, 9, 14, 13, 12, 17, 16, 15) TRIMTAB_AGAIN
#define TRIMTAB_RUN_ROW(row)                                                                                      \
  asm volatile(row                                                                                                \
               : [first] "+&r"(first), [second] "+&r"(second), [third] "+&r"(third), [pixel] "+&r"(pixel),        \
                 [count] "+&r"(count), [at] "=&r"(at)                                                             \
               : [constants] "r"(&constants), [channels] "r"(channels), [stride] "r"(stride)                      \
               : "memory", "cc", "q0", "q1", "q2", "q3", "q4", "q5", "q6", "q7", "q8", "q9", "q10", "q11", "q12", \
                 "q13", "q14", "q15")

#endif

/// A row of outputs of a block; `columns`: of the window, that move on from pixel to pixel. What is not a plain
/// output of unsigned bytes is shifted and clamped without need.
template <int32_t columns>
inline __attribute__((always_inline)) void depthwise_pairs_row(const uint8_t* first, intptr_t pitch, intptr_t channels,
                                                               const PairsConstants& constants, uint32_t kind,
                                                               int32_t count, uint8_t* pixel, intptr_t stride) {
  const uint8_t* second = first + pitch;
  const uint8_t* third = second + pitch;
#if !defined(__aarch64__)
  const void* at;
#endif
  if constexpr (columns == 1) {
    if (kind == 0) {
      TRIMTAB_RUN_ROW(TRIMTAB_ROW_STRIDE_1("", TRIMTAB_PLAIN));
    } else if ((kind & Requantization::is_signed) != 0) {
      TRIMTAB_RUN_ROW(TRIMTAB_ROW_STRIDE_1(TRIMTAB_SHIFT, TRIMTAB_SIGNED));
    } else {
      TRIMTAB_RUN_ROW(TRIMTAB_ROW_STRIDE_1(TRIMTAB_SHIFT, TRIMTAB_UNSIGNED));
    }
  } else if (kind == 0) {
    TRIMTAB_RUN_ROW(TRIMTAB_ROW_STRIDE_2("", TRIMTAB_PLAIN));
  } else if ((kind & Requantization::is_signed) != 0) {
    TRIMTAB_RUN_ROW(TRIMTAB_ROW_STRIDE_2(TRIMTAB_SHIFT, TRIMTAB_SIGNED));
  } else {
    TRIMTAB_RUN_ROW(TRIMTAB_ROW_STRIDE_2(TRIMTAB_SHIFT, TRIMTAB_UNSIGNED));
  }
}

#undef TRIMTAB_RUN_ROW
#undef TRIMTAB_ROW_STRIDE_2
#undef TRIMTAB_ROW_STRIDE_1
#undef TRIMTAB_NEXT
#if !defined(__aarch64__)
#undef TRIMTAB_AGAIN
#endif
#undef TRIMTAB_CONSTANTS
#undef TRIMTAB_COLUMN
#undef TRIMTAB_PIXEL
#undef TRIMTAB_UNSIGNED
#undef TRIMTAB_SIGNED
#undef TRIMTAB_PLAIN
#undef TRIMTAB_CLAMP
#undef TRIMTAB_NARROW
#undef TRIMTAB_ADD_ZERO
#undef TRIMTAB_SHIFT
#undef TRIMTAB_PAIR
#undef TRIMTAB_ADD
#if defined(__aarch64__)
#undef TRIMTAB_HIGH
#undef TRIMTAB_LOW
#endif

inline PairsConstants pairs_constants(const Convolution& step, const int8_t* weights, int32_t channel,
                                      const Requantization& to) {
  PairsConstants constants;
  memcpy(constants.weights, weights, sizeof constants.weights);
  const int32_t missing = step.input.format.is_signed ? 0 : 128;
  for (int32_t i = 0; i < pairs_channels; i += 8) {
    int16x8_t sum = vdupq_n_s16(0);
    for (int32_t tap = 0; tap < 9; ++tap) sum = vaddw_s8(sum, vld1_s8(weights + pairs_channels * tap + i));
    constants.bias[i / 4] = vmlaq_n_s32(vld1q_s32(step.bias + channel + i), vmovl_s16(vget_low_s16(sum)), missing);
    constants.bias[i / 4 + 1] = vmlaq_n_s32(vld1q_s32(step.bias + channel + i + 4), vmovl_high_s16(sum), missing);
    constants.multiplier[i / 4] = vld1q_s32(step.multiplier + channel + i);
    constants.multiplier[i / 4 + 1] = vld1q_s32(step.multiplier + channel + i + 4);
  }
  constants.shift = to.shift;
  constants.minimum = to.minimum;
  constants.maximum = to.maximum;
  constants.zero = to.zero;
  return constants;
}

template <int32_t columns>
inline void depthwise_pairs(const Convolution& step, Strip strip, InputRows input, OutputRows output,
                            uint8_t* scratch) {
  const int32_t channels = step.output.channels;
  const int32_t pitch = signed_columns(step) * channels;
  const int32_t most = signed_rows_of_band(step);
  const auto* weights = reinterpret_cast<const int8_t*>(step.weights);
  if (step.weight_bits < 8) {
    auto* const decoded = reinterpret_cast<int8_t*>(scratch + signed_rows_bytes(step, most));
    decode_planes(step.weights, depthwise_decoded_bytes(step, pairs_channels) / 16, step.weight_bits, decoded);
    weights = decoded;
  }
  const Requantization to = requantization(step);
  for (int32_t done = 0; done < strip.count; done += most) {
    const Strip band{strip.first + done, strip.count - done < most ? strip.count - done : most};
    copy_signed_rows(step, band, input, scratch);
    for (int32_t b = 0; b < depthwise_blocks(step, pairs_channels); ++b) {
      const int32_t channel = depthwise_first_channel(step, pairs_channels, b);
      const PairsConstants constants = pairs_constants(step, weights + b * pairs_channels * 9, channel, to);
      const uint8_t* from = scratch + channel;
      for (int32_t y = band.first; y < band.first + band.count; ++y, from += step.window.stride_rows * pitch) {
        depthwise_pairs_row<columns>(from, pitch, channels, constants, to.kind, step.output.width, output[y] + channel,
                                     step.output.pixel_stride);
      }
    }
  }
}

}  // namespace neon

inline void depthwise_8_pairs_neon(const Convolution& step, Strip strip, InputRows input, OutputRows output,
                                   uint8_t* scratch) {
  if (step.window.stride_columns == 1) {
    neon::depthwise_pairs<1>(step, strip, input, output, scratch);
  } else {
    neon::depthwise_pairs<2>(step, strip, input, output, scratch);
  }
}

#endif

}  // namespace trimtab::TRIMTAB_RUNTIME
