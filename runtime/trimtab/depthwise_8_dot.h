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
/// Output rows of a band: an even number but in the last one, since two are made together.
constexpr int32_t depthwise_dot_band_rows(const Convolution& step) {
  const int32_t rows = signed_rows_of_band(step);
  return rows % 2 == 0 || rows == step.output.height || rows == 1 ? rows : rows - 1;
}
/// The copy of a band, with the row below that the lower row of outputs may read in vain, and the decoded weights.
constexpr int32_t depthwise_8_dot_scratch_bytes(const Convolution& step, bool decodes) {
  return signed_rows_bytes(step, depthwise_dot_band_rows(step) + 1) + (decodes ? depthwise_dot_decoded_bytes(step) : 0);
}

#if defined(__aarch64__) && defined(__ARM_FEATURE_DOTPROD)

namespace neon {

/// The constants of a block of channels, in the order of their loads.
struct DotConstants {
  int8x16_t weights[12];  // upper row of outputs: three columns in two halves; lower row: the same
  int32x4_t bias[2], multiplier[2];
  uint8x16_t minimum, maximum;
  int32x4_t shift;
  int16x8_t zero;
};

// Registers: v0 to v11 weights, v12 to v17 three columns of the window, each in two halves, v18 and v19 biases, v20 and
// v21 multipliers, v22 and v23 minimum and maximum, v24 to v27 rows, v28 to v31 sums.
#define TRIMTAB_CONSTANTS                  \
  "ldp q0, q1, [%[constants]]\n\t"         \
  "ldp q2, q3, [%[constants], #32]\n\t"    \
  "ldp q4, q5, [%[constants], #64]\n\t"    \
  "ldp q6, q7, [%[constants], #96]\n\t"    \
  "ldp q8, q9, [%[constants], #128]\n\t"   \
  "ldp q10, q11, [%[constants], #160]\n\t" \
  "ldp q18, q19, [%[constants], #192]\n\t" \
  "ldp q20, q21, [%[constants], #224]\n\t" \
  "ldp q22, q23, [%[constants], #256]\n\t"
// Words of the first four channels, and of the others.
#define TRIMTAB_COLUMN(low, high)              \
  "ld1 {v24.8b}, [%[first]], %[channels]\n\t"  \
  "ld1 {v25.8b}, [%[second]], %[channels]\n\t" \
  "ld1 {v26.8b}, [%[third]], %[channels]\n\t"  \
  "ld1 {v27.8b}, [%[fourth]], %[channels]\n\t" \
  "zip1 v24.16b, v24.16b, v25.16b\n\t"         \
  "zip1 v26.16b, v26.16b, v27.16b\n\t"         \
  "zip1 v" #low                                \
  ".8h, v24.8h, v26.8h\n\t"                    \
  "zip2 v" #high ".8h, v24.8h, v26.8h\n\t"
#define TRIMTAB_PRODUCTS(low, high, upper, upper2, lower, lower2) \
  "sdot v28.4s, v" #low ".16b, v" #upper                          \
  ".16b\n\t"                                                      \
  "sdot v29.4s, v" #high ".16b, v" #upper2                        \
  ".16b\n\t"                                                      \
  "sdot v30.4s, v" #low ".16b, v" #lower                          \
  ".16b\n\t"                                                      \
  "sdot v31.4s, v" #high ".16b, v" #lower2 ".16b\n\t"
#define TRIMTAB_SHIFT                 \
  "ldr q24, [%[constants], #288]\n\t" \
  "sshl v28.4s, v28.4s, v24.4s\n\t"   \
  "sshl v29.4s, v29.4s, v24.4s\n\t"   \
  "sshl v30.4s, v30.4s, v24.4s\n\t"   \
  "sshl v31.4s, v31.4s, v24.4s\n\t"
#define TRIMTAB_ADD_ZERO \
  "ldr q24, [%[constants], #304]\n\tsqadd v28.8h, v28.8h, v24.8h\n\tsqadd v30.8h, v30.8h, v24.8h\n\t"
// 16 numbers of 16 bits as bytes of the output.
#define TRIMTAB_NARROW(narrow) narrow " v28.8b, v28.8h\n\t" narrow "2 v28.16b, v30.8h\n\t"
#define TRIMTAB_CLAMP(maximum, minimum) \
  maximum " v28.16b, v28.16b, v22.16b\n\t" minimum " v28.16b, v28.16b, v23.16b\n\t"
// A pixel of both rows of outputs from three columns.
#define TRIMTAB_PIXELS(shift, narrow, a, a2, b, b2, c, c2)                                           \
  "mov v28.16b, v18.16b\n\t"                                                                         \
  "mov v29.16b, v19.16b\n\t"                                                                         \
  "mov v30.16b, v18.16b\n\t"                                                                         \
  "mov v31.16b, v19.16b\n\t" TRIMTAB_PRODUCTS(a, a2, 0, 1, 6, 7) TRIMTAB_PRODUCTS(b, b2, 2, 3, 8, 9) \
      TRIMTAB_PRODUCTS(c, c2, 4, 5, 10, 11) shift                                                    \
      "sqdmulh v28.4s, v28.4s, v20.4s\n\t"                                                           \
      "sqdmulh v29.4s, v29.4s, v21.4s\n\t"                                                           \
      "sqdmulh v30.4s, v30.4s, v20.4s\n\t"                                                           \
      "sqdmulh v31.4s, v31.4s, v21.4s\n\t"                                                           \
      "sqrshrn v28.4h, v28.4s, #1\n\t"                                                               \
      "sqrshrn v30.4h, v30.4s, #1\n\t"                                                               \
      "sqrshrn2 v28.8h, v29.4s, #1\n\t"                                                              \
      "sqrshrn2 v30.8h, v31.4s, #1\n\t" narrow                                                       \
      "st1 {v28.8b}, [%[upper]], %[upper_stride]\n\t"                                                \
      "st1 {v28.d}[1], [%[lower]], %[lower_stride]\n\t"
#define TRIMTAB_NEXT                  \
  "subs %w[count], %w[count], #1\n\t" \
  "b.eq 9f\n\t"
#define TRIMTAB_RUN_ROWS(shift, narrow) \
  asm volatile(TRIMTAB_CONSTANTS TRIMTAB_COLUMN(12, 13) TRIMTAB_COLUMN(14, 15) "1:\n\t"                                \
               TRIMTAB_COLUMN(16, 17) TRIMTAB_PIXELS(shift, narrow, 12, 13, 14, 15, 16, 17) TRIMTAB_NEXT \
               TRIMTAB_COLUMN(12, 13) TRIMTAB_PIXELS(shift, narrow, 14, 15, 16, 17, 12, 13) TRIMTAB_NEXT \
               TRIMTAB_COLUMN(14, 15) TRIMTAB_PIXELS(shift, narrow, 16, 17, 12, 13, 14, 15) \
               "subs %w[count], %w[count], #1\n\t"                                                                     \
               "b.ne 1b\n"                                                                                             \
               "9:\n\t"                                                                                                \
               : [first] "+&r"(first), [second] "+&r"(second), [third] "+&r"(third), [fourth] "+&r"(fourth),           \
                 [upper] "+&r"(upper), [lower] "+&r"(lower), [count] "+&r"(count)                                      \
               : [constants] "r"(&constants), [channels] "r"(channels), [upper_stride] "r"(upper_stride),              \
                 [lower_stride] "r"(lower_stride)                                                                      \
               : "memory", "cc", "v0", "v1", "v2", "v3", "v4", "v5", "v6", "v7", "v8", "v9", "v10", "v11", "v12",      \
                 "v13", "v14", "v15", "v16", "v17", "v18", "v19", "v20", "v21", "v22", "v23", "v24", "v25", "v26",     \
                 "v27", "v28", "v29", "v30", "v31")

/// Two rows of outputs of 8 channels, in one loop with window, weights and constants in registers. What is not a plain
/// output of unsigned bytes is shifted and clamped without need.
inline __attribute__((always_inline)) void depthwise_two_rows(const uint8_t* first, int64_t pitch, int64_t channels,
                                                              const DotConstants& constants, uint32_t kind,
                                                              int32_t count, uint8_t* upper, uint8_t* lower,
                                                              int64_t upper_stride, int64_t lower_stride) {
  const uint8_t* second = first + pitch;
  const uint8_t* third = second + pitch;
  const uint8_t* fourth = third + pitch;
  if (kind == 0) {
    TRIMTAB_RUN_ROWS("", TRIMTAB_NARROW("sqxtun"));
  } else if ((kind & Requantization::is_signed) != 0) {
    TRIMTAB_RUN_ROWS(TRIMTAB_SHIFT, TRIMTAB_ADD_ZERO TRIMTAB_NARROW("sqxtn") TRIMTAB_CLAMP("smax", "smin"));
  } else {
    TRIMTAB_RUN_ROWS(TRIMTAB_SHIFT, TRIMTAB_ADD_ZERO TRIMTAB_NARROW("sqxtun") TRIMTAB_CLAMP("umax", "umin"));
  }
}

#undef TRIMTAB_RUN_ROWS
#undef TRIMTAB_NEXT
#undef TRIMTAB_PIXELS
#undef TRIMTAB_CLAMP
#undef TRIMTAB_NARROW
#undef TRIMTAB_ADD_ZERO
#undef TRIMTAB_SHIFT
#undef TRIMTAB_PRODUCTS
#undef TRIMTAB_COLUMN
#undef TRIMTAB_CONSTANTS

inline DotConstants dot_constants(const Convolution& step, const int8_t* weights, int32_t channel,
                                  const Requantization& to) {
  DotConstants constants;
  int32x4_t sums[2] = {vdupq_n_s32(0), vdupq_n_s32(0)};
#pragma GCC unroll 12
  for (int32_t i = 0; i < 12; ++i) {
    constants.weights[i] = vld1q_s8(weights + 16 * i);
    if (i < 6) sums[i % 2] = vdotq_s32(sums[i % 2], constants.weights[i], vdupq_n_s8(1));
  }
  const int32_t missing = step.input.format.is_signed ? 0 : 128;
#pragma GCC unroll 2
  for (int32_t half = 0; half < 2; ++half) {
    constants.bias[half] = vmlaq_n_s32(vld1q_s32(step.bias + channel + 4 * half), sums[half], missing);
    constants.multiplier[half] = vld1q_s32(step.multiplier + channel + 4 * half);
  }
  constants.minimum = to.minimum;
  constants.maximum = to.maximum;
  constants.shift = to.shift;
  constants.zero = to.zero;
  return constants;
}

inline void depthwise_dot(const Convolution& step, Strip strip, InputRows input, OutputRows output, uint8_t* scratch) {
  const int32_t channels = step.output.channels;
  const int32_t pitch = signed_columns(step) * channels;
  const int32_t most = depthwise_dot_band_rows(step);
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
      const DotConstants constants = dot_constants(step, weights + b * 192, channel, to);
      for (int32_t i = 0; i < band.count; i += 2) {
        const bool both = i + 1 < band.count;
        const int32_t stride = step.output.pixel_stride;
        depthwise_two_rows(copy + i * pitch + channel, pitch, channels, constants, to.kind, step.output.width,
                           output[band.first + i] + channel, both ? output[band.first + i + 1] + channel : nobody,
                           stride, both ? stride : 0);
      }
    }
  }
}

}  // namespace neon

inline void depthwise_8_dot(const Convolution& step, Strip strip, InputRows input, OutputRows output,
                            uint8_t* scratch) {
  neon::depthwise_dot(step, strip, input, output, scratch);
}

#endif

}  // namespace trimtab::TRIMTAB_RUNTIME
