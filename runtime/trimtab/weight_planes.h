#pragma once

// Weights of fewer than 8 bits in flash, laid out so that a 32-bit core decodes four at once: groups of eight words of
// four weights, each weight plus 2^(bits-1). Their low four bits come first where there are as many (two words' nibbles
// in each of four words), then two bits of each (four words' in each of two), then one (all eight in one word).

#include "trimtab/dsp.h"

namespace trimtab::TRIMTAB_RUNTIME {

constexpr int32_t plane_group_words = 8;

/// Bytes of `words` words of four weights, which are filled up to a whole group.
constexpr int32_t weight_planes_bytes(int32_t words, int bits) {
  return (words + plane_group_words - 1) / plane_group_words * 4 * bits;
}

/// Words that whole groups around any `words` words in a row take, decoded.
constexpr int32_t plane_groups_around(int32_t words) {
  return words % plane_group_words == 0 ? words : words / plane_group_words * plane_group_words + 2 * plane_group_words;
}

/// Decodes `words` words of four weights each, rounded up to whole groups, to signed bytes.
template <int Bits>
inline void unpack_weight_planes(const uint8_t* packed, int32_t words, uint8_t* weights) {
  constexpr int nibbles = Bits & 4;
  constexpr int twos = Bits & 2;
  constexpr int ones = Bits & 1;
  constexpr uint32_t every = 0x01010101U;
  for (; words > 0; words -= plane_group_words) {
    uint32_t two[2] = {}, one = 0;
    const uint8_t* nibble = packed;
    if constexpr (nibbles != 0) packed += 16;
    if constexpr (twos != 0) {
      two[0] = load_word(packed);
      two[1] = load_word(packed + 4);
      packed += 8;
    }
    if constexpr (ones != 0) {
      one = load_word(packed);
      packed += 4;
    }
#if !defined(__OPTIMIZE_SIZE__)
#pragma GCC unroll 8
#endif
    for (int32_t j = 0; j < plane_group_words; ++j) {
      uint32_t word = 0;
      if constexpr (nibbles != 0) word = load_word(nibble + j / 2 * 4) >> (j % 2 * 4) & (every * 15);
      if constexpr (twos != 0) word |= (two[j / 4] >> (j % 4 * 2) & (every * 3)) << nibbles;
      if constexpr (ones != 0) word |= (one >> j & every) << (nibbles + twos);
      store_word(weights, dsp::usub8(word, every << (Bits - 1)));
      weights += 4;
    }
  }
}

}  // namespace trimtab::TRIMTAB_RUNTIME
