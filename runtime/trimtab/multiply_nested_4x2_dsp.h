#pragma once

// The block of multiply_4x2_dsp.h, four pixels times two filters, for nested weights (nested_weights.h). The stored
// bytes are masked in the loop, one AND for every word of four: 14 instructions for 16 products at every precision.
// The mask leaves 2^(8 - bits) times the digits, so that the tail shifts by so much less; there it also adds
// the bias and the sum of each pixel's activations.
//
// The loop is a function of its own for every bit-width, since the mask is part of the AND; so is the saturation
// (saturate_eight.h).

#include "trimtab/multiply_4x2_dsp.h"
#include "trimtab/nested_weights.h"
#include "trimtab/saturate_eight.h"

namespace trimtab::TRIMTAB_RUNTIME {

namespace detail {

constexpr int32_t multiply_nested_pair_bytes = 56;

/// The state that multiply_nested_pairs() works on and moves on. The assembly knows the order of the members.
struct NestedMultiplyState {
  const uint8_t* weights;     // 0: of the next two filters
  uintptr_t entry;            // 4: into the loop, so that no pair is left over
  int32_t weight_bytes;       // 8: of two filters
  const int32_t* bias;        // 12
  const uint32_t* column;     // 16
  const int32_t* multiplier;  // 20
  uint8_t* output;            // 24: first pixel, next channel
  int32_t stride;             // 28: bytes from pixel to pixel
  const uint8_t* end;         // 32: of the first pixel's outputs
  uintptr_t saturation;       // 36: see saturate_eight.h; 0 where only two filters' sums of masked products are wanted
  int32_t product_shift;      // 40: of the masked products; see encode_shift()
  int32_t shift;              // 44: of the bias
  int32_t activations[4];     // 48: sums of each pixel's, shifted like the bias
  int32_t sums[8];            // 64: filter 0, pixels 0 to 3, filter 1
};

/// A shift to the left, or where it is negative to the right, as a register shift takes it: the lowest byte is the
/// number of bits, the sign the direction.
inline int32_t encode_shift(int32_t shift) { return shift >= 0 ? shift : INT32_MIN | -shift; }

#if TRIMTAB_HAS_DSP && defined(__arm__)

/// Goes on at [sp, #8] when the weights at r1 have reached [sp].
template <int Bits>
__attribute__((naked, noinline)) inline void multiply_nested_loop() {
  asm volatile(
      "1:\n\t"
      ".rept " TRIMTAB_STRING(TRIMTAB_UNROLL) "\n\t"
      "ldr.w r2, [r1], #4\n\t"
      "ldrd r12, lr, [r0], #8\n\t"
      "and.w r2, r2, %[mask]\n\t"
      "sxtb16 r3, r2, ror #8\n\t"
      "sxtb16 r2, r2\n\t"
      "smlad r4, r12, r2, r4\n\t"
      "smlad r8, r12, r3, r8\n\t"
      "smlad r5, lr, r2, r5\n\t"
      "smlad r9, lr, r3, r9\n\t"
      "ldrd r12, lr, [r0], #8\n\t"
      "smlad r6, r12, r2, r6\n\t"
      "smlad r10, r12, r3, r10\n\t"
      "smlad r7, lr, r2, r7\n\t"
      "smlad r11, lr, r3, r11\n\t"
      ".endr\n\t"
      "ldr r2, [sp]\n\t"
      "cmp r1, r2\n\t"
      "bne.w 1b\n\t"
      "ldr pc, [sp, #8]\n"
      :
      : [mask] "i"(nested_mask(Bits)));
}

/// Runs filters two by two until `output` meets `end`, or once where only the sums are wanted. 94 instructions beside
/// the 14 per pair of inputs and the saturation; 93 where the products are shifted to the right, so that few bits never
/// take longer than many.
__attribute__((naked, noinline)) inline void multiply_nested_pairs(NestedMultiplyState* /*state*/) {
  asm volatile(
      "push {r4-r11, lr}\n\t"
      "sub sp, #12\n\t"
      "str r0, [sp, #4]\n\t"
      "ldr r1, =2f + 1\n\t"
      "str r1, [sp, #8]\n"
      "1:\n\t"
      "ldm.w r0, {r1, r2, r3, r12, lr}\n\t"
      "add r3, r1\n\t"
      "str r3, [sp]\n\t"
      "mov r0, lr\n\t"
      "mov.w r4, #0\n\t"
      "mov.w r5, #0\n\t"
      "mov.w r6, #0\n\t"
      "mov.w r7, #0\n\t"
      "mov.w r8, #0\n\t"
      "mov.w r9, #0\n\t"
      "mov.w r10, #0\n\t"
      "mov.w r11, #0\n\t"
      "bx r2\n"
      "2:\n\t"
      "ldr r0, [sp, #4]\n\t"
      "str r1, [r0, #0]\n\t"
      "ldr r12, [r0, #36]\n\t"
      "cmp.w r12, #0\n\t"
      "beq 6f\n\t"
      "ldr r3, [r0, #40]\n\t"
      "cmp r3, #0\n\t"
      "bge 4f\n\t"
      "asr.w r4, r4, r3\n\t"
      "asr.w r5, r5, r3\n\t"
      "asr.w r6, r6, r3\n\t"
      "asr.w r7, r7, r3\n\t"
      "asr.w r8, r8, r3\n\t"
      "asr.w r9, r9, r3\n\t"
      "asr.w r10, r10, r3\n\t"
      "asr.w r11, r11, r3\n"
      "3:\n\t"
      "ldr.w lr, [r0, #12]\n\t"
      "ldrd r1, r2, [lr], #8\n\t"
      "str.w lr, [r0, #12]\n\t"
      "ldr r3, [r0, #44]\n\t"
      "lsls r1, r3\n\t"
      "lsls r2, r3\n\t"
      "add r4, r1\n\t"
      "add r5, r1\n\t"
      "add r6, r1\n\t"
      "add r7, r1\n\t"
      "add r8, r2\n\t"
      "add r9, r2\n\t"
      "add r10, r2\n\t"
      "add r11, r2\n\t"
      "add.w lr, r0, #48\n\t"
      "ldm.w lr, {r1, r2, r3, lr}\n\t"
      "add r4, r1\n\t"
      "add r5, r2\n\t"
      "add r6, r3\n\t"
      "add r7, lr\n\t"
      "add r8, r1\n\t"
      "add r9, r2\n\t"
      "add r10, r3\n\t"
      "add r11, lr\n\t"
      "ldr r1, [r0, #20]\n\t"
      "ldrd r2, r3, [r1], #8\n\t"
      "str r1, [r0, #20]\n\t"
      "smmulr r4, r4, r2\n\t"
      "smmulr r5, r5, r2\n\t"
      "smmulr r6, r6, r2\n\t"
      "smmulr r7, r7, r2\n\t"
      "smmulr r8, r8, r3\n\t"
      "smmulr r9, r9, r3\n\t"
      "smmulr r10, r10, r3\n\t"
      "smmulr r11, r11, r3\n\t"
      "blx r12\n\t"
      "ldrd r1, r2, [r0, #24]\n\t"
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
      "str r1, [r0, #24]\n\t"
      "ldr r2, [r0, #32]\n\t"
      "cmp r1, r2\n\t"
      "bne.w 1b\n"
      "7:\n\t"
      "add sp, #12\n\t"
      "pop {r4-r11, pc}\n"
      "6:\n\t"
      "add r0, #64\n\t"
      "stm r0, {r4-r11}\n\t"
      "b 7b\n"
      "4:\n\t"
      "lsl.w r4, r4, r3\n\t"
      "lsl.w r5, r5, r3\n\t"
      "lsl.w r6, r6, r3\n\t"
      "lsl.w r7, r7, r3\n\t"
      "lsl.w r8, r8, r3\n\t"
      "lsl.w r9, r9, r3\n\t"
      "lsl.w r10, r10, r3\n\t"
      "lsl.w r11, r11, r3\n\t"
      "b 3b\n\t"
      ".ltorg\n");
}

/// Adds up the activations of four pixels: 5 instructions per pair.
inline void sum_activations_4(const uint32_t* column, int32_t pairs, int32_t (&sums)[4]) {
  int32_t a = 0, b = 0, c = 0, d = 0;
  const uint32_t ones = 0x00010001U;
  const uint32_t* const end = column + 4 * pairs;
#define TRIMTAB_SUM_PAIR                                                                      \
  "ldm %[column]!, {r4-r7}\n smlad %[a], r4, %[ones], %[a]\n smlad %[b], r5, %[ones], %[b]\n" \
  "smlad %[c], r6, %[ones], %[c]\n smlad %[d], r7, %[ones], %[d]\n"
  asm volatile("lsls r4, %[pairs], #31\n beq 2f\n" TRIMTAB_SUM_PAIR
               "2: cmp %[column], %[end]\n beq 3f\n"
               "1:\n" TRIMTAB_SUM_PAIR TRIMTAB_SUM_PAIR
               "cmp %[column], %[end]\n bne 1b\n"
               "3:\n"
               : [column] "+r"(column), [a] "+r"(a), [b] "+r"(b), [c] "+r"(c), [d] "+r"(d)
               : [ones] "r"(ones), [end] "r"(end), [pairs] "r"(pairs)
               : "r4", "r5", "r6", "r7", "cc", "memory");
#undef TRIMTAB_SUM_PAIR
  sums[0] = a;
  sums[1] = b;
  sums[2] = c;
  sums[3] = d;
}

/// The loop for `bits` bits, of those in Widths.
template <unsigned Widths, int Bits = 2>
inline uintptr_t multiply_nested_loop_of(int bits) {
  if constexpr (Bits > 8) {
    return 0;
  } else {
    if constexpr (has_bit_width(Widths, Bits)) {
      if (bits == Bits) return reinterpret_cast<uintptr_t>(&multiply_nested_loop<Bits>);
    }
    return multiply_nested_loop_of<Widths, Bits + 1>(bits);
  }
}

#else

inline void multiply_nested_pairs(NestedMultiplyState* state) {
  const auto mask = static_cast<uint32_t>(state->entry);
  do {
    const uint32_t* inputs = state->column;
    int32_t sums[8] = {};
    for (int32_t byte = 0; byte < state->weight_bytes; byte += 4, inputs += 4) {
      const uint32_t word = load_word(state->weights + byte) & mask;
      for (int32_t p = 0; p < 4; ++p) {
        sums[p] = dsp::smlad(inputs[p], dsp::sxtb16<0>(word), sums[p]);
        sums[4 + p] = dsp::smlad(inputs[p], dsp::sxtb16<8>(word), sums[4 + p]);
      }
    }
    state->weights += state->weight_bytes;
    if (state->saturation == 0) {
      memcpy(state->sums, sums, sizeof sums);
      return;
    }
    for (int32_t i = 0; i < 8; ++i) {
      const int shift = state->product_shift & 255;
      const uint32_t products =
          state->product_shift >= 0 ? static_cast<uint32_t>(sums[i]) << shift : static_cast<uint32_t>(sums[i] >> shift);
      const uint32_t sum = products + (static_cast<uint32_t>(state->bias[i / 4]) << state->shift) +
                           static_cast<uint32_t>(state->activations[i % 4]);
      const int32_t value = dsp::smmulr(static_cast<int32_t>(sum), state->multiplier[i / 4]);
      state->output[i % 4 * state->stride + i / 4] = static_cast<uint8_t>(saturate_as(state->saturation, value));
    }
    state->bias += 2;
    state->multiplier += 2;
    state->output += 2;
  } while (state->output != state->end);
}

inline void sum_activations_4(const uint32_t* column, int32_t pairs, int32_t (&sums)[4]) {
  for (int32_t p = 0; p < 4; ++p) {
    sums[p] = 0;
    for (int32_t k = 0; k < pairs; ++k) sums[p] = dsp::smlad(column[4 * k + p], 0x00010001U, sums[p]);
  }
}

/// Here the mask takes the place of the loop.
template <unsigned Widths>
inline uintptr_t multiply_nested_loop_of(int bits) {
  return nested_mask(bits);
}

#endif

}  // namespace detail

/// The constants of all blocks of a layer.
struct NestedMultiplyBlock {
  const Convolution& step;
  int32_t pairs;
  uintptr_t entry;
  uintptr_t saturation;
  detail::Store store;

  template <unsigned Widths>
  static NestedMultiplyBlock of(const Convolution& step, int32_t pairs) {
    uintptr_t entry = detail::multiply_nested_loop_of<Widths>(step.weight_bits);
#if TRIMTAB_HAS_DSP && defined(__arm__)
    entry += static_cast<uintptr_t>((TRIMTAB_UNROLL - 1 - (pairs - 1) % TRIMTAB_UNROLL) *
                                    detail::multiply_nested_pair_bytes);
#endif
    const uintptr_t saturation =
        step.output.format.bits == 8 ? detail::saturation_of(step.output_minimum, step.output_maximum) : 0;
    return {step, pairs, entry, saturation, detail::store_of(step, step.output.channels / step.groups % 2 == 0)};
  }

  /// The accumulator of a filter from its sum of masked products and the sum of the activations.
  int32_t accumulator(int32_t channel, int32_t masked, int32_t activations) const {
    return step.bias[channel] + activations + 2 * (masked >> (8 - step.weight_bits));
  }
};

/// Results of `filters` filters, the first of which is output channel `first`, for the four pixels of `column`; the
/// first pixel's results go to `output` (its channel 0), the others' `output.pixel_stride` bytes further on.
inline void multiply_nested_4x2(const NestedMultiplyBlock& block, const uint32_t* column, const uint8_t* weights,
                                int32_t first, int32_t filters, uint8_t* output) {
  const Convolution& step = block.step;
  int32_t activations[4];
  detail::sum_activations_4(column, block.pairs, activations);
  detail::NestedMultiplyState state;
  state.weights = weights;
  state.entry = block.entry;
  state.weight_bytes = 4 * block.pairs;
  state.column = column;
  state.stride = step.output.pixel_stride;
  int32_t channel = first;
  if (block.saturation != 0 && filters >= 2) {
    channel += filters / 2 * 2;
    state.bias = step.bias + first;
    state.multiplier = step.multiplier + first;
    state.output = output + first;
    state.end = output + channel;
    state.saturation = block.saturation;
    state.shift = step.shift;
    state.product_shift = detail::encode_shift(step.shift + 1 - (8 - step.weight_bits));
    for (int32_t p = 0; p < 4; ++p) {
      state.activations[p] = static_cast<int32_t>(static_cast<uint32_t>(activations[p]) << step.shift);
    }
    detail::multiply_nested_pairs(&state);
  }
  state.saturation = 0;
  for (; channel < first + filters; channel += 2) {
    const int32_t count = channel + 1 < first + filters ? 2 : 1;
    detail::multiply_nested_pairs(&state);
    uint8_t* to = output;
    for (int32_t p = 0; p < 4; ++p, to += state.stride) {
      detail::store_two_channels(step, block.store, channel, count,
                                 block.accumulator(channel, state.sums[p], activations[p]),
                                 block.accumulator(channel + count - 1, state.sums[4 + p], activations[p]), to);
    }
  }
}

/// The same for a single pixel of a column of four.
inline void multiply_nested_1x2(const NestedMultiplyBlock& block, const uint32_t* column, const uint8_t* weights,
                                int32_t first, int32_t filters, uint8_t* output) {
  const Convolution& step = block.step;
  const uint32_t mask = nested_mask(step.weight_bits);
  int32_t activations = 0;
  for (int32_t k = 0; k < block.pairs; ++k) activations = dsp::smlad(column[4 * k], 0x00010001U, activations);
  for (int32_t channel = first; channel < first + filters; channel += 2) {
    const int32_t count = channel + 1 < first + filters ? 2 : 1;
    int32_t sums[2] = {0, 0};
    for (int32_t k = 0; k < block.pairs; ++k) {
      const uint32_t word = load_word(weights + 4 * k) & mask;
      sums[0] = dsp::smlad(column[4 * k], dsp::sxtb16<0>(word), sums[0]);
      sums[1] = dsp::smlad(column[4 * k], dsp::sxtb16<8>(word), sums[1]);
    }
    for (int32_t i = 0; i < count; ++i) sums[i] = block.accumulator(channel + i, sums[i], activations);
    detail::store_any(step, channel, count, sums, output);
    weights += 4 * block.pairs;
  }
}

}  // namespace trimtab::TRIMTAB_RUNTIME
