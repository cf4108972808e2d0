#pragma once

// Blocks of 4 windows x 4 filters by SMULL, SMLAL and SADALP: two products of bytes fit 16 bits where no pair of them
// is (-128)^2 twice. AArch64 keeps all 16 sums in registers, the 32-bit state those of two windows at a time. Written
// in assembly: of the same intrinsics GCC 12 spills the sums on AArch64, and loads with an address each in the 32-bit
// state. Eight chains of products are in flight, or four: an in-order core waits for each product otherwise.

#include "trimtab/rows.h"
#if defined(__ARM_NEON)
#include "trimtab/requantize_neon.h"

namespace trimtab::TRIMTAB_RUNTIME::neon {

/// How windows and filters lie for these blocks, and their products. Other blocks have the same functions.
struct Products4x4 {
  static constexpr int32_t windows = 4;
  static constexpr int32_t panel_windows = 4;  // that a panel has room for
  static constexpr int32_t filters = 4;

  /// A panel has 16 bytes of each window, then the next 16. In the 32-bit state it has two windows so, and behind them
  /// the others.
#if defined(__aarch64__)
  static constexpr int32_t windows_together = 4;
#else
  static constexpr int32_t windows_together = 2;
#endif
  static constexpr int32_t place_step = 16 * windows_together;

  /// Writes 16 bytes of each window into a panel of windows of `size` bytes, from byte k of each on: `place` is
  /// place_step * k / 16 bytes behind its beginning.
  static void store(int8_t* place, int32_t size, const Array<int8x16_t, windows>& bytes) {
#pragma GCC unroll 4
    for (int32_t i = 0; i < windows; ++i) {
      vst1q_s8(place + i / windows_together * 2 * size + 16 * (i % windows_together), bytes[i]);
    }
  }

  /// Whole blocks of filters, as bytes of the output at `places`. `constants`: of every block the filters' biases, and
  /// then their multipliers. `weights` goes on behind the blocks.
  static void make_bytes(const int8_t* panel, int32_t size, const int8_t*& weights, const int32_t* constants,
                         int32_t blocks, const Requantization& to, const Array<uint8_t*, windows>& places);
  /// The sums of the products of `size` bytes (a multiple of 16) and of the filters' numbers at `start`: sums[i] those
  /// of window i with all filters. `weights` goes on to the next block.
  static void multiply(const int8_t* panel, int32_t size, const int8_t*& weights, const int32_t* start,
                       Array<int32x4_t, windows>& sums);
  /// The same for the first window alone.
  static void multiply_one(const int8_t* panel, int32_t size, const int8_t*& weights, const int32_t* start,
                           int32x4_t (&sums)[1]);

  /// The sum of the bytes of each window.
  static void sum_windows(const int8_t* panel, int32_t size, Array<int32_t, windows>& sums) {
    for (int32_t i = 0; i < windows; ++i) {
      sums[i] = sum(panel + i / windows_together * 2 * size + 16 * (i % windows_together), size, place_step);
    }
  }
  /// The sum of each filter of a block.
  static void sum_filters(const int8_t* block, int32_t size, int32_t* sums) {
    for (int32_t i = 0; i < filters; ++i) sums[i] = sum(block + 16 * i, size, 64);
  }

 private:
  /// Of vectors that lie `step` bytes apart.
  static int32_t sum(const int8_t* vectors, int32_t size, int32_t step) {
    int32x4_t sum = vdupq_n_s32(0);
    for (; size > 0; size -= 16, vectors += step) sum = vpadalq_s16(sum, vpaddlq_s8(vld1q_s8(vectors)));
    return vaddvq_s32(sum);
  }
};

#if defined(__aarch64__)

// One half of the bytes of four windows with one filter, and of two filters in turn, into two sets of four temporaries.
#define TRIMTAB_A(operation, filter, half)                                                                         \
  operation " v10.8h, v0." half ", v" #filter "." half "\n\t" operation " v11.8h, v1." half ", v" #filter "." half \
            "\n\t" operation " v12.8h, v2." half ", v" #filter "." half "\n\t" operation " v13.8h, v3." half       \
            ", v" #filter "." half "\n\t"
#define TRIMTAB_B(operation, filter, half)                                                                       \
  operation " v8.8h, v0." half ", v" #filter "." half "\n\t" operation " v9.8h, v1." half ", v" #filter "." half \
            "\n\t" operation " v14.8h, v2." half ", v" #filter "." half "\n\t" operation " v15.8h, v3." half     \
            ", v" #filter "." half "\n\t"
#define TRIMTAB_SUM_A(operation, a, b, c, d)                                                \
  operation " v" #a ".4s, v10.8h\n\t" operation " v" #b ".4s, v11.8h\n\t" operation " v" #c \
            ".4s, v12.8h\n\t" operation " v" #d ".4s, v13.8h\n\t"
#define TRIMTAB_SUM_B(operation, a, b, c, d)                                                                          \
  operation " v" #a ".4s, v8.8h\n\t" operation " v" #b ".4s, v9.8h\n\t" operation " v" #c ".4s, v14.8h\n\t" operation \
            " v" #d ".4s, v15.8h\n\t"
#define TRIMTAB_TWO_FILTERS(operation, first, second, a, b, c, d, e, f, g, h) \
  TRIMTAB_A("smull", first, "8b")                                             \
  TRIMTAB_B("smull", second, "8b")                                            \
  TRIMTAB_A("smlal2", first, "16b")                                           \
  TRIMTAB_B("smlal2", second, "16b") TRIMTAB_SUM_A(operation, a, b, c, d) TRIMTAB_SUM_B(operation, e, f, g, h)
// 16 bytes of four windows with four filters.
#define TRIMTAB_CHUNK(operation)                                                                                    \
  "ld1 {v0.16b-v3.16b}, [%[panel]], #64\n\t"                                                                        \
  "ld1 {v4.16b-v7.16b}, [%[weights]], #64\n\t" TRIMTAB_TWO_FILTERS(operation, 4, 5, 16, 20, 24, 28, 17, 21, 25, 29) \
      TRIMTAB_TWO_FILTERS(operation, 6, 7, 18, 22, 26, 30, 19, 23, 27, 31)
#define TRIMTAB_REDUCE(a, b, c, d)    \
  "addp v" #a ".4s, v" #a ".4s, v" #b \
  ".4s\n\t"                           \
  "addp v" #c ".4s, v" #c ".4s, v" #d \
  ".4s\n\t"                           \
  "addp v" #a ".4s, v" #a ".4s, v" #c ".4s\n\t"

// The sums of all chunks: the first makes them, then comes one where their number is even, so that the loop takes two.
#define TRIMTAB_SUMS                                                                                          \
  TRIMTAB_CHUNK("saddlp")                                                                                     \
  "cbz %w[left], 3f\n\ttbz %w[left], #4, 2f\n\tsubs %w[left], %w[left], #16\n\t" TRIMTAB_CHUNK(               \
      "sadalp") "b.eq 3f\n2:\n\tsubs %w[left], %w[left], #32\n\t" TRIMTAB_CHUNK("sadalp")                     \
      TRIMTAB_CHUNK("sadalp") "b.ne 2b\n3:\n\t" TRIMTAB_REDUCE(16, 17, 18, 19) TRIMTAB_REDUCE(20, 21, 22, 23) \
          TRIMTAB_REDUCE(24, 25, 26, 27) TRIMTAB_REDUCE(28, 29, 30, 31)

inline void Products4x4::multiply(const int8_t* panel, int32_t size, const int8_t*& weights, const int32_t* start,
                                  Array<int32x4_t, windows>& sums) {
  register int32x4_t first asm("v16");
  register int32x4_t second asm("v20");
  register int32x4_t third asm("v24");
  register int32x4_t fourth asm("v28");
  int32_t left = size - 16;
  asm volatile(TRIMTAB_SUMS
               : [panel] "+&r"(panel), [weights] "+&r"(weights), [left] "+&r"(left), "=w"(first), "=w"(second),
                 "=w"(third), "=w"(fourth)
               :
               : "memory", "cc", "v0", "v1", "v2", "v3", "v4", "v5", "v6", "v7", "v8", "v9", "v10", "v11", "v12", "v13",
                 "v14", "v15", "v17", "v18", "v19", "v21", "v22", "v23", "v25", "v26", "v27", "v29", "v30", "v31");
  const int32x4_t more = vld1q_s32(start);
  sums[0] = vaddq_s32(first, more);
  sums[1] = vaddq_s32(second, more);
  sums[2] = vaddq_s32(third, more);
  sums[3] = vaddq_s32(fourth, more);
}

// Of the sums of the four windows.
#define TRIMTAB_EACH(operation, by)                                                               \
  operation " v16.4s, v16.4s, " by ".4s\n\t" operation " v20.4s, v20.4s, " by ".4s\n\t" operation \
            " v24.4s, v24.4s, " by ".4s\n\t" operation " v28.4s, v28.4s, " by ".4s\n\t"
#define TRIMTAB_NARROW(narrow) narrow " v16.8b, v16.8h\n\t" narrow "2 v16.16b, v24.8h\n\t"
#define TRIMTAB_CLAMP(maximum, minimum) maximum " v16.16b, v16.16b, v2.16b\n\t" minimum " v16.16b, v16.16b, v3.16b\n\t"

// What is not a plain output of unsigned bytes leaves the way and comes back.
inline void Products4x4::make_bytes(const int8_t* all_panel, int32_t size, const int8_t*& all_weights,
                                    const int32_t* constants, int32_t blocks, const Requantization& to,
                                    const Array<uint8_t*, windows>& places) {
  const int8_t* panel;
  const int8_t* weights = all_weights;
  int32_t left;
  uint8_t* place0 = places[0];
  uint8_t* place1 = places[1];
  uint8_t* place2 = places[2];
  uint8_t* place3 = places[3];
  asm volatile(
      "1:\n\t"
      "mov %[panel], %[all_panel]\n\t"
      "sub %w[left], %w[size], #16\n\t"
      TRIMTAB_SUMS
      "ldp q0, q1, [%[constants]], #32\n\t"
      TRIMTAB_EACH("add", "v0")
      "tbnz %w[kind], #0, 6f\n"
      "4:\n\t"
      TRIMTAB_EACH("sqdmulh", "v1")
      "sqrshrn v16.4h, v16.4s, #1\n\t"
      "sqrshrn v24.4h, v24.4s, #1\n\t"
      "sqrshrn2 v16.8h, v20.4s, #1\n\t"
      "sqrshrn2 v24.8h, v28.4s, #1\n\t"
      "tst %w[kind], #14\n\t"
      "b.ne 7f\n\t"
      TRIMTAB_NARROW("sqxtun")
      "5:\n\t"
      "st1 {v16.s}[0], [%[place0]], #4\n\t"
      "st1 {v16.s}[1], [%[place1]], #4\n\t"
      "st1 {v16.s}[2], [%[place2]], #4\n\t"
      "st1 {v16.s}[3], [%[place3]], #4\n\t"
      "subs %w[blocks], %w[blocks], #1\n\t"
      "b.ne 1b\n\t"
      "b 9f\n"
      "6:\n\t"
      "ldr q2, [%[to]]\n\t"
      TRIMTAB_EACH("sshl", "v2")
      "b 4b\n"
      "7:\n\t"
      "ldp q2, q3, [%[to], #16]\n\t"
      "ldr q4, [%[to], #48]\n\t"
      "sqadd v16.8h, v16.8h, v4.8h\n\t"
      "sqadd v24.8h, v24.8h, v4.8h\n\t"
      "tbz %w[kind], #1, 8f\n\t"
      TRIMTAB_NARROW("sqxtn")
      TRIMTAB_CLAMP("smax", "smin")
      "b 5b\n"
      "8:\n\t"
      TRIMTAB_NARROW("sqxtun")
      TRIMTAB_CLAMP("umax", "umin")
      "b 5b\n"
      "9:\n\t"
      : [panel] "=&r"(panel), [weights] "+&r"(weights), [left] "=&r"(left), [constants] "+&r"(constants),
        [blocks] "+&r"(blocks), [place0] "+&r"(place0), [place1] "+&r"(place1), [place2] "+&r"(place2),
        [place3] "+&r"(place3)
      : [all_panel] "r"(all_panel), [size] "r"(size), [to] "r"(&to), [kind] "r"(to.kind)
      : "memory", "cc", "v0", "v1", "v2", "v3", "v4", "v5", "v6", "v7", "v8", "v9", "v10", "v11", "v12", "v13", "v14",
        "v15", "v16", "v17", "v18", "v19", "v20", "v21", "v22", "v23", "v24", "v25", "v26", "v27", "v28", "v29", "v30",
        "v31");
  all_weights = weights;
}

#undef TRIMTAB_CLAMP
#undef TRIMTAB_NARROW
#undef TRIMTAB_EACH
#undef TRIMTAB_SUMS
#undef TRIMTAB_REDUCE
#undef TRIMTAB_CHUNK
#undef TRIMTAB_TWO_FILTERS
#undef TRIMTAB_SUM_B
#undef TRIMTAB_SUM_A
#undef TRIMTAB_B
#undef TRIMTAB_A

#else

// 16 bytes of two windows (q0 and q1) with two filters (q2 and q3).
#define TRIMTAB_TWO_FILTERS(operation, a, b, c, d)                                                      \
  "vld1.8 {d4-d7}, [%[weights]]!\n\t"                                                                   \
  "vmull.s8 q4, d0, d4\n\t"                                                                             \
  "vmull.s8 q5, d2, d4\n\t"                                                                             \
  "vmull.s8 q6, d0, d6\n\t"                                                                             \
  "vmull.s8 q7, d2, d6\n\t"                                                                             \
  "vmlal.s8 q4, d1, d5\n\t"                                                                             \
  "vmlal.s8 q5, d3, d5\n\t"                                                                             \
  "vmlal.s8 q6, d1, d7\n\t"                                                                             \
  "vmlal.s8 q7, d3, d7\n\t" operation " q" #a ", q4\n\t" operation " q" #b ", q5\n\t" operation " q" #c \
  ", q6\n\t" operation " q" #d ", q7\n\t"
// Of two windows with four filters.
#define TRIMTAB_CHUNK(operation)                                                 \
  "vld1.8 {d0-d3}, [%[panel]]!\n\t" TRIMTAB_TWO_FILTERS(operation, 8, 12, 9, 13) \
      TRIMTAB_TWO_FILTERS(operation, 10, 14, 11, 15)
// The sums of all chunks, of which the first makes them: of the first window in q8, of the second in q9.
#define TRIMTAB_SUMS \
  "sub %[left], %[size], #16\n\t" \
  TRIMTAB_CHUNK("vpaddl.s16") \
  "cmp %[left], #0\n\t" \
  "beq 3f\n" \
  "2:\n\t" \
  "subs %[left], %[left], #16\n\t" TRIMTAB_CHUNK("vpadal.s16") "bne 2b\n" \
  "3:\n\t" \
  "vpadd.i32 d16, d16, d17\n\t" \
  "vpadd.i32 d17, d18, d19\n\t" \
  "vpadd.i32 d18, d20, d21\n\t" \
  "vpadd.i32 d19, d22, d23\n\t" \
  "vpadd.i32 d24, d24, d25\n\t" \
  "vpadd.i32 d25, d26, d27\n\t" \
  "vpadd.i32 d26, d28, d29\n\t" \
  "vpadd.i32 d27, d30, d31\n\t" \
  "vpadd.i32 d16, d16, d17\n\t" \
  "vpadd.i32 d17, d18, d19\n\t" \
  "vpadd.i32 d18, d24, d25\n\t" \
  "vpadd.i32 d19, d26, d27\n\t"
// The outputs of two windows, in d16. What is not a plain output of unsigned bytes leaves the way, by labels 1 and
// `id`, and comes back.
#define TRIMTAB_OUTPUTS(id)             \
  "ldr %[left], [%[to], #64]\n\t"       \
  "vld1.32 {d0-d3}, [%[constants]]\n\t" \
  "vadd.i32 q8, q8, q0\n\t"             \
  "vadd.i32 q9, q9, q0\n\t"             \
  "tst %[left], #1\n\t"                 \
  "bne 1" id                            \
  "f\n"                                 \
  "2" id                                \
  ":\n\t"                               \
  "vqdmulh.s32 q8, q8, q1\n\t"          \
  "vqdmulh.s32 q9, q9, q1\n\t"          \
  "tst %[left], #14\n\t"                \
  "vqrshrn.s32 d16, q8, #1\n\t"         \
  "vqrshrn.s32 d17, q9, #1\n\t"         \
  "bne 3" id                            \
  "f\n\t"                               \
  "vqmovun.s16 d16, q8\n"               \
  "4" id ":\n\t"
#define TRIMTAB_DETOURS(id)      \
  "1" id                         \
  ":\n\t"                        \
  "vld1.32 {d4-d5}, [%[to]]\n\t" \
  "vshl.s32 q8, q8, q2\n\t"      \
  "vshl.s32 q9, q9, q2\n\t"      \
  "b 2" id                       \
  "b\n"                          \
  "3" id                         \
  ":\n\t"                        \
  "vldr d4, [%[to], #16]\n\t"    \
  "vldr d5, [%[to], #32]\n\t"    \
  "vldr d6, [%[to], #48]\n\t"    \
  "vldr d7, [%[to], #56]\n\t"    \
  "vqadd.s16 q8, q8, q3\n\t"     \
  "tst %[left], #2\n\t"          \
  "beq 5" id                     \
  "f\n\t"                        \
  "vqmovn.s16 d16, q8\n\t"       \
  "vmax.s8 d16, d16, d4\n\t"     \
  "vmin.s8 d16, d16, d5\n\t"     \
  "b 4" id                       \
  "b\n"                          \
  "5" id                         \
  ":\n\t"                        \
  "vqmovun.s16 d16, q8\n\t"      \
  "vmax.u8 d16, d16, d4\n\t"     \
  "vmin.u8 d16, d16, d5\n\t"     \
  "b 4" id "b\n"
#define TRIMTAB_REGISTERS "memory", "cc", "q0", "q1", "q2", "q3", "q4", "q5", "q6", "q7"

/// Two windows of a panel.
inline void multiply_two(const int8_t* panel, int32_t size, const int8_t* weights, int32x4_t& first,
                         int32x4_t& second) {
  register int32x4_t a asm("q8");
  register int32x4_t b asm("q9");
  int32_t left;
  asm volatile(TRIMTAB_SUMS
               : [panel] "+&r"(panel), [weights] "+&r"(weights), [left] "=&r"(left), "=&w"(a), "=&w"(b)
               : [size] "r"(size)
               : TRIMTAB_REGISTERS, "q10", "q11", "q12", "q13", "q14", "q15");
  first = a;
  second = b;
}

inline void Products4x4::multiply(const int8_t* panel, int32_t size, const int8_t*& weights, const int32_t* start,
                                  Array<int32x4_t, windows>& sums) {
  multiply_two(panel, size, weights, sums[0], sums[1]);
  multiply_two(panel + 2 * size, size, weights, sums[2], sums[3]);
  weights += filters * size;
  const int32x4_t more = vld1q_s32(start);
#pragma GCC unroll 4
  for (int32_t i = 0; i < windows; ++i) sums[i] = vaddq_s32(sums[i], more);
}

inline void Products4x4::make_bytes(const int8_t* all_panel, int32_t size, const int8_t*& all_weights,
                                    const int32_t* constants, int32_t blocks, const Requantization& to,
                                    const Array<uint8_t*, windows>& places) {
  const int8_t* panel;
  const int8_t* weights = all_weights;
  int32_t left;
  uint8_t* place0 = places[0];
  uint8_t* place1 = places[1];
  uint8_t* place2 = places[2];
  uint8_t* place3 = places[3];
  asm volatile(
      "1:\n\t"
      "mov %[panel], %[all_panel]\n\t" TRIMTAB_SUMS TRIMTAB_OUTPUTS("1")
      "vst1.32 {d16[0]}, [%[place0]]!\n\t"
      "vst1.32 {d16[1]}, [%[place1]]!\n\t"
      "sub %[weights], %[weights], %[size], lsl #2\n\t"  // the block once more, with the windows behind
      TRIMTAB_SUMS TRIMTAB_OUTPUTS("2")
      "vst1.32 {d16[0]}, [%[place2]]!\n\t"
      "vst1.32 {d16[1]}, [%[place3]]!\n\t"
      "add %[constants], %[constants], #32\n\t"
      "subs %[blocks], %[blocks], #1\n\t"
      "bne 1b\n\t"
      "b 9f\n"
      TRIMTAB_DETOURS("1") TRIMTAB_DETOURS("2")
      "9:\n\t"
      : [panel] "=&r"(panel), [weights] "+&r"(weights), [left] "=&r"(left), [constants] "+&r"(constants),
        [blocks] "+&r"(blocks), [place0] "+&r"(place0), [place1] "+&r"(place1), [place2] "+&r"(place2),
        [place3] "+&r"(place3)
      : [all_panel] "r"(all_panel), [size] "r"(size), [to] "r"(&to)
      : TRIMTAB_REGISTERS, "q8", "q9", "q10", "q11", "q12", "q13", "q14", "q15");
  all_weights = weights;
}

#undef TRIMTAB_REGISTERS
#undef TRIMTAB_DETOURS
#undef TRIMTAB_OUTPUTS
#undef TRIMTAB_SUMS
#undef TRIMTAB_CHUNK
#undef TRIMTAB_TWO_FILTERS

#endif

inline void Products4x4::multiply_one(const int8_t* panel, int32_t size, const int8_t*& weights, const int32_t* start,
                                      int32x4_t (&sums)[1]) {
  Array<int32x4_t, filters> sum = {};
  for (; size > 0; size -= 16, panel += place_step) {
    const int8x16_t window = vld1q_s8(panel);
    Array<int8x16_t, filters> filter;
#if defined(__aarch64__)
    const int8x16x4_t four = vld1q_s8_x4(weights);
#pragma GCC unroll 4
    for (int32_t f = 0; f < filters; ++f) filter[f] = four.val[f];
#else
#pragma GCC unroll 4
    for (int32_t f = 0; f < filters; ++f) filter[f] = vld1q_s8(weights + 16 * f);
#endif
    weights += 64;
#pragma GCC unroll 4
    for (int32_t f = 0; f < filters; ++f) {
      const int16x8_t products = vmull_s8(vget_low_s8(window), vget_low_s8(filter[f]));
      sum[f] = vpadalq_s16(sum[f], vmlal_high_s8(products, window, filter[f]));
    }
  }
  sums[0] = vaddq_s32(vpaddq_s32(vpaddq_s32(sum[0], sum[1]), vpaddq_s32(sum[2], sum[3])), vld1q_s32(start));
}

}  // namespace trimtab::TRIMTAB_RUNTIME::neon

#endif
