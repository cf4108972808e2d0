#pragma once

// The input of a convolution as kernels for NEON read it: signed bytes (unsigned ones less 128, which the biases
// take back), with the padding written out, and a window as runs of neighbouring bytes.

#include <string.h>

#include "trimtab/rows.h"
#if defined(__ARM_NEON)
#include "trimtab/neon.h"
#endif

namespace trimtab::TRIMTAB_RUNTIME {

/// A window is `count` runs of `length` bytes. Copies of windows and packed filters have `pitch` bytes from run to run,
/// and `size` in all, a multiple of 16: either every run is filled up to a multiple of 16, or, where few short runs
/// take less memory so, they follow each other without gaps.
struct WindowRuns {
  int32_t count;
  int32_t length;
  constexpr bool joined() const {
    return count > 1 && count <= 4 && length <= 16 && (count * length + 15) / 16 < count;
  }
  constexpr int32_t pitch() const { return joined() ? length : (length + 15) / 16 * 16; }
  constexpr int32_t size() const { return (count * pitch() + 15) / 16 * 16; }
};

/// A row of the kernel is one run, unless columns are dilated: then every tap is.
constexpr WindowRuns window_runs(const Convolution& step) {
  const Window& window = step.window;
  const int32_t channels = step.input.channels;
  if (window.dilation_columns != 1 && window.kernel_width > 1) {
    return {window.kernel_height * window.kernel_width, channels};
  }
  return {window.kernel_height, window.kernel_width * channels};
}

/// Columns and rows that so many rows of output read, padding included.
constexpr int32_t signed_columns(const Convolution& step) {
  return (step.output.width - 1) * step.window.stride_columns +
         (step.window.kernel_width - 1) * step.window.dilation_columns + 1;
}
constexpr int32_t signed_rows(const Convolution& step, int32_t output_rows) {
  return (output_rows - 1) * step.window.stride_rows + (step.window.kernel_height - 1) * step.window.dilation_rows + 1;
}

/// Whether windows can be read where the input lies: one tap, no padding, and nothing behind its channels is read.
constexpr bool reads_in_place(const Convolution& step) {
  const Window& window = step.window;
  return window.kernel_height == 1 && window.kernel_width == 1 && window.pad_top == 0 && window.pad_left == 0 &&
         (step.output.height - 1) * window.stride_rows < step.input.height &&
         (step.output.width - 1) * window.stride_columns < step.input.width && step.input.channels % 16 == 0;
}

/// Bytes of the copy, with those that a last run and a store of 16 bytes reach beyond its end.
constexpr int32_t signed_rows_bytes(const Convolution& step, int32_t output_rows) {
  return (signed_rows(step, output_rows) * signed_columns(step) * step.input.channels + 15) / 16 * 16 + 32;
}

/// Output rows whose input, copied, takes no more than 64 KB: at least one, at most all.
constexpr int32_t signed_rows_of_band(const Convolution& step) {
  const int32_t inputs = 64 * 1024 / (signed_columns(step) * step.input.channels);
  const int32_t more = inputs < signed_rows(step, 1) ? 0 : (inputs - signed_rows(step, 1)) / step.window.stride_rows;
  return more + 1 < step.output.height ? more + 1 : step.output.height;
}

#if defined(__ARM_NEON)

namespace neon {

/// Copies bytes and flips their highest bit.
inline void copy_flipped(const uint8_t* from, int32_t count, uint8_t* to) {
  const uint8x16_t flip = vdupq_n_u8(0x80);
  for (; count >= 64; count -= 64, from += 64, to += 64) {
    const uint8x16_t a = vld1q_u8(from);
    const uint8x16_t b = vld1q_u8(from + 16);
    const uint8x16_t c = vld1q_u8(from + 32);
    const uint8x16_t d = vld1q_u8(from + 48);
    vst1q_u8(to, veorq_u8(a, flip));
    vst1q_u8(to + 16, veorq_u8(b, flip));
    vst1q_u8(to + 32, veorq_u8(c, flip));
    vst1q_u8(to + 48, veorq_u8(d, flip));
  }
  for (; count >= 16; count -= 16, from += 16, to += 16) vst1q_u8(to, veorq_u8(vld1q_u8(from), flip));
  for (; count > 0; --count) *to++ = *from++ ^ 0x80;
}

/// Copies bytes as signed ones.
inline void copy_signed(const Image& image, const uint8_t* from, int32_t count, uint8_t* to) {
  if (image.format.is_signed) {
    memcpy(to, from, static_cast<size_t>(count));
  } else {
    copy_flipped(from, count, to);
  }
}

/// Writes pixels of padding.
inline void write_padding(const Convolution& step, int32_t columns, uint8_t* to) {
  const int32_t channels = step.input.channels;
  const uint8_t flip = step.input.format.is_signed ? 0 : 0x80;
  if (step.padding_value == nullptr) {
    memset(to, flip, static_cast<size_t>(columns * channels));
    return;
  }
  for (int32_t column = 0; column < columns; ++column) {
    for (int32_t c = 0; c < channels; ++c) *to++ = static_cast<uint8_t>(step.padding_value[c] ^ flip);
  }
}

/// Copies what the strip's rows read, padding included, into rows of signed_columns() pixels without gaps.
inline void copy_signed_rows(const Convolution& step, Strip strip, InputRows input, uint8_t* to) {
  const Image& image = step.input;
  const Window& window = step.window;
  const int32_t columns = signed_columns(step);
  const int32_t left = window.pad_left < columns ? window.pad_left : columns;
  const int32_t inside = columns - left < image.width ? columns - left : image.width;
  const int32_t channels = image.channels;
  const int32_t count = signed_rows(step, strip.count);
  for (int32_t i = 0; i < count; ++i, to += columns * channels) {
    const int32_t row = strip.first * window.stride_rows - window.pad_top + i;
    if (row < 0 || row >= image.height) {
      write_padding(step, columns, to);
      continue;
    }
    const uint8_t* const from = input[row];
    uint8_t* const middle = to + left * channels;
    if (image.pixel_stride == channels) {
      copy_signed(image, from, inside * channels, middle);
    } else {
      for (int32_t x = 0; x < inside; ++x) {
        copy_signed(image, from + x * image.pixel_stride, channels, middle + x * channels);
      }
    }
    write_padding(step, left, to);
    write_padding(step, columns - left - inside, middle + inside * channels);
  }
}

/// Where windows begin, in the input or in its copy.
struct Windows {
  InputRows rows;       // of the input, or of the copy
  int32_t row_step;     // input rows from one output row to the next
  int32_t column_step;  // bytes from one output pixel to the next
  int32_t first_row;    // that the copy begins with
  bool flips;           // whether the highest bits are still to be flipped

  const uint8_t* row(int32_t y) const { return rows[(y - first_row) * row_step]; }
  /// Whether the first window of a row lies where the row before would go on.
  bool continue_over_rows(const Convolution& step) const {
    return rows.is_dense() && rows.pitch * row_step == step.output.width * column_step;
  }
};

/// The windows of a strip; `copy` has room for signed_rows_bytes().
inline Windows windows_of(const Convolution& step, Strip strip, InputRows input, uint8_t* copy) {
  const Window& window = step.window;
  if (reads_in_place(step)) {
    return {input, window.stride_rows, window.stride_columns * step.input.pixel_stride, 0,
            !step.input.format.is_signed};
  }
  copy_signed_rows(step, strip, input, copy);
  const int32_t channels = step.input.channels;
  return {{copy, nullptr, signed_columns(step) * channels},
          window.stride_rows,
          window.stride_columns * channels,
          strip.first,
          false};
}

}  // namespace neon

#endif

}  // namespace trimtab::TRIMTAB_RUNTIME
