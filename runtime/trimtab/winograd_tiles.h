#pragma once

// Convolutions of 3x3 and 5x5 with stride 1 by exact integer F(m,k), (m,k) = (2,3), (4,3) or (4,5), along the columns
// of the image: m + k - 1 products per input channel and kernel column, the points of a tile, take the place of k * m.
// (S. Winograd, "Arithmetic Complexity of Computations", 1980; A. Lavin and S. Gray, "Fast Algorithms for Convolutional
// Neural Networks", 2016.) Every point has integer weights of its own instead of a common fraction, so that nothing is
// rounded. Of inputs d, weights g:
//     F(2,3)  inputs   d0 - d2, d1 + d2, d2 - d1, d1 - d3
//             weights  g0, g0 + g1 + g2, g0 - g1 + g2, g2
//             outputs  2 y0 = 2 m0 + m1 + m2, 2 y1 = m1 - m2 - 2 m3
//     F(4,3)  inputs   4 d0 - 5 d2 + d4, d4 + d3 - 4 (d2 + d1), d4 - d3 - 4 (d2 - d1), d4 - d2 + 2 (d3 - d1),
//                      d4 - d2 - 2 (d3 - d1), 4 d1 - 5 d3 + d5
//             weights  g0, g0 + g1 + g2, g0 - g1 + g2, g0 + 2 g1 + 4 g2, g0 - 2 g1 + 4 g2, g2
//             outputs  24 y0 = 6 m0 - 4 (m1 + m2) + m3 + m4, 12 y1 = m3 - m4 - 2 (m1 - m2), 6 y2 = m3 + m4 - m1 - m2,
//                      6 y3 = 2 (m3 - m4) - (m1 - m2) + 6 m5
//     F(4,5)  inputs   d6 - 14 d4 + 49 d2 - 36 d0, d6 - 13 d4 + 36 d2 + (d5 - 13 d3 + 36 d1), the same with -,
//                      d6 - 10 d4 + 9 d2 + 2 (d5 - 10 d3 + 9 d1), the same with -,
//                      d6 - 5 d4 + 4 d2 + 3 (d5 - 5 d3 + 4 d1), the same with -, d7 - 14 d5 + 49 d3 - 36 d1
//             weights  g0, the sums of a^i gi for a = 1, -1, 2, -2, 3, -3, g4
//             outputs  720 y0 = 15 (m1 + m2) - 20 m0 - 6 (m3 + m4) + m5 + m6,
//                      240 y1 = 5 (m1 - m2) - 4 (m3 - m4) + m5 - m6, 240 y2 = 5 (m1 + m2) - 8 (m3 + m4) + 3 (m5 + m6),
//                      240 y3 = 5 (m1 - m2) - 16 (m3 - m4) + 9 (m5 - m6) + 240 m7
// With 8 bits all transformed numbers fit 16 bits: inputs of F(4,3) are at most 10 * 128 or 5 * 255 and weights 7 *
// 128, those of F(4,5) 74 * 255 and 121 * 128, or 121 * 255 of nested weights. Sums may wrap around modulo 2^32: the
// division by 3, 15 or 45 is a product with its inverse there and the rest a shift, so y is right if it stays below
// 2^30, 2^28 and 2^27 (winograd_largest_sum).
//
// A strip is made in tiles of m rows. The inputs of all tiles are transformed first: every input row has been read
// before the first output row is written, and only input rows that the strip needs are read. Then come the filters, two
// at a time: their weights are decoded and transformed once per strip. Any strip will do; a last tile of fewer rows
// takes the time of a whole one.
//
// Rows are cut into four segments, whose pixels lie side by side: column c of the padded image belongs to segment
// c / segment as its pixel c % segment, the first k - 1 to the end of the segment before, too. Four pixels of an input
// row and their neighbours on the right are thus one run of memory. A width that is no multiple of four takes the time
// of the next one.
//
// Two channels, c and c + 2, are a pair and fill a word. Where channels are no multiple of four, zeros fill up the last
// ones. What a core does with pairs is its `Arithmetic`:
//     pair<0>(word), pair<1>(word)  of four bytes: (0, 2) and (1, 3)
//     add(a, b), subtract(a, b)     pair by pair
//     finish(a)                     a point of the inputs as it is multiplied
//     takes_all_channels            whether channels of 3x3 convolutions may be no multiple of four, too

#include "trimtab/dsp.h"
#include "trimtab/rows.h"

namespace trimtab::TRIMTAB_RUNTIME {

/// Whether the kernels by these tiles take a convolution of that shape (its padding must fit 8 bits, too).
constexpr bool winograd_takes(const Convolution& step) {
  const Window& window = step.window;
  return (window.kernel_height == 3 || window.kernel_height == 5) && window.kernel_width == window.kernel_height &&
         window.stride_rows == 1 && window.stride_columns == 1 && window.dilation_rows == 1 &&
         window.dilation_columns == 1 && step.groups == 1 && step.input.format.bits == 8 && step.weight_bits <= 8;
}

/// The sums of products, bias apart, that tiles of `tile_rows` rows compute are right up to this magnitude.
constexpr int32_t winograd_largest_sum(int32_t kernel, int32_t tile_rows) {
  return kernel == 5 ? (1 << 27) - 1 : tile_rows == 2 ? (1 << 30) - 1 : (1 << 28) - 1;
}

/// Sizes of tiles of `tile_rows` rows.
struct WinogradLayout {
  int32_t kernel;         // rows and columns
  int32_t points;         // of a tile, its input rows
  int32_t segment;        // output pixels
  int32_t pixel_pairs;    // of inputs
  int32_t tile_words;     // of transformed inputs
  int32_t padding_bytes;  // of a pixel, in a multiple of 8

  /// Pairs of a filter in one of its rows.
  constexpr int32_t filter_pairs() const { return kernel * pixel_pairs; }
};

constexpr WinogradLayout winograd_layout(const Convolution& step, int32_t tile_rows) {
  const int32_t kernel = step.window.kernel_height;
  const int32_t points = tile_rows + kernel - 1;
  const int32_t pairs = (step.input.channels + 3) / 4 * 2;
  const int32_t segment = (step.output.width + 3) / 4;
  const int32_t words = (segment + kernel - 1) * pairs * points * 4;
  return {kernel, points, segment, pairs, words, (step.input.channels + 7) / 8 * 8};
}

/// Bytes that the transformed inputs of `rows` rows and a pixel of padding take.
constexpr int32_t winograd_input_bytes(const WinogradLayout& layout, int32_t tile_rows, int32_t rows) {
  return 4 * ((rows + tile_rows - 1) / tile_rows * layout.tile_words) + layout.padding_bytes;
}

/// Bytes of the weights of two filters that are spread out to a multiple of four channels (in a multiple of 8); 0 where
/// channels are one.
constexpr int32_t winograd_spread_bytes(const Convolution& step, const WinogradLayout& layout) {
  return step.input.channels % 4 == 0 ? 0 : (4 * layout.kernel * layout.filter_pairs() + 7) / 8 * 8;
}

namespace detail {

/// put(point, pair) for every point of two inputs in as many rows.
template <class Arithmetic, int Points, class Put>
inline __attribute__((always_inline)) void transform_inputs(const Array<uint32_t, Points>& d, Put put) {
  const auto add = [](uint32_t a, uint32_t b) { return Arithmetic::add(a, b); };
  const auto subtract = [](uint32_t a, uint32_t b) { return Arithmetic::subtract(a, b); };
  const auto twice = [&](uint32_t a) { return add(a, a); };
  if constexpr (Points == 4) {
    put(0, subtract(d[0], d[2]));
    put(1, add(d[1], d[2]));
    put(2, subtract(d[2], d[1]));
    put(3, subtract(d[1], d[3]));
  } else if constexpr (Points == 6) {
    const auto four_times = [&](uint32_t a) { return twice(twice(a)); };
    const uint32_t even = subtract(d[4], d[2]);
    const uint32_t odd = twice(subtract(d[3], d[1]));
    put(3, add(even, odd));
    put(4, subtract(even, odd));
    put(5, subtract(subtract(d[5], d[3]), twice(odd)));
    put(0, add(four_times(subtract(d[0], d[2])), even));
    const uint32_t even_1 = subtract(d[4], four_times(d[2]));
    const uint32_t odd_1 = subtract(d[3], four_times(d[1]));
    put(1, add(even_1, odd_1));
    put(2, subtract(even_1, odd_1));
  } else {
    static_assert(Points == 8);
    const auto four_times = [&](uint32_t a) { return twice(twice(a)); };
    const auto nine_times = [&](uint32_t a) { return add(twice(four_times(a)), a); };
    // of rows i - 4, i - 2 and i: by the points 3, 2 and 1, and what is left over at the point 0 or at infinity
    struct Combinations {
      uint32_t three, two, one;
    };
    const auto combine = [&](uint32_t first, uint32_t second, uint32_t third) {
      const uint32_t step = subtract(second, first);
      const uint32_t step_4 = four_times(step);
      const uint32_t three = subtract(subtract(third, second), step_4);
      const uint32_t two = subtract(three, add(step_4, step));
      const uint32_t one = subtract(three, twice(four_times(subtract(step, add(twice(first), first)))));
      return Combinations{three, two, one};
    };
    const auto rest = [&](uint32_t first, uint32_t second, uint32_t third) {
      return subtract(subtract(third, second), four_times(subtract(second, first)));
    };
    const Combinations even = combine(d[2], d[4], d[6]);
    put(0, subtract(even.three, nine_times(rest(d[0], d[2], d[4]))));
    const Combinations odd = combine(d[1], d[3], d[5]);
    put(7, subtract(rest(d[3], d[5], d[7]), nine_times(odd.three)));
    put(1, add(even.one, odd.one));
    put(2, subtract(even.one, odd.one));
    const uint32_t odd_two = twice(odd.two);
    put(3, add(even.two, odd_two));
    put(4, subtract(even.two, odd_two));
    const uint32_t odd_three = add(twice(odd.three), odd.three);
    put(5, add(even.three, odd_three));
    put(6, subtract(even.three, odd_three));
  }
}

/// The points of a kernel column, `Apart` words from each other.
template <class Arithmetic, int Rows, int Kernel, int Apart>
inline void transform_weights(const Array<uint32_t, Kernel>& g, uint32_t* to) {
  const auto add = [](uint32_t a, uint32_t b) { return Arithmetic::add(a, b); };
  const auto twice = [&](uint32_t a) { return add(a, a); };
  const auto put_both = [&](int32_t point, uint32_t even, uint32_t odd) {
    to[point * Apart] = add(even, odd);
    to[(point + 1) * Apart] = Arithmetic::subtract(even, odd);
  };
  to[0] = g[0];
  to[(Rows + Kernel - 2) * Apart] = g[Kernel - 1];
  if constexpr (Kernel == 3) {
    put_both(1, add(g[0], g[2]), g[1]);
    if constexpr (Rows == 4) put_both(3, add(g[0], twice(twice(g[2]))), twice(g[1]));
  } else {
    static_assert(Kernel == 5 && Rows == 4);
    const auto four_times = [&](uint32_t a) { return twice(twice(a)); };
    const auto nine_times = [&](uint32_t a) { return add(twice(four_times(a)), a); };
    put_both(1, add(add(g[0], g[2]), g[4]), add(g[1], g[3]));
    put_both(3, add(g[0], four_times(add(g[2], four_times(g[4])))), twice(add(g[1], four_times(g[3]))));
    const uint32_t odd = add(g[1], nine_times(g[3]));
    put_both(5, add(g[0], nine_times(add(g[2], nine_times(g[4])))), add(twice(odd), odd));
  }
}

/// The first bytes of a word, one to three, and zeros.
inline uint32_t load_first_bytes(const uint8_t* from, int32_t count) {
  uint32_t word = 0;
  while (count > 0) word = word << 8 | uint32_t{from[--count]};
  return word;
}

/// One column of a tile, from `Points` pixels.
template <class Arithmetic, int Points>
inline void transform_column(const uint8_t* const* pixels, int32_t channels, uint32_t* to) {
  Array<const uint8_t*, Points> from;
#pragma GCC unroll 8
  for (int i = 0; i < Points; ++i) from[i] = pixels[i];
  const uint8_t* const end = from[0] + channels;
  const auto put = [&to](int32_t point, uint32_t pair) { to[4 * point] = Arithmetic::finish(pair); };
  while (from[0] < end) {
    Array<uint32_t, Points> words;
    Array<uint32_t, Points> pairs;
    const auto left = static_cast<int32_t>(end - from[0]);
    if ((Arithmetic::takes_all_channels || Points == 8) && left < 4) {
#pragma GCC unroll 8
      for (int i = 0; i < Points; ++i) words[i] = load_first_bytes(from[i], left);
      from[0] = end;
    } else {
#pragma GCC unroll 8
      for (int i = 0; i < Points; ++i) {
        words[i] = load_word(from[i]);
        from[i] += 4;
      }
    }
#pragma GCC unroll 8
    for (int i = 0; i < Points; ++i) pairs[i] = Arithmetic::template pair<0>(words[i]);
    transform_inputs<Arithmetic, Points>(pairs, put);
    to += 4 * Points;
#pragma GCC unroll 8
    for (int i = 0; i < Points; ++i) pairs[i] = Arithmetic::template pair<1>(words[i]);
    transform_inputs<Arithmetic, Points>(pairs, put);
    to += 4 * Points;
  }
}

/// The input rows of the tile whose first output row is `top`, in a strip that ends before row `end`; null outside of
/// the image and where only output rows behind the strip need them.
template <int Rows, int Kernel>
inline void find_input_rows(const Convolution& step, InputRows input, int32_t top, int32_t end,
                            Array<const uint8_t*, Rows + Kernel - 1>& rows) {
  for (int32_t i = 0; i < Rows + Kernel - 1; ++i) {
    const int32_t row = top - step.window.pad_top + i;
    const bool inside = row >= 0 && row < step.input.height && row < end - step.window.pad_top + Kernel - 1;
    rows[i] = inside ? input[row] : nullptr;
  }
}

/// The pixels of column `x` in these rows; outside of the image, `padding`.
template <int Points>
inline void find_pixels(const Convolution& step, const Array<const uint8_t*, Points>& rows, int32_t x,
                        const uint8_t* padding, Array<const uint8_t*, Points>& pixels) {
  const bool inside = x >= 0 && x < step.input.width;
  for (int32_t i = 0; i < Points; ++i) {
    pixels[i] = inside && rows[i] != nullptr ? rows[i] + x * step.input.pixel_stride : padding;
  }
}

/// A pixel of padding.
inline void fill_padding(const Convolution& step, uint8_t* padding) {
  for (int32_t i = 0; i < step.input.channels; ++i) {
    padding[i] = step.padding_value == nullptr ? uint8_t{0} : static_cast<uint8_t>(step.padding_value[i]);
  }
}

/// The inputs of the tile whose first output row is `top`, in a strip that ends before row `end`.
template <class Arithmetic, int Rows, int Kernel>
__attribute__((noinline)) void transform_tile(const Convolution& step, const WinogradLayout& layout, InputRows input,
                                              int32_t top, int32_t end, const uint8_t* padding, uint32_t* to) {
  constexpr int points = Rows + Kernel - 1;
  Array<const uint8_t*, points> rows;
  Array<const uint8_t*, points> pixels;
  find_input_rows<Rows, Kernel>(step, input, top, end, rows);
  const int32_t pixel_words = layout.pixel_pairs * points * 4;
  uint32_t* pixel_to = to;
  int32_t segment_left = layout.segment;
  int32_t segments_left = 3;
  for (int32_t x = -step.window.pad_left; x < step.output.width + Kernel - 1 - step.window.pad_left; ++x) {
    find_pixels<points>(step, rows, x, padding, pixels);
    transform_column<Arithmetic, points>(pixels, step.input.channels, pixel_to);
    pixel_to += pixel_words;
    if (--segment_left == 0 && segments_left > 0) {
      --segments_left;
      segment_left = layout.segment;
      pixel_to += 1 - layout.segment * pixel_words;
    }
  }
  // the first pixels of a segment are also those behind the segment before
  pixel_to = to + layout.segment * pixel_words;
  for (int32_t words = (Kernel - 1) * pixel_words; words > 0; words -= 4, to += 4, pixel_to += 4) {
    pixel_to[0] = to[1];
    pixel_to[1] = to[2];
    pixel_to[2] = to[3];
  }
}

/// The inputs of all tiles of a strip, which begin at `to`; `padding`: room for a pixel.
template <class Arithmetic, int Rows, int Kernel>
inline void transform_strip(const Convolution& step, const WinogradLayout& layout, Strip strip, InputRows input,
                            uint8_t* padding, uint32_t* to) {
  fill_padding(step, padding);
  const int32_t end = strip.first + strip.count;
  for (int32_t top = strip.first; top < end; top += Rows, to += layout.tile_words) {
    transform_tile<Arithmetic, Rows, Kernel>(step, layout, input, top, end, padding, to);
  }
}

/// How many bytes the rows of the tile at `top` lie behind its first; missing rows are said to lie on the first.
template <int Rows>
inline void find_rows(OutputRows output, int32_t top, int32_t end, Array<int32_t, Rows>& below) {
  for (int32_t i = 0; i < Rows; ++i) {
    below[i] = top + i < end ? static_cast<int32_t>(output[top + i] - output[top]) : 0;
  }
}

/// 24 y0, 12 y1, 6 y2 and 6 y3 of F(4,3), of its points' sums m, modulo 2^32.
inline __attribute__((always_inline)) void multiples_of_outputs(const Array<uint32_t, 6>& m, Array<uint32_t, 4>& y) {
  const auto times_3 = [](uint32_t value) { return value + 2 * value; };
  const uint32_t sum = m[1] + m[2];
  const uint32_t difference = m[1] - m[2];
  const uint32_t sum_2 = m[3] + m[4];
  const uint32_t difference_2 = m[3] - m[4];
  y[0] = sum_2 + 2 * (times_3(m[0]) - 2 * sum);
  y[1] = difference_2 - 2 * difference;
  y[2] = sum_2 - sum;
  y[3] = 2 * (times_3(m[5]) + difference_2) - difference;
}

/// The same value, of which the compiler knows nothing: else GCC takes a dozen shifts and additions for a product.
inline uint32_t opaque(uint32_t value) {
#if defined(__ARM_ARCH_6M__) || defined(__riscv)
  asm("" : "+r"(value));
#endif
  return value;
}

/// The outputs of one pixel in all rows of a tile, from the points' sums.
template <int Rows, int Kernel>
inline void outputs_of_sums(const int32_t* sums, Array<int32_t, Rows>& outputs) {
  const auto point = [&](int32_t i) { return static_cast<uint32_t>(sums[8 * i]); };
  const auto halved = [](uint32_t sum, int times) { return static_cast<int32_t>(sum) >> times; };
  [[maybe_unused]] const uint32_t sum = point(1) + point(2);
  [[maybe_unused]] const uint32_t difference = point(1) - point(2);
  [[maybe_unused]] const auto times_3 = [](uint32_t value) { return value + 2 * value; };
  if constexpr (Rows == 2) {
    outputs[0] = halved(sum + 2 * point(0), 1);
    outputs[1] = halved(difference - 2 * point(3), 1);
  } else if constexpr (Kernel == 3) {
    const uint32_t third = opaque(0xaaaaaaabU);
    const Array<uint32_t, 6> points = {point(0), point(1), point(2), point(3), point(4), point(5)};
    Array<uint32_t, 4> multiples;
    multiples_of_outputs(points, multiples);
    outputs[0] = halved(multiples[0] * third, 3);
    outputs[1] = halved(multiples[1] * third, 2);
    outputs[2] = halved(multiples[2] * third, 1);
    outputs[3] = halved(multiples[3] * third, 1);
  } else {
    const uint32_t fifteenth = opaque(0xeeeeeeefU);
    const auto times_5 = [](uint32_t value) { return value + 4 * value; };
    const uint32_t sum_2 = point(3) + point(4);
    const uint32_t difference_2 = point(3) - point(4);
    const uint32_t sum_3 = point(5) + point(6);
    const uint32_t difference_3 = point(5) - point(6);
    const uint32_t sum_5 = times_5(sum);
    const uint32_t difference_5 = times_5(difference);
    outputs[0] = halved((times_3(sum_5 - 2 * sum_2) - 4 * times_5(point(0)) + sum_3) * opaque(0xa4fa4fa5U), 4);
    outputs[1] = halved((difference_5 - 4 * difference_2 + difference_3) * fifteenth, 4);
    outputs[2] = halved((sum_5 - 8 * sum_2 + times_3(sum_3)) * fifteenth, 4);
    outputs[3] = halved((difference_5 - 16 * difference_2 + 9 * difference_3) * fifteenth + 16 * point(7), 4);
  }
}

}  // namespace detail

}  // namespace trimtab::TRIMTAB_RUNTIME

/// convolution_FORMAT_wBITS_winograd2_CORE, ..._winograd4_CORE and ..._winograd4_5x5_CORE, with tiles of two and of
/// four rows, by the template convolution_winograd_CORE<is_signed, weight bits, rows, kernel>. Nested weights have
/// `nested` instead of wBITS.
#define TRIMTAB_CONVOLUTION_WINOGRAD(CORE, FORMAT, SIGNED, WEIGHTS, WEIGHT_BITS, TILE, ROWS, KERNEL)     \
  inline void convolution_##FORMAT##_##WEIGHTS##_##TILE##_##CORE(                                        \
      const Convolution& step, Strip strip, InputRows input, OutputRows output, uint8_t* scratch) {      \
    convolution_winograd_##CORE<SIGNED, WEIGHT_BITS, ROWS, KERNEL>(step, strip, input, output, scratch); \
  }
#define TRIMTAB_CONVOLUTION_WINOGRAD_BITS(CORE, FORMAT, SIGNED, TILE, ROWS, KERNEL) \
  TRIMTAB_CONVOLUTION_WINOGRAD(CORE, FORMAT, SIGNED, w2, 2, TILE, ROWS, KERNEL)     \
  TRIMTAB_CONVOLUTION_WINOGRAD(CORE, FORMAT, SIGNED, w3, 3, TILE, ROWS, KERNEL)     \
  TRIMTAB_CONVOLUTION_WINOGRAD(CORE, FORMAT, SIGNED, w4, 4, TILE, ROWS, KERNEL)     \
  TRIMTAB_CONVOLUTION_WINOGRAD(CORE, FORMAT, SIGNED, w5, 5, TILE, ROWS, KERNEL)     \
  TRIMTAB_CONVOLUTION_WINOGRAD(CORE, FORMAT, SIGNED, w6, 6, TILE, ROWS, KERNEL)     \
  TRIMTAB_CONVOLUTION_WINOGRAD(CORE, FORMAT, SIGNED, w7, 7, TILE, ROWS, KERNEL)     \
  TRIMTAB_CONVOLUTION_WINOGRAD(CORE, FORMAT, SIGNED, w8, 8, TILE, ROWS, KERNEL)     \
  TRIMTAB_CONVOLUTION_WINOGRAD(CORE, FORMAT, SIGNED, nested, 0, TILE, ROWS, KERNEL)
#define TRIMTAB_CONVOLUTIONS_WINOGRAD(CORE)                               \
  TRIMTAB_CONVOLUTION_WINOGRAD_BITS(CORE, u8, false, winograd2, 2, 3)     \
  TRIMTAB_CONVOLUTION_WINOGRAD_BITS(CORE, u8, false, winograd4, 4, 3)     \
  TRIMTAB_CONVOLUTION_WINOGRAD_BITS(CORE, u8, false, winograd4_5x5, 4, 5) \
  TRIMTAB_CONVOLUTION_WINOGRAD_BITS(CORE, s8, true, winograd2, 2, 3)      \
  TRIMTAB_CONVOLUTION_WINOGRAD_BITS(CORE, s8, true, winograd4, 4, 3)      \
  TRIMTAB_CONVOLUTION_WINOGRAD_BITS(CORE, s8, true, winograd4_5x5, 4, 5)
