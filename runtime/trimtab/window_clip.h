#pragma once

// The windows of a pool, clipped to the image.

#include "trimtab/operators.h"

namespace trimtab::TRIMTAB_RUNTIME::detail {

/// The taps [first, end) of a kernel whose places lie inside the image along one axis.
inline void clip(int32_t start, int32_t kernel, int32_t dilation, int32_t size, int32_t& first, int32_t& end) {
  first = 0;
  end = kernel;
  while (first < end && start + first * dilation < 0) ++first;
  while (end > first && start + (end - 1) * dilation >= size) --end;
}

struct ClippedWindow {
  const uint8_t* first;  // pixel
  int32_t rows, columns;
  int32_t row_step, column_step;  // bytes
};

/// Calls visit(window, index of the output pixel) for every output pixel, row by row.
template <typename Visit>
inline void for_each_window(const Image& image, const Image& output, const Window& window, const uint8_t* input,
                            Visit visit) {
  ClippedWindow clipped;
  clipped.row_step = window.dilation_rows * image.width * image.pixel_stride;
  clipped.column_step = window.dilation_columns * image.pixel_stride;
  int32_t pixel = 0;
  for (int32_t y = 0; y < output.height; ++y) {
    const int32_t start_row = y * window.stride_rows - window.pad_top;
    int32_t first_row;
    int32_t end_row;
    clip(start_row, window.kernel_height, window.dilation_rows, image.height, first_row, end_row);
    for (int32_t x = 0; x < output.width; ++x, ++pixel) {
      const int32_t start_column = x * window.stride_columns - window.pad_left;
      int32_t first_column;
      int32_t end_column;
      clip(start_column, window.kernel_width, window.dilation_columns, image.width, first_column, end_column);
      clipped.rows = end_row - first_row;
      clipped.columns = end_column - first_column;
      clipped.first = input + ((start_row + first_row * window.dilation_rows) * image.width + start_column +
                               first_column * window.dilation_columns) *
                                  image.pixel_stride;
      visit(clipped, pixel);
    }
  }
}

}  // namespace trimtab::TRIMTAB_RUNTIME::detail
