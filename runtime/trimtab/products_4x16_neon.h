#pragma once

// Blocks of 4 x 16 sums of products of 16-bit numbers by SMLAL with a lane (AArch64). Written in assembly, since GCC 12
// spills the 16 sums of the same intrinsics.

#include "trimtab/rows.h"
#if defined(__aarch64__)

namespace trimtab::TRIMTAB_RUNTIME::neon {

// One number of one row with 16 columns, of all four rows, and eight numbers of each row.
#define TRIMTAB_ROW(operation, weights, weights2, row, lane, a, b, c, d)                                     \
  operation " v" #a ".4s, v" #weights ".4h, v" #row ".h[" #lane "]\n\t" operation "2 v" #b ".4s, v" #weights \
            ".8h, v" #row ".h[" #lane "]\n\t" operation " v" #c ".4s, v" #weights2 ".4h, v" #row ".h[" #lane \
            "]\n\t" operation "2 v" #d ".4s, v" #weights2 ".8h, v" #row ".h[" #lane "]\n\t"
#define TRIMTAB_ROWS(operation, weights, weights2, lane)             \
  TRIMTAB_ROW(operation, weights, weights2, 0, lane, 16, 17, 18, 19) \
  TRIMTAB_ROW(operation, weights, weights2, 1, lane, 20, 21, 22, 23) \
  TRIMTAB_ROW(operation, weights, weights2, 2, lane, 24, 25, 26, 27) \
  TRIMTAB_ROW(operation, weights, weights2, 3, lane, 28, 29, 30, 31)
#define TRIMTAB_WEIGHTS_A "ld1 {v4.8h-v7.8h}, [%[weights]], #64\n\t"
#define TRIMTAB_WEIGHTS_B "ld1 {v8.8h-v11.8h}, [%[weights]], #64\n\t"
#define TRIMTAB_EIGHT(first)                                                                                           \
  "ld1 {v0.8h-v3.8h}, [%[rows]], #64\n\t" TRIMTAB_WEIGHTS_A TRIMTAB_WEIGHTS_B TRIMTAB_ROWS(first, 4, 5, 0)             \
      TRIMTAB_ROWS("smlal", 6, 7, 1) TRIMTAB_WEIGHTS_A TRIMTAB_ROWS("smlal", 8, 9, 2) TRIMTAB_ROWS("smlal", 10, 11, 3) \
          TRIMTAB_WEIGHTS_B TRIMTAB_ROWS("smlal", 4, 5, 4) TRIMTAB_ROWS("smlal", 6, 7, 5)                              \
              TRIMTAB_ROWS("smlal", 8, 9, 6) TRIMTAB_ROWS("smlal", 10, 11, 7)

/// Of `blocks` blocks one after the other: rows {block, size / 8, 4, 8} and the weights {size, 16} of all blocks make
/// the sums {block, 4, 16}. `size` is a multiple of 8.
inline void multiply_4x16(const int16_t* rows, const int16_t* all_weights, int32_t size, int32_t blocks,
                          int32_t* sums) {
  const int16_t* weights;
  int32_t left;
  asm volatile(
      "1:\n\t"
      "mov %[weights], %[all_weights]\n\t"
      "subs %w[left], %w[size], #8\n\t"
      TRIMTAB_EIGHT("smull")
      "b.eq 3f\n"
      "2:\n\t"
      "subs %w[left], %w[left], #8\n\t"
      TRIMTAB_EIGHT("smlal")
      "b.ne 2b\n"
      "3:\n\t"
      "st1 {v16.4s-v19.4s}, [%[sums]], #64\n\t"
      "st1 {v20.4s-v23.4s}, [%[sums]], #64\n\t"
      "st1 {v24.4s-v27.4s}, [%[sums]], #64\n\t"
      "st1 {v28.4s-v31.4s}, [%[sums]], #64\n\t"
      "subs %w[blocks], %w[blocks], #1\n\t"
      "b.ne 1b\n\t"
      : [rows] "+&r"(rows), [weights] "=&r"(weights), [left] "=&r"(left), [sums] "+&r"(sums), [blocks] "+&r"(blocks)
      : [all_weights] "r"(all_weights), [size] "r"(size)
      : "memory", "cc", "v0", "v1", "v2", "v3", "v4", "v5", "v6", "v7", "v8", "v9", "v10", "v11", "v16", "v17", "v18",
        "v19", "v20", "v21", "v22", "v23", "v24", "v25", "v26", "v27", "v28", "v29", "v30", "v31");
}

#undef TRIMTAB_EIGHT
#undef TRIMTAB_WEIGHTS_B
#undef TRIMTAB_WEIGHTS_A
#undef TRIMTAB_ROWS
#undef TRIMTAB_ROW

}  // namespace trimtab::TRIMTAB_RUNTIME::neon

#endif
