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

/// High word of a 64-bit product, rounded to nearest with halves upward, from four products of halves. None of the sums
/// overflows: the first is at most 32767 * 65535 + 65534 + 32768 = 2^31 - 1.
constexpr int32_t multiply_high_by_halves(int32_t a, int32_t b) {
  const int32_t a_low = a & 0xffff;
  const int32_t b_low = b & 0xffff;
  const auto low = static_cast<int32_t>((static_cast<uint32_t>(a_low) * static_cast<uint32_t>(b_low)) >> 16);
  const int32_t first = (a >> 16) * b_low + low + 0x8000;
  const int32_t second = a_low * (b >> 16);
  return (a >> 16) * (b >> 16) + (first >> 16) + (second >> 16) + (((first & 0xffff) + (second & 0xffff)) >> 16);
}

/// The same: the Cortex-M4's SMMULR (Armv7-M ARM, A7.7.150).
inline int32_t multiply_high_rounded(int32_t a, int32_t b) {
#if defined(__ARM_ARCH_6M__)
  return multiply_high_by_halves(a, b);  // without the C library's product of 64 bits
#elif defined(__riscv)
  const int64_t product = static_cast<int64_t>(a) * b;  // the half carries where the low word's highest bit is set
  return static_cast<int32_t>(product >> 32) + static_cast<int32_t>(static_cast<uint32_t>(product) >> 31);
#else
  return static_cast<int32_t>((static_cast<int64_t>(a) * b + INT64_C(0x80000000)) >> 32);
#endif
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
