#pragma once

// The block that convolutions spend their time in: four pixels times two filters. Per pair of inputs (column_layout.h)
// it takes two LDRD of activations, one LDR of weights, two SXTB16 and eight SMLAD: 13 instructions for 16 products.
// The Cortex-M4 takes three cycles for an LDRD, but one for an LDR behind another load: with TRIMTAB_CHAINED_LOADS each
// LDRD is two LDR, which makes 15 instructions in 17 cycles instead of 13 in 18.
// Weights come as bytes, one word per pair: filter 0 lane 0, filter 1 lane 0, filter 0 lane 1, filter 1 lane 1.

#include "trimtab/activations.h"
#include "trimtab/dsp.h"

namespace trimtab::TRIMTAB_RUNTIME {

namespace detail {

/// How results are written: the common cases cost two instructions per result, any other about twenty.
enum class Store : uint8_t { u8, s8, byte, nibble, any };

inline Store store_of(const Convolution& step, bool even_filters) {
  const ActivationFormat format = step.output.format;
  if (format.bits == 8) {
    if (step.output_minimum == 0 && step.output_maximum == 255) return Store::u8;
    if (step.output_minimum == -128 && step.output_maximum == 127) return Store::s8;
    return Store::byte;
  }
  return format.bits == 4 && even_filters ? Store::nibble : Store::any;
}

#if !defined(TRIMTAB_CHAINED_LOADS)
#define TRIMTAB_CHAINED_LOADS 0
#endif

// The unrolled loop takes 52 bytes of code per pair. With 8 pairs instead of 16 a filter of K inputs takes 3 * K / 32
// instructions more for its two times four results, 1.4 % at most, with 4 pairs 4.3 %. Where cycles count, the loop has
// to stay in a small cache of a flash.
#if defined(__OPTIMIZE_SIZE__)
#define TRIMTAB_UNROLL 4
#elif TRIMTAB_CHAINED_LOADS
#define TRIMTAB_UNROLL 8
#else
#define TRIMTAB_UNROLL 16
#endif
#if TRIMTAB_CHAINED_LOADS
#define TRIMTAB_LOAD_PIXELS_01 "ldr.w lr, [r0, #4]\n\tldr.w r12, [r0], #16\n\t"
#define TRIMTAB_LOAD_PIXELS_23 "ldr.w r12, [r0, #-8]\n\tldr.w lr, [r0, #-4]\n\t"
#else
#define TRIMTAB_LOAD_PIXELS_01 "ldrd r12, lr, [r0], #8\n\t"
#define TRIMTAB_LOAD_PIXELS_23 TRIMTAB_LOAD_PIXELS_01
#endif
#define TRIMTAB_STRING_(x) #x
#define TRIMTAB_STRING(x) TRIMTAB_STRING_(x)

constexpr int32_t multiply_pair_bytes = TRIMTAB_CHAINED_LOADS ? 60 : 52;

/// The state that multiply_pairs() works on and moves on. The assembly knows the order of the members.
struct MultiplyState {
  const uint8_t* weights;     // 0: of the next two filters
  int32_t skip;               // 4: bytes of the unrolled loop to be skipped on entry, so that no pair is left over
  int32_t weight_bytes;       // 8: of two filters
  const int32_t* bias;        // 12
  const uint32_t* column;     // 16
  const int32_t* multiplier;  // 20
  uint8_t* output;            // 24: first pixel, next channel
  int32_t stride;             // 28: bytes from pixel to pixel
  const uint8_t* end;         // 32: of the first pixel's outputs
  uint32_t mode;              // 36: 0: u8, 1: s8, 2: two filters' sums only, 3: u4
  int32_t zero;               // 40: the output's zero point
  int32_t sums[8];            // 44: filter 0, pixels 0 to 3, filter 1
};

#if TRIMTAB_HAS_DSP && defined(__arm__)

/// Runs filters two by two until `output` meets `end`, or once where only the sums are wanted. 57 instructions beside
/// the 13 (or 15) per pair of inputs.
__attribute__((naked, noinline)) inline void multiply_pairs(MultiplyState* /*state*/) {
  asm volatile(
      "push {r4-r11, lr}\n\t"
      "sub sp, #12\n\t"
      "str r0, [sp, #4]\n"
      "1:\n\t"
      "ldm.w r0, {r1, r2, r3, r12, lr}\n\t"
      "ldrd r4, r8, [r12], #8\n\t"
      "str r12, [r0, #12]\n\t"
      "add r3, r1\n\t"
      "str r3, [sp]\n\t"
      "mov r0, lr\n\t"
      "mov r5, r4\n\t"
      "mov r6, r4\n\t"
      "mov r7, r4\n\t"
      "mov r9, r8\n\t"
      "mov r10, r8\n\t"
      "mov r11, r8\n\t"
      ".balign 4\n\t"
      "add pc, r2\n\t"
      "nop\n"
      "2:\n\t"
      ".rept " TRIMTAB_STRING(TRIMTAB_UNROLL) "\n\t"
      "ldr.w r2, [r1], #4\n\t"
      TRIMTAB_LOAD_PIXELS_01
      "sxtb16 r3, r2, ror #8\n\t"
      "sxtb16 r2, r2\n\t"
      "smlad r4, r12, r2, r4\n\t"
      "smlad r8, r12, r3, r8\n\t"
      "smlad r5, lr, r2, r5\n\t"
      "smlad r9, lr, r3, r9\n\t"
      TRIMTAB_LOAD_PIXELS_23
      "smlad r6, r12, r2, r6\n\t"
      "smlad r10, r12, r3, r10\n\t"
      "smlad r7, lr, r2, r7\n\t"
      "smlad r11, lr, r3, r11\n\t"
      ".endr\n\t"
      "ldr r2, [sp]\n\t"
      "cmp r1, r2\n\t"
      "bne.w 2b\n\t"
      "ldr r0, [sp, #4]\n\t"
      "str r1, [r0, #0]\n\t"
      "ldrd r3, lr, [r0, #36]\n\t"
      "cmp r3, #2\n\t"
      "beq 6f\n\t"
      "ldr r1, [r0, #20]\n\t"
      "ldrd r2, r12, [r1], #8\n\t"
      "str r1, [r0, #20]\n\t"
      "smmlar r4, r4, r2, lr\n\t"
      "smmlar r5, r5, r2, lr\n\t"
      "smmlar r6, r6, r2, lr\n\t"
      "smmlar r7, r7, r2, lr\n\t"
      "smmlar r8, r8, r12, lr\n\t"
      "smmlar r9, r9, r12, lr\n\t"
      "smmlar r10, r10, r12, lr\n\t"
      "smmlar r11, r11, r12, lr\n\t"
      "ldrd r1, r2, [r0, #24]\n\t"
      "cbnz r3, 4f\n\t"
      "usat r4, #8, r4\n\t"
      "usat r5, #8, r5\n\t"
      "usat r6, #8, r6\n\t"
      "usat r7, #8, r7\n\t"
      "usat r8, #8, r8\n\t"
      "usat r9, #8, r9\n\t"
      "usat r10, #8, r10\n\t"
      "usat r11, #8, r11\n"
      "3:\n\t"
      "adds r3, r1, r2\n\t"
      "strb r5, [r3]\n\t"
      "strb r9, [r3, #1]\n\t"
      "add r3, r2\n\t"
      "strb r6, [r3]\n\t"
      "strb r10, [r3, #1]\n\t"
      "add r3, r2\n\t"
      "strb r7, [r3]\n\t"
      "strb r11, [r3, #1]\n\t"
      "strb r8, [r1, #1]\n\t"
      "strb r4, [r1], #2\n\t"
      "8:\n\t"
      "str r1, [r0, #24]\n\t"
      "ldr r2, [r0, #32]\n\t"
      "cmp r1, r2\n\t"
      "bne.w 1b\n"
      "5:\n\t"
      "add sp, #12\n\t"
      "pop {r4-r11, pc}\n"
      "4:\n\t"
      "cmp r3, #3\n\t"
      "beq 7f\n\t"
      "ssat r4, #8, r4\n\t"
      "ssat r5, #8, r5\n\t"
      "ssat r6, #8, r6\n\t"
      "ssat r7, #8, r7\n\t"
      "ssat r8, #8, r8\n\t"
      "ssat r9, #8, r9\n\t"
      "ssat r10, #8, r10\n\t"
      "ssat r11, #8, r11\n\t"
      "b 3b\n"
      "7:\n\t"
      "usat r4, #4, r4\n\t"
      "usat r5, #4, r5\n\t"
      "usat r6, #4, r6\n\t"
      "usat r7, #4, r7\n\t"
      "usat r8, #4, r8\n\t"
      "usat r9, #4, r9\n\t"
      "usat r10, #4, r10\n\t"
      "usat r11, #4, r11\n\t"
      "orr r4, r4, r8, lsl #4\n\t"
      "orr r5, r5, r9, lsl #4\n\t"
      "orr r6, r6, r10, lsl #4\n\t"
      "orr r7, r7, r11, lsl #4\n\t"
      "adds r3, r1, r2\n\t"
      "strb r5, [r3]\n\t"
      "add r3, r2\n\t"
      "strb r6, [r3]\n\t"
      "add r3, r2\n\t"
      "strb r7, [r3]\n\t"
      "strb r4, [r1], #1\n\t"
      "b 8b\n"
      "6:\n\t"
      "add r0, #44\n\t"
      "stm r0, {r4-r11}\n\t"
      "b 5b\n");
}

#else

inline void multiply_pairs(MultiplyState* state) {
  do {
    const uint32_t* inputs = state->column;
    int32_t sums[8];
    for (int32_t i = 0; i < 8; ++i) sums[i] = state->bias[i / 4];
    for (int32_t byte = 0; byte < state->weight_bytes; byte += 4, inputs += 4) {
      const uint32_t word = load_word(state->weights + byte);
      const uint32_t first = dsp::sxtb16<0>(word);
      const uint32_t second = dsp::sxtb16<8>(word);
      for (int32_t p = 0; p < 4; ++p) {
        sums[p] = dsp::smlad(inputs[p], first, sums[p]);
        sums[4 + p] = dsp::smlad(inputs[p], second, sums[4 + p]);
      }
    }
    state->weights += state->weight_bytes;
    state->bias += 2;
    if (state->mode == 2) {
      memcpy(state->sums, sums, sizeof sums);
      return;
    }
    for (int32_t p = 0; p < 4; ++p) {
      const int32_t first = dsp::smmlar(sums[p], state->multiplier[0], state->zero);
      const int32_t second = dsp::smmlar(sums[4 + p], state->multiplier[1], state->zero);
      uint8_t* to = state->output + p * state->stride;
      if (state->mode == 3) {
        to[0] = static_cast<uint8_t>(dsp::usat<4>(first) | dsp::usat<4>(second) << 4);
      } else {
        to[0] = static_cast<uint8_t>(state->mode == 0 ? dsp::usat<8>(first) : dsp::ssat<8>(first));
        to[1] = static_cast<uint8_t>(state->mode == 0 ? dsp::usat<8>(second) : dsp::ssat<8>(second));
      }
    }
    state->multiplier += 2;
    state->output += state->mode == 3 ? 1 : 2;
  } while (state->output != state->end);
}

#endif

/// Adds the products of one pixel (words `Pixels` apart in the column) with two filters.
template <int Pixels>
inline void accumulate_1x2(const uint32_t* column, const uint8_t* weights, int32_t pairs, int32_t& first,
                           int32_t& second) {
  int32_t a = first;
  int32_t b = second;
#pragma GCC unroll 2
  for (int32_t k = 0; k < pairs; ++k) {
    const uint32_t word = load_word(weights + 4 * k);
    a = dsp::smlad(column[Pixels * k], dsp::sxtb16<0>(word), a);
    b = dsp::smlad(column[Pixels * k], dsp::sxtb16<8>(word), b);
  }
  first = a;
  second = b;
}

/// Finishes up to two neighbouring channels of one pixel in any format.
__attribute__((noinline)) inline void store_any(const Convolution& step, int32_t channel, int32_t count,
                                                const int32_t* sums, uint8_t* pixel) {
  for (int32_t i = 0; i < count; ++i) {
    const int32_t value = requantize_around(step.output_zero, sums[i], step.multiplier[channel + i], step.shift,
                                            step.output_minimum, step.output_maximum);
    store_activation(pixel, channel + i, value, step.output.format);
  }
}

/// Finishes two neighbouring channels of one pixel, or the last of an odd number.
inline void store_two_channels(const Convolution& step, Store store, int32_t channel, int32_t count, int32_t first,
                               int32_t second, uint8_t* pixel) {
  const int32_t sums[2] = {first, second};
  if (count == 1 || store == Store::any) {
    store_any(step, channel, count, sums, pixel);
    return;
  }
  int32_t values[2];
  for (int32_t i = 0; i < 2; ++i) {
    const auto scaled = static_cast<int32_t>(static_cast<uint32_t>(sums[i]) << step.shift);
    values[i] = saturate(dsp::smmlar(scaled, step.multiplier[channel + i], step.output_zero), step.output_minimum,
                         step.output_maximum);
  }
  if (store == Store::nibble) {
    pixel[channel / 2] = static_cast<uint8_t>((values[0] & 15) | values[1] << 4);
  } else {
    pixel[channel] = static_cast<uint8_t>(values[0]);
    pixel[channel + 1] = static_cast<uint8_t>(values[1]);
  }
}

}  // namespace detail

/// The constants of all blocks of a layer.
struct MultiplyBlock {
  const Convolution& step;
  int32_t pairs;
  int32_t skip;
  detail::Store store;

  MultiplyBlock(const Convolution& s, int32_t column_pairs)
      : step(s),
        pairs(column_pairs),
        skip((TRIMTAB_UNROLL - 1 - (column_pairs - 1) % TRIMTAB_UNROLL) * detail::multiply_pair_bytes),
        store(detail::store_of(s, s.output.channels / s.groups % 2 == 0)) {}
};

/// Results of `filters` filters, the first of which is output channel `first`, for the four pixels of `column`; the
/// first pixel's results go to `output` (its channel 0), the others' `output.pixel_stride` bytes further on.
inline void multiply_4x2(const MultiplyBlock& block, const uint32_t* column, const uint8_t* weights, int32_t first,
                         int32_t filters, uint8_t* output) {
  using detail::Store;
  const Convolution& step = block.step;
  detail::MultiplyState state;
  state.weights = weights;
  state.skip = block.skip;
  state.weight_bytes = 4 * block.pairs;
  state.bias = step.bias + first;
  state.column = column;
  state.multiplier = step.multiplier + first;
  state.output = output + first;
  state.stride = step.output.pixel_stride;
  state.zero = step.output_zero;
  int32_t channel = first;
  const bool nibbles = block.store == Store::nibble && step.output_minimum == 0 && step.output_maximum == 15;
  if ((block.store == Store::u8 || block.store == Store::s8 || nibbles) && step.shift == 0 && filters >= 2) {
    channel += filters / 2 * 2;
    if (nibbles) state.output = output + first / 2;
    state.end = output + (nibbles ? channel / 2 : channel);
    state.mode = nibbles ? 3 : block.store == Store::u8 ? 0 : 1;
    detail::multiply_pairs(&state);
  }
  state.mode = 2;
  for (; channel < first + filters; channel += 2) {
    int32_t last_bias[2] = {step.bias[channel], 0};
    const int32_t count = channel + 1 < first + filters ? 2 : 1;
    if (count == 1) state.bias = last_bias;
    detail::multiply_pairs(&state);
    uint8_t* to = output;
    for (int32_t p = 0; p < 4; ++p, to += state.stride) {
      detail::store_two_channels(step, block.store, channel, count, state.sums[p], state.sums[4 + p], to);
    }
  }
}

/// The same for a single pixel of a column of `Pixels`: what is left of an image whose pixels are no multiple of them.
template <int Pixels>
inline void multiply_1x2(const MultiplyBlock& block, const uint32_t* column, const uint8_t* weights, int32_t first,
                         int32_t filters, uint8_t* output) {
  const Convolution& step = block.step;
  for (int32_t channel = first; channel < first + filters; channel += 2) {
    const int32_t count = channel + 1 < first + filters ? 2 : 1;
    int32_t sums[2] = {step.bias[channel], step.bias[channel + count - 1]};
    detail::accumulate_1x2<Pixels>(column, weights, block.pairs, sums[0], sums[1]);
    detail::store_any(step, channel, count, sums, output);
    weights += 4 * block.pairs;
  }
}

}  // namespace trimtab::TRIMTAB_RUNTIME
