#pragma once

// Depthwise 3x3 convolution of bytes (strides of 1 or 2 columns, no dilation, a multiple of eight channels) for cores
// with MVE: eight channels of an output at a time, from rows that are copied with their padding as in
// depthwise_3x3_rows_m3.h. A tap takes one load of inputs, one of weights, two products and two additions.
//
// Weights: of every eight channels tap by tap, packed as in weights.h without gaps. Fewer than 8 bits are unpacked once
// per strip; a byte follows them.

#include "trimtab/depthwise_3x3_rows_m3.h"

namespace trimtab::TRIMTAB_RUNTIME {

constexpr bool depthwise_3x3_rows_mve_takes(const Convolution& step) {
  return depthwise_3x3_rows_m3_takes(step) && step.input.channels % 8 == 0;
}

#if defined(__ARM_FEATURE_MVE)

namespace detail {

/// What run_pixel_3x3_mve() works on. The assembly knows the order of the members.
struct PixelRunMve {
  const uint8_t* rows[3];     // 0: the left pixel of the window in each row
  const int8_t* weights;      // 12
  const int32_t* bias;        // 16
  const int32_t* multiplier;  // 20
  uint8_t* output;            // 24
  int32_t channels;           // 28: a multiple of 8
  int32_t shift;              // 32
  int32_t minimum;            // 36
  int32_t maximum;            // 40
  int32_t zero;               // 44
};

/// All channels of an output pixel: 77 instructions for eight. Sums: q0 for channels 0, 2, 4 and 6, q1 for the others.
template <bool is_signed>
__attribute__((noinline)) inline void run_pixel_3x3_mve(PixelRunMve& run) {
  register PixelRunMve* r0 asm("r0") = &run;
#define TRIMTAB_TAP                                                                                \
  "vldrb.s16 q3, [r4], #8\n vmullb.s16 q4, q2, q3\n vmullt.s16 q5, q2, q3\n vadd.i32 q0, q0, q4\n" \
  "vadd.i32 q1, q1, q5\n"
#define TRIMTAB_ROW(load, row)                                                                                         \
  "add r5, " row ", r10\n" load " q2, [" row "], #8\n" TRIMTAB_TAP load " q2, [r5]\n" TRIMTAB_TAP "add r5, r10\n" load \
  " q2, [r5]\n" TRIMTAB_TAP
#define TRIMTAB_PIXEL(load) \
  asm volatile(                                                                                                      \
      "ldrd r1, r2, [r0, #36]\n vdup.32 q6, r1\n vdup.32 q7, r2\n ldrd r8, r9, [r0, #16]\n ldrd r10, r11, [r0, #28]\n" \
      "ldm r0, {r1-r4}\n ldr r6, [r0, #24]\n ldr r0, [r0, #44]\n lsr r5, r10, #3\n dls lr, r5\n"                      \
      "1:\n vld20.32 {q0, q1}, [r8]\n vld21.32 {q0, q1}, [r8]!\n"                                                     \
      TRIMTAB_ROW(load, "r1") TRIMTAB_ROW(load, "r2") TRIMTAB_ROW(load, "r3")                                        \
      "vld20.32 {q2, q3}, [r9]\n vld21.32 {q2, q3}, [r9]!\n vshl.s32 q0, r11\n vshl.s32 q1, r11\n"                    \
      "vrmulh.s32 q0, q0, q2\n vrmulh.s32 q1, q1, q3\n vadd.i32 q0, q0, r0\n vadd.i32 q1, q1, r0\n"                   \
      "vmax.s32 q0, q0, q6\n vmax.s32 q1, q1, q6\n vmin.s32 q0, q0, q7\n vmin.s32 q1, q1, q7\n"                       \
      "vmovnt.i32 q0, q1\n vstrb.16 q0, [r6], #8\n le lr, 1b\n"                                                       \
      : "+r"(r0)                                                                                                     \
      :                                                                                                              \
      : "r1", "r2", "r3", "r4", "r5", "r6", "r8", "r9", "r10", "r11", "lr", "q0", "q1", "q2", "q3", "q4", "q5",      \
        "q6", "q7", "cc", "memory")
  if constexpr (is_signed) {
    TRIMTAB_PIXEL("vldrb.s16");
  } else {
    TRIMTAB_PIXEL("vldrb.u16");
  }
#undef TRIMTAB_PIXEL
#undef TRIMTAB_ROW
#undef TRIMTAB_TAP
}

/// All outputs of a row.
template <bool is_signed>
inline void make_row_3x3_mve(const Convolution& step, uint8_t* const (&rows)[3], const int8_t* weights,
                             uint8_t* output) {
  PixelRunMve run{{rows[0], rows[1], rows[2]}, weights,    step.bias,           step.multiplier,     output,
                  step.input.channels,         step.shift, step.output_minimum, step.output_maximum, step.output_zero};
  const int32_t next = step.window.stride_columns * step.input.channels;
  for (int32_t x = step.output.width; x > 0; --x) {
    run_pixel_3x3_mve<is_signed>(run);
    for (const uint8_t*& row : run.rows) row += next;
    run.output += step.output.pixel_stride;
  }
}

/// Eights of weights of fewer than 8 bits as bytes: a field lies in two neighbouring bytes.
inline void unpack_eights_mve(const uint8_t* packed, int32_t eights, int bits, int8_t* to) {
  const uint16x8_t bit = vmulq_n_u16(vidupq_n_u16(0, 1), static_cast<uint16_t>(bits));
  const uint16x8_t low = vshrq_n_u16(bit, 3);
  const uint16x8_t high = vaddq_n_u16(low, 1);
  const int16x8_t within = vreinterpretq_s16_u16(vandq_u16(bit, vdupq_n_u16(7)));
  const int16x8_t left = vsubq_s16(vdupq_n_s16(static_cast<int16_t>(16 - bits)), within);
  for (; eights > 0; --eights, packed += bits, to += 8) {
    const uint16x8_t first = vldrbq_gather_offset_u16(packed, low);
    const uint16x8_t bytes = vsliq_n_u16(first, vldrbq_gather_offset_u16(packed, high), 8);
    const int16x8_t field = vshlq_s16(vreinterpretq_s16_u16(bytes), left);
    vstrbq_s16(to, vshlq_r_s16(field, bits - 16));
  }
}

template <bool is_signed>
inline void depthwise_3x3_rows_mve(const Convolution& step, Strip strip, InputRows input, OutputRows output,
                                   uint8_t* scratch) {
  Convolution in_bytes = step;
  if (step.weight_bits != 8) {
    auto* const unpacked = reinterpret_cast<int8_t*>(scratch + 3 * depthwise_3x3_rows_m3_row_bytes(step));
    unpack_eights_mve(step.weights, 9 * step.input.channels / 8, step.weight_bits, unpacked);
    in_bytes.weights = reinterpret_cast<const uint8_t*>(unpacked);
    in_bytes.weight_bits = 8;
  }
  for_rows_3x3(in_bytes, strip, input, output, scratch,
               [&](uint8_t* const(&rows)[3], const int8_t* weights, uint8_t* to) {
                 make_row_3x3_mve<is_signed>(step, rows, weights, to);
               });
}

}  // namespace detail

inline void depthwise_3x3_u8_rows_mve(const Convolution& step, Strip strip, InputRows input, OutputRows output,
                                      uint8_t* scratch) {
  detail::depthwise_3x3_rows_mve<false>(step, strip, input, output, scratch);
}
inline void depthwise_3x3_s8_rows_mve(const Convolution& step, Strip strip, InputRows input, OutputRows output,
                                      uint8_t* scratch) {
  detail::depthwise_3x3_rows_mve<true>(step, strip, input, output, scratch);
}

#endif

}  // namespace trimtab::TRIMTAB_RUNTIME
