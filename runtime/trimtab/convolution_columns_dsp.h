#pragma once

// The common part of the convolutions on cores with the DSP extension, whose columns (columns_dsp.h) hold four pixels
// or two: any shape and groups, activations of 8, 4 or 2 bits, weights of 2 to 8 bits. Pixels are walked over outside,
// filters inside, so the results may run into the input behind the pixels that are still needed.
//
// The packed weights begin with a word: the filters that are decoded at a time. Then follow, for every group of
// channels, the filters in pairs (an odd last one with an empty partner), each pair one word of four weights per pair
// of inputs. Weights of 8 bits are read in place; fewer bits are decoded into the scratch memory (weight_planes.h), a
// block of filters at a time, and the pixels are walked over once per block.
//
// Scratch: the columns, then the decoded block.

#include "trimtab/columns_dsp.h"
#include "trimtab/multiply_2x2_dsp.h"
#include "trimtab/multiply_4x2_dsp.h"
#include "trimtab/weight_planes.h"

namespace trimtab::TRIMTAB_RUNTIME {

constexpr int32_t convolution_columns_header_bytes = 4;

constexpr int32_t convolution_column_bytes(const Convolution& step, int32_t pixels) {
  return column_layout(step).pairs() * 4 * pixels;
}

/// Words of weights in a block of `filters` filters.
constexpr int32_t convolution_block_words(const Convolution& step, int32_t filters) {
  return (filters + 1) / 2 * column_layout(step).pairs();
}

/// Scratch memory with columns of `pixels` pixels where `filters` filters are decoded at a time.
constexpr int32_t convolution_columns_scratch_bytes(const Convolution& step, int32_t pixels, int32_t filters) {
  const int32_t words = convolution_block_words(step, filters);
  const int32_t decoded = (words + plane_group_words - 1) / plane_group_words * plane_group_words * 4;
  return convolution_column_bytes(step, pixels) + (step.weight_bits == 8 ? 0 : decoded);
}

namespace detail {

/// All pixels of a strip for `filters` filters of one group, from output channel `first` on. Rows that lie densely are
/// one long row.
template <class A, int Pixels>
__attribute__((noinline)) void convolve_pixels(const Convolution& step, int32_t group, Strip strip, InputRows input,
                                               const uint8_t* weights, int32_t first, int32_t filters,
                                               OutputRows output, uint32_t* column) {
  const bool dense = input.is_dense() && output.is_dense();
  Columns<A, Pixels> columns(step, group, input, strip.first, dense);
  const MultiplyBlock block(step, columns.pairs());
  const int32_t stride = step.output.pixel_stride;
  const int32_t width = output.is_dense() ? strip.count * step.output.width : int32_t{step.output.width};
  const int32_t end = output.is_dense() ? strip.first + 1 : strip.first + strip.count;
  for (int32_t row = strip.first; row < end; ++row) {
    uint8_t* to = output[row];
    for (int32_t left = width; left > 0; left -= Pixels, to += Pixels * stride) {
      if (left >= Pixels) {
        columns.gather(Pixels, column);
        if constexpr (Pixels == 4) {
          multiply_4x2(block, column, weights, first, filters, to);
        } else {
          multiply_2x2(block, column, weights, first, filters, to);
        }
      } else {
        columns.gather(left, column);
        for (int32_t p = 0; p < left; ++p) {
          multiply_1x2<Pixels>(block, column + p, weights, first, filters, to + p * stride);
        }
      }
    }
  }
}

}  // namespace detail

template <class A, int WeightBits, int Pixels>
inline void convolution_columns(const Convolution& step, Strip strip, InputRows input, OutputRows output,
                                uint8_t* scratch) {
  auto* column = reinterpret_cast<uint32_t*>(scratch);
  const auto filters_per_block = static_cast<int32_t>(load_word(step.weights));
  const uint8_t* packed = step.weights + convolution_columns_header_bytes;
  const int32_t group_filters = step.output.channels / step.groups;
  uint8_t* const decoded = scratch + convolution_column_bytes(step, Pixels);
  for (int32_t group = 0; group < step.groups; ++group) {
    for (int32_t done = 0; done < group_filters; done += filters_per_block) {
      const int32_t filters = group_filters - done < filters_per_block ? group_filters - done : filters_per_block;
      const int32_t words = convolution_block_words(step, filters);
      const uint8_t* weights = packed;
      if constexpr (WeightBits < 8) {
        unpack_weight_planes<WeightBits>(packed, words, decoded);
        weights = decoded;
        packed += weight_planes_bytes(words, WeightBits);
      } else {
        packed += 4 * words;
      }
      detail::convolve_pixels<A, Pixels>(step, group, strip, input, weights, group * group_filters + done, filters,
                                         output, column);
    }
  }
}

/// convolution_FORMAT_wBITS_BLOCK_dsp for weights of 2 to 8 bits.
#define TRIMTAB_CONVOLUTION_COLUMNS_(FORMAT, BITS, SIGNED, WEIGHT_BITS, PIXELS)                               \
  inline void convolution_##FORMAT##_w##WEIGHT_BITS##_##PIXELS##x2_dsp(                                       \
      const Convolution& step, Strip strip, InputRows input, OutputRows output, uint8_t* scratch) {           \
    convolution_columns<Activations<BITS, SIGNED>, WEIGHT_BITS, PIXELS>(step, strip, input, output, scratch); \
  }
#define TRIMTAB_CONVOLUTION_COLUMNS(FORMAT, BITS, SIGNED, PIXELS) \
  TRIMTAB_CONVOLUTION_COLUMNS_(FORMAT, BITS, SIGNED, 2, PIXELS)   \
  TRIMTAB_CONVOLUTION_COLUMNS_(FORMAT, BITS, SIGNED, 3, PIXELS)   \
  TRIMTAB_CONVOLUTION_COLUMNS_(FORMAT, BITS, SIGNED, 4, PIXELS)   \
  TRIMTAB_CONVOLUTION_COLUMNS_(FORMAT, BITS, SIGNED, 5, PIXELS)   \
  TRIMTAB_CONVOLUTION_COLUMNS_(FORMAT, BITS, SIGNED, 6, PIXELS)   \
  TRIMTAB_CONVOLUTION_COLUMNS_(FORMAT, BITS, SIGNED, 7, PIXELS)   \
  TRIMTAB_CONVOLUTION_COLUMNS_(FORMAT, BITS, SIGNED, 8, PIXELS)

}  // namespace trimtab::TRIMTAB_RUNTIME
