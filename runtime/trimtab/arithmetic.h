#pragma once

// The integer arithmetic of every kernel, defined once. All of runtime/ is freestanding C++17: no heap, no exceptions,
// no RTTI, and nothing of the C library but memcpy and memset, so that the host and a bare Cortex-M compile the same
// files and compute the same bits.

#include <stddef.h>
#include <stdint.h>

#include "trimtab/variant.h"

namespace trimtab::TRIMTAB_RUNTIME {

/// `Count` numbers, where Count is an int that depends on a template's arguments (as a bound by itself, it would be a
/// conversion to unsigned that -Wsign-conversion reports).
template <class T, int Count>
using Array = T[static_cast<size_t>(Count)];

/// High word of a 64-bit product, rounded to nearest with halves upward: the Cortex-M4's SMMULR (Armv7-M ARM,
/// A7.7.150).
inline int32_t multiply_high_rounded(int32_t a, int32_t b) {
  return static_cast<int32_t>((static_cast<int64_t>(a) * b + INT64_C(0x80000000)) >> 32);
}

inline int32_t saturate(int32_t value, int32_t minimum, int32_t maximum) {
  return value < minimum ? minimum : value > maximum ? maximum : value;
}

/// From an accumulator to the integer grid of an output: saturate(round(accumulator * 2^shift * multiplier / 2^32)),
/// halves upward. Lowering has made sure that accumulator * 2^shift does not overflow. The multiplier may be negative.
inline int32_t requantize(int32_t accumulator, int32_t multiplier, int shift, int32_t minimum, int32_t maximum) {
  const auto scaled = static_cast<int32_t>(static_cast<uint32_t>(accumulator) << shift);
  return saturate(multiply_high_rounded(scaled, multiplier), minimum, maximum);
}

/// The same around the output's zero point.
inline int32_t requantize_around(int32_t zero, int32_t accumulator, int32_t multiplier, int shift, int32_t minimum,
                                 int32_t maximum) {
  return zero + requantize(accumulator, multiplier, shift, minimum - zero, maximum - zero);
}

}  // namespace trimtab::TRIMTAB_RUNTIME
