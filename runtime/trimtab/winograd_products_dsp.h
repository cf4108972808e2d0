#pragma once

// The products of a convolution by Winograd's F(m,3) (convolution_winograd_dsp.h): at each of its m + 2 points four
// pixels times two filters, all of them transformed numbers of 16 bits. Per pair of inputs a point takes three LDRD and
// eight SMLAD: 11 instructions for 16 products, or 14 with TRIMTAB_CHAINED_LOADS, in a cycle less. Inputs and weights
// lie point by point inside every pair, so that the transforms write all points of a pair at constant offsets: of pair
// k, pixel p of point i is word 4 * (points * k + i) + p, and filter f of point i word 2 * (points * k + i) + f.

#include "trimtab/dsp.h"
#include "trimtab/multiply_4x2_dsp.h"

namespace trimtab::TRIMTAB_RUNTIME::detail {

// The unrolled loop takes 44 bytes of code per pair, with TRIMTAB_CHAINED_LOADS 56. Its end takes three instructions.
#if defined(__OPTIMIZE_SIZE__)
#define TRIMTAB_POINTS_UNROLL 4
#else
#define TRIMTAB_POINTS_UNROLL 8
#endif

#if TRIMTAB_CHAINED_LOADS
#define TRIMTAB_LOAD_POINT_01                                    \
  "ldr.w r3, [r1, #4]\n\t ldr.w r2, [r1], #%c[weights_step]\n\t" \
  "ldr.w lr, [r0, #4]\n\t ldr.w r12, [r0], #%c[inputs_step] + 8\n\t"
#define TRIMTAB_LOAD_POINT_23 "ldr.w r12, [r0, #-%c[inputs_step]]\n\t ldr.w lr, [r0, #4 - %c[inputs_step]]\n\t"
#else
#define TRIMTAB_LOAD_POINT_01 "ldrd r2, r3, [r1], #%c[weights_step]\n\t ldrd r12, lr, [r0], #8\n\t"
#define TRIMTAB_LOAD_POINT_23 "ldrd r12, lr, [r0], #%c[inputs_step]\n\t"
#endif

constexpr int32_t point_pair_bytes = TRIMTAB_CHAINED_LOADS ? 56 : 44;

/// What multiply_points() works on. The assembly knows the order of the members.
template <int Points>
struct PointProducts {
  const uint32_t* inputs;   // 0: of the first pixels' first point
  const uint32_t* weights;  // 4
  int32_t weight_bytes;     // 8: of all points
  int32_t skip;             // 12: bytes of the unrolled loop to be skipped on entry, so that no pair is left over
  Array<int32_t, 8 * Points> sums;  // 16: by point: filter 0, pixels 0 to 3, filter 1

  /// For filters of `pairs` pairs, two at least.
  void set_pairs(int32_t pairs) {
    weight_bytes = 8 * Points * pairs;
    skip = (TRIMTAB_POINTS_UNROLL - 1 - (pairs - 2) % TRIMTAB_POINTS_UNROLL) * point_pair_bytes;
  }
};

#if TRIMTAB_HAS_DSP && defined(__arm__)

/// Overwrites the sums of all points: 27 instructions beside those of a point, which are 16, the 11 per pair of inputs
/// and the loop's 3. (The operands of the assembly are constants: nothing may be kept in registers here.)
template <int Points>
__attribute__((naked, noinline)) inline void multiply_points(PointProducts<Points>* /*products*/) {
  asm volatile(
      "push {r4-r11, lr}\n\t"
      "sub sp, #28\n\t"
      "ldm r0!, {r1, r2, r3, r4}\n\t"
      "add lr, r0, %[sums_bytes]\n\t"
      "mov r12, r0\n\t"
      "mov r0, r1\n\t"
      "mov r1, r2\n\t"
      "adds r2, r1, r3\n\t"
      "stm sp, {r2, r12, lr}\n\t"  // end of the point's weights, sums, their end
      "lsls r2, r3, #1\n\t"
      "subs r2, #16\n\t"
      "subs r3, #8\n\t"
      "strd r2, r3, [sp, #12]\n\t"  // from the end of a point back to the next
      "str r4, [sp, #20]\n"
      "1:\n\t" TRIMTAB_LOAD_POINT_01
      "smuad r4, r12, r2\n\t"
      "smuad r8, r12, r3\n\t"
      "smuad r5, lr, r2\n\t"
      "smuad r9, lr, r3\n\t" TRIMTAB_LOAD_POINT_23
      "smuad r6, r12, r2\n\t"
      "smuad r10, r12, r3\n\t"
      "smuad r7, lr, r2\n\t"
      "smuad r11, lr, r3\n\t"
      "ldr.w r2, [sp, #20]\n\t"  // of 32 bits, so that no NOP aligns the jump
      ".balign 4\n\t"
      "add pc, r2\n\t"
      "nop\n"
      "2:\n\t"
      ".rept " TRIMTAB_STRING(TRIMTAB_POINTS_UNROLL) "\n\t" TRIMTAB_LOAD_POINT_01
                                                     "smlad r4, r12, r2, r4\n\t"
                                                     "smlad r8, r12, r3, r8\n\t"
                                                     "smlad r5, lr, r2, r5\n\t"
                                                     "smlad r9, lr, r3, r9\n\t" TRIMTAB_LOAD_POINT_23
                                                     "smlad r6, r12, r2, r6\n\t"
                                                     "smlad r10, r12, r3, r10\n\t"
                                                     "smlad r7, lr, r2, r7\n\t"
                                                     "smlad r11, lr, r3, r11\n\t"
                                                     ".endr\n\t"
                                                     "ldr r2, [sp]\n\t"
                                                     "cmp r1, r2\n\t"
                                                     "bne.w 2b\n\t"
                                                     "adds r2, #8\n\t"
                                                     "ldr r12, [sp, #4]\n\t"
                                                     "stm r12!, {r4-r11}\n\t"
                                                     "strd r2, r12, [sp]\n\t"
                                                     "ldr r4, [sp, #8]\n\t"
                                                     "ldrd r2, r3, [sp, #12]\n\t"
                                                     "subs r0, r0, r2\n\t"
                                                     "subs r1, r1, r3\n\t"
                                                     "cmp r12, r4\n\t"
                                                     "bne.w 1b\n\t"
                                                     "add sp, #28\n\t"
                                                     "pop {r4-r11, pc}\n"
      :
      : [sums_bytes] "i"(32 * Points), [weights_step] "i"(8 * Points), [inputs_step] "i"(16 * Points - 8));
}

#else

template <int Points>
inline void multiply_points(PointProducts<Points>* products) {
  const int32_t pairs = products->weight_bytes / (8 * Points);
  for (int32_t point = 0; point < Points; ++point) {
    int32_t* const sums = products->sums + 8 * point;
    for (int32_t i = 0; i < 8; ++i) sums[i] = 0;
    for (int32_t k = 0; k < pairs; ++k) {
      const uint32_t* const inputs = products->inputs + 4 * (Points * k + point);
      const uint32_t* const weights = products->weights + 2 * (Points * k + point);
      for (int32_t i = 0; i < 8; ++i) sums[i] = dsp::smlad(inputs[i % 4], weights[i / 4], sums[i]);
    }
  }
}

#endif

}  // namespace trimtab::TRIMTAB_RUNTIME::detail
