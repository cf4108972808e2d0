#pragma once

// Blocks of 4 windows x 4 filters by SMULL, SMLAL and SADALP: two products of bytes fit 16 bits where no pair of them
// is (-128)^2 twice. AArch64 keeps all 16 sums in registers, the 32-bit state those of two windows at a time. Written
// in assembly: of the same intrinsics GCC 12 spills the sums on AArch64, and loads with an address each in the 32-bit
// state. Eight chains of products are in flight, or four: an in-order core waits for each product otherwise.

#include "trimtab/rows.h"
#if defined(__ARM_NEON)
#include "trimtab/neon.h"

namespace trimtab::TRIMTAB_RUNTIME::neon {

/// How windows and filters lie for these blocks, and their products. Other blocks have the same functions.
struct Products4x4 {
  static constexpr int32_t windows = 4;
  static constexpr int32_t panel_windows = 4;  // that a panel has room for
  static constexpr int32_t filters = 4;

  /// Writes 16 bytes of each window from byte `k` on into a panel of windows of `size` bytes.
  static void store(int8_t* panel, int32_t /*size*/, int32_t k, const Array<int8x16_t, windows>& bytes) {
#pragma GCC unroll 4
    for (int32_t i = 0; i < windows; ++i) vst1q_s8(panel + 4 * k + 16 * i, bytes[i]);
  }

  /// The sums of the products of `size` bytes (a multiple of 16): sums[i] those of window i with all filters. `weights`
  /// goes on to the next block.
  static void multiply(const int8_t* panel, int32_t size, const int8_t*& weights, Array<int32x4_t, windows>& sums);
  /// The same for the first window alone.
  static void multiply_one(const int8_t* panel, int32_t size, const int8_t*& weights, int32x4_t (&sums)[1]);

  /// The sum of the bytes of each window.
  static void sum_windows(const int8_t* panel, int32_t size, Array<int32_t, windows>& sums) { sum(panel, size, sums); }
  /// The sum of each filter of a block.
  static void sum_filters(const int8_t* block, int32_t size, int32_t* sums) { sum(block, size, sums); }

 private:
  static void sum(const int8_t* vectors, int32_t size, int32_t* sums) {
    for (int32_t i = 0; i < 4; ++i) {
      int32x4_t sum = vdupq_n_s32(0);
      for (int32_t k = 0; k < size; k += 16) sum = vpadalq_s16(sum, vpaddlq_s8(vld1q_s8(vectors + 4 * k + 16 * i)));
      sums[i] = vaddvq_s32(sum);
    }
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

inline void Products4x4::multiply(const int8_t* panel, int32_t size, const int8_t*& weights,
                                  Array<int32x4_t, windows>& sums) {
  register int32x4_t first asm("v16");
  register int32x4_t second asm("v20");
  register int32x4_t third asm("v24");
  register int32x4_t fourth asm("v28");
  int32_t left = size - 16;
  // the first chunk makes the sums; then one where their number is even, so that the loop takes two
  asm volatile(TRIMTAB_CHUNK("saddlp")
               "cbz %w[left], 3f\n\t"
               "tbz %w[left], #4, 2f\n\t"
               "subs %w[left], %w[left], #16\n\t"
               TRIMTAB_CHUNK("sadalp")
               "b.eq 3f\n"
               "2:\n\t"
               "subs %w[left], %w[left], #32\n\t"
               TRIMTAB_CHUNK("sadalp")
               TRIMTAB_CHUNK("sadalp")
               "b.ne 2b\n"
               "3:\n\t"
               TRIMTAB_REDUCE(16, 17, 18, 19)
               TRIMTAB_REDUCE(20, 21, 22, 23)
               TRIMTAB_REDUCE(24, 25, 26, 27)
               TRIMTAB_REDUCE(28, 29, 30, 31)
               : [panel] "+&r"(panel), [weights] "+&r"(weights), [left] "+&r"(left), "=w"(first), "=w"(second),
                 "=w"(third), "=w"(fourth)
               :
               : "memory", "cc", "v0", "v1", "v2", "v3", "v4", "v5", "v6", "v7", "v8", "v9", "v10", "v11", "v12", "v13",
                 "v14", "v15", "v17", "v18", "v19", "v21", "v22", "v23", "v25", "v26", "v27", "v29", "v30", "v31");
  sums[0] = first;
  sums[1] = second;
  sums[2] = third;
  sums[3] = fourth;
}

#undef TRIMTAB_REDUCE
#undef TRIMTAB_CHUNK
#undef TRIMTAB_TWO_FILTERS
#undef TRIMTAB_SUM_B
#undef TRIMTAB_SUM_A
#undef TRIMTAB_B
#undef TRIMTAB_A

#else

// 16 bytes of two windows (q0 and q1) with two filters (q2 and q3).
#define TRIMTAB_TWO_FILTERS(a, b, c, d) \
  "vld1.8 {d4-d7}, [%[weights]]!\n\t"   \
  "vmull.s8 q4, d0, d4\n\t"             \
  "vmull.s8 q5, d2, d4\n\t"             \
  "vmull.s8 q6, d0, d6\n\t"             \
  "vmull.s8 q7, d2, d6\n\t"             \
  "vmlal.s8 q4, d1, d5\n\t"             \
  "vmlal.s8 q5, d3, d5\n\t"             \
  "vmlal.s8 q6, d1, d7\n\t"             \
  "vmlal.s8 q7, d3, d7\n\t"             \
  "vpadal.s16 %q[" #a                   \
  "], q4\n\t"                           \
  "vpadal.s16 %q[" #b                   \
  "], q5\n\t"                           \
  "vpadal.s16 %q[" #c                   \
  "], q6\n\t"                           \
  "vpadal.s16 %q[" #d "], q7\n\t"

/// Two windows of a panel.
inline void multiply_two(const int8_t* panel, int32_t size, const int8_t* weights, int32x4_t& first,
                         int32x4_t& second) {
  int32x4_t a0 = vdupq_n_s32(0), a1 = a0, a2 = a0, a3 = a0, b0 = a0, b1 = a0, b2 = a0, b3 = a0;
  asm volatile(
      "1:\n\t"
      "vld1.8 {d0-d3}, [%[panel]], %[step]\n\t"
      "subs %[size], %[size], #16\n\t" TRIMTAB_TWO_FILTERS(a0, b0, a1, b1) TRIMTAB_TWO_FILTERS(a2, b2, a3, b3) "bne 1b"
      : [panel] "+&r"(panel), [weights] "+&r"(weights), [size] "+&r"(size), [a0] "+w"(a0), [a1] "+w"(a1), [a2] "+w"(a2),
        [a3] "+w"(a3), [b0] "+w"(b0), [b1] "+w"(b1), [b2] "+w"(b2), [b3] "+w"(b3)
      : [step] "r"(64)
      : "memory", "cc", "q0", "q1", "q2", "q3", "q4", "q5", "q6", "q7");
  first = vpaddq_s32(vpaddq_s32(a0, a1), vpaddq_s32(a2, a3));
  second = vpaddq_s32(vpaddq_s32(b0, b1), vpaddq_s32(b2, b3));
}

#undef TRIMTAB_TWO_FILTERS

inline void Products4x4::multiply(const int8_t* panel, int32_t size, const int8_t*& weights,
                                  Array<int32x4_t, windows>& sums) {
  multiply_two(panel, size, weights, sums[0], sums[1]);
  multiply_two(panel + 32, size, weights, sums[2], sums[3]);
  weights += filters * size;
}

#endif

inline void Products4x4::multiply_one(const int8_t* panel, int32_t size, const int8_t*& weights, int32x4_t (&sums)[1]) {
  Array<int32x4_t, filters> sum = {};
  for (; size > 0; size -= 16, panel += 64) {
    const int8x16_t window = vld1q_s8(panel);
#pragma GCC unroll 4
    for (int32_t f = 0; f < filters; ++f, weights += 16) {
      const int8x16_t filter = vld1q_s8(weights);
      const int16x8_t products = vmull_s8(vget_low_s8(window), vget_low_s8(filter));
      sum[f] = vpadalq_s16(sum[f], vmlal_high_s8(products, window, filter));
    }
  }
  sums[0] = vpaddq_s32(vpaddq_s32(sum[0], sum[1]), vpaddq_s32(sum[2], sum[3]));
}

}  // namespace trimtab::TRIMTAB_RUNTIME::neon

#endif
