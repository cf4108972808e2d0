#pragma once

// Winograd's exact F(2,3) and F(4,3) (winograd_tiles.h) with the DSP extension: pairs are 16-bit halves.
//
// The packed weights are those of convolution_columns_dsp.h, so one layer can have strips by either. Nested weights
// (nested_weights.h) count as odd integers, 2 * digits + 1, or these shifted left as far as the sums are to be, and fit
// 9 bits. Their transforms fit 16 bits as well (7 * 255).
//
// Scratch: the transformed inputs, the transformed weights of two filters, a pixel of padding, then by turns the
// decoded weights of two filters and their sums.

#include "trimtab/convolution_columns_dsp.h"
#include "trimtab/nested_weights.h"
#include "trimtab/saturate_eight.h"
#include "trimtab/winograd_products_dsp.h"
#include "trimtab/winograd_tiles.h"

namespace trimtab::TRIMTAB_RUNTIME {

/// Words of two filters, transformed and decoded.
constexpr int32_t winograd_weight_words(const WinogradLayout& layout) {
  return layout.filter_pairs() * layout.points * 2;
}
constexpr int32_t winograd_decoded_words(const Convolution& step, const WinogradLayout& layout) {
  return step.weight_bits == 8 ? 0 : plane_groups_around(3 * layout.filter_pairs());
}

/// Scratch memory for strips of `rows` rows in tiles of `tile_rows`.
constexpr int32_t convolution_winograd_scratch_bytes(const Convolution& step, int32_t tile_rows, int32_t rows) {
  const WinogradLayout layout = winograd_layout(step, tile_rows);
  const int32_t products = 4 * static_cast<int32_t>(sizeof(int32_t)) * 2 + 32 * layout.points;
  const int32_t decoded = 4 * winograd_decoded_words(step, layout);
  return winograd_input_bytes(layout, tile_rows, rows) + 4 * winograd_weight_words(layout) +
         (decoded > products ? decoded : products);
}

namespace detail {

struct DspHalves {
  static uint32_t add(uint32_t a, uint32_t b) { return dsp::sadd16(a, b); }
  static uint32_t subtract(uint32_t a, uint32_t b) { return dsp::ssub16(a, b); }
  static uint32_t finish(uint32_t a) { return a; }
};
template <class A>
struct DspInputs : DspHalves {
  template <int Index>
  static uint32_t pair(uint32_t word) {
    return A::template pair<Index>(word);
  }
};

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
    transform_weights<DspHalves, Rows, 2>(weights.template pair<0>(first), weights.template pair<0>(second),
                                          weights.template pair<0>(third), to);
    transform_weights<DspHalves, Rows, 2>(weights.template pair<8>(first), weights.template pair<8>(second),
                                          weights.template pair<8>(third), to + 1);
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
  [[maybe_unused]] const int32_t zero = step.output_zero;
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
      outputs[i] = nested ? dsp::smmulr(accumulator, multiplier) : dsp::smmlar(accumulator, multiplier, zero);
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
  auto* const padding = reinterpret_cast<uint8_t*>(weights + winograd_weight_words(layout));
  uint8_t* const decoded = padding + layout.padding_bytes;
  auto* const products = reinterpret_cast<detail::PointProducts<Rows + 2>*>(decoded);

  detail::transform_strip<detail::DspInputs<A>, Rows>(step, layout, strip, input, padding, inputs);

  constexpr bool nested = WeightBits == 0;
  const detail::WeightBytes<nested> weight_bytes(step);
  const detail::TileStoring storing = detail::TileStoring::of(step, nested);
  const auto multiply_tile = detail::multiply_tile_for<Rows, nested>(storing.kind);
  const auto filters_per_block = static_cast<int32_t>(load_word(step.weights));
  const uint8_t* packed = step.weights + convolution_columns_header_bytes;
  const int32_t filter_words = 3 * layout.filter_pairs();
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
    detail::transform_filters<Rows>(weight_bytes, bytes, layout.filter_pairs(), weights);
    first_word += filter_words;
    if ((channel + 2) % filters_per_block == 0) {
      packed += decoded_first ? weight_planes_bytes(first_word, WeightBits) : 4 * first_word;
      first_word = 0;
    }
    products->weights = weights;
    products->set_pairs(layout.filter_pairs());
    const uint32_t* tile = inputs;
    const int32_t filters = step.output.channels - channel < 2 ? 1 : 2;
    for (int32_t top = strip.first; top < end; top += Rows, tile += layout.tile_words) {
      Array<int32_t, Rows> below;
      detail::find_rows<Rows>(output, top, end, below);
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
