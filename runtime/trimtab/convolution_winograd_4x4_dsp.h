#pragma once

// Winograd's exact F(4x4, 3x3) (winograd_4x4_tiles.h) with the DSP extension, from the packed weights that
// convolution_winograd_dsp.h reads, too.
//
// Scratch: the transformed inputs, a pixel of padding, the transformed weights of two filters, then by turns the
// decoded weights of two filters and their sums.

#include "trimtab/convolution_winograd_dsp.h"
#include "trimtab/winograd_4x4_outputs_arm.h"
#include "trimtab/winograd_4x4_tiles.h"

namespace trimtab::TRIMTAB_RUNTIME {

/// Bytes of the transformed weights of two filters.
constexpr int32_t winograd_4x4_weight_bytes(const Winograd4x4Layout& layout) { return 4 * 72 * layout.pairs; }

/// Scratch memory for strips of `rows` rows.
constexpr int32_t convolution_winograd_4x4_scratch_bytes(const Convolution& step, int32_t rows) {
  const Winograd4x4Layout layout = winograd_4x4_layout(step);
  // the addresses of a PointProducts take 32 bits on the device; this is enough for those of a host, too
  const int32_t products = 6 * (4 * static_cast<int32_t>(sizeof(int32_t)) * 2 + 32 * 6);
  const int32_t decoded = 4 * winograd_decoded_words(step);
  return layout.input_bytes(rows) + winograd_4x4_weight_bytes(layout) + (decoded > products ? decoded : products);
}

namespace detail {

/// The weights of two filters from their bytes.
template <bool Nested>
__attribute__((noinline)) void transform_filters_4x4(WeightBytes<Nested> weights, const uint8_t* bytes, int32_t pairs,
                                                     uint32_t* to) {
  const int32_t plane = 12 * pairs;
  const int32_t tap_bytes = 4 * pairs;
  for (const uint8_t* const end = bytes + tap_bytes; bytes != end; bytes += 4, to += 12) {
    Array<uint32_t, 9> taps;
    const uint8_t* from = bytes;
#pragma GCC unroll 9
    for (int i = 0; i < 9; ++i, from += tap_bytes) taps[i] = weights.template pair<0>(load_word(from));
    transform_taps<DspHalves, 2>(taps, to, plane);
    from = bytes;
#pragma GCC unroll 9
    for (int i = 0; i < 9; ++i, from += tap_bytes) taps[i] = weights.template pair<8>(load_word(from));
    transform_taps<DspHalves, 2>(taps, to + 1, plane);
  }
}

/// Writes what one filter has in a tile; `columns` of its columns are there, one to four.
template <TileStore Kind>
inline void store_square(const Convolution& step, const TileStoring& storing, const PointProducts<6>* products,
                         int32_t number, int32_t channel, uint8_t* pixel, int32_t columns,
                         const Array<int32_t, 4>& below) {
  constexpr int32_t plane = sizeof(PointProducts<6>) / sizeof(int32_t);
#if TRIMTAB_HAS_DSP && defined(__arm__)
  if constexpr (Kind == TileStore::u8 || Kind == TileStore::s8) {
    const DspSquare square = {products->sums + number,  pixel + channel,  24 * columns,
                              step.output.pixel_stride, inverse_of_nine,  step.bias[channel],
                              step.multiplier[channel], step.output_zero, {below[1], below[2], below[3]}};
    store_square_dsp<plane, Kind == TileStore::s8>(&square);
    return;
  }
#endif
  auto square = SquareOutputs::of<plane>(products->sums + number);
  const FilterStore<4, Kind> filter(step, storing, channel);
  const int32_t stride = step.output.pixel_stride;
#pragma GCC unroll 1
  for (; columns > 0; --columns, pixel += stride) {
    Array<int32_t, 4> rows;
    square.next(rows);
    filter.store(rows, pixel, below);
  }
}

/// All pixels of `filters` filters, one or two, in a strip.
template <TileStore Kind>
__attribute__((noinline)) void multiply_squares(const Convolution& step, const TileStoring& storing,
                                                const Winograd4x4Layout& layout, Strip strip, const uint32_t* inputs,
                                                int32_t channel, int32_t filters, OutputRows output,
                                                PointProducts<6>* products) {
  const auto multiply = [products](int32_t plane, const uint32_t* inputs_of_plane) {
    products[plane].inputs = inputs_of_plane;
    multiply_points(&products[plane]);
  };
  for_squares(step, layout, strip, inputs, multiply, [&](int32_t tile, int32_t top, int32_t left, int32_t columns) {
    Array<int32_t, 4> below;
    find_rows<4>(output, top, strip.first + strip.count, below);
    uint8_t* const pixel = output[top] + left * step.output.pixel_stride;
    for (int32_t i = 0; i < filters; ++i) {
      store_square<Kind>(step, storing, products, 4 * i + tile, channel + i, pixel, columns, below);
    }
  });
}

/// The function for a way to store; weights are nested, or they are not.
template <bool Nested>
inline auto multiply_squares_for(TileStore kind) {
  if constexpr (Nested) {
    return kind == TileStore::nested ? multiply_squares<TileStore::nested> : multiply_squares<TileStore::nested_any>;
  } else {
    return kind == TileStore::u8   ? multiply_squares<TileStore::u8>
           : kind == TileStore::s8 ? multiply_squares<TileStore::s8>
                                   : multiply_squares<TileStore::any>;
  }
}

}  // namespace detail

/// `WeightBits` 0: nested weights, of as many bits as the step says.
template <bool is_signed, int WeightBits>
__attribute__((noinline)) void convolution_winograd_4x4_dsp(const Convolution& step, Strip strip, InputRows input,
                                                            OutputRows output, uint8_t* scratch) {
  const Winograd4x4Layout layout = winograd_4x4_layout(step);
  auto* const inputs = reinterpret_cast<uint32_t*>(scratch);
  auto* const weights = reinterpret_cast<uint32_t*>(scratch + layout.input_bytes(strip.count));
  auto* const padding = reinterpret_cast<uint8_t*>(weights) - layout.padding_bytes();
  uint8_t* const decoded = reinterpret_cast<uint8_t*>(weights) + winograd_4x4_weight_bytes(layout);
  auto* const products = reinterpret_cast<detail::PointProducts<6>*>(decoded);

  detail::transform_squares<detail::DspInputs<Activations<8, is_signed>>>(step, layout, strip, input, padding, inputs);

  constexpr bool nested = WeightBits == 0;
  const detail::WeightBytes<nested> weight_bytes(step);
  const detail::TileStoring storing = detail::TileStoring::of(step, nested);
  const auto multiply_squares = detail::multiply_squares_for<nested>(storing.kind);
  detail::FilterPairs<WeightBits> filter_pairs(step, decoded);
  for (int32_t channel = 0; channel < step.output.channels; channel += 2) {
    detail::transform_filters_4x4(weight_bytes, filter_pairs.next(), layout.pairs, weights);
    for (int32_t plane = 0; plane < 6; ++plane) {
      products[plane].weights = weights + 12 * plane * layout.pairs;
      products[plane].set_pairs(layout.pairs);
    }
    const int32_t filters = step.output.channels - channel < 2 ? 1 : 2;
    multiply_squares(step, storing, layout, strip, inputs, channel, filters, output, products);
  }
}

TRIMTAB_CONVOLUTIONS_WINOGRAD_4X4(dsp)

}  // namespace trimtab::TRIMTAB_RUNTIME
