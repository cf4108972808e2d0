#pragma once

// The inner loop of convolution_8_4x2_mve.h: filters two by two over the windows of four pixels, 16 products per
// VMLADAVA. Only for cores with MVE (Armv8.1-M).

#include <arm_mve.h>

#include "trimtab/nested_weights.h"

namespace trimtab::TRIMTAB_RUNTIME::detail {

/// The pointers of a run over `pairs` pairs of filters reads and writes; it moves weights, bias, multiplier and output
/// on.
struct MveRun {
  const int8_t* windows[4];   // 0: of the pixels, `chunks` times 16 bytes each
  const int8_t* weights;      // 16: 16 numbers of the one filter, 16 of the other, in turn
  int32_t chunks;             // 20: > 0
  const int32_t* bias;        // 24
  const int32_t* multiplier;  // 28
  uint8_t* output;            // 32
  int32_t pairs;              // 36: > 0
  int32_t shift;              // 40
  int32_t zero;               // 44: the output's zero point; the nested have none
  int32_t minimum;            // 48
  int32_t maximum;            // 52
  uint32_t constants[4];      // 56: offsets of bias and multiplier: filters 0, 1, 0, 1
  uint32_t places[8];         // 72: offsets of the outputs: pixel 0 filters 0 and 1, pixel 1 ...
};

// Sums of pixels 0 to 3: r0, r2, r4, r6 for the first filter, r8, r10, r12, lr for the second.
#define TRIMTAB_LOAD_CHUNK                                                                          \
  "vldrb.8 q4, [r9], #16\n vldrb.8 q0, [r1], #16\n vldrb.8 q5, [r9], #16\n vldrb.8 q1, [r3], #16\n" \
  "vldrb.8 q2, [r5], #16\n vldrb.8 q3, [r7], #16\n"
#define TRIMTAB_MULTIPLY(operation)                                                                                  \
  operation " r0, q0, q4\n" operation " r8, q0, q5\n" operation " r2, q1, q4\n" operation " r10, q1, q5\n" operation \
            " r4, q2, q4\n" operation " r12, q2, q5\n" operation " r6, q3, q4\n" operation " lr, q3, q5\n"
#define TRIMTAB_CHUNK TRIMTAB_LOAD_CHUNK TRIMTAB_MULTIPLY("vmladava.s8")

__attribute__((noinline)) inline void run_filters_4x2_mve(MveRun& run) {
  register MveRun* r0 asm("r0") = &run;
  asm volatile(
      "push {r0}\n"
      "ldr r1, [r0, #48]\n vdup.32 q6, r1\n ldr r1, [r0, #52]\n vdup.32 q7, r1\n ldr r9, [r0, #16]\n"
      // a pair of filters
      "2:\n ldrd r1, r3, [r0]\n ldrd r5, r7, [r0, #8]\n ldr r11, [r0, #20]\n"
      TRIMTAB_LOAD_CHUNK TRIMTAB_MULTIPLY("vmladav.s8")
      "subs r11, #3\n blt 3f\n"
      "1:\n" TRIMTAB_CHUNK TRIMTAB_CHUNK
      "subs r11, #2\n bge 1b\n"
      "3:\n adds r11, #1\n bne 4f\n" TRIMTAB_CHUNK
      // filters 0, 1, 0, 1 of pixels 0, 0, 1, 1 and 2, 2, 3, 3
      "4:\n vmov q0[2], q0[0], r0, r2\n vmov q0[3], q0[1], r8, r10\n"
      "vmov q1[2], q1[0], r4, r6\n vmov q1[3], q1[1], r12, lr\n"
      "ldr r0, [sp]\n ldrd r1, r3, [r0, #24]\n"
      "vldrw.32 q4, [r0, #56]\n vldrw.u32 q2, [r1, q4]\n vldrw.u32 q3, [r3, q4]\n"
      "ldrd r4, r6, [r0, #32]\n ldrd r2, r5, [r0, #40]\n"
      "vadd.i32 q0, q0, q2\n vadd.i32 q1, q1, q2\n vshl.s32 q0, r2\n vshl.s32 q1, r2\n"
      "vrmulh.s32 q0, q0, q3\n vrmulh.s32 q1, q1, q3\n"
      "cbz r5, 5f\n vadd.i32 q0, q0, r5\n vadd.i32 q1, q1, r5\n"
      "5:\n vmax.s32 q0, q0, q6\n vmax.s32 q1, q1, q6\n vmin.s32 q0, q0, q7\n vmin.s32 q1, q1, q7\n"
      "vldrw.32 q4, [r0, #72]\n vldrw.32 q5, [r0, #88]\n vstrb.32 q0, [r4, q4]\n vstrb.32 q1, [r4, q5]\n"
      "adds r1, #8\n adds r3, #8\n strd r1, r3, [r0, #24]\n"
      "adds r4, #2\n subs r6, #1\n strd r4, r6, [r0, #32]\n bne 2b\n"
      "str r9, [r0, #16]\n add sp, #4\n"
      : "+r"(r0)
      :
      : "r1", "r2", "r3", "r4", "r5", "r6", "r7", "r8", "r9", "r10", "r11", "r12", "lr", "q0", "q1", "q2", "q3", "q4",
        "q5", "q6", "q7", "cc", "memory");
}

/// The same for nested weights (nested_weights.h). What the mask leaves of the stored bytes is 2^(8 - bits) times the
/// digits; its products are shifted by so much less than bias and activations.
struct NestedMveRun : MveRun {
  uint32_t mask;           // 104
  int32_t product_shift;   // 108: to the left; negative: to the right
  int32_t activations[8];  // 112: sums of the pixels 0, 0, 1, 1, 2, 2, 3, 3, shifted like the bias
};

#define TRIMTAB_LOAD_MASKED_CHUNK                                                                                     \
  "vldrb.8 q4, [r9], #16\n vldrb.8 q0, [r1], #16\n vand q4, q4, q7\n vldrb.8 q5, [r9], #16\n vldrb.8 q1, [r3], #16\n" \
  "vand q5, q5, q7\n vldrb.8 q2, [r5], #16\n vldrb.8 q3, [r7], #16\n"
#define TRIMTAB_MASKED_CHUNK TRIMTAB_LOAD_MASKED_CHUNK TRIMTAB_MULTIPLY("vmladava.s8")

__attribute__((noinline)) inline void run_nested_filters_4x2_mve(NestedMveRun& run) {
  register NestedMveRun* r0 asm("r0") = &run;
  asm volatile(
      "push {r0}\n"
      "ldr r1, [r0, #48]\n vdup.32 q6, r1\n ldr r9, [r0, #16]\n"
      // a pair of filters
      "2:\n ldr r1, [r0, #104]\n vdup.32 q7, r1\n ldrd r1, r3, [r0]\n ldrd r5, r7, [r0, #8]\n ldr r11, [r0, #20]\n"
      TRIMTAB_LOAD_MASKED_CHUNK TRIMTAB_MULTIPLY("vmladav.s8")
      "subs r11, #3\n blt 3f\n"
      "1:\n" TRIMTAB_MASKED_CHUNK TRIMTAB_MASKED_CHUNK
      "subs r11, #2\n bge 1b\n"
      "3:\n adds r11, #1\n bne 4f\n" TRIMTAB_MASKED_CHUNK
      // filters 0, 1, 0, 1 of pixels 0, 0, 1, 1 and 2, 2, 3, 3
      "4:\n vmov q0[2], q0[0], r0, r2\n vmov q0[3], q0[1], r8, r10\n"
      "vmov q1[2], q1[0], r4, r6\n vmov q1[3], q1[1], r12, lr\n"
      "ldr r0, [sp]\n ldrd r1, r3, [r0, #24]\n ldr r2, [r0, #108]\n vshl.s32 q0, r2\n vshl.s32 q1, r2\n"
      "vldrw.32 q4, [r0, #56]\n vldrw.u32 q2, [r1, q4]\n vldrw.u32 q3, [r3, q4]\n"
      "ldrd r4, r6, [r0, #32]\n ldr r2, [r0, #40]\n vshl.s32 q2, r2\n"
      "vldrw.32 q4, [r0, #112]\n vldrw.32 q5, [r0, #128]\n"
      "vadd.i32 q0, q0, q2\n vadd.i32 q1, q1, q2\n vadd.i32 q0, q0, q4\n vadd.i32 q1, q1, q5\n"
      "ldr r2, [r0, #52]\n vdup.32 q7, r2\n"
      "vrmulh.s32 q0, q0, q3\n vrmulh.s32 q1, q1, q3\n"
      "vmax.s32 q0, q0, q6\n vmax.s32 q1, q1, q6\n vmin.s32 q0, q0, q7\n vmin.s32 q1, q1, q7\n"
      "vldrw.32 q4, [r0, #72]\n vldrw.32 q5, [r0, #88]\n vstrb.32 q0, [r4, q4]\n vstrb.32 q1, [r4, q5]\n"
      "adds r1, #8\n adds r3, #8\n strd r1, r3, [r0, #24]\n"
      "adds r4, #2\n subs r6, #1\n strd r4, r6, [r0, #32]\n bne.w 2b\n"
      "str r9, [r0, #16]\n add sp, #4\n"
      : "+r"(r0)
      :
      : "r1", "r2", "r3", "r4", "r5", "r6", "r7", "r8", "r9", "r10", "r11", "r12", "lr", "q0", "q1", "q2", "q3", "q4",
        "q5", "q6", "q7", "cc", "memory");
}

#undef TRIMTAB_MASKED_CHUNK
#undef TRIMTAB_LOAD_MASKED_CHUNK
#undef TRIMTAB_CHUNK
#undef TRIMTAB_MULTIPLY
#undef TRIMTAB_LOAD_CHUNK

/// Adds up the `size` numbers of each of the four windows of a run.
inline void sum_windows_mve(const MveRun& run, int32_t size, int32_t (&sums)[4]) {
  const int8_t* a = run.windows[0];
  const int8_t* b = run.windows[1];
  const int8_t* c = run.windows[2];
  const int8_t* d = run.windows[3];
  int32_t sum0 = 0, sum1 = 0, sum2 = 0, sum3 = 0;
  asm volatile(
      "dlstp.8 lr, %[size]\n"
      "1: vldrb.8 q0, [%[a]], #16\n vldrb.8 q1, [%[b]], #16\n vldrb.8 q2, [%[c]], #16\n vldrb.8 q3, [%[d]], #16\n"
      "vaddva.s8 %[sum0], q0\n vaddva.s8 %[sum1], q1\n vaddva.s8 %[sum2], q2\n vaddva.s8 %[sum3], q3\n letp lr, 1b\n"
      : [a] "+r"(a), [b] "+r"(b), [c] "+r"(c), [d] "+r"(d), [sum0] "+Te"(sum0), [sum1] "+Te"(sum1), [sum2] "+Te"(sum2),
        [sum3] "+Te"(sum3)
      : [size] "r"(size)
      : "lr", "q0", "q1", "q2", "q3", "cc", "memory");
  sums[0] = sum0;
  sums[1] = sum1;
  sums[2] = sum2;
  sums[3] = sum3;
}

/// add_offsets_mve() for nested weights at `bits` bits.
inline void add_nested_offsets_mve(const int8_t* weights, int32_t size, int bits, int32_t* bias) {
  int32_t sum0 = 0;
  int32_t sum1 = 0;
  for (int32_t left = size; left > 0; left -= 16, weights += 32) {
    const mve_pred16_t some = vctp8q(static_cast<uint32_t>(left));
    sum0 = vaddvaq_p_s8(sum0, vshlq_r_s8(vldrbq_s8(weights), bits - 8), some);
    sum1 = vaddvaq_p_s8(sum1, vshlq_r_s8(vldrbq_s8(weights + 16), bits - 8), some);
  }
  bias[0] += (2 * sum0 + size) * 128;
  bias[1] += (2 * sum1 + size) * 128;
}

/// `bias` + 128 times the sum of the `size` weights, for two filters: what takes back that unsigned activations are
/// read as signed ones, 128 less.
inline void add_offsets_mve(const int8_t* weights, int32_t size, int32_t* bias) {
  int32_t sum0 = 0;
  int32_t sum1 = 0;
  for (; size > 0; size -= 16, weights += 32) {
    const mve_pred16_t some = vctp8q(static_cast<uint32_t>(size));
    sum0 = vaddvaq_p_s8(sum0, vldrbq_s8(weights), some);
    sum1 = vaddvaq_p_s8(sum1, vldrbq_s8(weights + 16), some);
  }
  bias[0] += sum0 * 128;
  bias[1] += sum1 * 128;
}

/// Copies the bytes of `count` pixels, 0 or more, every one exclusive-ored with `flip`; the pixels lie `from_step` and
/// `to_step` bytes apart.
inline void copy_pixels_mve(const uint8_t* from, int32_t from_step, int32_t count, int32_t channels, uint32_t flip,
                            int8_t* to, int32_t to_step) {
  if (count <= 0) return;
  for (; channels >= 16; channels -= 16, from += 16, to += 16) {
    const uint8_t* source = from;
    int8_t* target = to;
    asm volatile(
        "vdup.8 q1, %[flip]\n dls lr, %[count]\n"
        "1: vldrb.8 q0, [%[source]]\n add %[source], %[from_step]\n veor q0, q0, q1\n vstrb.8 q0, [%[target]]\n"
        "add %[target], %[to_step]\n le lr, 1b\n"
        : [source] "+r"(source), [target] "+r"(target)
        : [flip] "r"(flip), [count] "r"(count), [from_step] "r"(from_step), [to_step] "r"(to_step)
        : "lr", "q0", "q1", "memory");
  }
  if (channels == 0) return;
  const mve_pred16_t some = vctp8q(static_cast<uint32_t>(channels));
  asm volatile(
      "vdup.8 q1, %[flip]\n vmsr p0, %[some]\n dls lr, %[count]\n"
      "1: vpst\n vldrbt.8 q0, [%[from]]\n add %[from], %[from_step]\n veor q0, q0, q1\n"
      "vpst\n vstrbt.8 q0, [%[to]]\n add %[to], %[to_step]\n le lr, 1b\n"
      : [from] "+r"(from), [to] "+r"(to)
      : [flip] "r"(flip), [some] "r"(static_cast<uint32_t>(some)), [count] "r"(count), [from_step] "r"(from_step),
        [to_step] "r"(to_step)
      : "lr", "q0", "q1", "memory");
}

/// The chunk of filter `index` of eight whose fields of `bits` bits lie one above the other in each of the lanes of
/// vectors that are `lanes` bytes apart.
template <int bits, int index>
inline int8x16_t field_mve(const uint8_t* packed, int32_t lanes) {
  constexpr int bit = index * bits;
  constexpr int low = bit % 8;
  const uint8x16_t first = vldrbq_u8(packed + bit / 8 * lanes);
  if constexpr (bits == 8) {
    return vreinterpretq_s8_u8(first);
  } else if constexpr (low + bits == 8) {
    return vshrq_n_s8(vreinterpretq_s8_u8(first), 8 - bits);
  } else if constexpr (low + bits < 8) {
    return vshrq_n_s8(vreinterpretq_s8_u8(vshlq_n_u8(first, 8 - bits - low)), 8 - bits);
  } else {
    // the upper part of the number comes from the next vector, the lower part below it
    constexpr int upper = low + bits - 8;
    const uint8x16_t top = vshlq_n_u8(vldrbq_u8(packed + (bit / 8 + 1) * lanes), 8 - upper);
    return vshrq_n_s8(vreinterpretq_s8_u8(vsriq_n_u8(top, first, upper)), 8 - bits);
  }
}

/// Unpacks a chunk of eight filters to four pairs of chunks, `step` bytes apart, of whose 16 numbers there are `lanes`.
template <int bits>
inline void unpack_chunk_mve(const uint8_t* packed, int32_t lanes, int32_t step, int8_t* pair) {
  const mve_pred16_t there = vctp8q(static_cast<uint32_t>(lanes));
  const auto store = [there](int8_t* to, int8x16_t field) { vstrbq_p_s8(to, field, there); };
  store(pair, field_mve<bits, 0>(packed, lanes));
  store(pair + 16, field_mve<bits, 1>(packed, lanes));
  pair += step;
  store(pair, field_mve<bits, 2>(packed, lanes));
  store(pair + 16, field_mve<bits, 3>(packed, lanes));
  pair += step;
  store(pair, field_mve<bits, 4>(packed, lanes));
  store(pair + 16, field_mve<bits, 5>(packed, lanes));
  pair += step;
  store(pair, field_mve<bits, 6>(packed, lanes));
  store(pair + 16, field_mve<bits, 7>(packed, lanes));
}

/// Unpacks a block of `filters` <= 8 filters of `size` numbers to four pairs. Returns the end of the block. Nothing is
/// written behind the last number.
template <int bits>
inline const uint8_t* unpack_filters_mve(const uint8_t* packed, int32_t size, int32_t filters, int8_t* pairs) {
  const int32_t step = (size + 15) / 16 * 32;
  const int32_t vectors = ((filters + 1) / 2 * 2 * bits + 7) / 8;
  for (; size > 0; size -= 16, packed += vectors * 16, pairs += 32) {
    if (size < 16) {
      unpack_chunk_mve<bits>(packed, size, step, pairs);
      return packed + vectors * size;
    }
    unpack_chunk_mve<bits>(packed, 16, step, pairs);
  }
  return packed;
}

}  // namespace trimtab::TRIMTAB_RUNTIME::detail
