#pragma once

// The activations under the windows of four output pixels, widened to 32 bits and interleaved: word 4 * k + p is number
// k (kernel row, kernel column, input channel of the group) of pixel p. Padding is filled in, so that a kernel's inner
// loop knows no borders and no formats.

#include "trimtab/operators.h"

namespace trimtab::runtime {

namespace detail {

/// `count` channels of a pixel, or of neighbouring pixels without gaps where they take 8 bits, to every fourth word.
inline int32_t* widen(const uint8_t* pixel, int32_t first_channel, int32_t count, ActivationFormat format,
                      int32_t* words) {
  if (format.bits == 8) {
    const uint8_t* source = pixel + first_channel;
    const uint8_t* const end = source + count;
    if (format.is_signed) {
      for (; end - source >= 4; source += 4, words += 16) {
        words[0] = static_cast<int8_t>(source[0]);
        words[4] = static_cast<int8_t>(source[1]);
        words[8] = static_cast<int8_t>(source[2]);
        words[12] = static_cast<int8_t>(source[3]);
      }
      for (; source != end; ++source, words += 4) *words = static_cast<int8_t>(*source);
    } else {
      for (; end - source >= 4; source += 4, words += 16) {
        words[0] = source[0];
        words[4] = source[1];
        words[8] = source[2];
        words[12] = source[3];
      }
      for (; source != end; ++source, words += 4) *words = *source;
    }
    return words;
  }
  for (int32_t k = 0; k < count; ++k, words += 4) *words = load_activation(pixel, first_channel + k, format);
  return words;
}

}  // namespace detail

/// Walks over the windows of all output pixels, row by row, four at a time.
class WindowWidener {
 public:
  WindowWidener(const Convolution& step, const uint8_t* input, int32_t first_channel)
      : step_(step), input_(input), first_channel_(first_channel), channels_(step.input.channels / step.groups) {
    whole_rows_ = step.window.dilation_columns == 1 && step.groups == 1 && step.input.format.bits == 8 &&
                  step.input.pixel_stride == step.input.channels;
  }

  /// Fills `words` for the next four pixels; beyond the last pixel it is repeated.
  void widen_four(int32_t* words) {
    for (int32_t p = 0; p < 4; ++p) {
      widen_one(words + p);
      if (x_ + 1 < step_.output.width) {
        ++x_;
      } else if (y_ + 1 < step_.output.height) {
        x_ = 0;
        ++y_;
      }
    }
  }

 private:
  void widen_one(int32_t* words) const {
    const Window& window = step_.window;
    const Image& image = step_.input;
    const int32_t first_row = y_ * window.stride_rows - window.pad_top;
    const int32_t first_column = x_ * window.stride_columns - window.pad_left;
    const bool inside = first_column >= 0 && first_column + window.kernel_width <= image.width;
    for (int32_t i = 0, row = first_row; i < window.kernel_height; ++i, row += window.dilation_rows) {
      if (row < 0 || row >= image.height) {
        for (int32_t j = 0; j < window.kernel_width; ++j) words = pad(words);
        continue;
      }
      const uint8_t* const pixels = input_ + row * image.width * image.pixel_stride;
      if (whole_rows_ && inside) {
        words = detail::widen(pixels + first_column * image.pixel_stride, 0, window.kernel_width * channels_,
                              image.format, words);
        continue;
      }
      for (int32_t j = 0, column = first_column; j < window.kernel_width; ++j, column += window.dilation_columns) {
        words = column < 0 || column >= image.width ? pad(words)
                                                    : detail::widen(pixels + column * image.pixel_stride,
                                                                    first_channel_, channels_, image.format, words);
      }
    }
  }

  int32_t* pad(int32_t* words) const {
    for (int32_t k = 0; k < channels_; ++k, words += 4) {
      *words = step_.padding_value == nullptr ? 0 : step_.padding_value[first_channel_ + k];
    }
    return words;
  }

  const Convolution& step_;
  const uint8_t* input_;
  int32_t first_channel_;
  int32_t channels_;
  bool whole_rows_;
  int32_t y_ = 0;
  int32_t x_ = 0;
};

}  // namespace trimtab::runtime
