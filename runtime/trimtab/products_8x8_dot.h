#pragma once

// Blocks of 8 (or 7) windows x 8 filters by SDOT (AArch64 with the dot product), four bytes of a window with four bytes
// of four filters at a time. Written in assembly, since GCC 12 spills the sums of the same intrinsics.

#include <string.h>

#include "trimtab/rows.h"
#if defined(__aarch64__) && defined(__ARM_FEATURE_DOTPROD)
#include <arm_neon.h>

namespace trimtab::TRIMTAB_RUNTIME::neon {

/// As Products4x4 (products_4x4_neon.h). A panel has four windows, and then the others, each in words of four bytes: a
/// vector has the same word of four windows. A vector of a block has the same word of four filters.
template <int32_t count>
struct ProductsDot {
  static_assert(count == 7 || count == 8);
  static constexpr int32_t windows = count;
  static constexpr int32_t panel_windows = 8;  // that a panel has room for
  static constexpr int32_t filters = 8;

  static void store(int8_t* panel, int32_t size, int32_t k, const Array<int8x16_t, windows>& bytes) {
#pragma GCC unroll 2
    for (int32_t half = 0; half < 2; ++half) {
      int32x4x4_t words;
#pragma GCC unroll 4
      for (int32_t i = 0; i < 4; ++i) {
        const int32_t window = half * 4 + i < windows ? half * 4 + i : windows - 1;
        words.val[i] = vreinterpretq_s32_s8(bytes[window]);
      }
      vst4q_s32(reinterpret_cast<int32_t*>(panel + half * 4 * size + 4 * k), words);
    }
  }

  static void multiply(const int8_t* panel, int32_t size, const int8_t*& weights, Array<int32x4_t, 2 * windows>& sums);
  static void multiply_one(const int8_t* panel, int32_t size, const int8_t*& weights, int32x4_t (&sums)[2]);

  static void sum_windows(const int8_t* panel, int32_t size, Array<int32_t, windows>& sums) {
    int32_t all[8];
    for (int32_t half = 0; half < 2; ++half) vst1q_s32(all + 4 * half, sum(panel + half * 4 * size, size, 16));
    memcpy(sums, all, sizeof sums);
  }
  static void sum_filters(const int8_t* block, int32_t size, int32_t* sums) {
    for (int32_t half = 0; half < 2; ++half) vst1q_s32(sums + 4 * half, sum(block + 16 * half, size, 32));
  }

 private:
  /// Of words that lie `step` bytes apart.
  static int32x4_t sum(const int8_t* words, int32_t size, int32_t step) {
    int32x4_t sums = vdupq_n_s32(0);
    for (int32_t k = 0; k < size; k += 4, words += step) sums = vdotq_s32(sums, vld1q_s8(words), vdupq_n_s8(1));
    return sums;
  }
};

// The word of one window with eight filters, and the words of all windows.
#define TRIMTAB_WINDOW(sum, sum2, filters, filters2, words, lane) \
  "sdot v" #sum ".4s, v" #filters ".16b, v" #words ".4b[" #lane   \
  "]\n\t"                                                         \
  "sdot v" #sum2 ".4s, v" #filters2 ".16b, v" #words ".4b[" #lane "]\n\t"
#define TRIMTAB_SEVEN(filters, filters2, words, words2) \
  TRIMTAB_WINDOW(16, 17, filters, filters2, words, 0)   \
  TRIMTAB_WINDOW(18, 19, filters, filters2, words, 1)   \
  TRIMTAB_WINDOW(20, 21, filters, filters2, words, 2)   \
  TRIMTAB_WINDOW(22, 23, filters, filters2, words, 3)   \
  TRIMTAB_WINDOW(24, 25, filters, filters2, words2, 0)  \
  TRIMTAB_WINDOW(26, 27, filters, filters2, words2, 1) TRIMTAB_WINDOW(28, 29, filters, filters2, words2, 2)
#define TRIMTAB_EIGHT(filters, filters2, words, words2) \
  TRIMTAB_SEVEN(filters, filters2, words, words2) TRIMTAB_WINDOW(30, 31, filters, filters2, words2, 3)
// 16 bytes of all windows.
#define TRIMTAB_CHUNK(windows)                                      \
  "ld1 {v0.16b-v3.16b}, [%[first]], #64\n\t"                        \
  "ld1 {v4.16b-v7.16b}, [%[second]], #64\n\t"                       \
  "ld1 {v8.16b-v11.16b}, [%[weights]], #64\n\t" windows(8, 9, 0, 4) \
      windows(10, 11, 1, 5) "ld1 {v8.16b-v11.16b}, [%[weights]], #64\n\t" windows(8, 9, 2, 6) windows(10, 11, 3, 7)
#define TRIMTAB_ZERO(a, b) "movi v" #a ".4s, #0\n\tmovi v" #b ".4s, #0\n\t"
#define TRIMTAB_MULTIPLY(windows) \
  asm volatile(TRIMTAB_ZERO(16, 17) TRIMTAB_ZERO(18, 19) TRIMTAB_ZERO(20, 21) TRIMTAB_ZERO(22, 23)             \
               TRIMTAB_ZERO(24, 25) TRIMTAB_ZERO(26, 27) TRIMTAB_ZERO(28, 29) TRIMTAB_ZERO(30, 31)             \
               "tbz %w[size], #4, 2f\n\t" TRIMTAB_CHUNK(windows) "cmp %[first], %[end]\n\t"                    \
               "b.eq 3f\n"                                                                                     \
               "2:\n\t" TRIMTAB_CHUNK(windows) TRIMTAB_CHUNK(windows) "cmp %[first], %[end]\n\t"               \
               "b.ne 2b\n"                                                                                     \
               "3:\n\t"                                                                                        \
               : [first] "+&r"(panel), [second] "+&r"(second), [weights] "+&r"(weights), "=w"(s0), "=w"(s1),      \
                 "=w"(s2), "=w"(s3), "=w"(s4), "=w"(s5), "=w"(s6), "=w"(s7), "=w"(s8), "=w"(s9), "=w"(s10),    \
                 "=w"(s11), "=w"(s12), "=w"(s13), "=w"(s14), "=w"(s15)                                         \
               : [end] "r"(end), [size] "r"(size)                                                              \
               : "memory", "cc", "v0", "v1", "v2", "v3", "v4", "v5", "v6", "v7", "v8", "v9", "v10", "v11")

template <int32_t count>
inline void ProductsDot<count>::multiply(const int8_t* panel, int32_t size, const int8_t*& weights,
                                         Array<int32x4_t, 2 * windows>& sums) {
  register int32x4_t s0 asm("v16");
  register int32x4_t s1 asm("v17");
  register int32x4_t s2 asm("v18");
  register int32x4_t s3 asm("v19");
  register int32x4_t s4 asm("v20");
  register int32x4_t s5 asm("v21");
  register int32x4_t s6 asm("v22");
  register int32x4_t s7 asm("v23");
  register int32x4_t s8 asm("v24");
  register int32x4_t s9 asm("v25");
  register int32x4_t s10 asm("v26");
  register int32x4_t s11 asm("v27");
  register int32x4_t s12 asm("v28");
  register int32x4_t s13 asm("v29");
  register int32x4_t s14 asm("v30");
  register int32x4_t s15 asm("v31");
  const int8_t* second = panel + 4 * size;
  const int8_t* const end = second;
  if constexpr (count == 7) {
    TRIMTAB_MULTIPLY(TRIMTAB_SEVEN);
  } else {
    TRIMTAB_MULTIPLY(TRIMTAB_EIGHT);
  }
  const int32x4_t all[16] = {s0, s1, s2, s3, s4, s5, s6, s7, s8, s9, s10, s11, s12, s13, s14, s15};
#pragma GCC unroll 16
  for (int32_t i = 0; i < 2 * windows; ++i) sums[i] = all[i];
}

#undef TRIMTAB_MULTIPLY
#undef TRIMTAB_ZERO
#undef TRIMTAB_CHUNK
#undef TRIMTAB_EIGHT
#undef TRIMTAB_SEVEN
#undef TRIMTAB_WINDOW

template <int32_t count>
inline void ProductsDot<count>::multiply_one(const int8_t* panel, int32_t size, const int8_t*& weights,
                                             int32x4_t (&sums)[2]) {
  int32x4_t sum[4] = {};
  for (; size > 0; size -= 8, panel += 32, weights += 64) {
#pragma GCC unroll 2
    for (int32_t word = 0; word < 2; ++word) {
      const int8x16_t window = vreinterpretq_s8_s32(vld1q_dup_s32(reinterpret_cast<const int32_t*>(panel + 16 * word)));
      sum[2 * word] = vdotq_s32(sum[2 * word], vld1q_s8(weights + 32 * word), window);
      sum[2 * word + 1] = vdotq_s32(sum[2 * word + 1], vld1q_s8(weights + 32 * word + 16), window);
    }
  }
  sums[0] = vaddq_s32(sum[0], sum[2]);
  sums[1] = vaddq_s32(sum[1], sum[3]);
}

}  // namespace trimtab::TRIMTAB_RUNTIME::neon

#endif
