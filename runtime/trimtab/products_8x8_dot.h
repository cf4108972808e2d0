#pragma once

// Blocks of 8 (or 7) windows x 8 filters by SDOT (AArch64 with the dot product), four bytes of a window with four bytes
// of four filters at a time. Written in assembly, since GCC 12 spills the sums of the same intrinsics.

#include <string.h>

#include "trimtab/rows.h"
#if defined(__aarch64__) && defined(__ARM_FEATURE_DOTPROD)
#include "trimtab/requantize_neon.h"

namespace trimtab::TRIMTAB_RUNTIME::neon {

/// As Products4x4 (products_4x4_neon.h). A panel has four windows, and then the others, each in words of four bytes: a
/// vector has the same word of four windows. A vector of a block has the same word of four filters.
template <int32_t count>
struct ProductsDot {
  static_assert(count == 7 || count == 8);
  static constexpr int32_t windows = count;
  static constexpr int32_t panel_windows = 8;  // that a panel has room for
  static constexpr int32_t filters = 8;
  static constexpr int32_t place_step = 64;

  static void store(int8_t* place, int32_t size, const Array<int8x16_t, windows>& bytes) {
#pragma GCC unroll 2
    for (int32_t half = 0; half < 2; ++half) {
      int32x4x4_t words;
#pragma GCC unroll 4
      for (int32_t i = 0; i < 4; ++i) {
        const int32_t window = half * 4 + i < windows ? half * 4 + i : windows - 1;
        words.val[i] = vreinterpretq_s32_s8(bytes[window]);
      }
      vst4q_s32(reinterpret_cast<int32_t*>(place + half * 4 * size), words);
    }
  }

  static void make_bytes(const int8_t* panel, int32_t size, const int8_t*& weights, const int32_t* constants,
                         int32_t blocks, const Requantization& to, const Array<uint8_t*, windows>& places);
  static void multiply(const int8_t* panel, int32_t size, const int8_t*& weights, const int32_t* start,
                       Array<int32x4_t, 2 * windows>& sums);
  static void multiply_one(const int8_t* panel, int32_t size, const int8_t*& weights, const int32_t* start,
                           int32x4_t (&sums)[2]);

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
// Of the sums of each window but the first.
#define TRIMTAB_REST_OF_SEVEN(apply) apply(18, 19) apply(20, 21) apply(22, 23) apply(24, 25) apply(26, 27) apply(28, 29)
#define TRIMTAB_REST_OF_EIGHT(apply) TRIMTAB_REST_OF_SEVEN(apply) apply(30, 31)
#define TRIMTAB_START(a, b) "mov v" #a ".16b, v16.16b\n\tmov v" #b ".16b, v17.16b\n\t"
#define TRIMTAB_MULTIPLY(windows, rest) \
  asm volatile("ldp q16, q17, [%[start]]\n\t" rest(TRIMTAB_START)                                               \
               "tbz %w[size], #4, 2f\n\t" TRIMTAB_CHUNK(windows) "cmp %[first], %[end]\n\t"                    \
               "b.eq 3f\n"                                                                                     \
               "2:\n\t" TRIMTAB_CHUNK(windows) TRIMTAB_CHUNK(windows) "cmp %[first], %[end]\n\t"               \
               "b.ne 2b\n"                                                                                     \
               "3:\n\t"                                                                                        \
               : [first] "+&r"(panel), [second] "+&r"(second), [weights] "+&r"(weights), "=&w"(s0), "=&w"(s1),      \
                 "=&w"(s2), "=&w"(s3), "=&w"(s4), "=&w"(s5), "=&w"(s6), "=&w"(s7), "=&w"(s8), "=&w"(s9), "=&w"(s10), \
                 "=&w"(s11), "=&w"(s12), "=&w"(s13), "=&w"(s14), "=&w"(s15)                                         \
               : [end] "r"(end), [size] "r"(size), [start] "r"(start)                                           \
               : "memory", "cc", "v0", "v1", "v2", "v3", "v4", "v5", "v6", "v7", "v8", "v9", "v10", "v11")

template <int32_t count>
inline void ProductsDot<count>::multiply(const int8_t* panel, int32_t size, const int8_t*& weights,
                                         const int32_t* start, Array<int32x4_t, 2 * windows>& sums) {
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
    TRIMTAB_MULTIPLY(TRIMTAB_SEVEN, TRIMTAB_REST_OF_SEVEN);
  } else {
    TRIMTAB_MULTIPLY(TRIMTAB_EIGHT, TRIMTAB_REST_OF_EIGHT);
  }
  const int32x4_t all[16] = {s0, s1, s2, s3, s4, s5, s6, s7, s8, s9, s10, s11, s12, s13, s14, s15};
#pragma GCC unroll 16
  for (int32_t i = 0; i < 2 * windows; ++i) sums[i] = all[i];
}

// Of the sums of a window.
#define TRIMTAB_SHIFT(a, b) "sshl v" #a ".4s, v" #a ".4s, v2.4s\n\tsshl v" #b ".4s, v" #b ".4s, v2.4s\n\t"
#define TRIMTAB_SCALE(a, b) "sqdmulh v" #a ".4s, v" #a ".4s, v0.4s\n\tsqdmulh v" #b ".4s, v" #b ".4s, v1.4s\n\t"
#define TRIMTAB_ROUND(a, b) "sqrshrn v" #a ".4h, v" #a ".4s, #1\n\tsqrshrn2 v" #a ".8h, v" #b ".4s, #1\n\t"
#define TRIMTAB_ADD_ZERO(a, b) "sqadd v" #a ".8h, v" #a ".8h, v4.8h\n\t"
#define TRIMTAB_SIGNED(a, b) "sqxtn v" #a ".8b, v" #a ".8h\n\t"
#define TRIMTAB_UNSIGNED(a, b) "sqxtun v" #a ".8b, v" #a ".8h\n\t"
#define TRIMTAB_CLAMP_SIGNED(a, b) "smax v" #a ".8b, v" #a ".8b, v2.8b\n\tsmin v" #a ".8b, v" #a ".8b, v3.8b\n\t"
#define TRIMTAB_CLAMP_UNSIGNED(a, b) "umax v" #a ".8b, v" #a ".8b, v2.8b\n\tumin v" #a ".8b, v" #a ".8b, v3.8b\n\t"
#define TRIMTAB_STORE_SEVEN                                                                                          \
  "str d16, [%[place0]], #8\n\tstr d18, [%[place1]], #8\n\tstr d20, [%[place2]], #8\n\tstr d22, [%[place3]], #8\n\t" \
  "str d24, [%[place4]], #8\n\tstr d26, [%[place5]], #8\n\tstr d28, [%[place6]], #8\n\t"
#define TRIMTAB_STORE_EIGHT TRIMTAB_STORE_SEVEN "str d30, [%[place7]], #8\n\t"
#define TRIMTAB_ALL(apply, rest) apply(16, 17) rest(apply)
// Block by block; what is not a plain output of unsigned bytes leaves the way and comes back.
#define TRIMTAB_MAKE_BYTES(windows, rest, store) \
  asm volatile("1:\n\tldp q16, q17, [%[constants]], #64\n\t" \
               "mov %[first], %[panel]\n\tmov %[second], %[end]\n\t" rest(TRIMTAB_START) \
               "tbz %w[size], #4, 2f\n\t" TRIMTAB_CHUNK(windows) "cmp %[first], %[end]\n\t" \
               "b.eq 3f\n" \
               "2:\n\t" TRIMTAB_CHUNK(windows) TRIMTAB_CHUNK(windows) "cmp %[first], %[end]\n\t" \
               "b.ne 2b\n" \
               "3:\n\tldp q0, q1, [%[constants], #-32]\n\t" \
               "tbnz %w[kind], #0, 6f\n" \
               "4:\n\t" TRIMTAB_ALL(TRIMTAB_SCALE, rest) TRIMTAB_ALL(TRIMTAB_ROUND, rest) "tst %w[kind], #14\n\t" \
               "b.ne 7f\n\t" TRIMTAB_ALL(TRIMTAB_UNSIGNED, rest) \
               "5:\n\t" store "subs %w[blocks], %w[blocks], #1\n\t" \
               "b.ne 1b\n\t" \
               "b 9f\n" \
               "6:\n\tldr q2, [%[to]]\n\t" TRIMTAB_ALL(TRIMTAB_SHIFT, rest) "b 4b\n" \
               "7:\n\tldp q2, q3, [%[to], #16]\n\tldr q4, [%[to], #48]\n\t" TRIMTAB_ALL(TRIMTAB_ADD_ZERO, rest) \
               "tbz %w[kind], #1, 8f\n\t" TRIMTAB_ALL(TRIMTAB_SIGNED, rest) "tbz %w[kind], #2, 5b\n\t" \
               TRIMTAB_ALL(TRIMTAB_CLAMP_SIGNED, rest) "b 5b\n" \
               "8:\n\t" TRIMTAB_ALL(TRIMTAB_UNSIGNED, rest) \
               TRIMTAB_ALL(TRIMTAB_CLAMP_UNSIGNED, rest) "b 5b\n" \
               "9:\n\t" \
               : [first] "=&r"(first), [second] "=&r"(second), [weights] "+&r"(weights), [constants] "+&r"(constants), \
                 [blocks] "+&r"(blocks), [place0] "+&r"(place0), \
                 [place1] "+&r"(place1), [place2] "+&r"(place2), [place3] "+&r"(place3), [place4] "+&r"(place4), \
                 [place5] "+&r"(place5), [place6] "+&r"(place6), [place7] "+&r"(place7) \
               : [panel] "r"(panel), [end] "r"(panel + 4 * size), [size] "r"(size), [to] "r"(&to), [kind] "r"(to.kind) \
               : "memory", "cc", "v0", "v1", "v2", "v3", "v4", "v5", "v6", "v7", "v8", "v9", "v10", "v11", "v16", \
                 "v17", "v18", "v19", "v20", "v21", "v22", "v23", "v24", "v25", "v26", "v27", "v28", "v29", "v30", \
                 "v31")

/// Whole blocks of filters, as bytes of the output.
template <int32_t count>
inline void ProductsDot<count>::make_bytes(const int8_t* panel, int32_t size, const int8_t*& all_weights,
                                           const int32_t* constants, int32_t blocks, const Requantization& to,
                                           const Array<uint8_t*, windows>& places) {
  const int8_t* first;
  const int8_t* second;
  const int8_t* weights = all_weights;
  uint8_t* place0 = places[0];
  uint8_t* place1 = places[1];
  uint8_t* place2 = places[2];
  uint8_t* place3 = places[3];
  uint8_t* place4 = places[4];
  uint8_t* place5 = places[5];
  uint8_t* place6 = places[6];
  uint8_t* place7 = places[count - 1];
  if constexpr (count == 7) {
    TRIMTAB_MAKE_BYTES(TRIMTAB_SEVEN, TRIMTAB_REST_OF_SEVEN, TRIMTAB_STORE_SEVEN);
  } else {
    TRIMTAB_MAKE_BYTES(TRIMTAB_EIGHT, TRIMTAB_REST_OF_EIGHT, TRIMTAB_STORE_EIGHT);
  }
  all_weights = weights;
}

#undef TRIMTAB_MAKE_BYTES
#undef TRIMTAB_ALL
#undef TRIMTAB_STORE_EIGHT
#undef TRIMTAB_STORE_SEVEN
#undef TRIMTAB_CLAMP_UNSIGNED
#undef TRIMTAB_CLAMP_SIGNED
#undef TRIMTAB_UNSIGNED
#undef TRIMTAB_SIGNED
#undef TRIMTAB_ADD_ZERO
#undef TRIMTAB_ROUND
#undef TRIMTAB_SCALE
#undef TRIMTAB_SHIFT
#undef TRIMTAB_MULTIPLY
#undef TRIMTAB_START
#undef TRIMTAB_REST_OF_EIGHT
#undef TRIMTAB_REST_OF_SEVEN
#undef TRIMTAB_CHUNK
#undef TRIMTAB_EIGHT
#undef TRIMTAB_SEVEN
#undef TRIMTAB_WINDOW

template <int32_t count>
inline void ProductsDot<count>::multiply_one(const int8_t* panel, int32_t size, const int8_t*& weights,
                                             const int32_t* start, int32x4_t (&sums)[2]) {
  int32x4_t sum[4] = {vld1q_s32(start), vld1q_s32(start + 4)};
  for (; size > 0; size -= 16, panel += 64, weights += 128) {
    // four words of the first window
    const int8x16_t window = vreinterpretq_s8_s32(vld4q_s32(reinterpret_cast<const int32_t*>(panel)).val[0]);
    const int8x16x4_t first = vld1q_s8_x4(weights);
    const int8x16x4_t second = vld1q_s8_x4(weights + 64);
    sum[0] = vdotq_laneq_s32(sum[0], first.val[0], window, 0);
    sum[1] = vdotq_laneq_s32(sum[1], first.val[1], window, 0);
    sum[2] = vdotq_laneq_s32(sum[2], first.val[2], window, 1);
    sum[3] = vdotq_laneq_s32(sum[3], first.val[3], window, 1);
    sum[0] = vdotq_laneq_s32(sum[0], second.val[0], window, 2);
    sum[1] = vdotq_laneq_s32(sum[1], second.val[1], window, 2);
    sum[2] = vdotq_laneq_s32(sum[2], second.val[2], window, 3);
    sum[3] = vdotq_laneq_s32(sum[3], second.val[3], window, 3);
  }
  sums[0] = vaddq_s32(sum[0], sum[2]);
  sums[1] = vaddq_s32(sum[1], sum[3]);
}

}  // namespace trimtab::TRIMTAB_RUNTIME::neon

#endif
