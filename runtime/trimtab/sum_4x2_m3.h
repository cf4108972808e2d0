#pragma once

// The inner loops of convolution_s32_4x2_m3.h: filters two by two over the widened windows of four pixels.

#include "trimtab/arithmetic_rv32.h"
#include "trimtab/nested_weights.h"
#include "trimtab/saturate_eight.h"
#include "trimtab/weights.h"

namespace trimtab::TRIMTAB_RUNTIME::detail {

/// The pointers of a run over `pairs` pairs of filters reads and writes; it moves weights, bias, multiplier, output and
/// pairs on.
struct FilterRun {
  const int32_t* words;       // 0: word 4 * k + p is number k of pixel p
  const int32_t* words_end;   // 4: a multiple of 16 words later
  const int32_t* bias;        // 8
  const int32_t* multiplier;  // 12
  uint8_t* output;            // 16
  int32_t stride;             // 20: bytes from one pixel of the output to the next
  int32_t shift;              // 24: and 256 times the output's zero point; the nested have none
  int32_t pairs;              // 28: > 0
  const uint8_t* weights;     // 32
};
/// The same for nested weights.
struct NestedFilterRun : FilterRun {
  int32_t activations[4];  // 36: the sum of each pixel's numbers
  uintptr_t saturation;    // 52: see saturate_eight.h
};
using RunFilters = void(FilterRun& run);

/// The fate of the eight sums of a pair: requantized and saturated to 0..255 or -128..127 at output[p * stride +
/// c], or kept, as words, at output: word 4 * c + p.
enum class FilterOutput { unsigned_bytes, signed_bytes, sums };

#if defined(__ARM_ARCH_7M__)

// One k: two activations at a time, r2 and r3; the weights of the two filters are in r12 and lr.
#define TRIMTAB_PRODUCTS    \
  "ldrd r2, r3, [r0], #8\n" \
  "mla r4, r2, r12, r4\n"   \
  "mla r8, r2, lr, r8\n"    \
  "mla r5, r3, r12, r5\n"   \
  "mla r9, r3, lr, r9\n"    \
  "ldrd r2, r3, [r0], #8\n" \
  "mla r6, r2, r12, r6\n"   \
  "mla r10, r2, lr, r10\n"  \
  "mla r7, r3, r12, r7\n"   \
  "mla r11, r3, lr, r11\n"

// The weights at bit `offset` of the bytes at r1 + `byte`.
#define TRIMTAB_FIELDS(load, byte, offset, bits)           \
  load " r12, [r1, #" #byte                                \
       "]\n"                                               \
       "sbfx lr, r12, #(" #offset " + " #bits "), #" #bits \
       "\n"                                                \
       "sbfx r12, r12, #" #offset ", #" #bits "\n" TRIMTAB_PRODUCTS

#define TRIMTAB_BYTES "ldrsb r12, [r1], #1\n ldrsb lr, [r1], #1\n" TRIMTAB_PRODUCTS

// Both outputs of a pixel: r0 is the address, r1 the zero point, r3 the stride, r12 and lr the multipliers.
#define TRIMTAB_STORE_PIXEL(sum0, sum1, saturation)                                                            \
  "smull r2, " sum0 ", " sum0 ", r12\n adds r2, #0x80000000\n adc " sum0 ", " sum0                             \
  ", r1\n"                                                                                                     \
  "smull r2, " sum1 ", " sum1 ", lr\n adds r2, #0x80000000\n adc " sum1 ", " sum1 ", r1\n" saturation " " sum0 \
  ", #8, " sum0 "\n" saturation " " sum1 ", #8, " sum1 "\n bfi " sum0 ", " sum1 ", #8, #8\n strh " sum0        \
  ", [r0]\n add r0, r3\n"

// r2 is first the shift and the zero point: a shift by a register takes its lowest byte.
#define TRIMTAB_STORE(saturation)                                                                           \
  "ldr r0, [sp, #4]\n ldr r2, [r0, #12]\n ldrd r12, lr, [r2], #8\n str r2, [r0, #12]\n ldr r2, [r0, #24]\n" \
  "cbz r2, 5f\n lsls r4, r2\n lsls r5, r2\n lsls r6, r2\n lsls r7, r2\n lsl.w r8, r8, r2\n"                 \
  "lsl.w r9, r9, r2\n lsl.w r10, r10, r2\n lsl.w r11, r11, r2\n asrs r2, r2, #8\n"                          \
  "5:\n ldrd r1, r3, [r0, #16]\n adds r1, #2\n str r1, [r0, #16]\n subs r0, r1, #2\n mov r1, "              \
  "r2\n" TRIMTAB_STORE_PIXEL("r4", "r8", saturation) TRIMTAB_STORE_PIXEL("r5", "r9", saturation)            \
      TRIMTAB_STORE_PIXEL("r6", "r10", saturation) TRIMTAB_STORE_PIXEL("r7", "r11", saturation)

#define TRIMTAB_SUMS_FROM_BIAS                                    \
  "ldr r3, [r2, #8]\n ldrd r4, r8, [r3], #8\n str r3, [r2, #8]\n" \
  "mov r5, r4\n mov r6, r4\n mov r7, r4\n mov r9, r8\n mov r10, r8\n mov r11, r8\n"

// [sp] is the end of the words, [sp, #4] the run. Flags are free between the instructions of a block.
#define TRIMTAB_RUN(start, loop, store)                                                                       \
  asm volatile(                                                                                               \
      "ldrd r1, r3, [r0, #4]\n mov r2, r0\n push {r1, r2}\n ldr r1, [r0, #32]\n"                              \
      "2:\n"                                                                                                  \
      "ldr r2, [sp, #4]\n ldr r0, [r2]\n" start loop                                                          \
      "ldr r2, [sp]\n cmp r0, r2\n bne 1b\n"                                                                  \
      "ldr r0, [sp, #4]\n str r1, [r0, #32]\n" store                                                          \
      "ldr r0, [sp, #4]\n ldr r1, [r0, #32]\n ldr r3, [r0, #28]\n subs r3, #1\n str r3, [r0, #28]\n bne 2b\n" \
      "add sp, #8\n"                                                                                          \
      : "+r"(r0)                                                                                              \
      :                                                                                                       \
      : "r1", "r2", "r3", "r4", "r5", "r6", "r7", "r8", "r9", "r10", "r11", "r12", "lr", "cc", "memory")

#define TRIMTAB_STORE_SUMS "ldr r1, [r0, #16]\n stm r1!, {r4-r11}\n str r1, [r0, #16]\n"

// Once around the loop is for four k, or for eight; then an odd number of fours enters in the middle.
#define TRIMTAB_ONE_FOUR(products) "1:\n" products
#if defined(__OPTIMIZE_SIZE__)
#define TRIMTAB_TWO_FOURS(products) TRIMTAB_ONE_FOUR(products)
#else
#define TRIMTAB_TWO_FOURS(products) \
  "ldr r3, [sp]\n subs r3, r0\n lsls r3, r3, #25\n bmi.w 3f\n 1:\n" products "3:\n" products
#endif

#define TRIMTAB_RUN_TO(products)                                                             \
  if constexpr (kind == FilterOutput::unsigned_bytes) {                                      \
    TRIMTAB_RUN(TRIMTAB_SUMS_FROM_BIAS, TRIMTAB_TWO_FOURS(products), TRIMTAB_STORE("usat")); \
  } else if constexpr (kind == FilterOutput::signed_bytes) {                                 \
    TRIMTAB_RUN(TRIMTAB_SUMS_FROM_BIAS, TRIMTAB_TWO_FOURS(products), TRIMTAB_STORE("ssat")); \
  } else {                                                                                   \
    TRIMTAB_RUN(TRIMTAB_SUMS_FROM_BIAS, TRIMTAB_ONE_FOUR(products), TRIMTAB_STORE_SUMS);     \
  }

template <int bits, FilterOutput kind>
__attribute__((noinline)) inline void run_filters_4x2(FilterRun& run) {
  register FilterRun* r0 asm("r0") = &run;
  if constexpr (bits == 8) {
    TRIMTAB_RUN_TO(TRIMTAB_BYTES TRIMTAB_BYTES TRIMTAB_BYTES TRIMTAB_BYTES)
  } else if constexpr (bits == 7) {
    TRIMTAB_RUN_TO(TRIMTAB_FIELDS("ldrh", 0, 0, 7) TRIMTAB_FIELDS("ldr", 1, 6, 7) TRIMTAB_FIELDS("ldr", 3, 4, 7)
                       TRIMTAB_FIELDS("ldrh", 5, 2, 7) "adds r1, #7\n")
  } else if constexpr (bits == 6) {
    TRIMTAB_RUN_TO(TRIMTAB_FIELDS("ldrh", 0, 0, 6) TRIMTAB_FIELDS("ldrh", 1, 4, 6) TRIMTAB_FIELDS("ldrh", 3, 0, 6)
                       TRIMTAB_FIELDS("ldrh", 4, 4, 6) "adds r1, #6\n")
  } else if constexpr (bits == 5) {
    TRIMTAB_RUN_TO(TRIMTAB_FIELDS("ldrh", 0, 0, 5) TRIMTAB_FIELDS("ldrh", 1, 2, 5) TRIMTAB_FIELDS("ldrh", 2, 4, 5)
                       TRIMTAB_FIELDS("ldrh", 3, 6, 5) "adds r1, #5\n")
  } else if constexpr (bits == 4) {
    TRIMTAB_RUN_TO(TRIMTAB_FIELDS("ldrb", 0, 0, 4) TRIMTAB_FIELDS("ldrb", 1, 0, 4) TRIMTAB_FIELDS("ldrb", 2, 0, 4)
                       TRIMTAB_FIELDS("ldrb", 3, 0, 4) "adds r1, #4\n")
  } else if constexpr (bits == 3) {
    TRIMTAB_RUN_TO(TRIMTAB_FIELDS("ldrb", 0, 0, 3) TRIMTAB_FIELDS("ldrh", 0, 6, 3) TRIMTAB_FIELDS("ldrh", 1, 4, 3)
                       TRIMTAB_FIELDS("ldrb", 2, 2, 3) "adds r1, #3\n")
  } else {
    static_assert(bits == 2, "weights have 2 to 8 bits");
    TRIMTAB_RUN_TO(TRIMTAB_FIELDS("ldrb", 0, 0, 2) TRIMTAB_FIELDS("ldrb", 0, 4, 2) TRIMTAB_FIELDS("ldrb", 1, 0, 2)
                       TRIMTAB_FIELDS("ldrb", 1, 4, 2) "adds r1, #2\n")
  }
}

// Nested weights: a byte of each filter, of which the highest bits count.
#define TRIMTAB_DIGITS                                                                              \
  "ldrh r12, [r1], #2\n sbfx lr, r12, #(16 - %c[bits]), %[bits]\n sbfx r12, r12, #(8 - %c[bits]), " \
  "%[bits]\n" TRIMTAB_PRODUCTS

#define TRIMTAB_SUMS_FROM_ZERO                                  \
  "mov.w r4, #0\n mov.w r5, #0\n mov.w r6, #0\n mov.w r7, #0\n" \
  "mov.w r8, #0\n mov.w r9, #0\n mov.w r10, #0\n mov.w r11, #0\n"

// bias + activations + 2 * sum; r0 is the run, before and after.
#define TRIMTAB_FINISH_NESTED                                                                                        \
  "ldr r3, [r0, #8]\n ldrd r1, r2, [r3], #8\n str r3, [r0, #8]\n"                                                    \
  "add.w lr, r0, #36\n ldm.w lr, {r0, r3, r12, lr}\n"                                                                \
  "add.w r4, r0, r4, lsl #1\n add.w r5, r3, r5, lsl #1\n add.w r6, r12, r6, lsl #1\n add.w r7, lr, r7, lsl #1\n"     \
  "add.w r8, r0, r8, lsl #1\n add.w r9, r3, r9, lsl #1\n add.w r10, r12, r10, lsl #1\n add.w r11, lr, r11, lsl #1\n" \
  "add r4, r1\n add r5, r1\n add r6, r1\n add r7, r1\n add r8, r2\n add r9, r2\n add r10, r2\n add r11, r2\n"        \
  "ldr r0, [sp, #4]\n"

// r0 is the shift, r1 half, r3 the multiplier.
#define TRIMTAB_SCALE(sum) \
  "lsl.w " sum ", " sum ", r0\n smull r2, " sum ", " sum ", r3\n adds r2, r1\n adc " sum ", " sum ", #0\n"

#define TRIMTAB_STORE_NESTED \
  "ldr r2, [r0, #12]\n ldrd r3, lr, [r2], #8\n str r2, [r0, #12]\n ldr.w r12, [r0, #52]\n ldr r0, [r0, #24]\n"   \
  "mov.w r1, #0x80000000\n"                                                               \
  TRIMTAB_SCALE("r4") TRIMTAB_SCALE("r5") TRIMTAB_SCALE("r6") TRIMTAB_SCALE("r7") "mov r3, lr\n" \
  TRIMTAB_SCALE("r8") TRIMTAB_SCALE("r9") TRIMTAB_SCALE("r10") TRIMTAB_SCALE("r11")       \
  "blx r12\n ldr r0, [sp, #4]\n ldrd r1, r2, [r0, #16]\n adds r3, r1, #2\n str r3, [r0, #16]\n"                   \
  "strb r4, [r1]\n strb.w r8, [r1, #1]\n add r1, r2\n strb r5, [r1]\n strb.w r9, [r1, #1]\n add r1, r2\n"         \
  "strb r6, [r1]\n strb.w r10, [r1, #1]\n add r1, r2\n strb r7, [r1]\n strb.w r11, [r1, #1]\n"

#define TRIMTAB_RUN_NESTED(store)                                                                               \
  asm volatile(                                                                                                 \
      "ldrd r1, r3, [r0, #4]\n mov r2, r0\n push {r1, r2}\n ldr r1, [r0, #32]\n"                                \
      "2:\n ldr r2, [sp, #4]\n ldr r0, [r2]\n" TRIMTAB_SUMS_FROM_ZERO                                           \
      "1:\n" TRIMTAB_DIGITS TRIMTAB_DIGITS TRIMTAB_DIGITS TRIMTAB_DIGITS                                        \
      "ldr r2, [sp]\n cmp r0, r2\n bne 1b\n"                                                                    \
      "ldr r0, [sp, #4]\n str r1, [r0, #32]\n" TRIMTAB_FINISH_NESTED store                                      \
      "ldr r0, [sp, #4]\n ldr r1, [r0, #32]\n ldr r3, [r0, #28]\n subs r3, #1\n str r3, [r0, #28]\n bne.w 2b\n" \
      "add sp, #8\n"                                                                                            \
      : "+r"(r0)                                                                                                \
      : [bits] "i"(bits)                                                                                        \
      : "r1", "r2", "r3", "r4", "r5", "r6", "r7", "r8", "r9", "r10", "r11", "r12", "lr", "cc", "memory")

/// The same for nested weights (nested_weights.h) at `bits` bits. Where `to_bytes` the results are saturated by
/// run.saturation and stored like bytes, else the accumulators are kept as words.
template <int bits, bool to_bytes>
__attribute__((noinline)) inline void run_nested_filters_4x2(FilterRun& run) {
  register FilterRun* r0 asm("r0") = &run;
  if constexpr (to_bytes) {
    TRIMTAB_RUN_NESTED(TRIMTAB_STORE_NESTED);
  } else {
    TRIMTAB_RUN_NESTED(TRIMTAB_STORE_SUMS);
  }
}

/// Adds up the numbers of each pixel: 5 instructions for four.
inline void sum_activations_4(NestedFilterRun& run) {
  const int32_t* words = run.words;
  int32_t a = 0, b = 0, c = 0, d = 0;
  asm volatile(
      "1:\n"
      ".rept 4\n"
      "ldm %[words]!, {r4-r7}\n add %[a], r4\n add %[b], r5\n add %[c], r6\n add %[d], r7\n"
      ".endr\n"
      "cmp %[words], %[end]\n bne 1b\n"
      : [words] "+r"(words), [a] "+r"(a), [b] "+r"(b), [c] "+r"(c), [d] "+r"(d)
      : [end] "r"(run.words_end)
      : "r4", "r5", "r6", "r7", "cc", "memory");
  run.activations[0] = a;
  run.activations[1] = b;
  run.activations[2] = c;
  run.activations[3] = d;
}

#undef TRIMTAB_RUN_NESTED
#undef TRIMTAB_STORE_NESTED
#undef TRIMTAB_SCALE
#undef TRIMTAB_FINISH_NESTED
#undef TRIMTAB_SUMS_FROM_ZERO
#undef TRIMTAB_DIGITS
#undef TRIMTAB_STORE_SUMS
#undef TRIMTAB_SUMS_FROM_BIAS
#undef TRIMTAB_RUN_TO
#undef TRIMTAB_TWO_FOURS
#undef TRIMTAB_ONE_FOUR
#undef TRIMTAB_RUN
#undef TRIMTAB_STORE
#undef TRIMTAB_STORE_PIXEL
#undef TRIMTAB_BYTES
#undef TRIMTAB_FIELDS
#undef TRIMTAB_PRODUCTS

#else

// On Armv6-M sums stay in high registers, which an ADD reaches, and a function of its own has enough of the low ones.
// Where GCC optimizes for size, it saves no high register for the caller. The sums are plain C there.
#if defined(__ARM_ARCH_6M__) && !defined(__OPTIMIZE_SIZE__)
#define TRIMTAB_HIGH_SUMS 1
#define TRIMTAB_SUM(name, place) register int32_t name asm(place)
#define TRIMTAB_ALONE __attribute__((noinline))
#else
#define TRIMTAB_SUM(name, place) int32_t name
#define TRIMTAB_ALONE
#endif

/// One filter of the pair; `filter`: the place of its weight in every two.
template <int bits, int filter, bool nested = false>
TRIMTAB_ALONE inline void sum_filter_4x1(const int32_t* words, const int32_t* end, const uint8_t* weights, int32_t bias,
                                         int32_t* sums) {
  TRIMTAB_SUM(sum0, "r8") = bias;
  TRIMTAB_SUM(sum1, "r9") = bias;
  TRIMTAB_SUM(sum2, "r10") = bias;
  TRIMTAB_SUM(sum3, "r11") = bias;
  while (words != end) {
#pragma GCC unroll 4
    for (int32_t k = 0; k < 4; ++k) {
      int32_t weight;
      if constexpr (nested) {
        weight = nested_digits(static_cast<int8_t>(weights[2 * k + filter]), bits);
      } else if constexpr (bits == 8) {
        weight = static_cast<int8_t>(weights[2 * k + filter]);
      } else {
        weight = load_field<bits>(weights, 2 * k + filter);
      }
#if defined(TRIMTAB_HIGH_SUMS)
      // The compiler takes the older syntax, so the block names its own.
      asm(".syntax unified\n"
          "ldm %[words]!, {r2-r5}\n"
          "muls r2, %[weight]\n muls r3, %[weight]\n muls r4, %[weight]\n muls r5, %[weight]\n"
          "add %[sum0], r2\n add %[sum1], r3\n add %[sum2], r4\n add %[sum3], r5\n"
          : [words] "+l"(words), [sum0] "+r"(sum0), [sum1] "+r"(sum1), [sum2] "+r"(sum2), [sum3] "+r"(sum3)
          : [weight] "l"(weight), "m"(*reinterpret_cast<const int32_t(*)[4]>(words))
          : "r2", "r3", "r4", "r5", "cc");
#else
      sum0 += words[0] * weight;
      sum1 += words[1] * weight;
      sum2 += words[2] * weight;
      sum3 += words[3] * weight;
      words += 4;
#endif
    }
    weights += nested ? 8 : bits;
  }
  sums[0] = sum0;
  sums[1] = sum1;
  sums[2] = sum2;
  sums[3] = sum3;
}

#undef TRIMTAB_SUM
#undef TRIMTAB_ALONE
#undef TRIMTAB_HIGH_SUMS

#if defined(__riscv) && !defined(__OPTIMIZE_SIZE__)

/// Both filters of the pair, which share the loads of activations: 22 instructions for eight products of bytes.
template <int bits, bool nested = false>
__attribute__((noinline)) inline void sum_filters_4x2(const FilterRun& run, int32_t bias0, int32_t bias1,
                                                      int32_t* sums) {
  Array<uint32_t, 8> totals;
#pragma GCC unroll 8
  for (int i = 0; i < 8; ++i) totals[i] = static_cast<uint32_t>(i < 4 ? bias0 : bias1);
  const uint8_t* weights = run.weights;
  const int32_t* const end = run.words_end;
  for (const int32_t* words = run.words; words != end; words += 16, weights += nested ? 8 : bits) {
#pragma GCC unroll 4
    for (int k = 0; k < 4; ++k) {
      Array<uint32_t, 4> activations;
#pragma GCC unroll 4
      for (int p = 0; p < 4; ++p) activations[p] = static_cast<uint32_t>(words[4 * k + p]);
#pragma GCC unroll 2
      for (int filter = 0; filter < 2; ++filter) {
        int32_t weight;
        if constexpr (nested) {
          weight = nested_digits(static_cast<int8_t>(weights[2 * k + filter]), bits);
        } else if constexpr (bits == 8) {
          weight = static_cast<int8_t>(weights[2 * k + filter]);
        } else {
          weight = load_field<bits>(weights, 2 * k + filter);
        }
#pragma GCC unroll 4
        for (int p = 0; p < 4; ++p) add_product(totals[4 * filter + p], activations[p], static_cast<uint32_t>(weight));
      }
    }
  }
#pragma GCC unroll 8
  for (int i = 0; i < 8; ++i) sums[i] = static_cast<int32_t>(totals[i]);
}

#else

/// Both filters of the pair.
template <int bits, bool nested = false>
inline void sum_filters_4x2(const FilterRun& run, int32_t bias0, int32_t bias1, int32_t* sums) {
  constexpr bool in_bytes = nested || bits == 8;
  sum_filter_4x1<bits, 0, nested>(run.words, run.words_end, run.weights, bias0, sums);
  sum_filter_4x1<bits, in_bytes ? 0 : 1, nested>(run.words, run.words_end, run.weights + (in_bytes ? 1 : 0), bias1,
                                                 sums + 4);
}

#endif

template <int bits, FilterOutput kind>
inline void run_filters_4x2(FilterRun& run) {
  static_assert(kind == FilterOutput::sums, "the caller requantizes");
  for (; run.pairs > 0; --run.pairs) {
    auto* sums = reinterpret_cast<int32_t*>(run.output);
    sum_filters_4x2<bits>(run, run.bias[0], run.bias[1], sums);
    run.weights += (run.words_end - run.words) / 16 * bits;
    run.bias += 2;
    run.output += 32;
  }
}

/// The same for nested weights at `bits` bits: accumulators.
template <int bits, bool to_bytes>
inline void run_nested_filters_4x2(FilterRun& filters) {
  static_assert(!to_bytes, "the caller requantizes");
  auto& run = static_cast<NestedFilterRun&>(filters);
  for (; run.pairs > 0; --run.pairs) {
    auto* sums = reinterpret_cast<int32_t*>(run.output);
    sum_filters_4x2<bits, true>(run, 0, 0, sums);
    for (int32_t i = 0; i < 8; ++i) sums[i] = run.bias[i / 4] + run.activations[i % 4] + 2 * sums[i];
    run.weights += (run.words_end - run.words) / 2;
    run.bias += 2;
    run.output += 32;
  }
}

inline void sum_activations_4(NestedFilterRun& run) {
  int32_t a = 0, b = 0, c = 0, d = 0;
  for (const int32_t* word = run.words; word != run.words_end; word += 4) {
    a += word[0];
    b += word[1];
    c += word[2];
    d += word[3];
  }
  run.activations[0] = a;
  run.activations[1] = b;
  run.activations[2] = c;
  run.activations[3] = d;
}

#endif

}  // namespace trimtab::TRIMTAB_RUNTIME::detail
