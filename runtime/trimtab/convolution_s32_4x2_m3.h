#pragma once

// Convolution of any shape for cores that multiply and accumulate one product at a time (Armv7-M): blocks of 4 pixels x
// 2 channels. The windows of four pixels are widened once (widen_windows.h) and meet every filter; eight accumulators,
// two activations and two weights stay in registers, so that 8 products take 8 MLA, 2 LDRD and 2 loads of weights: 1.5
// instructions per product, 1.63 where the weights have less than 8 bits.
//
// Weights: the filters of a group two by two, the last one with a filter of zeros where their number is odd; in a pair
// the integers c0k0 c1k0 c0k1 c1k1 ... of weight_bits each, lowest bits first, and zeros until k is a multiple of 4.

#include "trimtab/store_outputs.h"
#include "trimtab/widen_windows.h"

namespace trimtab::runtime {

constexpr int32_t convolution_s32_4x2_m3_padded_size(const Convolution& step) {
  return (step.window.kernel_height * step.window.kernel_width * (step.input.channels / step.groups) + 3) / 4 * 4;
}
constexpr int32_t convolution_s32_4x2_m3_scratch_bytes(const Convolution& step) {
  return convolution_s32_4x2_m3_padded_size(step) * 16;
}

namespace detail {

/// sums[4 * c + p] += the products of pixel p with filter c, over `size` numbers, a multiple of 4.
using SumBlock = void(const int32_t* words, const uint8_t* weights, int32_t size, int32_t* sums);

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

template <int bits>
__attribute__((noinline)) inline void sum_block_4x2(const int32_t* words, const uint8_t* weights, int32_t size,
                                                    int32_t* sums) {
  register const int32_t* r0 asm("r0") = words;
  register const uint8_t* r1 asm("r1") = weights;
  register const int32_t* r2 asm("r2") = words + 4 * size;
  register int32_t* r3 asm("r3") = sums;
#define TRIMTAB_SUM(body)                                                               \
  asm volatile("push {r2, r3}\n ldm r3, {r4-r11}\n 1:\n" body                           \
               "ldr r2, [sp]\n cmp r0, r2\n bne 1b\n pop {r2, r3}\n stm r3, {r4-r11}\n" \
               : "+r"(r0), "+r"(r1), "+r"(r2), "+r"(r3)                                 \
               :                                                                        \
               : "r4", "r5", "r6", "r7", "r8", "r9", "r10", "r11", "r12", "lr", "cc", "memory")
  if constexpr (bits == 8) {
    TRIMTAB_SUM(TRIMTAB_BYTES TRIMTAB_BYTES TRIMTAB_BYTES TRIMTAB_BYTES);
  } else if constexpr (bits == 7) {
    TRIMTAB_SUM(TRIMTAB_FIELDS("ldrh", 0, 0, 7) TRIMTAB_FIELDS("ldr", 1, 6, 7) TRIMTAB_FIELDS("ldr", 3, 4, 7)
                    TRIMTAB_FIELDS("ldrh", 5, 2, 7) "adds r1, #7\n");
  } else if constexpr (bits == 6) {
    TRIMTAB_SUM(TRIMTAB_FIELDS("ldrh", 0, 0, 6) TRIMTAB_FIELDS("ldrh", 1, 4, 6) TRIMTAB_FIELDS("ldrh", 3, 0, 6)
                    TRIMTAB_FIELDS("ldrh", 4, 4, 6) "adds r1, #6\n");
  } else if constexpr (bits == 5) {
    TRIMTAB_SUM(TRIMTAB_FIELDS("ldrh", 0, 0, 5) TRIMTAB_FIELDS("ldrh", 1, 2, 5) TRIMTAB_FIELDS("ldrh", 2, 4, 5)
                    TRIMTAB_FIELDS("ldrh", 3, 6, 5) "adds r1, #5\n");
  } else if constexpr (bits == 4) {
    TRIMTAB_SUM(TRIMTAB_FIELDS("ldrb", 0, 0, 4) TRIMTAB_FIELDS("ldrb", 1, 0, 4) TRIMTAB_FIELDS("ldrb", 2, 0, 4)
                    TRIMTAB_FIELDS("ldrb", 3, 0, 4) "adds r1, #4\n");
  } else if constexpr (bits == 3) {
    TRIMTAB_SUM(TRIMTAB_FIELDS("ldrb", 0, 0, 3) TRIMTAB_FIELDS("ldrh", 0, 6, 3) TRIMTAB_FIELDS("ldrh", 1, 4, 3)
                    TRIMTAB_FIELDS("ldrb", 2, 2, 3) "adds r1, #3\n");
  } else {
    static_assert(bits == 2, "weights have 2 to 8 bits");
    TRIMTAB_SUM(TRIMTAB_FIELDS("ldrb", 0, 0, 2) TRIMTAB_FIELDS("ldrb", 0, 4, 2) TRIMTAB_FIELDS("ldrb", 1, 0, 2)
                    TRIMTAB_FIELDS("ldrb", 1, 4, 2) "adds r1, #2\n");
  }
#undef TRIMTAB_SUM
}

#undef TRIMTAB_BYTES
#undef TRIMTAB_FIELDS
#undef TRIMTAB_PRODUCTS

#else

/// Integer number `index` of a row of fields.
template <int bits>
inline int32_t load_field(const uint8_t* packed, int32_t index) {
  if constexpr (bits == 8) return static_cast<int8_t>(packed[index]);
  const int32_t bit = index * bits;
  uint32_t held = packed[bit >> 3];
  if ((bit & 7) + bits > 8) held |= static_cast<uint32_t>(packed[(bit >> 3) + 1]) << 8;
  return static_cast<int32_t>(held << (32 - bits - (bit & 7))) >> (32 - bits);
}

/// The weights of a filter for four k are unpacked at a time, and the filters follow one another, so that the eight
/// registers of Armv6-M hold a filter's four accumulators, the two pointers, a weight and a product.
template <int bits>
inline void sum_filter_4x1(const int32_t* words, const uint8_t* weights, int32_t size, int32_t* sums, int32_t filter) {
  int32_t sum0 = sums[0];
  int32_t sum1 = sums[1];
  int32_t sum2 = sums[2];
  int32_t sum3 = sums[3];
  const int32_t* const end = words + 4 * size;
  const auto add = [&](int32_t weight, const int32_t* quad) {
    sum0 += quad[0] * weight;
    sum1 += quad[1] * weight;
    sum2 += quad[2] * weight;
    sum3 += quad[3] * weight;
  };
  while (words != end) {
    add(load_field<bits>(weights, filter), words);
    add(load_field<bits>(weights, filter + 2), words + 4);
    add(load_field<bits>(weights, filter + 4), words + 8);
    add(load_field<bits>(weights, filter + 6), words + 12);
    words += 16;
    weights += bits;
  }
  sums[0] = sum0;
  sums[1] = sum1;
  sums[2] = sum2;
  sums[3] = sum3;
}

template <int bits>
inline void sum_block_4x2(const int32_t* words, const uint8_t* weights, int32_t size, int32_t* sums) {
  sum_filter_4x1<bits>(words, weights, size, sums, 0);
  sum_filter_4x1<bits>(words, weights, size, sums + 4, 1);
}

#endif

/// The layer, with the inner loop for its weights.
inline void convolution_s32_4x2(const Convolution& step, const uint8_t* input, uint8_t* output, uint8_t* scratch,
                                SumBlock* sum_block) {
  const int32_t group_outputs = step.output.channels / step.groups;
  const int32_t size = convolution_s32_4x2_m3_padded_size(step);
  const int32_t used = step.window.kernel_height * step.window.kernel_width * (step.input.channels / step.groups);
  const int32_t pixels = step.output.height * step.output.width;
  auto* words = reinterpret_cast<int32_t*>(scratch);
  for (int32_t k = 4 * used; k < 4 * size; ++k) words[k] = 0;
  const uint8_t* group_weights = step.weights;
  const int32_t pair_bytes = size / 4 * step.weight_bits;
  for (int32_t first = 0; first < step.output.channels; first += group_outputs) {
    WindowWidener windows(step, input, first / group_outputs * (step.input.channels / step.groups));
    const int32_t end = first + group_outputs;
    for (int32_t pixel = 0; pixel < pixels; pixel += 4) {
      windows.widen_four(words);
      const int32_t count = pixels - pixel < 4 ? pixels - pixel : 4;
      uint8_t* const out = output + pixel * step.output.pixel_stride;
      const uint8_t* weights = group_weights;
      for (int32_t channel = first; channel < end; channel += 2, weights += pair_bytes) {
        const bool both = channel + 1 < end;
        const int32_t bias = step.bias[channel];
        const int32_t next_bias = both ? step.bias[channel + 1] : 0;
        int32_t sums[8] = {bias, bias, bias, bias, next_bias, next_bias, next_bias, next_bias};
        sum_block(words, weights, size, sums);
        store_channel(step, sums, count, channel, out);
        if (both) store_channel(step, sums + 4, count, channel + 1, out);
      }
    }
    group_weights += (group_outputs + 1) / 2 * pair_bytes;
  }
}

}  // namespace detail

template <int weight_bits>
inline void convolution_s32_4x2_m3(const Convolution& step, const uint8_t* input, uint8_t* output, uint8_t* scratch) {
  detail::convolution_s32_4x2(step, input, output, scratch, detail::sum_block_4x2<weight_bits>);
}

}  // namespace trimtab::runtime
