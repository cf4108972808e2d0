#pragma once

// Winograd's exact F(2,3), F(4,3) and F(4,5) (winograd_tiles.h) on cores that multiply one product at a time: Armv7-M,
// and Armv6-M with the same file. Pairs are integers that hold two numbers (winograd_products_m3.h). Weights have 32
// bits, and those of convolution_s32_4x2_m3.h are read as they are; nested weights (nested_weights.h) count as odd
// integers, 2 * digits + 1.
//
// Scratch: the transformed inputs, a pixel of padding, the transformed weights of two filters, their sums, and the
// bytes of two filters where channels are no multiple of four.

#include "trimtab/nested_weights.h"
#include "trimtab/weights.h"
#include "trimtab/winograd_outputs_m3.h"
#include "trimtab/winograd_products_m3.h"
#include "trimtab/winograd_tiles.h"

namespace trimtab::TRIMTAB_RUNTIME {

/// Words of the transformed weights of two filters.
constexpr int32_t winograd_m3_weight_words(const WinogradLayout& layout) {
  return layout.filter_pairs() * layout.points * 4;
}

/// Scratch memory for strips of `rows` rows in tiles of `tile_rows`.
constexpr int32_t convolution_winograd_m3_scratch_bytes(const Convolution& step, int32_t tile_rows, int32_t rows) {
  const WinogradLayout layout = winograd_layout(step, tile_rows);
  const size_t sums = layout.points == 4   ? sizeof(detail::PointSums<4>)
                      : layout.points == 6 ? sizeof(detail::PointSums<6>)
                                           : sizeof(detail::PointSums<8>);
  return winograd_input_bytes(layout, tile_rows, rows) + 4 * winograd_m3_weight_words(layout) +
         static_cast<int32_t>(sums) + winograd_spread_bytes(step, layout);
}

namespace detail {

struct WholeWords {
  static constexpr bool takes_all_channels = true;
  static uint32_t add(uint32_t a, uint32_t b) { return a + b; }
  static uint32_t subtract(uint32_t a, uint32_t b) { return a - b; }
};
/// Two inputs as a + 2^16 * b.
template <bool Signed>
struct PairedInputs : WholeWords {
  template <int Index>
  static uint32_t pair(uint32_t word) {
    constexpr uint32_t signs = 0x00800080U;
    const uint32_t bytes = word >> (8 * Index) & 0x00ff00ffU;
    return Signed ? (bytes ^ signs) - signs : bytes;
  }
  static uint32_t finish(uint32_t a) { return a + input_offset; }
};

/// Weight `index` of a group of eight, two filters of four channels. `WeightBits` 0: nested weights of `bits` bits.
template <int WeightBits>
inline uint32_t group_weight(const uint8_t* group, int32_t index, int bits) {
  if constexpr (WeightBits == 0) {
    return static_cast<uint32_t>(nested_weight(static_cast<int8_t>(group[index]), bits));
  } else {
    return static_cast<uint32_t>(load_field<WeightBits>(group, index));
  }
}

/// The weights of one filter of a pair, whose rows are `groups` groups long, and what its sums start from. `Filter`:
/// the place of its weight in every two. (Taking one filter at a time leaves enough registers for the totals.)
template <int WeightBits, int Rows, int Kernel, int Filter>
__attribute__((noinline)) void transform_filter_m3(const uint8_t* packed, int32_t groups, int bits, uint32_t* to,
                                                   uint32_t* start) {
  constexpr int points = Rows + Kernel - 1;
  constexpr int32_t group_bytes = WeightBits == 0 ? 8 : WeightBits;
  const int32_t row_bytes = groups * group_bytes;
  const uint8_t* const end = packed + row_bytes;
  Array<uint32_t, Kernel> totals = {};
  for (; packed != end; packed += group_bytes) {
#pragma GCC unroll 2
    for (int32_t pair = 0; pair < 2; ++pair, to += 4 * points) {
      const int32_t index = 2 * pair + Filter;
      Array<uint32_t, Kernel> low;
      Array<uint32_t, Kernel> high;
#pragma GCC unroll 5
      for (int32_t row = 0; row < Kernel; ++row) {
        const uint8_t* const group = packed + row * row_bytes;
        low[row] = group_weight<WeightBits>(group, index, bits);
        high[row] = group_weight<WeightBits>(group, index + 4, bits) - (low[row] << 16);
        totals[row] += low[row];
      }
      transform_weights<WholeWords, Rows, Kernel, 4>(low, to);
      transform_weights<WholeWords, Rows, Kernel, 4>(high, to + point_weight(0, 1));
    }
  }
  for (uint32_t& total : totals) total = 0U - total * input_offset;
  transform_weights<WholeWords, Rows, Kernel, 2>(totals, start);
}

/// The same of both filters of a pair.
template <int WeightBits, int Rows, int Kernel>
inline void transform_filters_m3(const uint8_t* packed, int32_t groups, int bits, uint32_t* to, uint32_t* start) {
  constexpr bool in_bytes = WeightBits == 0 || WeightBits == 8;
  transform_filter_m3<WeightBits, Rows, Kernel, 0>(packed, groups, bits, to, start);
  transform_filter_m3<WeightBits, Rows, Kernel, in_bytes ? 0 : 1>(packed + (in_bytes ? 1 : 0), groups, bits,
                                                                  to + point_weight(1, 0), start + 1);
}

/// The weights of a pair of filters as bytes, with zeros behind the channels of every tap up to a multiple of four.
template <int WeightBits>
__attribute__((noinline)) void spread_filters_m3(const uint8_t* packed, int32_t taps, int32_t channels, uint8_t* to) {
  int32_t index = 0;
  for (; taps > 0; --taps) {
    for (const int32_t end = index + 2 * channels; index < end; ++index) {
      *to++ = WeightBits == 0 ? packed[index]
                              : static_cast<uint8_t>(load_field < WeightBits == 0 ? 8 : WeightBits > (packed, index));
    }
    for (int32_t k = channels; k % 4 != 0; ++k) {
      *to++ = 0;
      *to++ = 0;
    }
  }
}

/// All pixels of `filters` filters, one or two, in one tile.
template <int Rows, int Kernel, TileRange Range>
__attribute__((noinline)) void multiply_tile_m3(const Convolution& step, const WinogradLayout& layout,
                                                const uint32_t* inputs, int32_t channel, int32_t filters,
                                                const Array<uint8_t*, Rows>& rows, PointSums<Rows + Kernel - 1>* sums) {
  const int32_t apart = layout.segment * step.output.pixel_stride;
  TileWriter<Rows, Kernel, Range> writers[2] = {{step, channel, sums->sums, rows, apart},
                                                {step, channel + filters - 1, sums->sums + 4, rows, apart}};
  int32_t offset = 0;
  sums->inputs = inputs;
  for (int32_t x = 0; x < layout.segment; ++x) {
    multiply_points_m3<Rows + Kernel - 1, 2 * Kernel>(sums);
    sums->inputs += layout.pixel_pairs * (Rows + Kernel - 1) * 4;
    int32_t count = 1;
    while (count < 4 && x + count * layout.segment < step.output.width) ++count;
    for (int32_t i = 0; i < filters; ++i) writers[i].write(offset, count);
    offset += step.output.pixel_stride;
  }
}

/// The function for a step's range. With nested weights the time must not depend on the operating point's range.
template <int Rows, int Kernel, bool Nested>
inline auto multiply_tile_for_m3(const Convolution& step) {
  constexpr TileRange bytes = Nested ? TileRange::bytes : TileRange::whole_bytes;
  const bool is_whole = step.output_maximum - step.output_minimum == 255 && step.shift == 0;
  const bool in_bytes = step.output.format.bits == 8 && (Nested || is_whole);
  return in_bytes ? multiply_tile_m3<Rows, Kernel, bytes> : multiply_tile_m3<Rows, Kernel, TileRange::any>;
}

}  // namespace detail

/// `WeightBits` 0: nested weights, of as many bits as the step says.
template <bool Signed, int WeightBits, int Rows, int Kernel>
__attribute__((noinline)) void convolution_winograd_m3(const Convolution& step, Strip strip, InputRows input,
                                                       OutputRows output, uint8_t* scratch) {
  const WinogradLayout layout = winograd_layout(step, Rows);
  const int32_t end = strip.first + strip.count;
  auto* const inputs = reinterpret_cast<uint32_t*>(scratch);
  auto* const weights = reinterpret_cast<uint32_t*>(scratch + winograd_input_bytes(layout, Rows, strip.count));
  auto* const padding = reinterpret_cast<uint8_t*>(weights) - layout.padding_bytes;
  auto* const sums =
      reinterpret_cast<detail::PointSums<Rows + Kernel - 1>*>(weights + winograd_m3_weight_words(layout));
  detail::transform_strip<detail::PairedInputs<Signed>, Rows, Kernel>(step, layout, strip, input, padding, inputs);

  sums->weights = weights;
  sums->bytes = 4 * winograd_m3_weight_words(layout);
  const auto multiply_tile = detail::multiply_tile_for_m3<Rows, Kernel, WeightBits == 0>(step);
  const int32_t row_groups = layout.filter_pairs() / 2;
  // two filters are a multiple of eight weights
  const int32_t pair_groups = (Kernel * Kernel * step.input.channels + 3) / 4;
  const uint8_t* packed = step.weights;
  for (int32_t channel = 0; channel < step.output.channels; channel += 2) {
    if (step.input.channels % 4 != 0) {
      auto* const bytes = reinterpret_cast<uint8_t*>(sums + 1);
      detail::spread_filters_m3<WeightBits>(packed, Kernel * Kernel, step.input.channels, bytes);
      detail::transform_filters_m3<WeightBits == 0 ? 0 : 8, Rows, Kernel>(bytes, row_groups, step.weight_bits, weights,
                                                                          sums->start);
    } else {
      detail::transform_filters_m3<WeightBits, Rows, Kernel>(packed, row_groups, step.weight_bits, weights,
                                                             sums->start);
    }
    packed += pair_groups * (WeightBits == 0 ? 8 : WeightBits);
    const uint32_t* tile = inputs;
    const int32_t filters = step.output.channels - channel < 2 ? 1 : 2;
    for (int32_t top = strip.first; top < end; top += Rows, tile += layout.tile_words) {
      Array<uint8_t*, Rows> rows;
      for (int32_t i = 0; i < Rows; ++i) rows[i] = output[top + i < end ? top + i : top];
      multiply_tile(step, layout, tile, channel, filters, rows, sums);
    }
  }
}

TRIMTAB_CONVOLUTIONS_WINOGRAD(m3)

}  // namespace trimtab::TRIMTAB_RUNTIME
