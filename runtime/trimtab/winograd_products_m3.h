#pragma once

// The products of a convolution by Winograd's F(m,k) (winograd_tiles.h) on cores that multiply one product at a time:
// at each of the m + k - 1 points four pixels times two filters.
//
// A word holds the inputs of two channels as the integer a + 2^16 * b, where a has been made positive by adding
// `input_offset`. So b is the word shifted right by 16, and modulo 2^32
//     a * w + b * v = word * w + b * (v - 2^16 * w)
// which multiplies the word as it was loaded: of the two weights, w and v - 2^16 * w are kept. The sums start from
// -input_offset * (the sum of all w). So transformed inputs take 16 bits, and a pair of inputs, which are 16 products,
// takes 4 LDRD, 4 LDRSH and 16 MLA on the Cortex-M3; on the Cortex-M0+ the 16 products take 50 instructions.
//
// Inputs and weights lie point by point inside every pair: of pair k, pixel p of point i is word 4 * (points * k + i) +
// p, and so are the four weights, in the order of point_weight().

#include "trimtab/arithmetic_rv32.h"
#include "trimtab/dsp.h"

namespace trimtab::TRIMTAB_RUNTIME::detail {

constexpr uint32_t input_offset = 1U << 15;

#if defined(__ARM_ARCH_6M__)
/// Where w (`half` 0) and v - 2^16 * w (1) of a filter stand among four.
constexpr int32_t point_weight(int32_t filter, int32_t half) { return 2 * filter + half; }
#else
constexpr int32_t point_weight(int32_t filter, int32_t half) { return filter + 2 * half; }
#endif

/// What multiply_points_m3() works on. The assembly knows the order of the members.
template <int Points>
struct PointSums {
  const uint32_t* inputs;             // 0: of the first pixels' first point
  const uint32_t* weights;            // 4
  int32_t bytes;                      // 8: of the weights of all points
  Array<uint32_t, 2 * Points> start;  // 12: by point: filter 0, filter 1
  Array<int32_t, 8 * Points> sums;    // by point: filter 0, pixels 0 to 3, filter 1
};

// `Pairs`: what pairs are a multiple of.
#if defined(__ARM_ARCH_7M__)

constexpr int32_t point_pairs_unrolled(int32_t pairs) {
#if defined(__OPTIMIZE_SIZE__)
  return pairs % 2 == 0 ? 2 : pairs;
#else
  return pairs == 10 ? 5 : pairs;
#endif
}

/// Overwrites the sums of all points: 18 instructions for each beside those of the pairs and 3 at the end of every
/// loop.
template <int Points, int Pairs>
__attribute__((naked, noinline)) inline void multiply_points_m3(PointSums<Points>* /*sums*/) {
  asm volatile(
      "push {r4-r11, lr}\n\t"
      "sub sp, #20\n\t"
      "ldm r0!, {r1, r2, r7}\n\t"
      "add r3, r0, %[start_bytes]\n\t"
      "mov r4, r0\n\t"
      "sub r5, r7, #16\n\t"
      "add r6, r3, %[sums_bytes]\n\t"
      "sub r0, r1, %[step]\n\t"  // loads move the pointers before they read
      "sub r1, r2, %[step]\n\t"
      "adds r2, r1, r7\n\t"
      "stm sp, {r2-r6}\n"  // end of the point's weights, sums, starts, from the end of a point to the next, end of sums
      "1:\n\t"
      "ldr r12, [sp, #8]\n\t"
      "ldrd r4, r8, [r12], #8\n\t"
      "str r12, [sp, #8]\n\t"
      "mov r5, r4\n\t"
      "mov r6, r4\n\t"
      "mov r7, r4\n\t"
      "mov r9, r8\n\t"
      "mov r10, r8\n\t"
      "mov r11, r8\n"
      "2:\n\t"
      ".rept %c[unroll]\n\t"
      "ldrd r2, r3, [r1, %[step]]!\n\t"
      "ldrd r12, lr, [r0, %[step]]!\n\t"
      "mla r4, r12, r2, r4\n\t"
      "mla r8, r12, r3, r8\n\t"
      "mla r5, lr, r2, r5\n\t"
      "mla r9, lr, r3, r9\n\t"
      "ldrd r12, lr, [r0, #8]\n\t"
      "mla r6, r12, r2, r6\n\t"
      "mla r10, r12, r3, r10\n\t"
      "mla r7, lr, r2, r7\n\t"
      "mla r11, lr, r3, r11\n\t"
      "ldrd r2, r3, [r1, #8]\n\t"
      "ldrsh r12, [r0, #2]\n\t"
      "ldrsh lr, [r0, #6]\n\t"
      "mla r4, r12, r2, r4\n\t"
      "mla r8, r12, r3, r8\n\t"
      "mla r5, lr, r2, r5\n\t"
      "mla r9, lr, r3, r9\n\t"
      "ldrsh r12, [r0, #10]\n\t"
      "ldrsh lr, [r0, #14]\n\t"
      "mla r6, r12, r2, r6\n\t"
      "mla r10, r12, r3, r10\n\t"
      "mla r7, lr, r2, r7\n\t"
      "mla r11, lr, r3, r11\n\t"
      ".endr\n\t"
      "ldr r2, [sp]\n\t"
      "cmp r1, r2\n\t"
      "bne.w 2b\n\t"
      "adds r2, #16\n\t"
      "ldr lr, [sp, #4]\n\t"
      "stm lr!, {r4-r11}\n\t"
      "strd r2, lr, [sp]\n\t"
      "ldrd r2, r3, [sp, #12]\n\t"
      "subs r0, r0, r2\n\t"
      "subs r1, r1, r2\n\t"
      "cmp lr, r3\n\t"
      "bne.w 1b\n\t"
      "add sp, #20\n\t"
      "pop {r4-r11, pc}\n"
      :
      : [start_bytes] "i"(8 * Points), [sums_bytes] "i"(32 * Points), [step] "i"(16 * Points),
        [unroll] "i"(point_pairs_unrolled(Pairs)));
}

#elif defined(__riscv) && !defined(__OPTIMIZE_SIZE__)

/// The products of a point's four pixels and both filters: eight sums, a word and its half, and four weights stay in
/// registers. A pair takes 45 instructions.
template <int Points, int Pairs>
__attribute__((noinline)) inline void multiply_points_m3(PointSums<Points>* sums) {
  const uint32_t* inputs = sums->inputs;
  const uint32_t* weights = sums->weights;
  const int32_t words = sums->bytes / 4;
  int32_t* to = sums->sums;
  for (const uint32_t* start = sums->start; start != sums->start + 2 * Points; start += 2, to += 8) {
    const uint32_t* input = inputs;
    const uint32_t* weight = weights;
    const uint32_t* const end = weights + words;
    Array<uint32_t, 8> totals;
#pragma GCC unroll 4
    for (int p = 0; p < 4; ++p) {
      totals[p] = start[0];
      totals[4 + p] = start[1];
    }
    for (; weight != end; weight += 8 * Points, input += 8 * Points) {
#pragma GCC unroll 2
      for (int pair = 0; pair < 2; ++pair) {
        const uint32_t low0 = weight[4 * Points * pair + point_weight(0, 0)];
        const uint32_t low1 = weight[4 * Points * pair + point_weight(1, 0)];
        const uint32_t high0 = weight[4 * Points * pair + point_weight(0, 1)];
        const uint32_t high1 = weight[4 * Points * pair + point_weight(1, 1)];
#pragma GCC unroll 4
        for (int p = 0; p < 4; ++p) {
          const uint32_t word = input[4 * Points * pair + p];
          add_product(totals[p], word, low0);
          add_product(totals[4 + p], word, low1);
          const auto half = static_cast<uint32_t>(dsp::high_half(word));
          add_product(totals[p], half, high0);
          add_product(totals[4 + p], half, high1);
        }
      }
    }
#pragma GCC unroll 8
    for (int i = 0; i < 8; ++i) to[i] = static_cast<int32_t>(totals[i]);
    inputs += 4;
    weights += 4;
  }
}

#else

/// sums[p] = start + the products of a point's four pixels and one filter.
template <int Points, int Pairs>
inline void multiply_filter(const uint32_t* inputs, const uint32_t* weights, const uint32_t* weights_end,
                            uint32_t start, int32_t* sums) {
#if defined(__ARM_ARCH_6M__) && !defined(__OPTIMIZE_SIZE__)
  // Sums stay in high registers, which an ADD reaches (see sum_4x2_m3.h). A short jump spans three pairs.
  register const uint32_t* r0 asm("r0") = inputs;
  register const uint32_t* r1 asm("r1") = weights;
  register const uint32_t* end asm("r12") = weights_end;
  register uint32_t r2 asm("r2") = start;
  register int32_t* to asm("lr") = sums;
  asm volatile(
      ".syntax unified\n\t"
      "mov r8, r2\n\t"
      "mov r9, r2\n\t"
      "mov r10, r2\n\t"
      "mov r11, r2\n"
      "1:\n\t"
      ".rept %c[unroll]\n\t"
      "ldm r1!, {r6, r7}\n\t"
      "adds r1, %[weights_step]\n\t"
      "ldm r0!, {r2, r3}\n\t"
      "asrs r4, r2, #16\n\t"
      "asrs r5, r3, #16\n\t"
      "muls r2, r6\n\t"
      "muls r3, r6\n\t"
      "muls r4, r7\n\t"
      "muls r5, r7\n\t"
      "add r8, r2\n\t"
      "add r9, r3\n\t"
      "add r8, r4\n\t"
      "add r9, r5\n\t"
      "ldm r0!, {r2, r3}\n\t"
      "adds r0, %[inputs_step]\n\t"
      "asrs r4, r2, #16\n\t"
      "asrs r5, r3, #16\n\t"
      "muls r2, r6\n\t"
      "muls r3, r6\n\t"
      "muls r4, r7\n\t"
      "muls r5, r7\n\t"
      "add r10, r2\n\t"
      "add r11, r3\n\t"
      "add r10, r4\n\t"
      "add r11, r5\n\t"
      ".endr\n\t"
      "cmp r1, r12\n\t"
      "bne 1b\n\t"
      "mov r2, lr\n\t"
      "mov r4, r8\n\t"
      "mov r5, r9\n\t"
      "mov r6, r10\n\t"
      "mov r7, r11\n\t"
      "stm r2!, {r4-r7}\n"
      : "+r"(r0), "+r"(r1), "+r"(r2)
      : "r"(end), "r"(to), [weights_step] "i"(16 * Points - 8), [inputs_step] "i"(16 * Points - 16),
        [unroll] "i"(Pairs % 3 == 0 ? 3 : 2)
      : "r3", "r4", "r5", "r6", "r7", "r8", "r9", "r10", "r11", "cc", "memory");
#else
  for (int32_t p = 0; p < 4; ++p) {
    uint32_t sum = start;
    const uint32_t* word = inputs + p;
    for (const uint32_t* weight = weights; weight != weights_end; weight += 4 * Points, word += 4 * Points) {
      sum += *word * weight[0] + static_cast<uint32_t>(dsp::high_half(*word)) * weight[point_weight(0, 1)];
    }
    sums[p] = static_cast<int32_t>(sum);
  }
#endif
}

template <int Points, int Pairs>
__attribute__((noinline)) inline void multiply_points_m3(PointSums<Points>* sums) {
  const uint32_t* inputs = sums->inputs;
  const uint32_t* weights = sums->weights;
  int32_t* to = sums->sums;
  for (const uint32_t* start = sums->start; start != sums->start + 2 * Points; start += 2) {
    for (int32_t filter = 0; filter < 2; ++filter, to += 4) {
      const uint32_t* const first = weights + point_weight(filter, 0);
      multiply_filter<Points, Pairs>(inputs, first, first + sums->bytes / 4, start[filter], to);
    }
    inputs += 4;
    weights += 4;
  }
}

#endif

}  // namespace trimtab::TRIMTAB_RUNTIME::detail
