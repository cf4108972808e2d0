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
// The packed weights are those of convolution_columns_dsp.h, so one layer can have strips by either. Nested weights
// (nested_weights.h) count as odd integers, 2 * digits + 1, or these shifted left as far as the sums are to be, and fit
// 9 bits. Their transforms fit 16 bits as well (7 * 255).
//
// Scratch: the transformed inputs, the transformed weights of two filters, a pixel of padding, then by turns the
// decoded weights of two filters and their sums.

#include "trimtab/convolution_columns_dsp.h"
#include "trimtab/nested_weights.h"
#include "trimtab/rows.h"
#include "trimtab/saturate_eight.h"
#include "trimtab/winograd_products_dsp.h"

namespace trimtab::TRIMTAB_RUNTIME {

/// Whether the kernels of this header take a convolution of that shape (its padding must fit 8 bits, too).
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
  int32_t weight_words;   // of two filters, transformed
  int32_t decoded_words;  // of two filters
  int32_t padding_bytes;  // of a pixel, in a multiple of 8
};

constexpr WinogradLayout winograd_layout(const Convolution& step, int32_t tile_rows) {
  const int32_t points = tile_rows + 2;
  const int32_t pairs = step.input.channels / 2;
  const int32_t segment = (step.output.width + 3) / 4;
  return {points,
          segment,
          pairs,
          (segment + 2) * pairs * points * 4,
          3 * pairs * points * 2,
          step.weight_bits == 8 ? 0 : plane_groups_around(9 * pairs),
          (step.input.channels + 7) / 8 * 8};
}

/// Scratch memory for strips of `rows` rows in tiles of `tile_rows`.
constexpr int32_t convolution_winograd_scratch_bytes(const Convolution& step, int32_t tile_rows, int32_t rows) {
  const WinogradLayout layout = winograd_layout(step, tile_rows);
  const int32_t tiles = (rows + tile_rows - 1) / tile_rows;
  const int32_t products = 4 * static_cast<int32_t>(sizeof(int32_t)) * 2 + 32 * layout.points;
  const int32_t by_turns = 4 * layout.decoded_words > products ? 4 * layout.decoded_words : products;
  return 4 * (tiles * layout.tile_words + layout.weight_words) + layout.padding_bytes + by_turns;
}

namespace detail {

/// The points of two inputs in `Rows` + 2 rows.
template <int Rows>
inline void transform_inputs(const Array<uint32_t, Rows + 2>& d, uint32_t* to) {
  if constexpr (Rows == 2) {
    to[0] = dsp::ssub16(d[0], d[2]);
    to[4] = dsp::sadd16(d[1], d[2]);
    to[8] = dsp::ssub16(d[2], d[1]);
    to[12] = dsp::ssub16(d[1], d[3]);
  } else {
    const auto twice = [](uint32_t a) { return dsp::sadd16(a, a); };
    const uint32_t even = dsp::ssub16(d[4], d[2]);
    const uint32_t odd = twice(dsp::ssub16(d[3], d[1]));
    to[12] = dsp::sadd16(even, odd);
    to[16] = dsp::ssub16(even, odd);
    to[20] = dsp::ssub16(dsp::ssub16(d[5], d[3]), twice(odd));
    to[0] = dsp::sadd16(twice(twice(dsp::ssub16(d[0], d[2]))), even);
    to[4] = dsp::ssub16(dsp::sadd16(d[4], d[3]), twice(twice(dsp::sadd16(d[2], d[1]))));
    to[8] = dsp::ssub16(dsp::ssub16(d[4], d[3]), twice(twice(dsp::ssub16(d[2], d[1]))));
  }
}

/// The points of a kernel column for two inputs.
template <int Rows>
inline void transform_weights(uint32_t first, uint32_t second, uint32_t third, uint32_t* to) {
  const uint32_t outer = dsp::sadd16(first, third);
  to[0] = first;
  to[2] = dsp::sadd16(outer, second);
  to[4] = dsp::ssub16(outer, second);
  if constexpr (Rows == 2) {
    to[6] = third;
  } else {
    to[10] = third;
    const uint32_t third_twice = dsp::sadd16(third, third);
    const uint32_t even = dsp::sadd16(first, dsp::sadd16(third_twice, third_twice));
    const uint32_t odd = dsp::sadd16(second, second);
    to[6] = dsp::sadd16(even, odd);
    to[8] = dsp::ssub16(even, odd);
  }
}

/// Bytes of weights as the pairs of integers that are multiplied.
template <bool Nested>
struct WeightBytes {
  explicit WeightBytes(const Convolution& /*step*/) {}
  template <int Byte>
  uint32_t pair(uint32_t word) const {
    return dsp::sxtb16<Byte>(word);
  }
};

/// Nested weights: the masked byte is digits * 2^excess, and the integer is 2^scale * (2 * digits + 1). With 128 added
/// the byte has no sign, so that one shift of a word is right for both of its halves.
template <>
struct WeightBytes<true> {
  uint32_t mask;
  int down;
  uint32_t correction;

  explicit WeightBytes(const Convolution& step) {
    const int excess = 8 - step.weight_bits;
    mask = nested_mask(step.weight_bits);
    down = excess - scale(step);
    correction = 0x00010001U * static_cast<uint16_t>(((1 << excess) - 256) >> down);
  }
  /// How far the weights shift the sums to the left: never further than step.shift.
  static int scale(const Convolution& step) {
    const int excess = 8 - step.weight_bits;
    return excess < step.shift ? excess : step.shift;
  }
  template <int Byte>
  uint32_t pair(uint32_t word) const {
    return dsp::sadd16(dsp::uxtb16<Byte>((word & mask) ^ 0x80808080U) << 1 >> down, correction);
  }
};

/// The weights of two filters from their bytes.
template <int Rows, bool Nested>
__attribute__((noinline)) void transform_filters(WeightBytes<Nested> weights, const uint8_t* bytes, int32_t row_pairs,
                                                 uint32_t* to) {
  const int32_t row_bytes = 4 * row_pairs;
  const uint8_t* const end = bytes + row_bytes;
  for (; bytes != end; bytes += 4, to += 2 * (Rows + 2)) {
    const uint32_t first = load_word(bytes);
    const uint32_t second = load_word(bytes + row_bytes);
    const uint32_t third = load_word(bytes + 2 * row_bytes);
    transform_weights<Rows>(weights.template pair<0>(first), weights.template pair<0>(second),
                            weights.template pair<0>(third), to);
    transform_weights<Rows>(weights.template pair<8>(first), weights.template pair<8>(second),
                            weights.template pair<8>(third), to + 1);
  }
}

/// One column of a tile, from `Rows` + 2 pixels.
template <class A, int Rows>
inline void transform_column(const uint8_t* const* pixels, int32_t channels, uint32_t* to) {
  constexpr int points = Rows + 2;
  Array<const uint8_t*, points> from;
#pragma GCC unroll 6
  for (int i = 0; i < points; ++i) from[i] = pixels[i];
  const uint8_t* const end = from[0] + channels;
  while (from[0] != end) {
    Array<uint32_t, points> words;
    Array<uint32_t, points> halves;
#pragma GCC unroll 6
    for (int i = 0; i < points; ++i) {
      words[i] = load_word(from[i]);
      from[i] += 4;
    }
#pragma GCC unroll 6
    for (int i = 0; i < points; ++i) halves[i] = A::template pair<0>(words[i]);
    transform_inputs<Rows>(halves, to);
#pragma GCC unroll 6
    for (int i = 0; i < points; ++i) halves[i] = A::template pair<1>(words[i]);
    transform_inputs<Rows>(halves, to + 4 * points);
    to += 8 * points;
  }
}

/// The inputs of the tile whose first output row is `top`, in a strip that ends before row `end`.
template <class A, int Rows>
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
    transform_column<A, Rows>(pixels, step.input.channels, pixel_to);
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
    constexpr uint32_t third = 0xaaaaaaabU;
    const auto times_3 = [](uint32_t value) { return value + 2 * value; };
    const uint32_t sum_2 = point(3) + point(4);
    const uint32_t difference_2 = point(3) - point(4);
    outputs[0] = halved((sum_2 + 2 * (times_3(point(0)) - 2 * sum)) * third, 3);
    outputs[1] = halved((difference_2 - 2 * difference) * third, 2);
    outputs[2] = halved((sum_2 - sum) * third, 1);
    outputs[3] = halved((2 * (times_3(point(5)) + difference_2) - difference) * third, 1);
  }
}

/// How a tile's results are stored. With integer weights and no shift: saturated to the whole range of 8 bits. With
/// nested weights: saturated to the range of any number of bits (saturate_eight.h).
enum class TileStore : uint8_t { u8, s8, any, nested, nested_any };

struct TileStoring {
  TileStore kind;
  int scale;             // nested weights: how far they have shifted the sums to the left
  int shift;             // ... and how far the sums are still to be shifted
  uintptr_t saturation;  // of `nested`

  static TileStoring of(const Convolution& step, bool nested) {
    if (!nested) {
      const Store store = store_of(step, true);
      const bool whole = step.shift == 0 && (store == Store::u8 || store == Store::s8);
      return {!whole ? TileStore::any : store == Store::u8 ? TileStore::u8 : TileStore::s8, 0, 0, 0};
    }
    const int scale = WeightBytes<true>::scale(step);
    const uintptr_t saturation =
        step.output.format.bits == 8 ? saturation_of(step.output_minimum, step.output_maximum) : 0;
    return {saturation == 0 ? TileStore::nested_any : TileStore::nested, scale, step.shift - scale, saturation};
  }
};

/// Writes what one filter has at `count` pixels, which lie `apart` bytes from each other, in the rows of a tile, which
/// lie `below[1]`, `below[2]` ... bytes behind the first: the last row first, so that missing rows, which are said to
/// lie on the first, leave nothing.
template <int Rows, TileStore Kind>
inline void store_tile(const Convolution& step, const TileStoring& storing, const int32_t* sums, int32_t channel,
                       uint8_t* pixel, int32_t count, int32_t apart, const Array<int32_t, Rows>& below) {
  const int32_t multiplier = step.multiplier[channel];
  const int32_t* const end = sums + count;
  Array<int32_t, Rows> outputs;
  if constexpr (Kind == TileStore::any || Kind == TileStore::nested_any) {
    for (; sums != end; ++sums, pixel += apart) {
      outputs_of_sums<Rows>(sums, outputs);
      for (int32_t i = Rows - 1; i >= 0; --i) {
        outputs[i] = (outputs[i] >> storing.scale) + step.bias[channel];
        store_any(step, channel, 1, &outputs[i], pixel + below[i]);
      }
    }
    return;
  }
  constexpr bool nested = Kind == TileStore::nested;
  const auto bias = static_cast<int32_t>(static_cast<uint32_t>(step.bias[channel]) << (nested ? storing.scale : 0));
  pixel += channel;
  for (; sums != end; ++sums, pixel += apart) {
    outputs_of_sums<Rows>(sums, outputs);
#pragma GCC unroll 4
    for (int32_t i = 0; i < Rows; ++i) {
      int32_t accumulator = outputs[i] + bias;
      if (nested) accumulator = static_cast<int32_t>(static_cast<uint32_t>(accumulator) << storing.shift);
      outputs[i] = dsp::smmulr(accumulator, multiplier);
    }
    if (nested) saturate_last(storing.saturation, outputs);
#pragma GCC unroll 4
    for (int32_t i = Rows - 1; i >= 0; --i) {
      int32_t value = outputs[i];
      if (Kind == TileStore::u8) value = dsp::usat<8>(value);
      if (Kind == TileStore::s8) value = dsp::ssat<8>(value);
      *(i == 0 ? pixel : pixel + below[i]) = static_cast<uint8_t>(value);
    }
  }
}

/// All pixels of `filters` filters, one or two, in one tile.
template <int Rows, TileStore Kind>
__attribute__((noinline)) void multiply_tile(const Convolution& step, const TileStoring& storing,
                                             const WinogradLayout& layout, const uint32_t* inputs, int32_t channel,
                                             int32_t filters, uint8_t* output, const Array<int32_t, Rows>& below,
                                             PointProducts<Rows + 2>* products) {
  const int32_t apart = layout.segment * step.output.pixel_stride;
  products->inputs = inputs;
  for (int32_t x = 0; x < layout.segment; ++x) {
    multiply_points(products);
    products->inputs += layout.pixel_pairs * (Rows + 2) * 4;
    int32_t count = 1;
    while (count < 4 && x + count * layout.segment < step.output.width) ++count;
    for (int32_t i = 0; i < filters; ++i) {
      store_tile<Rows, Kind>(step, storing, products->sums + 4 * i, channel + i, output, count, apart, below);
    }
    output += step.output.pixel_stride;
  }
}

/// The function for a way to store; weights are nested, or they are not.
template <int Rows, bool Nested>
inline auto multiply_tile_for(TileStore kind) {
  if constexpr (Nested) {
    return kind == TileStore::nested ? multiply_tile<Rows, TileStore::nested>
                                     : multiply_tile<Rows, TileStore::nested_any>;
  } else {
    return kind == TileStore::u8   ? multiply_tile<Rows, TileStore::u8>
           : kind == TileStore::s8 ? multiply_tile<Rows, TileStore::s8>
                                   : multiply_tile<Rows, TileStore::any>;
  }
}

}  // namespace detail

/// `WeightBits` 0: nested weights, of as many bits as the step says.
template <class A, int WeightBits, int Rows>
__attribute__((noinline)) void convolution_winograd(const Convolution& step, Strip strip, InputRows input,
                                                    OutputRows output, uint8_t* scratch) {
  const WinogradLayout layout = winograd_layout(step, Rows);
  const int32_t end = strip.first + strip.count;
  auto* const inputs = reinterpret_cast<uint32_t*>(scratch);
  uint32_t* const weights = inputs + (strip.count + Rows - 1) / Rows * layout.tile_words;
  auto* const padding = reinterpret_cast<uint8_t*>(weights + layout.weight_words);
  uint8_t* const decoded = padding + layout.padding_bytes;
  auto* const products = reinterpret_cast<detail::PointProducts<Rows + 2>*>(decoded);

  for (int32_t i = 0; i < step.input.channels; ++i) {
    padding[i] = step.padding_value == nullptr ? uint8_t{0} : static_cast<uint8_t>(step.padding_value[i]);
  }
  uint32_t* tile = inputs;
  for (int32_t top = strip.first; top < end; top += Rows, tile += layout.tile_words) {
    detail::transform_tile<A, Rows>(step, layout, input, top, end, padding, tile);
  }

  constexpr bool nested = WeightBits == 0;
  const detail::WeightBytes<nested> weight_bytes(step);
  const detail::TileStoring storing = detail::TileStoring::of(step, nested);
  const auto multiply_tile = detail::multiply_tile_for<Rows, nested>(storing.kind);
  const auto filters_per_block = static_cast<int32_t>(load_word(step.weights));
  const uint8_t* packed = step.weights + convolution_columns_header_bytes;
  const int32_t filter_words = 9 * layout.pixel_pairs;
  int32_t first_word = 0;  // of two filters in their block
  constexpr bool decoded_first = WeightBits > 0 && WeightBits < 8;
  for (int32_t channel = 0; channel < step.output.channels; channel += 2) {
    const uint8_t* bytes = packed + 4 * first_word;
    if constexpr (decoded_first) {
      const int32_t before = first_word % plane_group_words;
      unpack_weight_planes<WeightBits>(packed + weight_planes_bytes(first_word - before, WeightBits),
                                       before + filter_words, decoded);
      bytes = decoded + 4 * before;
    }
    detail::transform_filters<Rows>(weight_bytes, bytes, 3 * layout.pixel_pairs, weights);
    first_word += filter_words;
    if ((channel + 2) % filters_per_block == 0) {
      packed += decoded_first ? weight_planes_bytes(first_word, WeightBits) : 4 * first_word;
      first_word = 0;
    }
    products->weights = weights;
    products->set_pairs(3 * layout.pixel_pairs);
    tile = inputs;
    const int32_t filters = step.output.channels - channel < 2 ? 1 : 2;
    for (int32_t top = strip.first; top < end; top += Rows, tile += layout.tile_words) {
      Array<int32_t, Rows> below;
      for (int32_t i = 0; i < Rows; ++i) {
        below[i] = top + i < end ? static_cast<int32_t>(output[top + i] - output[top]) : 0;
      }
      multiply_tile(step, storing, layout, tile, channel, filters, output[top], below, products);
    }
  }
}

/// convolution_FORMAT_wBITS_winograd2_dsp and ..._winograd4_dsp, with tiles of two and of four rows; nested weights
/// have `nested` instead of wBITS.
#define TRIMTAB_CONVOLUTION_WINOGRAD_(FORMAT, SIGNED, WEIGHT_BITS, ROWS)                                  \
  inline void convolution_##FORMAT##_w##WEIGHT_BITS##_winograd##ROWS##_dsp(                               \
      const Convolution& step, Strip strip, InputRows input, OutputRows output, uint8_t* scratch) {       \
    convolution_winograd<Activations<8, SIGNED>, WEIGHT_BITS, ROWS>(step, strip, input, output, scratch); \
  }
#define TRIMTAB_CONVOLUTION_WINOGRAD_NESTED(FORMAT, SIGNED, ROWS)                                   \
  inline void convolution_##FORMAT##_nested_winograd##ROWS##_dsp(                                   \
      const Convolution& step, Strip strip, InputRows input, OutputRows output, uint8_t* scratch) { \
    convolution_winograd<Activations<8, SIGNED>, 0, ROWS>(step, strip, input, output, scratch);     \
  }
#define TRIMTAB_CONVOLUTION_WINOGRAD(FORMAT, SIGNED, ROWS) \
  TRIMTAB_CONVOLUTION_WINOGRAD_(FORMAT, SIGNED, 2, ROWS)   \
  TRIMTAB_CONVOLUTION_WINOGRAD_(FORMAT, SIGNED, 3, ROWS)   \
  TRIMTAB_CONVOLUTION_WINOGRAD_(FORMAT, SIGNED, 4, ROWS)   \
  TRIMTAB_CONVOLUTION_WINOGRAD_(FORMAT, SIGNED, 5, ROWS)   \
  TRIMTAB_CONVOLUTION_WINOGRAD_(FORMAT, SIGNED, 6, ROWS)   \
  TRIMTAB_CONVOLUTION_WINOGRAD_(FORMAT, SIGNED, 7, ROWS)   \
  TRIMTAB_CONVOLUTION_WINOGRAD_(FORMAT, SIGNED, 8, ROWS)   \
  TRIMTAB_CONVOLUTION_WINOGRAD_NESTED(FORMAT, SIGNED, ROWS)

TRIMTAB_CONVOLUTION_WINOGRAD(u8, false, 2)
TRIMTAB_CONVOLUTION_WINOGRAD(u8, false, 4)
TRIMTAB_CONVOLUTION_WINOGRAD(s8, true, 2)
TRIMTAB_CONVOLUTION_WINOGRAD(s8, true, 4)

#undef TRIMTAB_CONVOLUTION_WINOGRAD_
#undef TRIMTAB_CONVOLUTION_WINOGRAD_NESTED
#undef TRIMTAB_CONVOLUTION_WINOGRAD

}  // namespace trimtab::TRIMTAB_RUNTIME
