#pragma once

// Pooling of 8 and 4-bit activations on cores with the DSP extension: words of activations at once. Four bits are
// compared as the low and the high nibbles of bytes.

#include "trimtab/columns_dsp.h"
#include "trimtab/pool_generic.h"

namespace trimtab::TRIMTAB_RUNTIME {

namespace detail {

/// Up to four bytes; the rest are zeros.
inline uint32_t load_bytes(const uint8_t* from, int32_t bytes) {
  if (bytes >= 4) return load_word(from);
  uint32_t word = from[0];
  if (bytes > 1) word |= static_cast<uint32_t>(from[1]) << 8;
  if (bytes > 2) word |= static_cast<uint32_t>(from[2]) << 16;
  return word;
}

inline void store_bytes(uint8_t* to, uint32_t word, int32_t bytes) {
  if (bytes >= 4) {
    store_word(to, word);
    return;
  }
  for (; bytes > 0; --bytes, word >>= 8) *to++ = static_cast<uint8_t>(word);
}

/// The greater of every unsigned field.
template <int Bits>
inline uint32_t greater(uint32_t a, uint32_t b) {
  if constexpr (Bits == 8) return dsp::uadd8(dsp::uqsub8(a, b), b);
  constexpr uint32_t low = 0x0f0f0f0fU;
  const uint32_t lows = dsp::uqsub8(a & low, b & low);
  const uint32_t highs = dsp::uqsub8(a & ~low, b & ~low);
  return b + lows + highs;  // no field exceeds its bits
}

/// The pixels of a window that lie inside the image.
struct InsideWindow {
  InputRows source;
  int32_t top, rows, columns;
  int32_t left;  // bytes from the beginning of a row

  InsideWindow(const Image& image, const Window& window, InputRows input, int32_t y, int32_t x) : source(input) {
    const auto clip = [](int32_t begin, int32_t size, int32_t limit, int32_t& count) {
      const int32_t end = begin + size < limit ? begin + size : limit;
      begin = begin > 0 ? begin : 0;
      count = end > begin ? end - begin : 0;
      return begin;
    };
    top = clip(y * window.stride_rows - window.pad_top, window.kernel_height, image.height, rows);
    left = image.pixel_stride *
           clip(x * window.stride_columns - window.pad_left, window.kernel_width, image.width, columns);
    if (rows == 0 || columns == 0) rows = columns = 0;
  }

  /// The window's pixels in its row `i`.
  const uint8_t* row(int32_t i) const { return source[top + i] + left; }
};

/// Copies of a field in a whole word.
template <int Bits>
constexpr uint32_t repeat(int32_t value) {
  return (static_cast<uint32_t>(value) & ((1U << Bits) - 1)) * (Bits == 8 ? 0x01010101U : 0x11111111U);
}

}  // namespace detail

/// Windows without dilation. Signed fields are compared with their sign bit flipped.
template <int Bits, bool Signed>
inline void max_pool(const MaxPool& step, Strip strip, InputRows input, OutputRows results) {
  constexpr uint32_t flip = Signed ? detail::repeat<Bits>(1 << (Bits - 1)) : 0;
  constexpr int32_t words = 4;
  const uint32_t minimum = detail::repeat<Bits>(step.output_minimum) ^ flip;
  const uint32_t maximum = detail::repeat<Bits>(step.output_maximum) ^ flip;
  const bool limited = ~maximum != 0;
  const int32_t bytes = (step.input.channels * Bits + 7) / 8;
  const int32_t stride = step.input.pixel_stride;
  for (int32_t y = strip.first; y < strip.first + strip.count; ++y) {
    uint8_t* output = results[y];
    for (int32_t x = 0; x < step.output.width; ++x, output += step.output.pixel_stride) {
      const detail::InsideWindow inside(step.input, step.window, input, y, x);
      int32_t done = 0;
      for (; done + 4 * words <= bytes; done += 4 * words) {
        uint32_t a = minimum, b = minimum, c = minimum, d = minimum;
        for (int32_t i = 0; i < inside.rows; ++i) {
          const uint8_t* pixel = inside.row(i) + done;
          for (int32_t j = inside.columns; j > 0; --j, pixel += stride) {
            a = detail::greater<Bits>(load_word(pixel) ^ flip, a);
            b = detail::greater<Bits>(load_word(pixel + 4) ^ flip, b);
            c = detail::greater<Bits>(load_word(pixel + 8) ^ flip, c);
            d = detail::greater<Bits>(load_word(pixel + 12) ^ flip, d);
          }
        }
        if (limited) {
          a = ~detail::greater<Bits>(~a, ~maximum);
          b = ~detail::greater<Bits>(~b, ~maximum);
          c = ~detail::greater<Bits>(~c, ~maximum);
          d = ~detail::greater<Bits>(~d, ~maximum);
        }
        store_word(output + done, a ^ flip);
        store_word(output + done + 4, b ^ flip);
        store_word(output + done + 8, c ^ flip);
        store_word(output + done + 12, d ^ flip);
      }
      for (; done < bytes; done += 4) {
        const int32_t rest = bytes - done;
        uint32_t best = minimum;
        for (int32_t i = 0; i < inside.rows; ++i) {
          const uint8_t* pixel = inside.row(i) + done;
          for (int32_t j = inside.columns; j > 0; --j, pixel += stride) {
            best = detail::greater<Bits>(detail::load_bytes(pixel, rest) ^ flip, best);
          }
        }
        detail::store_bytes(output + done, ~detail::greater<Bits>(~best, ~maximum) ^ flip, rest);
      }
    }
  }
}

/// Windows without dilation, at most 255 pixels wide.
template <class A>
inline void average_pool(const AveragePool& step, Strip strip, InputRows input, OutputRows results) {
  const int32_t bytes = (step.input.channels * A::bits + 7) / 8;
  const int32_t stride = step.input.pixel_stride;
  for (int32_t y = strip.first; y < strip.first + strip.count; ++y) {
    uint8_t* output = results[y];
    for (int32_t x = 0; x < step.output.width; ++x, output += step.output.pixel_stride) {
      const detail::InsideWindow inside(step.input, step.window, input, y, x);
      const int32_t count = inside.rows * inside.columns;
      const int32_t multiplier = step.multiplier[step.fixed_divisor || count == 0 ? 0 : count - 1];
      for (int32_t done = 0; done < bytes; done += 4) {
        int32_t sums[A::per_word] = {};
        for (int32_t i = 0; i < inside.rows; ++i) {
          uint32_t pairs[A::pairs_per_word] = {};
          const uint8_t* pixel = inside.row(i) + done;
          for (int32_t j = inside.columns; j > 0; --j, pixel += stride) {
            const uint32_t word = detail::load_bytes(pixel, bytes - done);
            pairs[0] = dsp::sadd16(pairs[0], A::template pair<0>(word));
            pairs[1] = dsp::sadd16(pairs[1], A::template pair<1>(word));
            if constexpr (A::bits == 4) {
              pairs[2] = dsp::sadd16(pairs[2], A::template pair<2>(word));
              pairs[3] = dsp::sadd16(pairs[3], A::template pair<3>(word));
            }
          }
          for (int32_t p = 0; p < A::pairs_per_word; ++p) {
            const int32_t high = A::is_signed ? dsp::high_half(pairs[p]) : static_cast<int32_t>(pairs[p] >> 16);
            const int32_t low = A::is_signed ? dsp::low_half(pairs[p]) : static_cast<int32_t>(pairs[p] & 0xffffU);
            sums[p] += low;
            sums[p + A::pairs_per_word] += high;
          }
        }
        const int32_t first = done * 8 / A::bits;
        for (int32_t i = 0; i < A::per_word && first + i < step.output.channels; ++i) {
          const int32_t value = requantize(sums[i], multiplier, step.shift, step.output_minimum, step.output_maximum);
          store_activation(output, first + i, value, step.output.format);
        }
      }
    }
  }
}

#define TRIMTAB_POOLS(FORMAT, BITS, SIGNED)                                                                           \
  inline void max_pool_##FORMAT##_dsp(const MaxPool& step, Strip strip, InputRows input, OutputRows output) {         \
    max_pool<BITS, SIGNED>(step, strip, input, output);                                                               \
  }                                                                                                                   \
  inline void average_pool_##FORMAT##_dsp(const AveragePool& step, Strip strip, InputRows input, OutputRows output) { \
    average_pool<Activations<BITS, SIGNED>>(step, strip, input, output);                                              \
  }

TRIMTAB_POOLS(u8, 8, false)
TRIMTAB_POOLS(s8, 8, true)
TRIMTAB_POOLS(u4, 4, false)
TRIMTAB_POOLS(s4, 4, true)

#undef TRIMTAB_POOLS

}  // namespace trimtab::TRIMTAB_RUNTIME
