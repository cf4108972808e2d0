#pragma once

// Bytes of four places, widened to 32 bits, in turn: word 4 * k + p is byte k of place p.

#include "trimtab/arithmetic.h"

namespace trimtab::TRIMTAB_RUNTIME::detail {

/// Returns the end of the words.
template <bool is_signed>
__attribute__((noinline)) int32_t* interleave_four(const uint8_t* const (&places)[4], int32_t count, int32_t* words) {
#if defined(__ARM_ARCH_7M__)
  // Four loads and a store of four words: 1.25 instructions per byte.
#define TRIMTAB_INTERLEAVE(load)                                                      \
  load " r8, [%[p0]], #1\n" load " r9, [%[p1]], #1\n" load " r10, [%[p2]], #1\n" load \
       " r11, [%[p3]], #1\n"                                                          \
       "stm %[words]!, {r8-r11}\n"
#define TRIMTAB_INTERLEAVE_ALL(load) \
  asm volatile("subs %[count], #4\n blt 2f\n 1:\n" TRIMTAB_INTERLEAVE(load) TRIMTAB_INTERLEAVE(load)            \
                   TRIMTAB_INTERLEAVE(load) TRIMTAB_INTERLEAVE(load)                                            \
               "subs %[count], #4\n bge 1b\n 2:\n adds %[count], #4\n beq 4f\n 3:\n" TRIMTAB_INTERLEAVE(load)   \
               "subs %[count], #1\n bne 3b\n 4:\n"                                                              \
               : [p0] "+r"(p0), [p1] "+r"(p1), [p2] "+r"(p2), [p3] "+r"(p3), [words] "+r"(words),               \
                 [count] "+r"(count)                                                                            \
               :                                                                                                \
               : "r8", "r9", "r10", "r11", "cc", "memory")
  const uint8_t* p0 = places[0];
  const uint8_t* p1 = places[1];
  const uint8_t* p2 = places[2];
  const uint8_t* p3 = places[3];
  if constexpr (is_signed) {
    TRIMTAB_INTERLEAVE_ALL("ldrsb");
  } else {
    TRIMTAB_INTERLEAVE_ALL("ldrb");
  }
#undef TRIMTAB_INTERLEAVE_ALL
#undef TRIMTAB_INTERLEAVE
#else
  for (int32_t p = 0; p < 4; ++p) {
    const uint8_t* place = places[p];
    const auto number = [&](int32_t k) { return is_signed ? static_cast<int8_t>(place[k]) : place[k]; };
    const uint8_t* const end = place + count;
    int32_t* to = words + p;
    for (; end - place >= 4; place += 4, to += 16) {
      to[0] = number(0);
      to[4] = number(1);
      to[8] = number(2);
      to[12] = number(3);
    }
    for (; place != end; ++place, to += 4) *to = number(0);
  }
  words += 4 * count;
#endif
  return words;
}

}  // namespace trimtab::TRIMTAB_RUNTIME::detail
