#pragma once

// The block that convolutions spend their time in: four pixels times two filters. Per pair of inputs (column_layout.h)
// it takes two LDRD of activations, one LDR of weights, two SXTB16 and eight SMLAD: 13 instructions for 16 products.
// Weights come as bytes, one word per pair: filter 0 lane 0, filter 1 lane 0, filter 0 lane 1, filter 1 lane 1.

#include "trimtab/activations.h"
#include "trimtab/dsp.h"

namespace trimtab::runtime {

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

#if TRIMTAB_HAS_DSP && defined(__OPTIMIZE__)
// Pairs in the unrolled loop, and the bytes of code that each takes. With 8 instead of 16 a loop of K inputs takes
// 3 * K / 32 instructions more, 1.4 % at most, and 416 bytes of code less.
#if defined(__OPTIMIZE_SIZE__)
#define TRIMTAB_UNROLL 4
#else
#define TRIMTAB_UNROLL 16
#endif
constexpr int32_t multiply_unroll = TRIMTAB_UNROLL;
constexpr int32_t multiply_pair_bytes = 52;
#define TRIMTAB_STRING_(x) #x
#define TRIMTAB_STRING(x) TRIMTAB_STRING_(x)

/// Bytes of the unrolled loop to be skipped on entry, so that no pair is left for a loop of its own.
inline int32_t multiply_skip(int32_t pairs) {
  return (multiply_unroll - 1 - (pairs - 1) % multiply_unroll) * multiply_pair_bytes;
}
#else
inline int32_t multiply_skip(int32_t) { return 0; }
#endif

}  // namespace detail

/// What stays the same for all blocks of a layer.
struct MultiplyBlock {
  const Convolution& step;
  int32_t pairs;
  int32_t loop[2];  // bytes of code to be skipped on entry, bytes of weights of two filters
  detail::Store store;

  /// `filters_per_group` decides whether two filters share an output byte of two nibbles.
  MultiplyBlock(const Convolution& s, int32_t column_pairs)
      : step(s),
        pairs(column_pairs),
        loop{detail::multiply_skip(column_pairs), 4 * column_pairs},
        store(detail::store_of(s, s.output.channels / s.groups % 2 == 0)) {}
};

namespace detail {

/// Adds the products of one pixel (words 4 apart in the column) with two filters.
inline void accumulate_1x2(const uint32_t* column, const uint8_t* weights, int32_t pairs, int32_t& first,
                           int32_t& second) {
  int32_t a = first;
  int32_t b = second;
#pragma GCC unroll 2
  for (int32_t k = 0; k < pairs; ++k) {
    const uint32_t word = load_word(weights + 4 * k);
    a = dsp::smlad(column[4 * k], dsp::sxtb16<0>(word), a);
    b = dsp::smlad(column[4 * k], dsp::sxtb16<8>(word), b);
  }
  first = a;
  second = b;
}

/// Finishes up to two neighbouring channels of one pixel in any format.
__attribute__((noinline)) inline void store_any(const Convolution& step, int32_t channel, int32_t count,
                                                const int32_t* sums, uint8_t* pixel) {
  for (int32_t i = 0; i < count; ++i) {
    const int32_t value =
        requantize(sums[i], step.multiplier[channel + i], step.shift, step.output_minimum, step.output_maximum);
    store_activation(pixel, channel + i, value, step.output.format);
  }
}

template <Store Kind>
inline int32_t finish(int32_t sum, int32_t multiplier, int32_t shift, int32_t minimum, int32_t maximum) {
  const int32_t value = dsp::smmulr(static_cast<int32_t>(static_cast<uint32_t>(sum) << shift), multiplier);
  if constexpr (Kind == Store::u8) return dsp::usat<8>(value);
  if constexpr (Kind == Store::s8) return dsp::ssat<8>(value);
  return saturate(value, minimum, maximum);
}

}  // namespace detail

/// Results of `filters` filters, the first of which is output channel `first`, for the four pixels of `column`; the
/// first pixel's results go to `output` (its channel 0), the others' `output.pixel_stride` bytes further on.
__attribute__((noinline)) inline void multiply_4x2(const MultiplyBlock& block, const uint32_t* column,
                                                   const uint8_t* weights, int32_t first, int32_t filters,
                                                   uint8_t* output) {
  using detail::Store;
  const Convolution& step = block.step;
  for (int32_t channel = first; channel < first + filters; channel += 2) {
    const bool two = channel + 1 < first + filters;
    const int32_t bias_a = step.bias[channel];
    const int32_t bias_b = step.bias[channel + (two ? 1 : 0)];
#if TRIMTAB_HAS_DSP && defined(__OPTIMIZE__)
    // All registers but SP are taken, which GCC allots only by name; the end of the loop waits on the stack.
    register int32_t a0 asm("r4") = bias_a;
    register int32_t a1 asm("r5") = bias_a;
    register int32_t a2 asm("r6") = bias_a;
    register int32_t a3 asm("r7") = bias_a;
    register int32_t b0 asm("r8") = bias_b;
    register int32_t b1 asm("r9") = bias_b;
    register int32_t b2 asm("r10") = bias_b;
    register int32_t b3 asm("r11") = bias_b;
    register const uint32_t* inputs asm("r0") = column;
    register const uint8_t* filter asm("r1") = weights;
    register const int32_t* loop asm("r2") = block.loop;
    asm volatile(
        "ldrd r2, r3, [r2]\n\t"
        "add r3, r1\n\t"
        "push {r3}\n\t"
        "add pc, r2\n\t"
        "nop\n"
        "1:\n\t"
        ".rept " TRIMTAB_STRING(TRIMTAB_UNROLL) "\n\t"
        "ldr.w r2, [r1], #4\n\t"
        "ldrd r12, lr, [r0], #8\n\t"
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
        "bne 1b\n\t"
        "add sp, #4\n\t"
        : "+r"(a0), "+r"(a1), "+r"(a2), "+r"(a3), "+r"(b0), "+r"(b1), "+r"(b2), "+r"(b3), "+r"(filter), "+r"(inputs),
          "+r"(loop)
        :
        : "r3", "r12", "lr", "cc", "memory");
    weights = filter;
#else
    int32_t a0 = bias_a, a1 = bias_a, a2 = bias_a, a3 = bias_a;
    int32_t b0 = bias_b, b1 = bias_b, b2 = bias_b, b3 = bias_b;
    for (int32_t k = 0; k < block.pairs; ++k, weights += 4) {
      const uint32_t word = load_word(weights);
      const uint32_t w0 = dsp::sxtb16<0>(word);
      const uint32_t w1 = dsp::sxtb16<8>(word);
      a0 = dsp::smlad(column[4 * k], w0, a0);
      a1 = dsp::smlad(column[4 * k + 1], w0, a1);
      a2 = dsp::smlad(column[4 * k + 2], w0, a2);
      a3 = dsp::smlad(column[4 * k + 3], w0, a3);
      b0 = dsp::smlad(column[4 * k], w1, b0);
      b1 = dsp::smlad(column[4 * k + 1], w1, b1);
      b2 = dsp::smlad(column[4 * k + 2], w1, b2);
      b3 = dsp::smlad(column[4 * k + 3], w1, b3);
    }
#endif
    const int32_t stride = step.output.pixel_stride;
    const int32_t shift = step.shift;
    uint8_t* to = output + channel;
    if (two && block.store == Store::u8 && shift == 0) {
      const int32_t ma = step.multiplier[channel];
      const int32_t mb = step.multiplier[channel + 1];
      to[0] = static_cast<uint8_t>(dsp::usat<8>(dsp::smmulr(a0, ma)));
      to[1] = static_cast<uint8_t>(dsp::usat<8>(dsp::smmulr(b0, mb)));
      to += stride;
      to[0] = static_cast<uint8_t>(dsp::usat<8>(dsp::smmulr(a1, ma)));
      to[1] = static_cast<uint8_t>(dsp::usat<8>(dsp::smmulr(b1, mb)));
      to += stride;
      to[0] = static_cast<uint8_t>(dsp::usat<8>(dsp::smmulr(a2, ma)));
      to[1] = static_cast<uint8_t>(dsp::usat<8>(dsp::smmulr(b2, mb)));
      to += stride;
      to[0] = static_cast<uint8_t>(dsp::usat<8>(dsp::smmulr(a3, ma)));
      to[1] = static_cast<uint8_t>(dsp::usat<8>(dsp::smmulr(b3, mb)));
      continue;
    }
    int32_t sums[4][2] = {{a0, b0}, {a1, b1}, {a2, b2}, {a3, b3}};
    if (!two || block.store == Store::any) {
      for (int32_t p = 0; p < 4; ++p) detail::store_any(step, channel, two ? 2 : 1, sums[p], output + p * stride);
      continue;
    }
    const int32_t ma = step.multiplier[channel];
    const int32_t mb = step.multiplier[channel + 1];
    if (block.store == Store::nibble) to = output + channel / 2;
    const int32_t minimum = step.output_minimum;
    const int32_t maximum = step.output_maximum;
#pragma GCC unroll 1
    for (int32_t p = 0; p < 4; ++p, to += stride) {
      const int32_t a = detail::finish<Store::byte>(sums[p][0], ma, shift, minimum, maximum);
      const int32_t b = detail::finish<Store::byte>(sums[p][1], mb, shift, minimum, maximum);
      if (block.store == Store::nibble) {
        to[0] = static_cast<uint8_t>((a & 15) | b << 4);
      } else {
        to[0] = static_cast<uint8_t>(a);
        to[1] = static_cast<uint8_t>(b);
      }
    }
  }
}

/// The same for a single pixel: what is left of an image whose pixels are no multiple of four.
inline void multiply_1x2(const MultiplyBlock& block, const uint32_t* column, const uint8_t* weights, int32_t first,
                         int32_t filters, uint8_t* output) {
  const Convolution& step = block.step;
  for (int32_t channel = first; channel < first + filters; channel += 2) {
    const int32_t count = channel + 1 < first + filters ? 2 : 1;
    int32_t sums[2] = {step.bias[channel], step.bias[channel + count - 1]};
    detail::accumulate_1x2(column, weights, block.pairs, sums[0], sums[1]);
    detail::store_any(step, channel, count, sums, output);
    weights += 4 * block.pairs;
  }
}

}  // namespace trimtab::runtime
