#pragma once

// Addition of two images of 8 or of 4-bit activations, both of one size and any sign, four bytes at a time. Fields are
// taken unsigned with their sign bit flipped; the constant that this adds is taken off the rounding term.

#include "trimtab/dsp.h"
#include "trimtab/rows.h"

namespace trimtab::TRIMTAB_RUNTIME {

namespace detail {

/// Outputs from 0 to 255, from 0 to less, or any.
enum class AdditionRange : uint8_t { byte, up_to, any };

struct AdditionTerms {
  uint32_t multiplier_a, multiplier_b, constant;
  int32_t shift, minimum, maximum;

  /// Fields of the words after the flip.
  template <int Bits, AdditionRange Range, int Index>
  uint32_t add(uint32_t a, uint32_t b) const {
    constexpr uint32_t mask = (1U << Bits) - 1;
    const uint32_t sum =
        constant + (a >> (Bits * Index) & mask) * multiplier_a + (b >> (Bits * Index) & mask) * multiplier_b;
    const int32_t shifted = static_cast<int32_t>(sum) >> shift;
    if constexpr (Range != AdditionRange::any) return static_cast<uint32_t>(dsp::usat<8>(shifted)) << (Bits * Index);
    return (static_cast<uint32_t>(saturate(shifted, minimum, maximum)) & mask) << (Bits * Index);
  }

  template <int Bits, AdditionRange Range, int Index = 0>
  uint32_t add_word(uint32_t a, uint32_t b) const {
    if constexpr (Index * Bits == 32)
      return 0;
    else
      return add<Bits, Range, Index>(a, b) | add_word<Bits, Range, Index + 1>(a, b);
  }
};

template <int Bits, AdditionRange Range>
inline void add_bytes(const AdditionTerms& given, const uint8_t* a, uint32_t flip_a, const uint8_t* b, uint32_t flip_b,
                      uint8_t* output, int32_t bytes) {
  const AdditionTerms terms = given;
  const auto limited = [&](uint32_t sums) {
    if constexpr (Range != AdditionRange::up_to) return sums;
    return dsp::least_bytes(sums, static_cast<uint32_t>(terms.maximum) * 0x01010101U);
  };
  for (; bytes >= 4; bytes -= 4, a += 4, b += 4, output += 4) {
    store_word(output, limited(terms.add_word<Bits, Range>(load_word(a) ^ flip_a, load_word(b) ^ flip_b)));
  }
  for (; bytes > 0; --bytes) {
    *output++ = static_cast<uint8_t>(limited(terms.add_word<Bits, Range>(*a++ ^ flip_a, *b++ ^ flip_b)));
  }
}

}  // namespace detail

/// `AtPoints`: other operating points may have smaller ranges; all from 0 on take the same time.
template <int Bits, bool AtPoints = false>
inline void addition(const Addition& step, Strip strip, InputRows left, InputRows right, OutputRows result) {
  const auto flip = [](const Image& image) {
    return !image.format.is_signed ? 0U : Bits == 8 ? 0x80808080U : 0x88888888U;
  };
  constexpr uint32_t half = 1U << (Bits - 1);
  detail::AdditionTerms terms{};
  terms.multiplier_a = static_cast<uint32_t>(step.multiplier_a);
  terms.multiplier_b = static_cast<uint32_t>(step.multiplier_b);
  terms.constant = static_cast<uint32_t>(step.offset) + (1U << (step.shift - 1)) -
                   (step.a.format.is_signed ? half * terms.multiplier_a : 0) -
                   (step.b.format.is_signed ? half * terms.multiplier_b : 0);
  terms.shift = step.shift;
  terms.minimum = step.output_minimum;
  terms.maximum = step.output_maximum;
  constexpr auto quick = AtPoints ? detail::AdditionRange::up_to : detail::AdditionRange::byte;
  const bool whole =
      Bits == 8 && step.output_minimum == 0 && (AtPoints ? !step.output.format.is_signed : step.output_maximum == 255);
  int32_t pixels = step.output.width;
  int32_t rows = strip.count;
  if (left.is_dense() && right.is_dense() && result.is_dense()) {
    pixels *= rows;  // one long row
    rows = 1;
  }
  int32_t bytes = (step.output.channels * Bits + 7) / 8;
  if (step.a.pixel_stride == bytes && step.b.pixel_stride == bytes && step.output.pixel_stride == bytes) {
    bytes *= pixels;  // without gaps: one long pixel
    pixels = 1;
  }
  for (int32_t row = strip.first; rows > 0; --rows, ++row) {
    const uint8_t* a = left[row];
    const uint8_t* b = right[row];
    uint8_t* output = result[row];
    for (int32_t i = pixels; i > 0; --i) {
      if (whole) {
        detail::add_bytes<Bits, quick>(terms, a, flip(step.a), b, flip(step.b), output, bytes);
      } else {
        detail::add_bytes<Bits, detail::AdditionRange::any>(terms, a, flip(step.a), b, flip(step.b), output, bytes);
      }
      a += step.a.pixel_stride;
      b += step.b.pixel_stride;
      output += step.output.pixel_stride;
    }
  }
}

inline void addition_8_dsp(const Addition& step, Strip strip, InputRows a, InputRows b, OutputRows output) {
  addition<8>(step, strip, a, b, output);
}
inline void addition_8_points_dsp(const Addition& step, Strip strip, InputRows a, InputRows b, OutputRows output) {
  addition<8, true>(step, strip, a, b, output);
}
inline void addition_4_dsp(const Addition& step, Strip strip, InputRows a, InputRows b, OutputRows output) {
  addition<4>(step, strip, a, b, output);
}

}  // namespace trimtab::TRIMTAB_RUNTIME
