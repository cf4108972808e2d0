#pragma once

// Depthwise convolution (one filter per channel) of bytes for cores without SIMD: each channel is gathered into a plane
// with its padding, where neighbours are neighbours, and convolved from there. A channel's outputs are written when its
// inputs are no longer needed, so that the output may lie where the input lies. Kernels of 3 columns make four outputs
// at a time: 12 MLA for 6 (stride 2: 9) loads of activations and 3 of weights.
//
// Weights: packed as in weights.h, a filter per channel. The padding's values are numbers of the input's format.

#include "trimtab/store_outputs.h"
#include "trimtab/weights.h"

namespace trimtab::runtime {

constexpr int32_t depthwise_8_plane_m3_rows(const Convolution& step) {
  return (step.output.height - 1) * step.window.stride_rows +
         (step.window.kernel_height - 1) * step.window.dilation_rows + 1;
}
constexpr int32_t depthwise_8_plane_m3_columns(const Convolution& step) {
  return (step.output.width - 1) * step.window.stride_columns +
         (step.window.kernel_width - 1) * step.window.dilation_columns + 1;
}
/// The plane, the filter as 32-bit integers, and as bytes.
constexpr int32_t depthwise_8_plane_m3_scratch_bytes(const Convolution& step) {
  const int32_t plane = (depthwise_8_plane_m3_rows(step) * depthwise_8_plane_m3_columns(step) + 7) / 8 * 8;
  return plane + (step.window.kernel_height * step.window.kernel_width * 5 + 7) / 8 * 8;
}

namespace detail {

/// Saturation to all of 0..255 is one instruction, to anything else six.
template <bool whole_byte>
inline uint8_t requantize_byte(const Convolution& step, int32_t sum, int32_t multiplier) {
  const int32_t value = scale_sum(sum, multiplier, step.shift);
  if constexpr (whole_byte) return static_cast<uint8_t>(saturate(value, 0, 255));
  return static_cast<uint8_t>(saturate(value, step.output_minimum, step.output_maximum));
}

/// One row of outputs of a kernel with three neighbouring columns and any number of rows.
template <typename Activation, int32_t stride, bool whole_byte>
inline void depthwise_row_3(const Convolution& step, const Activation* plane, int32_t row_step, const int32_t* filter,
                            int32_t bias, int32_t multiplier, uint8_t* output) {
  const int32_t pixel_stride = step.output.pixel_stride;
  const int32_t rows = step.window.kernel_height;
  int32_t left = step.output.width;
  for (; left >= 4; left -= 4, plane += 4 * stride, output += 4 * pixel_stride) {
    int32_t sum0 = bias;
    int32_t sum1 = bias;
    int32_t sum2 = bias;
    int32_t sum3 = bias;
    const Activation* at = plane;
    const int32_t* weights = filter;
    for (int32_t i = rows; i > 0; --i, at += row_step, weights += 3) {
      const int32_t w0 = weights[0];
      const int32_t w1 = weights[1];
      const int32_t w2 = weights[2];
      sum0 += at[0] * w0 + at[1] * w1 + at[2] * w2;
      sum1 += at[stride] * w0 + at[stride + 1] * w1 + at[stride + 2] * w2;
      sum2 += at[2 * stride] * w0 + at[2 * stride + 1] * w1 + at[2 * stride + 2] * w2;
      sum3 += at[3 * stride] * w0 + at[3 * stride + 1] * w1 + at[3 * stride + 2] * w2;
    }
    output[0] = requantize_byte<whole_byte>(step, sum0, multiplier);
    output[pixel_stride] = requantize_byte<whole_byte>(step, sum1, multiplier);
    output[2 * pixel_stride] = requantize_byte<whole_byte>(step, sum2, multiplier);
    output[3 * pixel_stride] = requantize_byte<whole_byte>(step, sum3, multiplier);
  }
  for (; left > 0; --left, plane += stride, output += pixel_stride) {
    int32_t sum = bias;
    const Activation* at = plane;
    const int32_t* weights = filter;
    for (int32_t i = rows; i > 0; --i, at += row_step, weights += 3) {
      sum += at[0] * weights[0] + at[1] * weights[1] + at[2] * weights[2];
    }
    *output = requantize_byte<whole_byte>(step, sum, multiplier);
  }
}

/// One row of outputs of any kernel.
template <typename Activation>
inline void depthwise_row_any(const Convolution& step, const Activation* plane, int32_t columns, const int32_t* filter,
                              int32_t bias, int32_t multiplier, uint8_t* output) {
  const Window& window = step.window;
  for (int32_t x = 0; x < step.output.width; ++x, plane += window.stride_columns, output += step.output.pixel_stride) {
    int32_t sum = bias;
    const int32_t* weight = filter;
    const Activation* row = plane;
    for (int32_t i = 0; i < window.kernel_height; ++i, row += window.dilation_rows * columns) {
      const Activation* at = row;
      for (int32_t j = 0; j < window.kernel_width; ++j, at += window.dilation_columns) sum += *at * *weight++;
    }
    *output = requantize_byte<false>(step, sum, multiplier);
  }
}

template <typename Activation>
inline void depthwise_8_plane(const Convolution& step, const uint8_t* input, uint8_t* output, uint8_t* scratch) {
  const Window& window = step.window;
  const Image& image = step.input;
  const int32_t rows = depthwise_8_plane_m3_rows(step);
  const int32_t columns = depthwise_8_plane_m3_columns(step);
  const int32_t size = window.kernel_height * window.kernel_width;
  uint8_t* const plane = scratch;
  auto* const filter = reinterpret_cast<int32_t*>(scratch + (rows * columns + 7) / 8 * 8);
  auto* const bytes = reinterpret_cast<int8_t*>(filter + size);
  // the part of the image that the plane holds, and where it lies in the plane
  const int32_t top = window.pad_top;
  const int32_t left = window.pad_left;
  const int32_t height = rows - top < image.height ? rows - top : image.height;
  const int32_t width = columns - left < image.width ? columns - left : image.width;
  const bool padded = top > 0 || left > 0 || top + height < rows || left + width < columns;
  const bool whole_byte = step.output_minimum == 0 && step.output_maximum == 255;
  const bool three = window.kernel_width == 3 && window.dilation_columns == 1 &&
                     (window.stride_columns == 1 || window.stride_columns == 2);
  const int32_t filter_bytes = packed_filter_bytes(size, step.weight_bits);
  for (int32_t channel = 0; channel < step.output.channels; ++channel) {
    if (padded && (channel == 0 || step.padding_value != nullptr)) {
      const auto value = static_cast<uint8_t>(step.padding_value == nullptr ? 0 : step.padding_value[channel]);
      for (int32_t i = 0; i < rows * columns; ++i) plane[i] = value;
    }
    const uint8_t* source_row = input + channel;
    uint8_t* to_row = plane + top * columns + left;
    for (int32_t y = 0; y < height; ++y, source_row += image.width * image.pixel_stride, to_row += columns) {
      const uint8_t* source = source_row;
      uint8_t* to = to_row;
      int32_t count = width;
      for (; count >= 4; count -= 4, to += 4) {
        to[0] = *source;
        source += image.pixel_stride;
        to[1] = *source;
        source += image.pixel_stride;
        to[2] = *source;
        source += image.pixel_stride;
        to[3] = *source;
        source += image.pixel_stride;
      }
      for (; count > 0; --count, source += image.pixel_stride) *to++ = *source;
    }
    unpack_weights(step.weights + channel * filter_bytes, size, step.weight_bits, bytes);
    for (int32_t i = 0; i < size; ++i) filter[i] = bytes[i];
    const int32_t bias = step.bias[channel];
    const int32_t multiplier = step.multiplier[channel];
    const auto* from = reinterpret_cast<const Activation*>(plane);
    const int32_t row_step = window.dilation_rows * columns;
    uint8_t* out = output + channel;
    for (int32_t y = 0; y < step.output.height; ++y) {
      if (!three) {
        depthwise_row_any(step, from, columns, filter, bias, multiplier, out);
      } else if (window.stride_columns == 1) {
        if (whole_byte) {
          depthwise_row_3<Activation, 1, true>(step, from, row_step, filter, bias, multiplier, out);
        } else {
          depthwise_row_3<Activation, 1, false>(step, from, row_step, filter, bias, multiplier, out);
        }
      } else if (whole_byte) {
        depthwise_row_3<Activation, 2, true>(step, from, row_step, filter, bias, multiplier, out);
      } else {
        depthwise_row_3<Activation, 2, false>(step, from, row_step, filter, bias, multiplier, out);
      }
      from += window.stride_rows * columns;
      out += step.output.width * step.output.pixel_stride;
    }
  }
}

}  // namespace detail

inline void depthwise_u8_plane_m3(const Convolution& step, const uint8_t* input, uint8_t* output, uint8_t* scratch) {
  detail::depthwise_8_plane<uint8_t>(step, input, output, scratch);
}
inline void depthwise_s8_plane_m3(const Convolution& step, const uint8_t* input, uint8_t* output, uint8_t* scratch) {
  detail::depthwise_8_plane<int8_t>(step, input, output, scratch);
}

}  // namespace trimtab::runtime
