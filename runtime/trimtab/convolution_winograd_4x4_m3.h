#pragma once

// Winograd's exact F(4x4, 3x3) (winograd_4x4_tiles.h) on cores that multiply one product at a time, from the weights
// that convolution_winograd_m3.h reads, too.
//
// Scratch: the transformed inputs, a pixel of padding, the transformed weights of two filters, and their sums.

#include "trimtab/convolution_winograd_m3.h"
#include "trimtab/winograd_4x4_outputs_arm.h"
#include "trimtab/winograd_4x4_tiles.h"

namespace trimtab::TRIMTAB_RUNTIME {

/// Bytes of the transformed weights of two filters.
constexpr int32_t winograd_4x4_m3_weight_bytes(const Winograd4x4Layout& layout) { return 4 * 144 * layout.pairs; }

/// Scratch memory for strips of `rows` rows.
constexpr int32_t convolution_winograd_4x4_m3_scratch_bytes(const Convolution& step, int32_t rows) {
  const Winograd4x4Layout layout = winograd_4x4_layout(step);
  return layout.input_bytes(rows) + winograd_4x4_m3_weight_bytes(layout) +
         6 * static_cast<int32_t>(sizeof(detail::PointSums<6>));
}

namespace detail {

/// The weights of one filter of a pair, in which a tap has `groups` groups, and what the sums of its 36 points start
/// from. `Filter`: the place of its weight in every two.
template <int WeightBits, int Filter>
__attribute__((noinline)) void transform_filter_4x4_m3(const uint8_t* packed, int32_t groups, int bits, uint32_t* to,
                                                       Array<uint32_t, 36>& starts) {
  constexpr int32_t group_bytes = WeightBits == 0 ? 8 : WeightBits;
  const int32_t plane = 48 * groups;
  const int32_t tap_bytes = groups * group_bytes;
  Array<uint32_t, 9> totals = {};
  for (const uint8_t* const end = packed + tap_bytes; packed != end; packed += group_bytes) {
#pragma GCC unroll 2
    for (int32_t pair = 0; pair < 2; ++pair, to += 24) {
      const int32_t index = 2 * pair + Filter;
      Array<uint32_t, 9> low;
      Array<uint32_t, 9> high;
      const uint8_t* group = packed;
#pragma GCC unroll 9
      for (int32_t tap = 0; tap < 9; ++tap, group += tap_bytes) {
        low[tap] = group_weight<WeightBits>(group, index, bits);
        high[tap] = group_weight<WeightBits>(group, index + 4, bits) - (low[tap] << 16);
        totals[tap] += low[tap];
      }
      transform_taps<WholeWords, 4>(low, to, plane);
      transform_taps<WholeWords, 4>(high, to + point_weight(0, 1), plane);
    }
  }
  for (uint32_t& total : totals) total = 0U - total * input_offset;
  transform_taps<WholeWords, 1>(totals, starts, 6);
}

/// Writes what one filter has in a tile; `columns` of its columns are there, one to four.
template <TileRange Range>
inline void write_square_m3(const Convolution& step, const PointSums<6>* sums, int32_t number, int32_t channel,
                            const Array<uint8_t*, 4>& rows, int32_t offset, int32_t columns) {
  constexpr int32_t plane = sizeof(PointSums<6>) / sizeof(int32_t);
#if defined(__ARM_ARCH_7M__)
  if constexpr (Range == TileRange::whole_bytes) {
    const auto below = [&](int32_t row) { return static_cast<int32_t>(rows[row] - rows[0]); };
    const M3Square square = {sums->sums + number,
                             rows[0] + offset + channel,
                             24 * columns,
                             step.output.pixel_stride,
                             ChannelScale(step, channel, step.output_zero - step.output_minimum).start(),
                             step.multiplier[channel],
                             step.output_minimum,
                             inverse_of_nine,
                             {below(1), below(2), below(3)}};
    store_square_m3<plane>(&square);
    return;
  }
#endif
  auto square = SquareOutputs::of<plane>(sums->sums + number);
  const RowsWriter<4, Range> writer(step, channel, rows);
  const int32_t stride = step.output.pixel_stride;
#pragma GCC unroll 1
  for (; columns > 0; --columns, offset += stride) {
    Array<int32_t, 4> outputs;
    square.next(outputs);
    writer.write(outputs, offset);
  }
}

/// All pixels of `filters` filters, one or two, in a strip.
template <TileRange Range>
__attribute__((noinline)) void multiply_squares_m3(const Convolution& step, const Winograd4x4Layout& layout,
                                                   Strip strip, const uint32_t* inputs, int32_t channel,
                                                   int32_t filters, OutputRows output, PointSums<6>* sums) {
  const auto multiply = [sums](int32_t plane, const uint32_t* inputs_of_plane) {
    sums[plane].inputs = inputs_of_plane;
    multiply_points_m3<6, 2>(&sums[plane]);
  };
  for_squares(step, layout, strip, inputs, multiply, [&](int32_t tile, int32_t top, int32_t left, int32_t columns) {
    const int32_t end = strip.first + strip.count;
    Array<uint8_t*, 4> rows;
    for (int32_t i = 0; i < 4; ++i) rows[i] = output[top + i < end ? top + i : top];
    for (int32_t i = 0; i < filters; ++i) {
      write_square_m3<Range>(step, sums, 4 * i + tile, channel + i, rows, left * step.output.pixel_stride, columns);
    }
  });
}

/// The function for a step's range. With nested weights the time must not depend on the operating point's range.
template <bool Nested>
inline auto multiply_squares_for_m3(const Convolution& step) {
  constexpr TileRange bytes = Nested ? TileRange::bytes : TileRange::whole_bytes;
  const bool is_whole = step.output_maximum - step.output_minimum == 255 && step.shift == 0;
  const bool in_bytes = step.output.format.bits == 8 && (Nested || is_whole);
  return in_bytes ? multiply_squares_m3<bytes> : multiply_squares_m3<TileRange::any>;
}

}  // namespace detail

/// `WeightBits` 0: nested weights, of as many bits as the step says.
template <bool Signed, int WeightBits>
__attribute__((noinline)) void convolution_winograd_4x4_m3(const Convolution& step, Strip strip, InputRows input,
                                                           OutputRows output, uint8_t* scratch) {
  const Winograd4x4Layout layout = winograd_4x4_layout(step);
  auto* const inputs = reinterpret_cast<uint32_t*>(scratch);
  auto* const weights = reinterpret_cast<uint32_t*>(scratch + layout.input_bytes(strip.count));
  auto* const padding = reinterpret_cast<uint8_t*>(weights) - layout.padding_bytes();
  auto* const sums = reinterpret_cast<detail::PointSums<6>*>(reinterpret_cast<uint8_t*>(weights) +
                                                             winograd_4x4_m3_weight_bytes(layout));
  detail::transform_squares<detail::PairedInputs<Signed>>(step, layout, strip, input, padding, inputs);

  const auto multiply_squares = detail::multiply_squares_for_m3<WeightBits == 0>(step);
  const int32_t groups = layout.pairs / 2;  // of two filters in a tap
  constexpr int32_t group_bytes = WeightBits == 0 ? 8 : WeightBits;
  constexpr bool in_bytes = WeightBits == 0 || WeightBits == 8;
  const uint8_t* packed = step.weights;
  for (int32_t channel = 0; channel < step.output.channels; channel += 2, packed += 9 * groups * group_bytes) {
    Array<uint32_t, 36> starts[2];
    detail::transform_filter_4x4_m3<WeightBits, 0>(packed, groups, step.weight_bits, weights, starts[0]);
    detail::transform_filter_4x4_m3<WeightBits, in_bytes ? 0 : 1>(packed + (in_bytes ? 1 : 0), groups, step.weight_bits,
                                                                  weights + detail::point_weight(1, 0), starts[1]);
    for (int32_t plane = 0; plane < 6; ++plane) {
      sums[plane].weights = weights + 24 * plane * layout.pairs;
      sums[plane].bytes = 4 * 24 * layout.pairs;
      for (int32_t i = 0; i < 6; ++i) {
        sums[plane].start[2 * i] = starts[0][6 * plane + i];
        sums[plane].start[2 * i + 1] = starts[1][6 * plane + i];
      }
    }
    const int32_t filters = step.output.channels - channel < 2 ? 1 : 2;
    multiply_squares(step, layout, strip, inputs, channel, filters, output, sums);
  }
}

TRIMTAB_CONVOLUTIONS_WINOGRAD_4X4(m3)

}  // namespace trimtab::TRIMTAB_RUNTIME
