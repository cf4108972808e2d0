#pragma once

// 3x3 convolutions with stride 1 by exact integer F(m,3), m = 2 or 4, along the columns of the image: m + 2 products
// per input channel and kernel column take the place of 3 * m. (S. Winograd, "Arithmetic Complexity of Computations",
// 1980; A. Lavin and S. Gray, "Fast Algorithms for Convolutional Neural Networks", 2016.) Every point has integer
// weights of its own instead of a common fraction, so that nothing is rounded. Of inputs d, weights g:
//     F(2,3)  inputs   d0 - d2, d1 + d2, d2 - d1, d1 - d3
//             weights  g0, g0 + g1 + g2, g0 - g1 + g2, g2
//             outputs  2 y0 = 2 m0 + m1 + m2, 2 y1 = m1 - m2 - 2 m3
//     F(4,3)  inputs   4 d0 - 5 d2 + d4, d4 + d3 - 4 (d2 + d1), d4 - d3 - 4 (d2 - d1), d4 - d2 + 2 (d3 - d1),
//                      d4 - d2 - 2 (d3 - d1), 4 d1 - 5 d3 + d5
//             weights  g0, g0 + g1 + g2, g0 - g1 + g2, g0 + 2 g1 + 4 g2, g0 - 2 g1 + 4 g2, g2
//             outputs  24 y0 = 6 m0 - 4 (m1 + m2) + m3 + m4, 12 y1 = m3 - m4 - 2 (m1 - m2), 6 y2 = m3 + m4 - m1 - m2,
//                      6 y3 = 2 (m3 - m4) - (m1 - m2) + 6 m5
// With 8 bits all transformed numbers fit 16 bits: at most 10 * 128 or 5 * 255 and 7 * 128. Sums may wrap around modulo
// 2^32: the division by 3 is a product with its inverse there and the rest a shift, so y is right if it stays below
// 2^30 and 2^28 (winograd_largest_sum).
//
// A strip is made in tiles of m rows. The inputs of all tiles are transformed first: every input row has been read
// before the first output row is written, and only input rows that the strip needs are read. Then come the filters, two
// at a time: their weights are decoded and transformed once per strip. Any strip will do; a last tile of fewer rows
// takes the time of a whole one.
//
// Rows are cut into four segments, whose pixels lie side by side: column c of the padded image belongs to segment
// c / segment as its pixel c % segment, the first two to the end of the segment before, too. Four pixels of an input
// row and their neighbours on the right are thus one run of memory. A width that is no multiple of four takes the time
// of the next one.
//
// Two channels, c and c + 2, are a pair and fill a word. What a core does with pairs is its `Arithmetic`:
//     pair<0>(word), pair<1>(word)  of four bytes: (0, 2) and (1, 3)
//     add(a, b), subtract(a, b)     pair by pair
//     finish(a)                     a point of the inputs as it is multiplied

#include "trimtab/dsp.h"
#include "trimtab/rows.h"

namespace trimtab::TRIMTAB_RUNTIME {

/// Whether the kernels by these tiles take a convolution of that shape (its padding must fit 8 bits, too).
constexpr bool winograd_takes(const Convolution& step) {
  const Window& window = step.window;
  return window.kernel_height == 3 && window.kernel_width == 3 && window.stride_rows == 1 &&
         window.stride_columns == 1 && window.dilation_rows == 1 && window.dilation_columns == 1 && step.groups == 1 &&
         step.input.format.bits == 8 && step.weight_bits <= 8 && step.input.channels % 4 == 0;
}

/// The sums of products, bias apart, that tiles of `tile_rows` rows compute are right up to this magnitude.
constexpr int32_t winograd_largest_sum(int32_t tile_rows) { return tile_rows == 2 ? (1 << 30) - 1 : (1 << 28) - 1; }

/// Sizes of tiles of `tile_rows` rows.
struct WinogradLayout {
  int32_t points;         // of a tile, its input rows
  int32_t segment;        // output pixels
  int32_t pixel_pairs;    // of inputs
  int32_t tile_words;     // of transformed inputs
  int32_t padding_bytes;  // of a pixel, in a multiple of 8

  /// Pairs of a filter in one of its rows.
  constexpr int32_t filter_pairs() const { return 3 * pixel_pairs; }
};

constexpr WinogradLayout winograd_layout(const Convolution& step, int32_t tile_rows) {
  const int32_t points = tile_rows + 2;
  const int32_t pairs = step.input.channels / 2;
  const int32_t segment = (step.output.width + 3) / 4;
  return {points, segment, pairs, (segment + 2) * pairs * points * 4, (step.input.channels + 7) / 8 * 8};
}

/// Bytes that the transformed inputs of `rows` rows and a pixel of padding take.
constexpr int32_t winograd_input_bytes(const WinogradLayout& layout, int32_t tile_rows, int32_t rows) {
  return 4 * ((rows + tile_rows - 1) / tile_rows * layout.tile_words) + layout.padding_bytes;
}

namespace detail {

/// The points of two inputs in `Rows` + 2 rows.
template <class Arithmetic, int Rows>
inline void transform_inputs(const Array<uint32_t, Rows + 2>& d, uint32_t* to) {
  const auto add = [](uint32_t a, uint32_t b) { return Arithmetic::add(a, b); };
  const auto subtract = [](uint32_t a, uint32_t b) { return Arithmetic::subtract(a, b); };
  const auto put = [&](int32_t point, uint32_t pair) { to[4 * point] = Arithmetic::finish(pair); };
  if constexpr (Rows == 2) {
    put(0, subtract(d[0], d[2]));
    put(1, add(d[1], d[2]));
    put(2, subtract(d[2], d[1]));
    put(3, subtract(d[1], d[3]));
  } else {
    const auto twice = [&](uint32_t a) { return add(a, a); };
    const uint32_t even = subtract(d[4], d[2]);
    const uint32_t odd = twice(subtract(d[3], d[1]));
    put(3, add(even, odd));
    put(4, subtract(even, odd));
    put(5, subtract(subtract(d[5], d[3]), twice(odd)));
    put(0, add(twice(twice(subtract(d[0], d[2]))), even));
    put(1, subtract(add(d[4], d[3]), twice(twice(add(d[2], d[1])))));
    put(2, subtract(subtract(d[4], d[3]), twice(twice(subtract(d[2], d[1])))));
  }
}

/// The points of a kernel column, `Apart` words from each other.
template <class Arithmetic, int Rows, int Apart>
inline void transform_weights(uint32_t first, uint32_t second, uint32_t third, uint32_t* to) {
  const auto add = [](uint32_t a, uint32_t b) { return Arithmetic::add(a, b); };
  const auto subtract = [](uint32_t a, uint32_t b) { return Arithmetic::subtract(a, b); };
  const uint32_t outer = add(first, third);
  to[0] = first;
  to[Apart] = add(outer, second);
  to[2 * Apart] = subtract(outer, second);
  if constexpr (Rows == 2) {
    to[3 * Apart] = third;
  } else {
    to[5 * Apart] = third;
    const uint32_t third_twice = add(third, third);
    const uint32_t even = add(first, add(third_twice, third_twice));
    const uint32_t odd = add(second, second);
    to[3 * Apart] = add(even, odd);
    to[4 * Apart] = subtract(even, odd);
  }
}

/// One column of a tile, from `Rows` + 2 pixels.
template <class Arithmetic, int Rows>
inline void transform_column(const uint8_t* const* pixels, int32_t channels, uint32_t* to) {
  constexpr int points = Rows + 2;
  Array<const uint8_t*, points> from;
#pragma GCC unroll 6
  for (int i = 0; i < points; ++i) from[i] = pixels[i];
  const uint8_t* const end = from[0] + channels;
  while (from[0] != end) {
    Array<uint32_t, points> words;
    Array<uint32_t, points> pairs;
#pragma GCC unroll 6
    for (int i = 0; i < points; ++i) {
      words[i] = load_word(from[i]);
      from[i] += 4;
    }
#pragma GCC unroll 6
    for (int i = 0; i < points; ++i) pairs[i] = Arithmetic::template pair<0>(words[i]);
    transform_inputs<Arithmetic, Rows>(pairs, to);
#pragma GCC unroll 6
    for (int i = 0; i < points; ++i) pairs[i] = Arithmetic::template pair<1>(words[i]);
    transform_inputs<Arithmetic, Rows>(pairs, to + 4 * points);
    to += 8 * points;
  }
}

/// The inputs of the tile whose first output row is `top`, in a strip that ends before row `end`.
template <class Arithmetic, int Rows>
__attribute__((noinline)) void transform_tile(const Convolution& step, const WinogradLayout& layout, InputRows input,
                                              int32_t top, int32_t end, const uint8_t* padding, uint32_t* to) {
  constexpr int points = Rows + 2;
  Array<const uint8_t*, points> rows;
  Array<const uint8_t*, points> pixels;
  for (int32_t i = 0; i < points; ++i) {
    const int32_t row = top - step.window.pad_top + i;
    const bool inside = row >= 0 && row < step.input.height && row < end - step.window.pad_top + 2;
    rows[i] = inside ? input[row] : nullptr;
  }
  const int32_t pixel_words = layout.pixel_pairs * points * 4;
  uint32_t* pixel_to = to;
  int32_t segment_left = layout.segment;
  int32_t segments_left = 3;
  for (int32_t x = -step.window.pad_left; x < step.output.width + 2 - step.window.pad_left; ++x) {
    const bool inside = x >= 0 && x < step.input.width;
    for (int32_t i = 0; i < points; ++i) {
      pixels[i] = inside && rows[i] != nullptr ? rows[i] + x * step.input.pixel_stride : padding;
    }
    transform_column<Arithmetic, Rows>(pixels, step.input.channels, pixel_to);
    pixel_to += pixel_words;
    if (--segment_left == 0 && segments_left > 0) {
      --segments_left;
      segment_left = layout.segment;
      pixel_to += 1 - layout.segment * pixel_words;
    }
  }
  // the first two pixels of a segment are also the two behind the segment before
  pixel_to = to + layout.segment * pixel_words;
  for (int32_t words = 2 * pixel_words; words > 0; words -= 4, to += 4, pixel_to += 4) {
    pixel_to[0] = to[1];
    pixel_to[1] = to[2];
    pixel_to[2] = to[3];
  }
}

/// The inputs of all tiles of a strip, which begin at `to`; `padding`: room for a pixel.
template <class Arithmetic, int Rows>
inline void transform_strip(const Convolution& step, const WinogradLayout& layout, Strip strip, InputRows input,
                            uint8_t* padding, uint32_t* to) {
  for (int32_t i = 0; i < step.input.channels; ++i) {
    padding[i] = step.padding_value == nullptr ? uint8_t{0} : static_cast<uint8_t>(step.padding_value[i]);
  }
  const int32_t end = strip.first + strip.count;
  for (int32_t top = strip.first; top < end; top += Rows, to += layout.tile_words) {
    transform_tile<Arithmetic, Rows>(step, layout, input, top, end, padding, to);
  }
}

/// How many bytes the rows of the tile at `top` lie behind its first; missing rows are said to lie on the first.
template <int Rows>
inline void find_rows(OutputRows output, int32_t top, int32_t end, Array<int32_t, Rows>& below) {
  for (int32_t i = 0; i < Rows; ++i) {
    below[i] = top + i < end ? static_cast<int32_t>(output[top + i] - output[top]) : 0;
  }
}

/// The outputs of one pixel in all rows of a tile, from the points' sums.
template <int Rows>
inline void outputs_of_sums(const int32_t* sums, Array<int32_t, Rows>& outputs) {
  const auto point = [&](int32_t i) { return static_cast<uint32_t>(sums[8 * i]); };
  const auto halved = [](uint32_t sum, int times) { return static_cast<int32_t>(sum) >> times; };
  const uint32_t sum = point(1) + point(2);
  const uint32_t difference = point(1) - point(2);
  if constexpr (Rows == 2) {
    outputs[0] = halved(sum + 2 * point(0), 1);
    outputs[1] = halved(difference - 2 * point(3), 1);
  } else {
    uint32_t third = 0xaaaaaaabU;
#if defined(__ARM_ARCH_6M__)
    asm("" : "+r"(third));  // else GCC takes a dozen shifts and additions for a product
#endif
    const auto times_3 = [](uint32_t value) { return value + 2 * value; };
    const uint32_t sum_2 = point(3) + point(4);
    const uint32_t difference_2 = point(3) - point(4);
    outputs[0] = halved((sum_2 + 2 * (times_3(point(0)) - 2 * sum)) * third, 3);
    outputs[1] = halved((difference_2 - 2 * difference) * third, 2);
    outputs[2] = halved((sum_2 - sum) * third, 1);
    outputs[3] = halved((2 * (times_3(point(5)) + difference_2) - difference) * third, 1);
  }
}

}  // namespace detail

}  // namespace trimtab::TRIMTAB_RUNTIME
