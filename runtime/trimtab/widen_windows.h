#pragma once

// The activations under the windows of four output pixels, widened to 32 bits and interleaved: word 4 * k + p is number
// k (kernel row, kernel column, input channel of the group) of pixel p. Padding is filled in, so that a kernel's inner
// loop knows no borders and no formats.

#include "trimtab/interleave_m3.h"
#include "trimtab/rows.h"

namespace trimtab::TRIMTAB_RUNTIME {

namespace detail {

/// Four places, a word for each of their numbers.
struct WideWords {
  static constexpr int places = 4;
  static constexpr bool takes_any_format = true;

  template <bool is_signed>
  static int32_t* interleave(const uint8_t* const (&from)[4], int32_t count, int32_t* words) {
    return interleave_four<is_signed>(from, count, words);
  }
};

}  // namespace detail

/// Walks over the windows of the output pixels from a row on, row by row, up to `Words::places` at a time. `Words`: how
/// the numbers of so many places become words, and whether it takes other numbers than bytes, too.
template <class Words>
class WindowWidenerBy {
  static constexpr int places_ = Words::places;

 public:
  /// Bytes of scratch memory: a pixel of padding.
  static constexpr int32_t scratch_bytes(const Convolution& step) {
    return (step.input.channels / step.groups + 7) / 8 * 8;
  }

  WindowWidenerBy(const Convolution& step, InputRows input, int32_t first_row, int32_t first_channel, uint8_t* scratch)
      : step_(step),
        input_(input),
        padding_(scratch),
        first_channel_(first_channel),
        channels_(step.input.channels / step.groups),
        y_(first_row) {
    are_bytes_ = step.input.format.bits == 8;
    const Window& window = step.window;
    are_pixels_ = window.kernel_height == 1 && window.kernel_width == 1 && window.pad_top == 0 &&
                  window.pad_left == 0 && (step.output.height - 1) * window.stride_rows < step.input.height &&
                  (step.output.width - 1) * window.stride_columns < step.input.width;
    for (int32_t k = 0; k < channels_; ++k) {
      const int32_t value = padding_of(k);
      scratch[k] = static_cast<uint8_t>(value);
      const int32_t kept = step.input.format.is_signed ? static_cast<int8_t>(value) : static_cast<uint8_t>(value);
      if (kept != value) are_bytes_ = false;
    }
  }

  /// Fills `words` for the next `count` pixels, places_ at most; beyond them the last one is repeated.
  void widen(int32_t count, int32_t* words) {
    if (are_pixels_ && are_bytes_) {
      widen_pixels(count, words);
      return;
    }
    const Window& window = step_.window;
    Array<int32_t, places_> rows;
    Array<int32_t, places_> columns;
    const int32_t last_row = (window.kernel_height - 1) * window.dilation_rows;
    const int32_t last_column = (window.kernel_width - 1) * window.dilation_columns;
    bool inside = true;
    for (int32_t p = 0; p < places_; ++p) {
      rows[p] = y_ * window.stride_rows - window.pad_top;
      columns[p] = x_ * window.stride_columns - window.pad_left;
      inside = inside && rows[p] >= 0 && columns[p] >= 0 && rows[p] + last_row < step_.input.height &&
               columns[p] + last_column < step_.input.width;
      if (p + 1 < count) advance();
    }
    advance();
    if (Words::takes_any_format && !are_bytes_) {
      for (int32_t p = 0; p < places_; ++p) widen_any(rows[p], columns[p], words + p);
    } else if (step_.input.format.is_signed) {
      widen_bytes<true>(rows, columns, inside, words);
    } else {
      widen_bytes<false>(rows, columns, inside, words);
    }
  }

 private:
  void advance() {
    if (++x_ == step_.output.width) {
      x_ = 0;
      ++y_;
    }
  }

  int32_t padding_of(int32_t k) const {
    return step_.padding_value == nullptr ? 0 : step_.padding_value[first_channel_ + k];
  }

  const uint8_t* pixel(int32_t row, int32_t column) const { return input_[row] + column * step_.input.pixel_stride; }

  /// Windows of one pixel of 8 bits, all of them inside the image.
  void widen_pixels(int32_t count, int32_t* words) {
    const int32_t column_step = step_.window.stride_columns * step_.input.pixel_stride;
    Array<const uint8_t*, places_> places;
    for (int32_t p = 0; p < places_; ++p) {
      places[p] = input_[y_ * step_.window.stride_rows] + first_channel_ + x_ * column_step;
      if (p + 1 < count) advance();
    }
    advance();
    if (step_.input.format.is_signed) {
      Words::template interleave<true>(places, channels_, words);
    } else {
      Words::template interleave<false>(places, channels_, words);
    }
  }

  /// Pixels of 8 bits.
  template <bool is_signed>
  void widen_bytes(const Array<int32_t, places_>& rows, const Array<int32_t, places_>& columns, bool inside,
                   int32_t* words) const {
    const Window& window = step_.window;
    const Image& image = step_.input;
    Array<const uint8_t*, places_> places;
    // neighbouring pixels without gaps are one run
    const bool whole = window.dilation_columns == 1 && image.pixel_stride == channels_;
    const int32_t row_bytes = window.kernel_width * channels_;
    if (inside) {
      const int32_t run = whole ? row_bytes : channels_;
      const int32_t runs = whole ? 1 : window.kernel_width;
      const int32_t column_step = window.dilation_columns * image.pixel_stride;
      for (int32_t i = 0, down = 0; i < window.kernel_height; ++i, down += window.dilation_rows) {
        for (int32_t p = 0; p < places_; ++p) places[p] = pixel(rows[p] + down, columns[p]) + first_channel_;
        for (int32_t j = 0; j < runs; ++j) {
          words = Words::template interleave<is_signed>(places, run, words);
          for (const uint8_t*& place : places) place += column_step;
        }
      }
      return;
    }
    for (int32_t i = 0, down = 0; i < window.kernel_height; ++i, down += window.dilation_rows) {
      for (int32_t j = 0, right = 0; j < window.kernel_width; ++j, right += window.dilation_columns) {
        for (int32_t p = 0; p < places_; ++p) {
          const int32_t row = rows[p] + down;
          const int32_t column = columns[p] + right;
          places[p] = row >= 0 && row < image.height && column >= 0 && column < image.width
                          ? pixel(row, column) + first_channel_
                          : padding_;
        }
        words = Words::template interleave<is_signed>(places, channels_, words);
      }
    }
  }

  /// A pixel of any format.
  void widen_any(int32_t first_row, int32_t first_column, int32_t* words) const {
    const Window& window = step_.window;
    for (int32_t i = 0, row = first_row; i < window.kernel_height; ++i, row += window.dilation_rows) {
      for (int32_t j = 0, column = first_column; j < window.kernel_width; ++j, column += window.dilation_columns) {
        if (row < 0 || row >= step_.input.height || column < 0 || column >= step_.input.width) {
          for (int32_t k = 0; k < channels_; ++k, words += 4) *words = padding_of(k);
        } else {
          const uint8_t* const at = pixel(row, column);
          for (int32_t k = 0; k < channels_; ++k, words += 4) {
            *words = load_activation(at, first_channel_ + k, step_.input.format);
          }
        }
      }
    }
  }

  const Convolution& step_;
  InputRows input_;
  const uint8_t* padding_;
  int32_t first_channel_;
  int32_t channels_;
  bool are_bytes_;   // the input, and the values of its padding
  bool are_pixels_;  // the windows, inside the image
  int32_t y_;
  int32_t x_ = 0;
};

using WindowWidener = WindowWidenerBy<detail::WideWords>;

}  // namespace trimtab::TRIMTAB_RUNTIME
