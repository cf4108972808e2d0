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

#if defined(__ARM_NEON)

namespace neon {

/// Copies bytes and flips their highest bit or none.
inline void copy_flipped(const uint8_t* from, int32_t count, uint8x16_t flip, uint8_t* to) {
  int32_t i = 0;
  for (; i + 16 <= count; i += 16) vst1q_u8(to + i, veorq_u8(vld1q_u8(from + i), flip));
  for (; i < count; ++i) to[i] = static_cast<uint8_t>(from[i] ^ vgetq_lane_u8(flip, 0));
}

inline uint8x16_t flip_of(const Image& image) { return vdupq_n_u8(image.format.is_signed ? 0 : 0x80); }

/// Writes pixels of padding.
inline void write_padding(const Convolution& step, int32_t columns, uint8x16_t flip, uint8_t* to) {
  const int32_t channels = step.input.channels;
  if (step.padding_value == nullptr) {
    memset(to, vgetq_lane_u8(flip, 0), static_cast<size_t>(columns * channels));
    return;
  }
  for (int32_t column = 0; column < columns; ++column) {
    for (int32_t c = 0; c < channels; ++c) {
      *to++ = static_cast<uint8_t>(step.padding_value[c] ^ vgetq_lane_u8(flip, 0));
    }
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
  const uint8x16_t flip = flip_of(image);
  const int32_t count = signed_rows(step, strip.count);
  for (int32_t i = 0; i < count; ++i, to += columns * channels) {
    const int32_t row = strip.first * window.stride_rows - window.pad_top + i;
    if (row < 0 || row >= image.height) {
      write_padding(step, columns, flip, to);
      continue;
    }
    const uint8_t* const from = input[row];
    uint8_t* const middle = to + left * channels;
    if (image.pixel_stride == channels) {
      copy_flipped(from, inside * channels, flip, middle);
    } else {
      for (int32_t x = 0; x < inside; ++x) {
        copy_flipped(from + x * image.pixel_stride, channels, flip, middle + x * channels);
      }
    }
    write_padding(step, left, flip, to);
    write_padding(step, columns - left - inside, flip, middle + inside * channels);
  }
}

/// Where windows begin, in the input or in its copy.
struct Windows {
  InputRows rows;       // of the input, or of the copy
  int32_t row_step;     // input rows from one output row to the next
  int32_t column_step;  // bytes from one output pixel to the next
  int32_t first_row;    // that the copy begins with
  uint8x16_t flip;      // that is still to be done

  const uint8_t* row(int32_t y) const { return rows[(y - first_row) * row_step]; }
};

/// The windows of a strip; `copy` has room for signed_rows_bytes().
inline Windows windows_of(const Convolution& step, Strip strip, InputRows input, uint8_t* copy) {
  const Window& window = step.window;
  if (reads_in_place(step)) {
    return {input, window.stride_rows, window.stride_columns * step.input.pixel_stride, 0, flip_of(step.input)};
  }
  copy_signed_rows(step, strip, input, copy);
  const int32_t channels = step.input.channels;
  return {{copy, nullptr, signed_columns(step) * channels},
          window.stride_rows,
          window.stride_columns * channels,
          strip.first,
          vdupq_n_u8(0)};
}

/// Bytes from a window's beginning to its run `i`.
inline int32_t run_offset(const Convolution& step, int32_t i) {
  const Window& window = step.window;
  const int32_t channels = step.input.channels;
  const int32_t pitch = signed_columns(step) * channels;
  if (window_runs(step).count == window.kernel_height) return i * window.dilation_rows * pitch;
  return i / window.kernel_width * window.dilation_rows * pitch +
         i % window.kernel_width * window.dilation_columns * channels;
}

}  // namespace neon

#endif

}  // namespace trimtab::TRIMTAB_RUNTIME
