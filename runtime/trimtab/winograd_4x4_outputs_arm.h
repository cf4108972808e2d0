#pragma once

// The results of a tile of F(4x4, 3x3) on Armv7-M: from the sums of its 36 points to 16 bytes, as SquareOutputs
// (winograd_4x4_tiles.h) and the tails of convolution_winograd_4x4_dsp.h and convolution_winograd_4x4_m3.h make them.
// (A compiler runs out of registers and takes a half more.)

#include "trimtab/winograd_4x4_tiles.h"

namespace trimtab::TRIMTAB_RUNTIME::detail {

// From the sums of six points in r1 to r6 to multiples_of_outputs() in r1, r5, r3 and r6; changes r2, r4 and lr.
#define TRIMTAB_SQUARE_MULTIPLES                                                           \
  "add.w lr, r2, r3\n\t subs r2, r2, r3\n\t adds r3, r4, r5\n\t subs r4, r4, r5\n\t"       \
  "add.w r1, r1, r1, lsl #1\n\t sub.w r1, r1, lr, lsl #1\n\t add.w r1, r3, r1, lsl #1\n\t" \
  "sub.w r5, r4, r2, lsl #1\n\t sub.w r3, r3, lr\n\t"                                      \
  "add.w r6, r6, r6, lsl #1\n\t adds r6, r6, r4\n\t rsb r6, r2, r6, lsl #1\n\t"

// The first axis, to 24 words at sp, column by column. r0: the sums, in planes of %[plane] bytes; changes r11 and r12.
#define TRIMTAB_SQUARE_FIRST_AXIS                                                                        \
  "mov r11, sp\n\t add.w r12, r0, #192\n"                                                                \
  "1:\n\t"                                                                                               \
  "ldr.w r2, [r0, #%c[plane]]\n\t ldr.w r3, [r0, #2 * %c[plane]]\n\t ldr.w r4, [r0, #3 * %c[plane]]\n\t" \
  "ldr.w r5, [r0, #4 * %c[plane]]\n\t ldr.w r6, [r0, #5 * %c[plane]]\n\t ldr.w r1, [r0], "               \
  "#32\n\t" TRIMTAB_SQUARE_MULTIPLES                                                                     \
  "str.w r5, [r11, #24]\n\t str.w r3, [r11, #48]\n\t str.w r6, [r11, #72]\n\t str.w r1, [r11], #4\n\t"   \
  "cmp r0, r12\n\t bne 1b\n\t"

// Twice the inverse of 9 in r7, but four times at most, when its sign is set.
#define TRIMTAB_SQUARE_NEXT_INVERSE "cmp r7, #0\n\t it ge\n\t lslge r7, r7, #1\n\t"

#if TRIMTAB_HAS_DSP && defined(__arm__)

/// What store_square_dsp() works on. The assembly knows the order of the members.
struct DspSquare {
  const int32_t* sums;      // 0: of the first point
  uint8_t* pixel;           // 4: the filter's byte of the first
  int32_t column_bytes;     // 8: 24 * columns, one to four
  int32_t stride;           // 12: bytes from pixel to pixel
  uint32_t ninth;           // 16: the inverse of 9
  int32_t bias;             // 20
  int32_t multiplier;       // 24
  int32_t zero;             // 28
  Array<int32_t, 3> below;  // 32: of the second row to the fourth
};

/// 26 instructions, 24 for each point of a column, and 44 for each column.
template <int Plane, bool Signed>
__attribute__((naked, noinline)) void store_square_dsp(const DspSquare* /*square*/) {
#define TRIMTAB_STORE_SQUARE(saturate)                                                                          \
  asm volatile(                                                                                                 \
      "push {r4-r11, lr}\n\t sub sp, #100\n\t str r0, [sp, #96]\n\t ldr r0, [r0]\n\t" TRIMTAB_SQUARE_FIRST_AXIS \
      "ldr r12, [sp, #96]\n\t mov r0, sp\n\t"                                                                   \
      "ldr.w r11, [r12, #4]\n\t ldr.w r1, [r12, #8]\n\t add r1, sp\n\t str r1, [sp, #96]\n\t"                   \
      "ldr.w r7, [r12, #16]\n\t ldr.w r8, [r12, #20]\n\t ldr.w r9, [r12, #24]\n\t ldr.w r10, [r12, #28]\n"      \
      "2:\n\t ldm r0!, {r1-r6}\n\t" TRIMTAB_SQUARE_MULTIPLES                                                    \
      "mul r6, r6, r7\n\t add r6, r8, r6, asr #4\n\t smmlar r6, r6, r9, r10\n\t " saturate                      \
      " r6, #8, r6\n\t"                                                                                         \
      "ldr.w r2, [r12, #40]\n\t strb.w r6, [r11, r2]\n\t"                                                       \
      "mul r3, r3, r7\n\t add r3, r8, r3, asr #4\n\t smmlar r3, r3, r9, r10\n\t " saturate                      \
      " r3, #8, r3\n\t"                                                                                         \
      "ldr.w r2, [r12, #36]\n\t strb.w r3, [r11, r2]\n\t"                                                       \
      "mul r5, r5, r7\n\t add r5, r8, r5, asr #5\n\t smmlar r5, r5, r9, r10\n\t " saturate                      \
      " r5, #8, r5\n\t"                                                                                         \
      "ldr.w r2, [r12, #32]\n\t strb.w r5, [r11, r2]\n\t"                                                       \
      "mul r1, r1, r7\n\t add r1, r8, r1, asr #6\n\t smmlar r1, r1, r9, r10\n\t " saturate                      \
      " r1, #8, r1\n\t"                                                                                         \
      "strb.w r1, [r11]\n\t"                                                                                    \
      "ldr.w r2, [r12, #12]\n\t add r11, r2\n\t" TRIMTAB_SQUARE_NEXT_INVERSE                                    \
      "ldr r1, [sp, #96]\n\t cmp r0, r1\n\t bne.w 2b\n\t"                                                       \
      "add sp, #100\n\t pop {r4-r11, pc}\n"                                                                     \
      :                                                                                                         \
      : [plane] "i"(4 * Plane))
  if constexpr (Signed) {
    TRIMTAB_STORE_SQUARE("ssat");
  } else {
    TRIMTAB_STORE_SQUARE("usat");
  }
#undef TRIMTAB_STORE_SQUARE
}

#elif defined(__ARM_ARCH_7M__)

/// What store_square_m3() works on. The assembly knows the order of the members.
struct M3Square {
  const int32_t* sums;      // 0: of the first point
  uint8_t* pixel;           // 4: the filter's byte of the first
  int32_t column_bytes;     // 8: 24 * columns, one to four
  int32_t stride;           // 12: bytes from pixel to pixel
  int64_t start;            // 16: what a product of sum and multiplier is added to
  int32_t multiplier;       // 24
  int32_t least;            // 28
  uint32_t ninth;           // 32: the inverse of 9
  Array<int32_t, 3> below;  // 36: of the second row to the fourth
};

/// 26 instructions, 24 for each point of a column, and 58 for each column.
template <int Plane>
__attribute__((naked, noinline)) void store_square_m3(const M3Square* /*square*/) {
#define TRIMTAB_STORE_ROW(number, bits)                                    \
  "mul " number ", " number ", r7\n\t asrs " number ", " number ", #" bits \
  "\n\t"                                                                   \
  "mov r2, r8\n\t mov r4, r9\n\t smlal r2, r4, " number ", r10\n\t usat r4, #8, r4\n\t add r4, lr\n\t"
  asm volatile(
      "push {r4-r11, lr}\n\t sub sp, #100\n\t str r0, [sp, #96]\n\t ldr r0, [r0]\n\t"
      TRIMTAB_SQUARE_FIRST_AXIS
      "ldr r12, [sp, #96]\n\t mov r0, sp\n\t"
      "ldr.w r11, [r12, #4]\n\t ldr.w r1, [r12, #8]\n\t add r1, sp\n\t str r1, [sp, #96]\n\t"
      "ldr.w r7, [r12, #32]\n\t ldr.w r8, [r12, #16]\n\t ldr.w r9, [r12, #20]\n\t ldr.w r10, [r12, #24]\n"
      "2:\n\t ldm r0!, {r1-r6}\n\t" TRIMTAB_SQUARE_MULTIPLES
      "ldr.w lr, [r12, #28]\n\t"
      TRIMTAB_STORE_ROW("r6", "4") "ldr.w r6, [r12, #44]\n\t strb.w r4, [r11, r6]\n\t"
      TRIMTAB_STORE_ROW("r3", "4") "ldr.w r3, [r12, #40]\n\t strb.w r4, [r11, r3]\n\t"
      TRIMTAB_STORE_ROW("r5", "5") "ldr.w r5, [r12, #36]\n\t strb.w r4, [r11, r5]\n\t"
      TRIMTAB_STORE_ROW("r1", "6") "strb.w r4, [r11]\n\t"
      "ldr.w r2, [r12, #12]\n\t add r11, r2\n\t"
      TRIMTAB_SQUARE_NEXT_INVERSE
      "ldr r1, [sp, #96]\n\t cmp r0, r1\n\t bne.w 2b\n\t"
      "add sp, #100\n\t pop {r4-r11, pc}\n"
      :
      : [plane] "i"(4 * Plane));
#undef TRIMTAB_STORE_ROW
}

#endif

#undef TRIMTAB_SQUARE_MULTIPLES
#undef TRIMTAB_SQUARE_FIRST_AXIS
#undef TRIMTAB_SQUARE_NEXT_INVERSE

}  // namespace trimtab::TRIMTAB_RUNTIME::detail
