#pragma once

// The instructions of the Armv7E-M DSP extension that kernels are written in, by their names in the Arm C Language
// Extensions (IHI 0053), with portable definitions for every other machine: DSP kernels run, and are tested, on the
// host. Words are read and written little endian at any address, as the cores with this extension allow.

#include <string.h>

#include "trimtab/arithmetic.h"

#if defined(__ARM_FEATURE_DSP) && defined(__GNUC__)
#include <arm_acle.h>
#define TRIMTAB_HAS_DSP 1
#else
#define TRIMTAB_HAS_DSP 0
#endif

namespace trimtab::TRIMTAB_RUNTIME {

inline uint32_t load_word(const void* from) {
#if defined(__ARM_ARCH_6M__)
  // Armv6-M reads only aligned words: most are, and need not be put together from bytes.
  using Word = uint32_t __attribute__((may_alias));
  if ((reinterpret_cast<uintptr_t>(from) & 3U) == 0) return *static_cast<const Word*>(from);
#endif
  uint32_t word;
  memcpy(&word, from, sizeof word);
  return word;
}

inline void store_word(void* to, uint32_t word) { memcpy(to, &word, sizeof word); }

namespace dsp {

inline int32_t low_half(uint32_t word) { return static_cast<int16_t>(word); }
inline int32_t high_half(uint32_t word) { return static_cast<int16_t>(word >> 16); }
inline uint32_t halves(uint32_t low, uint32_t high) { return (low & 0xffffU) | high << 16; }
inline uint32_t rotate_right(uint32_t word, int bits) { return bits == 0 ? word : word >> bits | word << (32 - bits); }

#if TRIMTAB_HAS_DSP

/// (bytes 0, 2) of the word rotated right by 0, 8, 16 or 24, as two unsigned halves.
template <int Rotation>
inline uint32_t uxtb16(uint32_t word) {
  uint32_t result;
  if constexpr (Rotation == 0) {
    asm("uxtb16 %0, %1" : "=r"(result) : "r"(word));
  } else {
    asm("uxtb16 %0, %1, ror %2" : "=r"(result) : "r"(word), "I"(Rotation));
  }
  return result;
}

/// The same, as signed halves.
template <int Rotation>
inline uint32_t sxtb16(uint32_t word) {
  uint32_t result;
  if constexpr (Rotation == 0) {
    asm("sxtb16 %0, %1" : "=r"(result) : "r"(word));
  } else {
    asm("sxtb16 %0, %1, ror %2" : "=r"(result) : "r"(word), "I"(Rotation));
  }
  return result;
}

/// accumulator + a.low * b.low + a.high * b.high
inline int32_t smlad(uint32_t a, uint32_t b, int32_t accumulator) {
  return __smlad(static_cast<int16x2_t>(a), static_cast<int16x2_t>(b), accumulator);
}

/// Two words, `Word` words after an address that is a multiple of 4.
template <int Word>
inline void store_two(uint32_t* to, uint32_t first, uint32_t second) {
  asm volatile("strd %0, %1, [%2, %3]" : : "r"(first), "r"(second), "r"(to), "I"(4 * Word) : "memory");
}

/// (low of a, low of b) and (high of a, high of b)
inline uint32_t pack_low(uint32_t a, uint32_t b) {
  uint32_t result;
  asm("pkhbt %0, %1, %2, lsl #16" : "=r"(result) : "r"(a), "r"(b));
  return result;
}
inline uint32_t pack_high(uint32_t a, uint32_t b) {
  uint32_t result;
  asm("pkhtb %0, %1, %2, asr #16" : "=r"(result) : "r"(b), "r"(a));
  return result;
}

/// Halves and bytes, each on its own.
inline uint32_t ssub16(uint32_t a, uint32_t b) {
  return static_cast<uint32_t>(__ssub16(static_cast<int16x2_t>(a), static_cast<int16x2_t>(b)));
}
inline uint32_t sadd16(uint32_t a, uint32_t b) {
  return static_cast<uint32_t>(__sadd16(static_cast<int16x2_t>(a), static_cast<int16x2_t>(b)));
}
inline uint32_t uadd8(uint32_t a, uint32_t b) { return __uadd8(a, b); }
inline uint32_t usub8(uint32_t a, uint32_t b) { return __usub8(a, b); }
inline uint32_t uqsub8(uint32_t a, uint32_t b) { return __uqsub8(a, b); }

inline int32_t smmulr(int32_t a, int32_t b) {
  int32_t result;
  asm("smmulr %0, %1, %2" : "=r"(result) : "r"(a), "r"(b));
  return result;
}

/// The same with something added.
inline int32_t smmlar(int32_t a, int32_t b, int32_t accumulator) {
  int32_t result;
  asm("smmlar %0, %1, %2, %3" : "=r"(result) : "r"(a), "r"(b), "r"(accumulator));
  return result;
}

template <int Bits>
inline int32_t usat(int32_t value) {
  return static_cast<int32_t>(__usat(value, Bits));
}
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wsign-conversion"  // inside GCC's own macro
template <int Bits>
inline int32_t ssat(int32_t value) {
  return __ssat(value, Bits);
}
#pragma GCC diagnostic pop

#else

template <int Rotation>
inline uint32_t uxtb16(uint32_t word) {
  return rotate_right(word, Rotation) & 0x00ff00ffU;
}
template <int Rotation>
inline uint32_t sxtb16(uint32_t word) {
  const uint32_t bytes = rotate_right(word, Rotation);
  return halves(static_cast<uint32_t>(static_cast<int8_t>(bytes)),
                static_cast<uint32_t>(static_cast<int8_t>(bytes >> 16)));
}
inline int32_t smlad(uint32_t a, uint32_t b, int32_t accumulator) {
  return static_cast<int32_t>(static_cast<uint32_t>(accumulator) + static_cast<uint32_t>(low_half(a) * low_half(b)) +
                              static_cast<uint32_t>(high_half(a) * high_half(b)));
}
template <int Word>
inline void store_two(uint32_t* to, uint32_t first, uint32_t second) {
  to[Word] = first;
  to[Word + 1] = second;
}
inline uint32_t pack_low(uint32_t a, uint32_t b) { return halves(a, b); }
inline uint32_t pack_high(uint32_t a, uint32_t b) { return halves(a >> 16, b >> 16); }
inline uint32_t ssub16(uint32_t a, uint32_t b) { return halves(a - b, (a >> 16) - (b >> 16)); }
inline uint32_t sadd16(uint32_t a, uint32_t b) { return halves(a + b, (a >> 16) + (b >> 16)); }

template <typename Function>
inline uint32_t by_byte(uint32_t a, uint32_t b, Function function) {
  uint32_t result = 0;
  for (int shift = 0; shift < 32; shift += 8) {
    result |= (static_cast<uint32_t>(function(a >> shift & 0xff, b >> shift & 0xff)) & 0xffU) << shift;
  }
  return result;
}
inline uint32_t uadd8(uint32_t a, uint32_t b) {
  return by_byte(a, b, [](uint32_t x, uint32_t y) { return x + y; });
}
inline uint32_t usub8(uint32_t a, uint32_t b) {
  return by_byte(a, b, [](uint32_t x, uint32_t y) { return x - y; });
}
inline uint32_t uqsub8(uint32_t a, uint32_t b) {
  return by_byte(a, b, [](uint32_t x, uint32_t y) { return x > y ? x - y : 0; });
}

inline int32_t smmulr(int32_t a, int32_t b) { return multiply_high_rounded(a, b); }
inline int32_t smmlar(int32_t a, int32_t b, int32_t accumulator) { return multiply_high_rounded(a, b) + accumulator; }
template <int Bits>
inline int32_t usat(int32_t value) {
  return saturate(value, 0, (1 << Bits) - 1);
}
template <int Bits>
inline int32_t ssat(int32_t value) {
  return saturate(value, -(1 << (Bits - 1)), (1 << (Bits - 1)) - 1);
}

#endif

/// The lesser of each two unsigned bytes.
inline uint32_t least_bytes(uint32_t a, uint32_t b) { return usub8(a, uqsub8(a, b)); }

}  // namespace dsp
}  // namespace trimtab::TRIMTAB_RUNTIME
