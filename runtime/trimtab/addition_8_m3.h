#pragma once

// Addition of images of bytes of equal size, for cores without SIMD. The output may lie where the first input lies.

#include "trimtab/rows.h"

namespace trimtab::TRIMTAB_RUNTIME {

namespace detail {

/// saturate() in as many instructions whatever the value is.
inline int32_t saturate_steadily(int32_t value, int32_t minimum, int32_t maximum) {
#if defined(__ARM_ARCH_7M__)
  asm("cmp %[value], %[minimum]\n it lt\n movlt %[value], %[minimum]\n"
      "cmp %[value], %[maximum]\n it gt\n movgt %[value], %[maximum]\n"
      : [value] "+r"(value)
      : [minimum] "r"(minimum), [maximum] "r"(maximum)
      : "cc");
  return value;
#else
  return saturate(value, minimum, maximum);
#endif
}

/// `AtPoints`: other operating points may have smaller ranges; all take the same time.
template <bool AtPoints, typename A, typename B, typename Output>
inline void addition_8(const Addition& step, Strip strip, InputRows lefts, InputRows rights, OutputRows results) {
  const int32_t multiplier_a = step.multiplier_a;
  const int32_t multiplier_b = step.multiplier_b;
  const int32_t shift = step.shift;
  const int32_t constant = step.offset + (1 << (shift - 1));
  constexpr bool is_signed = static_cast<Output>(-1) < 0;
  const int32_t minimum = step.output_minimum;
  const int32_t maximum = step.output_maximum;
  const bool whole = !AtPoints && minimum == (is_signed ? -128 : 0) && maximum == (is_signed ? 127 : 255);
  int32_t pixels = step.output.width;
  int32_t rows = strip.count;
  if (lefts.is_dense() && rights.is_dense() && results.is_dense()) {
    pixels *= rows;  // one long row
    rows = 1;
  }
  int32_t channels = step.output.channels;
  if (step.a.pixel_stride == channels && step.b.pixel_stride == channels && step.output.pixel_stride == channels) {
    channels *= pixels;  // without gaps: one long pixel
    pixels = 1;
  }
  for (int32_t row = strip.first; rows > 0; --rows, ++row) {
    const uint8_t* a = lefts[row];
    const uint8_t* b = rights[row];
    uint8_t* output = results[row];
    for (int32_t remaining = pixels; remaining > 0; --remaining) {
      const auto* left = reinterpret_cast<const A*>(a);
      const auto* right = reinterpret_cast<const B*>(b);
      const auto sum = [&](int32_t i) {
        return (left[i] * multiplier_a + right[i] * multiplier_b + constant) >> shift;
      };
      if (whole) {
        const auto store = [&](int32_t i) {
          output[i] = static_cast<uint8_t>(is_signed ? saturate(sum(i), -128, 127) : saturate(sum(i), 0, 255));
        };
        int32_t i = 0;
        for (; i + 4 <= channels; i += 4) {
          store(i);
          store(i + 1);
          store(i + 2);
          store(i + 3);
        }
        for (; i < channels; ++i) store(i);
      } else if constexpr (AtPoints) {
        for (int32_t i = 0; i < channels; ++i) {
          output[i] = static_cast<uint8_t>(saturate_steadily(sum(i), minimum, maximum));
        }
      } else {
        for (int32_t i = 0; i < channels; ++i) output[i] = static_cast<uint8_t>(saturate(sum(i), minimum, maximum));
      }
      a += step.a.pixel_stride;
      b += step.b.pixel_stride;
      output += step.output.pixel_stride;
    }
  }
}

template <typename A, typename B, bool AtPoints = false>
inline void addition_8(const Addition& step, Strip strip, InputRows a, InputRows b, OutputRows output) {
  if (step.output.format.is_signed) {
    addition_8<AtPoints, A, B, int8_t>(step, strip, a, b, output);
  } else {
    addition_8<AtPoints, A, B, uint8_t>(step, strip, a, b, output);
  }
}

}  // namespace detail

inline void addition_u8_u8_m3(const Addition& step, Strip strip, InputRows a, InputRows b, OutputRows output) {
  detail::addition_8<uint8_t, uint8_t>(step, strip, a, b, output);
}
inline void addition_u8_s8_m3(const Addition& step, Strip strip, InputRows a, InputRows b, OutputRows output) {
  detail::addition_8<uint8_t, int8_t>(step, strip, a, b, output);
}
inline void addition_s8_u8_m3(const Addition& step, Strip strip, InputRows a, InputRows b, OutputRows output) {
  detail::addition_8<int8_t, uint8_t>(step, strip, a, b, output);
}
inline void addition_s8_s8_m3(const Addition& step, Strip strip, InputRows a, InputRows b, OutputRows output) {
  detail::addition_8<int8_t, int8_t>(step, strip, a, b, output);
}
inline void addition_u8_u8_points_m3(const Addition& step, Strip strip, InputRows a, InputRows b, OutputRows output) {
  detail::addition_8<uint8_t, uint8_t, true>(step, strip, a, b, output);
}
inline void addition_u8_s8_points_m3(const Addition& step, Strip strip, InputRows a, InputRows b, OutputRows output) {
  detail::addition_8<uint8_t, int8_t, true>(step, strip, a, b, output);
}
inline void addition_s8_u8_points_m3(const Addition& step, Strip strip, InputRows a, InputRows b, OutputRows output) {
  detail::addition_8<int8_t, uint8_t, true>(step, strip, a, b, output);
}
inline void addition_s8_s8_points_m3(const Addition& step, Strip strip, InputRows a, InputRows b, OutputRows output) {
  detail::addition_8<int8_t, int8_t, true>(step, strip, a, b, output);
}

}  // namespace trimtab::TRIMTAB_RUNTIME
