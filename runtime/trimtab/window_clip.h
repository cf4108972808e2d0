#pragma once

// The windows of a pool, clipped to the image.

#include "trimtab/rows.h"

namespace trimtab::TRIMTAB_RUNTIME::detail {

/// The taps [first, end) of a kernel whose places lie inside the image along one axis.
inline void clip(int32_t start, int32_t kernel, int32_t dilation, int32_t size, int32_t& first, int32_t& end) {
  first = 0;
  end = kernel;
  while (first < end && start + first * dilation < 0) ++first;
  while (end > first && start + (end - 1) * dilation >= size) --end;
}

struct ClippedWindow {
  InputRows input;
  int32_t top, dilation_rows;
  int32_t left;  // bytes from the beginning of a row
  int32_t rows, columns;
  int32_t column_step;  // bytes

  /// The window's pixels in its row `i`.
  const uint8_t* row(int32_t i) const { return input[top + i * dilation_rows] + left; }
};

/// Calls visit(window, output pixel) for every output pixel of the strip, row by row.
template <typename Visit>
inline void for_each_window(const Image& image, const Image& output, const Window& window, Strip strip, InputRows input,
                            OutputRows results, Visit visit) {
  ClippedWindow clipped;
  clipped.input = input;
  clipped.dilation_rows = window.dilation_rows;
  clipped.column_step = window.dilation_columns * image.pixel_stride;
  for (int32_t y = strip.first; y < strip.first + strip.count; ++y) {
    uint8_t* pixel = results[y];
    const int32_t start_row = y * window.stride_rows - window.pad_top;
    int32_t first_row;
    int32_t end_row;
    clip(start_row, window.kernel_height, window.dilation_rows, image.height, first_row, end_row);
    clipped.top = start_row + first_row * window.dilation_rows;
    for (int32_t x = 0; x < output.width; ++x, pixel += output.pixel_stride) {
      const int32_t start_column = x * window.stride_columns - window.pad_left;
      int32_t first_column;
      int32_t end_column;
      clip(start_column, window.kernel_width, window.dilation_columns, image.width, first_column, end_column);
      clipped.rows = end_row - first_row;
      clipped.columns = end_column - first_column;
      clipped.left = (start_column + first_column * window.dilation_columns) * image.pixel_stride;
      visit(clipped, pixel);
    }
  }
}

}  // namespace trimtab::TRIMTAB_RUNTIME::detail
