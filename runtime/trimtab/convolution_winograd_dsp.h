#pragma once

// Winograd's exact F(2,3), F(4,3) and F(4,5) (winograd_tiles.h) with the DSP extension: pairs are 16-bit halves.
//
// The packed weights are those of convolution_columns_dsp.h, so one layer can have strips by either. Nested weights
// (nested_weights.h) count as odd integers, 2 * digits + 1, or these shifted left as far as the sums are to be, and fit
// 9 bits. Their transforms fit 16 bits as well (7 * 255 or 121 * 255).
//
// Scratch: the transformed inputs, the transformed weights of two filters, a pixel of padding, the bytes of two filters
// where channels are no multiple of four, then by turns the decoded weights of two filters and their sums.

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
constexpr int32_t winograd_decoded_words(const Convolution& step) {
  return step.weight_bits == 8 ? 0 : plane_groups_around(column_layout(step).pairs());
}

/// Scratch memory for strips of `rows` rows in tiles of `tile_rows`.
constexpr int32_t convolution_winograd_scratch_bytes(const Convolution& step, int32_t tile_rows, int32_t rows) {
  const WinogradLayout layout = winograd_layout(step, tile_rows);
  const int32_t products = 4 * static_cast<int32_t>(sizeof(int32_t)) * 2 + 32 * layout.points;
  const int32_t decoded = 4 * winograd_decoded_words(step);
  return winograd_input_bytes(layout, tile_rows, rows) + 4 * winograd_weight_words(layout) +
         winograd_spread_bytes(step, layout) + (decoded > products ? decoded : products);
}

namespace detail {

struct DspHalves {
  static constexpr bool takes_all_channels = false;  // few of these are faster than by columns
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
template <int Rows, int Kernel, bool Nested>
__attribute__((noinline)) void transform_filters(WeightBytes<Nested> weights, const uint8_t* bytes, int32_t row_pairs,
                                                 uint32_t* to) {
  const int32_t row_bytes = 4 * row_pairs;
  const uint8_t* const end = bytes + row_bytes;
  for (; bytes != end; bytes += 4, to += 2 * (Rows + Kernel - 1)) {
    Array<uint32_t, Kernel> words;
    Array<uint32_t, Kernel> pairs;
#pragma GCC unroll 5
    for (int i = 0; i < Kernel; ++i) words[i] = load_word(bytes + i * row_bytes);
#pragma GCC unroll 5
    for (int i = 0; i < Kernel; ++i) pairs[i] = weights.template pair<0>(words[i]);
    transform_weights<DspHalves, Rows, Kernel, 2>(pairs, to);
#pragma GCC unroll 5
    for (int i = 0; i < Kernel; ++i) pairs[i] = weights.template pair<8>(words[i]);
    transform_weights<DspHalves, Rows, Kernel, 2>(pairs, to + 1);
  }
}

/// The bytes of two filters, with zeros behind the channels of every tap up to a multiple of four.
__attribute__((noinline)) inline void spread_filters(const Convolution& step, const uint8_t* bytes, uint8_t* to) {
  const ColumnLayout layout = column_layout(step);
  const int32_t channels = step.input.channels;
  const int32_t tap_bytes = (channels + 3) / 4 * 8;
  const int32_t taps_per_run = layout.run_length / channels;
  for (int32_t runs = layout.rows * layout.runs_per_row; runs > 0; --runs, bytes += 4 * layout.run_pairs) {
    for (int32_t tap = 0; tap < taps_per_run; ++tap, to += tap_bytes) {
      for (int32_t i = 0; i < tap_bytes; ++i) to[i] = 0;
      for (int32_t channel = 0; channel < channels; ++channel) {
        const ColumnPosition from = column_position(tap * channels + channel, layout.run_length, 4);
        const int32_t at = 4 * from.pair + 2 * from.lane;
        const int32_t place = channel / 4 * 8 + channel % 2 * 4 + channel % 4 / 2 * 2;
        to[place] = bytes[at];
        to[place + 1] = bytes[at + 1];
      }
    }
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

/// Stores the outputs of one filter in tiles of `Rows` rows.
template <int Rows, TileStore Kind>
class FilterStore {
 public:
  FilterStore(const Convolution& step, const TileStoring& storing, int32_t channel)
      : step_(step),
        storing_(storing),
        channel_(channel),
        multiplier_(step.multiplier[channel]),
        bias_(static_cast<int32_t>(static_cast<uint32_t>(step.bias[channel]) << (is_nested ? storing.scale : 0))),
        zero_(step.output_zero) {}

  /// Writes the outputs of one pixel in the rows of a tile, which lie `below[1]`, `below[2]` ... bytes behind the
  /// first: the last row first, so that missing rows, which are said to lie on the first, leave nothing.
  void store(Array<int32_t, Rows>& outputs, uint8_t* pixel, const Array<int32_t, Rows>& below) const {
    if constexpr (Kind == TileStore::any || Kind == TileStore::nested_any) {
      for (int32_t i = Rows - 1; i >= 0; --i) {
        outputs[i] = (outputs[i] >> storing_.scale) + bias_;
        store_any(step_, channel_, 1, &outputs[i], pixel + below[i]);
      }
      return;
    }
#pragma GCC unroll 4
    for (int32_t i = 0; i < Rows; ++i) {
      int32_t accumulator = outputs[i] + bias_;
      if (is_nested) accumulator = static_cast<int32_t>(static_cast<uint32_t>(accumulator) << storing_.shift);
      outputs[i] = is_nested ? dsp::smmulr(accumulator, multiplier_) : dsp::smmlar(accumulator, multiplier_, zero_);
    }
    if (is_nested) saturate_last(storing_.saturation, outputs);
    pixel += channel_;
#pragma GCC unroll 4
    for (int32_t i = Rows - 1; i >= 0; --i) {
      int32_t value = outputs[i];
      if (Kind == TileStore::u8) value = dsp::usat<8>(value);
      if (Kind == TileStore::s8) value = dsp::ssat<8>(value);
      *(i == 0 ? pixel : pixel + below[i]) = static_cast<uint8_t>(value);
    }
  }

 private:
  static constexpr bool is_nested = Kind == TileStore::nested;

  const Convolution& step_;
  const TileStoring& storing_;
  int32_t channel_, multiplier_, bias_, zero_;
};

/// Writes what one filter has at `count` pixels, which lie `apart` bytes from each other, in the rows of a tile.
template <int Rows, int Kernel, TileStore Kind>
inline void store_tile(const Convolution& step, const TileStoring& storing, const int32_t* sums, int32_t channel,
                       uint8_t* pixel, int32_t count, int32_t apart, const Array<int32_t, Rows>& below) {
  const FilterStore<Rows, Kind> filter(step, storing, channel);
  Array<int32_t, Rows> outputs;
  for (const int32_t* const end = sums + count; sums != end; ++sums, pixel += apart) {
    outputs_of_sums<Rows, Kernel>(sums, outputs);
    filter.store(outputs, pixel, below);
  }
}

/// All pixels of `filters` filters, one or two, in one tile.
template <int Rows, int Kernel, TileStore Kind>
__attribute__((noinline)) void multiply_tile(const Convolution& step, const TileStoring& storing,
                                             const WinogradLayout& layout, const uint32_t* inputs, int32_t channel,
                                             int32_t filters, uint8_t* output, const Array<int32_t, Rows>& below,
                                             PointProducts<Rows + Kernel - 1>* products) {
  const int32_t apart = layout.segment * step.output.pixel_stride;
  products->inputs = inputs;
  for (int32_t x = 0; x < layout.segment; ++x) {
    multiply_points(products);
    products->inputs += layout.pixel_pairs * (Rows + Kernel - 1) * 4;
    int32_t count = 1;
    while (count < 4 && x + count * layout.segment < step.output.width) ++count;
    for (int32_t i = 0; i < filters; ++i) {
      store_tile<Rows, Kernel, Kind>(step, storing, products->sums + 4 * i, channel + i, output, count, apart, below);
    }
    output += step.output.pixel_stride;
  }
}

/// The function for a way to store; weights are nested, or they are not.
template <int Rows, int Kernel, bool Nested>
inline auto multiply_tile_for(TileStore kind) {
  if constexpr (Nested) {
    return kind == TileStore::nested ? multiply_tile<Rows, Kernel, TileStore::nested>
                                     : multiply_tile<Rows, Kernel, TileStore::nested_any>;
  } else {
    return kind == TileStore::u8   ? multiply_tile<Rows, Kernel, TileStore::u8>
           : kind == TileStore::s8 ? multiply_tile<Rows, Kernel, TileStore::s8>
                                   : multiply_tile<Rows, Kernel, TileStore::any>;
  }
}

/// The packed weights (convolution_columns_dsp.h) of two filters after another, decoded where they have fewer than 8
/// bits. `WeightBits` 0: nested weights.
template <int WeightBits>
class FilterPairs {
 public:
  /// `decoded`: room for winograd_decoded_words().
  FilterPairs(const Convolution& step, uint8_t* decoded)
      : packed_(step.weights + convolution_columns_header_bytes),
        decoded_(decoded),
        pairs_left_((static_cast<int32_t>(load_word(step.weights)) + 1) / 2),
        pairs_per_block_(pairs_left_),
        words_(column_layout(step).pairs()) {}

  /// The bytes of the next two.
  const uint8_t* next() {
    constexpr bool is_decoded = WeightBits > 0 && WeightBits < 8;
    const uint8_t* bytes = packed_ + 4 * first_word_;
    if constexpr (is_decoded) {
      const int32_t before = first_word_ % plane_group_words;
      unpack_weight_planes<WeightBits>(packed_ + weight_planes_bytes(first_word_ - before, WeightBits), before + words_,
                                       decoded_);
      bytes = decoded_ + 4 * before;
    }
    first_word_ += words_;
    if (--pairs_left_ == 0) {
      packed_ += is_decoded ? weight_planes_bytes(first_word_, WeightBits) : 4 * first_word_;
      first_word_ = 0;
      pairs_left_ = pairs_per_block_;
    }
    return bytes;
  }

 private:
  const uint8_t* packed_;  // of a block of filters
  uint8_t* decoded_;
  int32_t pairs_left_, pairs_per_block_;
  int32_t words_;           // of two filters
  int32_t first_word_ = 0;  // of the next two in their block
};

}  // namespace detail

/// `WeightBits` 0: nested weights, of as many bits as the step says.
template <bool is_signed, int WeightBits, int Rows, int Kernel>
__attribute__((noinline)) void convolution_winograd_dsp(const Convolution& step, Strip strip, InputRows input,
                                                        OutputRows output, uint8_t* scratch) {
  const WinogradLayout layout = winograd_layout(step, Rows);
  const int32_t end = strip.first + strip.count;
  auto* const inputs = reinterpret_cast<uint32_t*>(scratch);
  uint32_t* const weights = inputs + (strip.count + Rows - 1) / Rows * layout.tile_words;
  auto* const padding = reinterpret_cast<uint8_t*>(weights + winograd_weight_words(layout));
  uint8_t* const spread = padding + layout.padding_bytes;
  uint8_t* const decoded = spread + winograd_spread_bytes(step, layout);
  auto* const products = reinterpret_cast<detail::PointProducts<Rows + Kernel - 1>*>(decoded);

  detail::transform_strip<detail::DspInputs<Activations<8, is_signed>>, Rows, Kernel>(step, layout, strip, input,
                                                                                      padding, inputs);

  constexpr bool nested = WeightBits == 0;
  const detail::WeightBytes<nested> weight_bytes(step);
  const detail::TileStoring storing = detail::TileStoring::of(step, nested);
  const auto multiply_tile = detail::multiply_tile_for<Rows, Kernel, nested>(storing.kind);
  detail::FilterPairs<WeightBits> filter_pairs(step, decoded);
  for (int32_t channel = 0; channel < step.output.channels; channel += 2) {
    const uint8_t* bytes = filter_pairs.next();
    if (Kernel == 5 && step.input.channels % 4 != 0) {
      detail::spread_filters(step, bytes, spread);
      bytes = spread;
    }
    detail::transform_filters<Rows, Kernel>(weight_bytes, bytes, layout.filter_pairs(), weights);
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

TRIMTAB_CONVOLUTIONS_WINOGRAD(dsp)

}  // namespace trimtab::TRIMTAB_RUNTIME
