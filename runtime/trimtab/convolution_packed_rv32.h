#pragma once

// Convolution of bytes for cores that multiply words and have no multiply-accumulate (RV32IM). Two products of 32 bits
// serve three pixels: their activations a0, a1, a2 are packed into two words, and so are their sums, modulo 2^32,
//     t0 = s0 + 2^21 * s2,  t1 = s1 + 2^10 * s2.
// t0 tells s0 by its low 21 bits, and thus the low 11 bits of s2; without these, t1 tells s1 and the rest of s2. No bit
// is lost where no sum of products, bias apart, is 2^20 or more in magnitude (largest_packed_sum). Windows that are too
// large for that are cut into parts, whose sums are added once they are unpacked.
//
// A block is six pixels times four filters: four loads of activations, four of weights, 16 MUL and 16 ADD make 24
// products. Weights: as convolution_s32_4x2_m3.h has them.
//
// Scratch: the packed windows of a block, and a pixel of padding.

#include "trimtab/arithmetic_rv32.h"
#include "trimtab/store_outputs.h"
#include "trimtab/weights.h"
#include "trimtab/widen_windows.h"

namespace trimtab::TRIMTAB_RUNTIME {

/// The sums of a part's products have less than this magnitude.
constexpr int32_t largest_packed_sum = 1 << 20;

/// Numbers of a window, in a multiple of four.
constexpr int32_t convolution_packed_padded_size(const Convolution& step) {
  return (step.window.kernel_height * step.window.kernel_width * (step.input.channels / step.groups) + 3) / 4 * 4;
}
/// Numbers of a part, all but the last one.
constexpr int32_t convolution_packed_part_size(const Convolution& step, int32_t parts) {
  return (convolution_packed_padded_size(step) / 4 + parts - 1) / parts * 4;
}

namespace detail {

constexpr int packed_pixels = 6;
constexpr int packed_words = 4;

/// The low 21 bits as a signed number.
inline uint32_t low_signed_21(uint32_t word) { return static_cast<uint32_t>(static_cast<int32_t>(word << 11) >> 11); }

inline void pack_pixels(const uint32_t* a, uint32_t* to) {
#pragma GCC unroll 2
  for (int i = 0; i < 2; ++i, a += 3, to += 2) {
    const uint32_t shifted = a[2] << 10;
    to[0] = a[0] + (shifted << 11);
    to[1] = a[1] + shifted;
  }
}

/// The sums of six pixels, or of the first three, or what comes to them where `Adds`.
template <bool Adds, int Triples>
inline void unpack_sums(const uint32_t* t, uint32_t* sums) {
  const auto put = [](uint32_t& sum, uint32_t value) { sum = Adds ? sum + value : value; };
#pragma GCC unroll 2
  for (int i = 0; i < Triples; ++i, t += 2, sums += 3) {
    const uint32_t first = low_signed_21(t[0]);
    const uint32_t low = (t[0] - first) >> 11;
    const uint32_t rest = t[1] - low;
    const uint32_t second = low_signed_21(rest);
    put(sums[0], first);
    put(sums[1], second);
    put(sums[2], static_cast<uint32_t>(static_cast<int32_t>(rest - second) >> 10) + (low >> 10));
  }
}

/// How WindowWidener places windows.
struct PackedWords {
  static constexpr int places = packed_pixels;
  static constexpr bool takes_any_format = false;

  /// Returns the end of the words.
  template <bool IsSigned>
  __attribute__((noinline)) static int32_t* interleave(const uint8_t* const (&from)[packed_pixels], int32_t count,
                                                       int32_t* words) {
    const uint8_t* at[packed_pixels];
#pragma GCC unroll 6
    for (int p = 0; p < packed_pixels; ++p) at[p] = from[p];
    const auto pack = [&](int k) {
      uint32_t numbers[packed_pixels];
#pragma GCC unroll 6
      for (int p = 0; p < packed_pixels; ++p) {
        const uint8_t byte = at[p][k];
        numbers[p] = IsSigned ? static_cast<uint32_t>(static_cast<int8_t>(byte)) : byte;
      }
      pack_pixels(numbers, reinterpret_cast<uint32_t*>(words) + packed_words * k);
    };
    const auto advance = [&](int numbers) {
#pragma GCC unroll 6
      for (int p = 0; p < packed_pixels; ++p) at[p] += numbers;
      words += packed_words * numbers;
    };
    for (; count >= 4; count -= 4, advance(4)) {
      pack(0);
      pack(1);
      pack(2);
      pack(3);
    }
    for (; count > 0; --count, advance(1)) pack(0);
    return words;
  }
};

/// Weight `index` of a group of eight: four of each of two filters, in turn.
template <int Bits>
inline uint32_t paired_weight(const uint8_t* group, int32_t index) {
  if constexpr (Bits == 8) return static_cast<uint32_t>(static_cast<int8_t>(group[index]));
  return static_cast<uint32_t>(load_field<Bits>(group, index));
}

/// Adds to the packed sums of `Pairs` pairs of filters, whose weights lie `pair_bytes` apart, and of one or two triples
/// of pixels.
template <int Bits, int Pairs, int Triples>
[[gnu::always_inline]] inline void add_packed_products(const int32_t* words, const int32_t* end, const uint8_t* weights,
                                                       int32_t pair_bytes, Array<uint32_t, 4 * Pairs * Triples>& sums) {
  constexpr int n = 2 * Triples;
  const uint8_t* second = weights + (Pairs == 2 ? pair_bytes : 0);
  for (; words != end; words += 4 * packed_words, weights += Bits, second += Bits) {
#pragma GCC unroll 4
    for (int k = 0; k < 4; ++k) {
      Array<uint32_t, n> a;
#pragma GCC unroll 4
      for (int i = 0; i < n; ++i) a[i] = static_cast<uint32_t>(words[packed_words * k + i]);
#pragma GCC unroll 4
      for (int f = 0; f < 2 * Pairs; ++f) {
        const uint32_t weight = paired_weight<Bits>(f < 2 ? weights : second, 2 * k + f % 2);
#pragma GCC unroll 4
        for (int i = 0; i < n; ++i) add_product(sums[n * f + i], a[i], weight);
      }
    }
  }
}

/// The packed sums.
template <int Bits, int Pairs, int Triples>
__attribute__((noinline)) void multiply_packed(const int32_t* words, const int32_t* end, const uint8_t* weights,
                                               int32_t pair_bytes, uint32_t* to) {
  Array<uint32_t, 4 * Pairs* Triples> sums = {};
  add_packed_products<Bits, Pairs, Triples>(words, end, weights, pair_bytes, sums);
#pragma GCC unroll 16
  for (int i = 0; i < 4 * Pairs * Triples; ++i) to[i] = sums[i];
}

/// The plain bytes (has_plain_bytes()) of six pixels and four filters: the sums stay in registers.
template <int Bits>
__attribute__((noinline)) void multiply_and_store_packed(const Convolution& step, const int32_t* words,
                                                         const int32_t* end, const uint8_t* weights, int32_t pair_bytes,
                                                         int32_t channel, uint8_t* pixels) {
  Array<uint32_t, 4 * packed_words> packed = {};
  add_packed_products<Bits, 2, 2>(words, end, weights, pair_bytes, packed);
  const int32_t stride = step.output.pixel_stride;
#pragma GCC unroll 4
  for (int f = 0; f < 4; ++f) {
    uint32_t sums[packed_pixels];
    unpack_sums<false, 2>(packed + packed_words * f, sums);
    const ByteScale<true> scale(step, channel + f);
    uint8_t* to = pixels + channel + f;
#pragma GCC unroll 6
    for (int p = 0; p < packed_pixels; ++p, to += stride) *to = scale(sums[p] + scale.bias());
  }
}

/// The sums of `Pairs` pairs of filters over all parts: of each filter those of six pixels.
template <int Bits, int Pairs, int Triples>
inline void sum_packed(const int32_t* words, const int32_t* end, int32_t part, const uint8_t* weights,
                       int32_t pair_bytes, uint32_t* sums) {
  bool is_first = true;
  for (const int32_t* from = words; from != end; is_first = false) {
    const int32_t* const to = end - from < packed_words * part ? end : from + packed_words * part;
    Array<uint32_t, 4 * Pairs * Triples> packed;
    multiply_packed<Bits, Pairs, Triples>(from, to, weights, pair_bytes, packed);
    uint32_t* of = sums;
    for (int f = 0; f < 2 * Pairs; ++f, of += packed_pixels) {
      if (is_first) {
        unpack_sums<false, Triples>(packed + 2 * Triples * f, of);
      } else {
        unpack_sums<true, Triples>(packed + 2 * Triples * f, of);
      }
    }
    weights += (to - from) / (4 * packed_words) * Bits;
    from = to;
  }
}

template <bool Plain>
inline void store_packed_bytes(const Convolution& step, const uint32_t* sums, int32_t count, int32_t channel,
                               uint8_t* pixels) {
  const ByteScale<Plain> scale(step, channel);
  const int32_t stride = step.output.pixel_stride;
  pixels += channel;
  if (count == packed_pixels) {
#pragma GCC unroll 6
    for (int p = 0; p < packed_pixels; ++p, pixels += stride) *pixels = scale(sums[p] + scale.bias());
  } else {
    for (int32_t p = 0; p < count; ++p, pixels += stride) *pixels = scale(sums[p] + scale.bias());
  }
}

/// store_channel() from sums without bias.
__attribute__((noinline)) inline void store_packed(const Convolution& step, const uint32_t* sums, int32_t count,
                                                   int32_t channel, uint8_t* pixels) {
  if (step.output.format.bits == 8) {
    if (has_plain_bytes(step)) return store_packed_bytes<true>(step, sums, count, channel, pixels);
    return store_packed_bytes<false>(step, sums, count, channel, pixels);
  }
  int32_t with_bias[packed_pixels];
  for (int p = 0; p < packed_pixels; ++p)
    with_bias[p] = static_cast<int32_t>(sums[p] + static_cast<uint32_t>(step.bias[channel]));
  store_channel(step, with_bias, count, channel, pixels);
}

}  // namespace detail

constexpr int32_t convolution_packed_scratch_bytes(const Convolution& step) {
  return convolution_packed_padded_size(step) * 4 * detail::packed_words + WindowWidener::scratch_bytes(step);
}

namespace detail {

template <int Bits, int Parts>
inline void convolution_packed(const Convolution& step, Strip strip, InputRows input, OutputRows output,
                               uint8_t* scratch) {
  const int32_t group_inputs = step.input.channels / step.groups;
  const int32_t group_outputs = step.output.channels / step.groups;
  const int32_t size = convolution_packed_padded_size(step);
  const int32_t part = convolution_packed_part_size(step, Parts);
  const int32_t used = step.window.kernel_height * step.window.kernel_width * group_inputs;
  const int32_t pair_bytes = size / 4 * Bits;
  // rows that lie densely are one long row
  const int32_t pixels = output.is_dense() ? strip.count * step.output.width : int32_t{step.output.width};
  const int32_t end_row = output.is_dense() ? strip.first + 1 : strip.first + strip.count;
  auto* const words = reinterpret_cast<int32_t*>(scratch);
  int32_t* const words_end = words + packed_words * size;
  for (int32_t k = packed_words * used; k < packed_words * size; ++k) words[k] = 0;
  const bool is_plain = step.output.format.bits == 8 && has_plain_bytes(step);
  const uint8_t* group_weights = step.weights;
  for (int32_t first = 0; first < step.output.channels; first += group_outputs) {
    WindowWidenerBy<PackedWords> windows(step, input, strip.first, first / group_outputs * group_inputs,
                                         scratch + 4 * packed_words * size);
    const int32_t end = first + group_outputs;
    for (int32_t row = strip.first; row < end_row; ++row) {
      uint8_t* out = output[row];
      for (int32_t pixel = 0; pixel < pixels; pixel += packed_pixels, out += packed_pixels * step.output.pixel_stride) {
        const int32_t count = pixels - pixel < packed_pixels ? pixels - pixel : packed_pixels;
        windows.widen(count, words);
        const uint8_t* weights = group_weights;
        int32_t channel = first;
        if (Parts == 1 && is_plain && count == packed_pixels) {
          for (; end - channel >= 4; channel += 4, weights += 2 * pair_bytes)
            multiply_and_store_packed<Bits>(step, words, words_end, weights, pair_bytes, channel, out);
        }
        uint32_t sums[4 * packed_pixels];
        while (channel < end) {
          const int32_t filters = end - channel < 4 ? end - channel : 4;
          if (filters > 2 && count <= 3) {
            sum_packed<Bits, 2, 1>(words, words_end, part, weights, pair_bytes, sums);
          } else if (filters > 2) {
            sum_packed<Bits, 2, 2>(words, words_end, part, weights, pair_bytes, sums);
          } else {
            sum_packed<Bits, 1, 2>(words, words_end, part, weights, pair_bytes, sums);
          }
          weights += 2 * pair_bytes;
          const uint32_t* of = sums;
          for (int32_t f = 0; f < filters; ++f, of += packed_pixels) store_packed(step, of, count, channel++, out);
        }
      }
    }
    group_weights += (group_outputs + 1) / 2 * pair_bytes;
  }
}

}  // namespace detail

/// convolution_wBITS_packed_rv32, and with windows in 2, 3, 4, 6 or 8 parts ..._packed2_rv32 and so on.
#define TRIMTAB_CONVOLUTION(bits, name, parts)                                                           \
  inline void convolution_w##bits##_##name##_rv32(const Convolution& step, Strip strip, InputRows input, \
                                                  OutputRows output, uint8_t* scratch) {                 \
    detail::convolution_packed<bits, parts>(step, strip, input, output, scratch);                        \
  }
#define TRIMTAB_CONVOLUTIONS(bits)      \
  TRIMTAB_CONVOLUTION(bits, packed, 1)  \
  TRIMTAB_CONVOLUTION(bits, packed2, 2) \
  TRIMTAB_CONVOLUTION(bits, packed3, 3) \
  TRIMTAB_CONVOLUTION(bits, packed4, 4) \
  TRIMTAB_CONVOLUTION(bits, packed6, 6) \
  TRIMTAB_CONVOLUTION(bits, packed8, 8)
TRIMTAB_CONVOLUTIONS(2)
TRIMTAB_CONVOLUTIONS(3)
TRIMTAB_CONVOLUTIONS(4)
TRIMTAB_CONVOLUTIONS(5)
TRIMTAB_CONVOLUTIONS(6)
TRIMTAB_CONVOLUTIONS(7)
TRIMTAB_CONVOLUTIONS(8)
#undef TRIMTAB_CONVOLUTIONS
#undef TRIMTAB_CONVOLUTION

}  // namespace trimtab::TRIMTAB_RUNTIME
