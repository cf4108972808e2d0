#pragma once

// Numbers that change places: parts, repetitions, other orders, padding and values side by side, for any shape and
// format.

#include "trimtab/rows.h"

namespace trimtab::TRIMTAB_RUNTIME {

/// A part of an image.
struct Box {
  int16_t top, left, first_channel;
  int16_t height, width, channels;
};

/// Element (y, x, c) of the box in the output is the input's element rows[y] + columns[x] + channels[c], counted as
/// pixel * 2^15 + channel, or `padding` where one of the three is `no_element`. Input and output have one format.
struct Movement {
  Image input;
  Image output;
  Box box;
  int32_t padding;
  const uint32_t* rows;      // box.height
  const uint32_t* columns;   // box.width
  const uint32_t* channels;  // box.channels
};

constexpr int movement_channel_bits = 15;
constexpr uint32_t no_element = UINT32_MAX;

/// Reads the whole input, whose rows lie densely; the rows of the output may lie anywhere.
inline void movement_generic(const Movement& step, Strip strip, InputRows input, OutputRows output) {
  constexpr uint32_t channel_mask = (UINT32_C(1) << movement_channel_bits) - 1;
  const Box& box = step.box;
  const ActivationFormat format = step.input.format;
  for (int32_t y = 0; y < box.height; ++y) {
    const int32_t row = box.top + y;
    if (row < strip.first || row >= strip.first + strip.count) continue;
    for (int32_t x = 0; x < box.width; ++x) {
      uint8_t* pixel = output[row] + (box.left + x) * step.output.pixel_stride;
      const bool outside = step.rows[y] == no_element || step.columns[x] == no_element;
      const uint32_t place = step.rows[y] + step.columns[x];
      for (int32_t c = 0; c < box.channels; ++c) {
        int32_t value = step.padding;
        if (!outside && step.channels[c] != no_element) {
          const uint32_t element = place + step.channels[c];
          const auto from = static_cast<int32_t>(element >> movement_channel_bits);
          value = load_activation(input.base + from * step.input.pixel_stride,
                                  static_cast<int32_t>(element & channel_mask), format);
        }
        store_activation(pixel, box.first_channel + c, value, format);
      }
    }
  }
}

}  // namespace trimtab::TRIMTAB_RUNTIME
