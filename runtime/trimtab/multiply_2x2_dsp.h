#pragma once

// The block of convolutions whose columns have to be small: two pixels times two filters. Per pair of inputs
// (column_layout.h) it takes one LDRD of activations, one LDR of weights, two SXTB16 and four SMLAD: 8 instructions for
// 8 products, where multiply_4x2_dsp.h takes 13 for 16. Weights are packed in the same way.

#include "trimtab/multiply_4x2_dsp.h"

namespace trimtab::TRIMTAB_RUNTIME {

namespace detail {

// Two instructions per turn of the unrolled loop: 3 % of 8 pairs.
#if defined(__OPTIMIZE_SIZE__)
#define TRIMTAB_UNROLL_2X2 2
#else
#define TRIMTAB_UNROLL_2X2 8
#endif

/// Sums of two pixels with two filters.
struct Sums2x2 {
  int32_t first[2];   ///< filter 0, by pixel
  int32_t second[2];  ///< filter 1
};

inline void accumulate_2x2(const uint32_t* column, const uint8_t* weights, int32_t pairs, Sums2x2& sums) {
  int32_t a0 = sums.first[0], a1 = sums.first[1], b0 = sums.second[0], b1 = sums.second[1];
  int32_t rest = pairs;
#if TRIMTAB_HAS_DSP && defined(__arm__)
  rest = pairs % TRIMTAB_UNROLL_2X2;
  const uint8_t* const end = weights + 4 * (pairs - rest);
  if (weights != end) {
    uint32_t word, odd, x0, x1;
    asm volatile(
        "1:\n\t"
        ".rept " TRIMTAB_STRING(TRIMTAB_UNROLL_2X2) "\n\t"
        "ldr %[word], [%[weights]], #4\n\t"
        "ldrd %[x0], %[x1], [%[column]], #8\n\t"
        "sxtb16 %[odd], %[word], ror #8\n\t"
        "sxtb16 %[word], %[word]\n\t"
        "smlad %[a0], %[x0], %[word], %[a0]\n\t"
        "smlad %[b0], %[x0], %[odd], %[b0]\n\t"
        "smlad %[a1], %[x1], %[word], %[a1]\n\t"
        "smlad %[b1], %[x1], %[odd], %[b1]\n\t"
        ".endr\n\t"
        "cmp %[weights], %[end]\n\t"
        "bne.w 1b"
        : [weights] "+r"(weights), [column] "+r"(column), [a0] "+r"(a0), [a1] "+r"(a1), [b0] "+r"(b0),
          [b1] "+r"(b1), [word] "=&r"(word), [odd] "=&r"(odd), [x0] "=&r"(x0), [x1] "=&r"(x1)
        : [end] "r"(end)
        : "cc", "memory");
  }
#endif
  for (; rest > 0; --rest, weights += 4, column += 2) {
    const uint32_t word = load_word(weights);
    const uint32_t first = dsp::sxtb16<0>(word);
    const uint32_t second = dsp::sxtb16<8>(word);
    a0 = dsp::smlad(column[0], first, a0);
    b0 = dsp::smlad(column[0], second, b0);
    a1 = dsp::smlad(column[1], first, a1);
    b1 = dsp::smlad(column[1], second, b1);
  }
  sums = {{a0, a1}, {b0, b1}};
}

}  // namespace detail

/// Results of `filters` filters, the first of which is output channel `first`, for the two pixels of `column`; the
/// first pixel's results go to `output` (its channel 0), the other's `output.pixel_stride` bytes further on.
inline void multiply_2x2(const MultiplyBlock& block, const uint32_t* column, const uint8_t* weights, int32_t first,
                         int32_t filters, uint8_t* output) {
  const Convolution& step = block.step;
  const bool quick =
      block.store == detail::Store::nibble && step.output_minimum == 0 && step.output_maximum == 15 && step.shift == 0;
  const int32_t zero = step.output_zero;
  uint8_t* const second_pixel = output + step.output.pixel_stride;
  for (int32_t channel = first; channel < first + filters; channel += 2, weights += 4 * block.pairs) {
    const int32_t count = channel + 1 < first + filters ? 2 : 1;
    const int32_t bias = step.bias[channel];
    const int32_t second_bias = step.bias[channel + count - 1];
    detail::Sums2x2 sums{{bias, bias}, {second_bias, second_bias}};
    detail::accumulate_2x2(column, weights, block.pairs, sums);
    if (quick && count == 2) {
      const int32_t* multiplier = step.multiplier + channel;
      const auto both = [&](int32_t a, int32_t b) {
        return static_cast<uint8_t>(dsp::usat<4>(dsp::smmlar(a, multiplier[0], zero)) |
                                    dsp::usat<4>(dsp::smmlar(b, multiplier[1], zero)) << 4);
      };
      output[channel / 2] = both(sums.first[0], sums.second[0]);
      second_pixel[channel / 2] = both(sums.first[1], sums.second[1]);
      continue;
    }
    detail::store_two_channels(step, block.store, channel, count, sums.first[0], sums.second[0], output);
    detail::store_two_channels(step, block.store, channel, count, sums.first[1], sums.second[1], second_pixel);
  }
}

}  // namespace trimtab::TRIMTAB_RUNTIME
