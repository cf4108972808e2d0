#pragma once

// The part of a convolution's input that some rows of its output read, as 16-bit numbers with the padding written out:
// the loops over it need no bounds, and a row of the kernel is one contiguous run. That is done once per band of output
// rows, small enough to stay in the first-level cache while all filters pass over it.

#include "trimtab/activations_avx2.h"
#include "trimtab/operators.h"

#if defined(TRIMTAB_HAS_AVX2_KERNELS)

namespace trimtab::TRIMTAB_RUNTIME {

/// Columns of a padded row: those that the output's columns read.
constexpr int32_t padded_columns(const Convolution& step) {
  return (step.output.width - 1) * step.window.stride_columns +
         (step.window.kernel_width - 1) * step.window.dilation_columns + 1;
}

/// Padded rows that so many rows of output read.
constexpr int32_t padded_rows(const Convolution& step, int32_t output_rows) {
  return (output_rows - 1) * step.window.stride_rows + (step.window.kernel_height - 1) * step.window.dilation_rows + 1;
}

/// 16-bit numbers from one padded row to the next.
constexpr int32_t padded_pitch(const Convolution& step) { return padded_columns(step) * step.input.channels; }

/// Rows of output in a band: as many as keep it within 20 KB of the 32 KB cache, at least one.
constexpr int32_t band_rows(const Convolution& step) {
  const int64_t row_bytes = int64_t{2} * padded_pitch(step);
  int32_t rows = 1;
  while (rows < step.output.height && padded_rows(step, rows + 1) * row_bytes <= 20 * 1024) ++rows;
  return rows;
}

/// Bytes of the band's padded input, with room for the lanes that are loaded beyond its end and meet zero weights.
constexpr int64_t band_bytes(const Convolution& step) {
  return int64_t{2} * padded_rows(step, band_rows(step)) * padded_pitch(step) + 32;
}

namespace detail {

TRIMTAB_AVX2 inline void write_padding(const Convolution& step, int32_t columns, int16_t* target) {
  const auto channels = static_cast<size_t>(step.input.channels);
  if (step.padding_value == nullptr) {
    memset(target, 0, static_cast<size_t>(columns) * channels * sizeof(int16_t));
    return;
  }
  for (int32_t column = 0; column < columns; ++column) {
    memcpy(target + column * step.input.channels, step.padding_value, channels * sizeof(int16_t));
  }
}

}  // namespace detail

/// Writes the padded input of `rows` output rows from `first` on.
TRIMTAB_AVX2 inline void widen_band_avx2(const Convolution& step, const uint8_t* input, int32_t first, int32_t rows,
                                         int16_t* target) {
  const Image& image = step.input;
  const int32_t columns = padded_columns(step);
  const int32_t left = step.window.pad_left < columns ? step.window.pad_left : columns;
  const int32_t inside = columns - left < image.width ? columns - left : image.width;
  const int32_t right = columns - left - inside;
  const bool contiguous = image.pixel_stride * 8 == image.channels * image.format.bits;
  const int32_t count = padded_rows(step, rows);
  for (int32_t i = 0; i < count; ++i, target += padded_pitch(step)) {
    const int32_t row = first * step.window.stride_rows - step.window.pad_top + i;
    if (row < 0 || row >= image.height) {
      detail::write_padding(step, columns, target);
      continue;
    }
    detail::write_padding(step, left, target);
    const uint8_t* source = input + row * image.width * image.pixel_stride;
    int16_t* middle = target + left * image.channels;
    if (contiguous) {
      widen_activations_avx2(source, inside * image.channels, image.format, middle);
    } else {
      for (int32_t column = 0; column < inside; ++column) {
        widen_activations_avx2(source + column * image.pixel_stride, image.channels, image.format,
                               middle + column * image.channels);
      }
    }
    detail::write_padding(step, right, middle + inside * image.channels);
  }
}

}  // namespace trimtab::TRIMTAB_RUNTIME

#endif
