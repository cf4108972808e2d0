#pragma once

// Saturation of up to eight results at once to the whole range of a signed or unsigned number of 2 to 8 bits: the width
// is part of the instruction, so there is a function for each.

#include "trimtab/arithmetic.h"

namespace trimtab::TRIMTAB_RUNTIME::detail {

#if defined(__arm__) && __ARM_ARCH >= 7

/// Saturates r4 to r11; changes nothing else. Every instruction takes four bytes. Two classes, since clang takes
/// nothing but assembly in a naked function.
template <bool Signed, int Bits>
struct SaturateEight {
  __attribute__((naked, noinline)) static void run() {
    asm volatile(
        "ssat r4, %[bits], r4\n ssat r5, %[bits], r5\n ssat r6, %[bits], r6\n ssat r7, %[bits], r7\n"
        "ssat r8, %[bits], r8\n ssat r9, %[bits], r9\n ssat r10, %[bits], r10\n ssat r11, %[bits], r11\n bx lr\n"
        :
        : [bits] "i"(Bits));
  }
};
template <int Bits>
struct SaturateEight<false, Bits> {
  __attribute__((naked, noinline)) static void run() {
    asm volatile(
        "usat r4, %[bits], r4\n usat r5, %[bits], r5\n usat r6, %[bits], r6\n usat r7, %[bits], r7\n"
        "usat r8, %[bits], r8\n usat r9, %[bits], r9\n usat r10, %[bits], r10\n usat r11, %[bits], r11\n bx lr\n"
        :
        : [bits] "i"(Bits));
  }
};

/// The address of the function for a range; 0 where the range is another.
template <int Bits = 2>
inline uintptr_t saturation_of(int32_t minimum, int32_t maximum) {
  if constexpr (Bits > 8) {
    return 0;
  } else {
    if (minimum == 0 && maximum == (1 << Bits) - 1)
      return reinterpret_cast<uintptr_t>(&SaturateEight<false, Bits>::run);
    if (minimum == -(1 << (Bits - 1)) && maximum == (1 << (Bits - 1)) - 1)
      return reinterpret_cast<uintptr_t>(&SaturateEight<true, Bits>::run);
    return saturation_of<Bits + 1>(minimum, maximum);
  }
}

/// Saturates two or four numbers: enters the function behind the registers that do not count.
inline void saturate_last(uintptr_t saturation, int32_t (&values)[2]) {
  register int32_t a asm("r10") = values[0];
  register int32_t b asm("r11") = values[1];
  asm volatile("blx %[entry]" : "+r"(a), "+r"(b) : [entry] "r"(saturation + 24) : "lr", "cc");
  values[0] = a;
  values[1] = b;
}
inline void saturate_last(uintptr_t saturation, int32_t (&values)[4]) {
  register int32_t a asm("r8") = values[0];
  register int32_t b asm("r9") = values[1];
  register int32_t c asm("r10") = values[2];
  register int32_t d asm("r11") = values[3];
  asm volatile("blx %[entry]" : "+r"(a), "+r"(b), "+r"(c), "+r"(d) : [entry] "r"(saturation + 16) : "lr", "cc");
  values[0] = a;
  values[1] = b;
  values[2] = c;
  values[3] = d;
}

#else

/// Elsewhere a number stands for the function: the bits, and 16 where they are signed.
inline uintptr_t saturation_of(int32_t minimum, int32_t maximum) {
  for (int bits = 2; bits <= 8; ++bits) {
    if (minimum == 0 && maximum == (1 << bits) - 1) return static_cast<uintptr_t>(bits);
    if (minimum == -(1 << (bits - 1)) && maximum == (1 << (bits - 1)) - 1) return static_cast<uintptr_t>(bits | 16);
  }
  return 0;
}
inline int32_t saturate_as(uintptr_t saturation, int32_t value) {
  const auto bits = static_cast<int>(saturation & 15U);
  const int32_t minimum = (saturation & 16U) != 0 ? -(1 << (bits - 1)) : 0;
  return saturate(value, minimum, minimum + (1 << bits) - 1);
}
template <size_t Count>
inline void saturate_last(uintptr_t saturation, int32_t (&values)[Count]) {
  for (int32_t& value : values) value = saturate_as(saturation, value);
}

#endif

}  // namespace trimtab::TRIMTAB_RUNTIME::detail
