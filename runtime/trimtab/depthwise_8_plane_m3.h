#pragma once

// Depthwise convolution (one filter per channel) of bytes for cores without SIMD: each channel is gathered into a plane
// with its padding, where neighbours lie together, and convolved from there. A channel's outputs are written when its
// inputs are no longer needed, so that the output may lie where the input lies. Kernels of 3 columns make four outputs
// at a time: 12 MLA for 6 (stride 2: 9) loads of activations and 3 of weights.
//
// Weights: packed as in weights.h, channel after channel without gaps: at 2 bits, filters of 9 weights that began at
// bytes would take a third more. The padding's values are numbers of the input's format.

#include "trimtab/arithmetic_rv32.h"
#include "trimtab/nested_weights.h"
#include "trimtab/rows.h"
#include "trimtab/store_outputs.h"
#include "trimtab/weights.h"

namespace trimtab::TRIMTAB_RUNTIME {

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

/// One axis of a depthwise convolution.
struct DepthwiseAxis {
  int32_t kernel, stride, dilation, pad;
  int32_t input, input_step;  // size, and bytes from one place to the next
  int32_t output, output_step;
  int32_t plane;        // size of the plane
  int32_t filter_step;  // from one weight to the next
};

inline DepthwiseAxis depthwise_columns(const Convolution& step) {
  const Window& window = step.window;
  return {window.kernel_width,
          window.stride_columns,
          window.dilation_columns,
          window.pad_left,
          step.input.width,
          step.input.pixel_stride,
          step.output.width,
          step.output.pixel_stride,
          depthwise_8_plane_m3_columns(step),
          1};
}
inline DepthwiseAxis depthwise_rows(const Convolution& step) {
  const Window& window = step.window;
  return {window.kernel_height,
          window.stride_rows,
          window.dilation_rows,
          window.pad_top,
          step.input.height,
          step.input.width * step.input.pixel_stride,
          step.output.height,
          step.output.width * step.output.pixel_stride,
          depthwise_8_plane_m3_rows(step),
          window.kernel_width};
}

/// Whether the plane is larger than what the image fills.
inline bool depthwise_is_padded(const DepthwiseAxis& along, const DepthwiseAxis& across) {
  return along.pad > 0 || across.pad > 0 || along.input < along.plane || across.input < across.plane;
}

/// A channel's weights in the order of the plane; `bytes` has room for them. `nested`: stored as in nested_weights.h.
template <bool nested>
inline void unpack_depthwise_filter(const Convolution& step, const DepthwiseAxis& along, const DepthwiseAxis& across,
                                    int32_t channel, int8_t* bytes, int32_t* filter) {
  const int32_t size = along.kernel * across.kernel;
  unpack_weights(step.weights, size, nested ? 8 : step.weight_bits, bytes, channel * size);
  for (int32_t i = 0, at = 0; i < across.kernel; ++i) {
    for (int32_t j = 0; j < along.kernel; ++j) {
      const int8_t weight = bytes[i * across.filter_step + j * along.filter_step];
      filter[at++] = nested ? nested_weight(weight, step.weight_bits) : weight;
    }
  }
}

/// Fours and single outputs of a row, in instructions or so.
constexpr int32_t depthwise_cost(int32_t along, int32_t across) {
  return across * (along / 4 * 110 + along % 4 * 50 + 40);
}

/// Saturation to all of 0..255 is one instruction, to anything else six.
template <bool whole_byte>
inline uint8_t requantize_byte(int32_t sum, int32_t multiplier, int32_t shift, int32_t zero, int32_t minimum,
                               int32_t maximum) {
  const int32_t value = scale_sum(sum, multiplier, shift, zero);
  if constexpr (whole_byte) return static_cast<uint8_t>(saturate(value, 0, 255));
  return static_cast<uint8_t>(saturate(value, minimum, maximum));
}

#if defined(__riscv) && !defined(__OPTIMIZE_SIZE__)
#define TRIMTAB_PLANES_3X3 1

/// All outputs of a channel, for a kernel of 3x3 whose weights stay in registers: of four outputs, 18 (stride 2: 27)
/// loads and 72 instructions for the products.
template <typename Activation, int stride, bool Plain>
__attribute__((noinline)) void depthwise_plane_3x3(const Convolution& step, const DepthwiseAxis& along,
                                                   const DepthwiseAxis& across, const Activation* plane,
                                                   const int32_t* filter, int32_t channel, uint8_t* output) {
  const ByteScale<Plain> scale(step, channel);
  const int32_t out_step = along.output_step;
  const int32_t row_step = across.dilation * along.plane;
  Array<uint32_t, 9> weights;
#pragma GCC unroll 9
  for (int i = 0; i < 9; ++i) weights[i] = static_cast<uint32_t>(filter[i]);
  for (int32_t rows = across.output; rows > 0; --rows) {
    const Activation* from[3] = {plane, plane + row_step, plane + 2 * row_step};
    uint8_t* out = output;
    int32_t left = along.output;
    for (; left >= 4; left -= 4) {
      Array<uint32_t, 4> sums;
#pragma GCC unroll 4
      for (int i = 0; i < 4; ++i) sums[i] = scale.bias();
#pragma GCC unroll 3
      for (int row = 0; row < 3; ++row) {
#pragma GCC unroll 9
        for (int column = 0; column < 3 * stride + 3; ++column) {
          const auto number = static_cast<uint32_t>(from[row][column]);
#pragma GCC unroll 4
          for (int i = 0; i < 4; ++i) {
            const int tap = column - i * stride;
            if (tap >= 0 && tap < 3) add_product(sums[i], number, weights[3 * row + tap]);
          }
        }
        from[row] += 4 * stride;
      }
#pragma GCC unroll 4
      for (int i = 0; i < 4; ++i, out += out_step) *out = scale(sums[i]);
    }
    for (; left > 0; --left, out += out_step) {
      uint32_t sum = scale.bias();
#pragma GCC unroll 3
      for (int row = 0; row < 3; ++row) {
#pragma GCC unroll 3
        for (int tap = 0; tap < 3; ++tap)
          add_product(sum, static_cast<uint32_t>(from[row][tap]), weights[3 * row + tap]);
        from[row] += stride;
      }
      *out = scale(sum);
    }
    plane += across.stride * along.plane;
    output += across.output_step;
  }
}

#endif

/// All outputs of a channel, for a kernel of three neighbouring places along the rows of the plane.
template <typename Activation, int32_t stride, bool whole_byte>
inline void depthwise_plane_3(const Convolution& step, const DepthwiseAxis& along, const DepthwiseAxis& across,
                              const Activation* plane, const int32_t* filter, int32_t channel, uint8_t* output) {
#if defined(TRIMTAB_PLANES_3X3)
  if (across.kernel == 3) {
    const auto made = has_plain_bytes(step) ? depthwise_plane_3x3<Activation, stride, true>
                                            : depthwise_plane_3x3<Activation, stride, false>;
    return made(step, along, across, plane, filter, channel, output);
  }
#endif
  const int32_t bias = step.bias[channel];
  const int32_t multiplier = step.multiplier[channel];
  const int32_t shift = step.shift;
  const int32_t zero = step.output_zero;
  const int32_t minimum = step.output_minimum;
  const int32_t maximum = step.output_maximum;
  const int32_t out_step = along.output_step;
  const int32_t row_step = across.dilation * along.plane;
  const auto requantized = [&](int32_t sum) {
    return requantize_byte<whole_byte>(sum, multiplier, shift, zero, minimum, maximum);
  };
  for (int32_t rows = across.output; rows > 0; --rows) {
    const Activation* first = plane;
    uint8_t* out = output;
    int32_t left = along.output;
    for (; left >= 4; left -= 4, first += 4 * stride) {
      int32_t sum0 = bias;
      int32_t sum1 = bias;
      int32_t sum2 = bias;
      int32_t sum3 = bias;
      const Activation* at = first;
      const int32_t* weights = filter;
      for (int32_t i = across.kernel; i > 0; --i, at += row_step, weights += 3) {
        const int32_t w0 = weights[0];
        const int32_t w1 = weights[1];
        const int32_t w2 = weights[2];
        sum0 += at[0] * w0 + at[1] * w1 + at[2] * w2;
        sum1 += at[stride] * w0 + at[stride + 1] * w1 + at[stride + 2] * w2;
        sum2 += at[2 * stride] * w0 + at[2 * stride + 1] * w1 + at[2 * stride + 2] * w2;
        sum3 += at[3 * stride] * w0 + at[3 * stride + 1] * w1 + at[3 * stride + 2] * w2;
      }
      *out = requantized(sum0);
      out += out_step;
      *out = requantized(sum1);
      out += out_step;
      *out = requantized(sum2);
      out += out_step;
      *out = requantized(sum3);
      out += out_step;
    }
    for (; left > 0; --left, first += stride, out += out_step) {
      int32_t sum = bias;
      const Activation* at = first;
      const int32_t* weights = filter;
      for (int32_t i = across.kernel; i > 0; --i, at += row_step, weights += 3) {
        sum += at[0] * weights[0] + at[1] * weights[1] + at[2] * weights[2];
      }
      *out = requantized(sum);
    }
    plane += across.stride * along.plane;
    output += across.output_step;
  }
}

/// All outputs of a channel, for any kernel.
template <typename Activation>
inline void depthwise_plane_any(const Convolution& step, const DepthwiseAxis& along, const DepthwiseAxis& across,
                                const Activation* plane, const int32_t* filter, int32_t channel, uint8_t* output) {
  for (int32_t y = 0; y < across.output; ++y) {
    for (int32_t x = 0; x < along.output; ++x) {
      int32_t sum = step.bias[channel];
      const int32_t* weight = filter;
      const Activation* row = plane + y * across.stride * along.plane + x * along.stride;
      for (int32_t i = 0; i < across.kernel; ++i, row += across.dilation * along.plane) {
        const Activation* at = row;
        for (int32_t j = 0; j < along.kernel; ++j, at += along.dilation) sum += *at * *weight++;
      }
      output[y * across.output_step + x * along.output_step] = requantize_byte<false>(
          sum, step.multiplier[channel], step.shift, step.output_zero, step.output_minimum, step.output_maximum);
    }
  }
}

/// A channel's inputs into the middle of its plane.
inline void gather_plane(const uint8_t* input, const DepthwiseAxis& along, const DepthwiseAxis& across,
                         uint8_t* plane) {
  const int32_t room = along.plane - along.pad;
  const int32_t width = room < along.input ? room : along.input;
  const int32_t rows = across.plane - across.pad;
  const int32_t height = rows < across.input ? rows : across.input;
  const int32_t step = along.input_step;
  plane += across.pad * along.plane + along.pad;
  for (int32_t y = 0; y < height; ++y, input += across.input_step, plane += along.plane) {
    const uint8_t* from = input;
    uint8_t* to = plane;
    int32_t count = width;
    for (; count >= 4; count -= 4, to += 4) {
      to[0] = *from;
      from += step;
      to[1] = *from;
      from += step;
      to[2] = *from;
      from += step;
      to[3] = *from;
      from += step;
    }
    for (; count > 0; --count, from += step) *to++ = *from;
  }
}

template <typename Activation, bool nested = false>
inline void depthwise_8_plane(const Convolution& step, const uint8_t* input, uint8_t* output, uint8_t* scratch) {
  DepthwiseAxis along = depthwise_columns(step);
  DepthwiseAxis across = depthwise_rows(step);
  const auto is_fast = [](const DepthwiseAxis& axis) {
    return axis.kernel == 3 && axis.dilation == 1 && (axis.stride == 1 || axis.stride == 2);
  };
  // a tall image lies on its side in the plane, where its rows have fewer single outputs at their ends
  if (is_fast(across) &&
      (!is_fast(along) || depthwise_cost(across.output, along.output) < depthwise_cost(along.output, across.output))) {
    const DepthwiseAxis swapped = along;
    along = across;
    across = swapped;
  }
  const int32_t size = along.kernel * across.kernel;
  const int32_t plane_bytes = along.plane * across.plane;
  uint8_t* const plane = scratch;
  auto* const filter = reinterpret_cast<int32_t*>(scratch + (plane_bytes + 7) / 8 * 8);
  auto* const bytes = reinterpret_cast<int8_t*>(filter + size);
  const bool padded = depthwise_is_padded(along, across);
  const bool whole_byte = step.output_minimum == 0 && step.output_maximum == 255;
  for (int32_t channel = 0; channel < step.output.channels; ++channel) {
    if (padded && (channel == 0 || step.padding_value != nullptr)) {
      const auto value = static_cast<uint8_t>(step.padding_value == nullptr ? 0 : step.padding_value[channel]);
      for (int32_t i = 0; i < plane_bytes; ++i) plane[i] = value;
    }
    gather_plane(input + channel, along, across, plane);
    unpack_depthwise_filter<nested>(step, along, across, channel, bytes, filter);
    const auto* at = reinterpret_cast<const Activation*>(plane);
    uint8_t* const out = output + channel;
    if (!is_fast(along)) {
      depthwise_plane_any(step, along, across, at, filter, channel, out);
    } else if (along.stride == 1) {
      if (whole_byte) {
        depthwise_plane_3<Activation, 1, true>(step, along, across, at, filter, channel, out);
      } else {
        depthwise_plane_3<Activation, 1, false>(step, along, across, at, filter, channel, out);
      }
    } else if (whole_byte) {
      depthwise_plane_3<Activation, 2, true>(step, along, across, at, filter, channel, out);
    } else {
      depthwise_plane_3<Activation, 2, false>(step, along, across, at, filter, channel, out);
    }
  }
}

#undef TRIMTAB_PLANES_3X3

}  // namespace detail

inline void depthwise_u8_plane_m3(const Convolution& step, Strip /*strip*/, InputRows input, OutputRows output,
                                  uint8_t* scratch) {
  detail::depthwise_8_plane<uint8_t>(step, input.base, output.base, scratch);
}
inline void depthwise_s8_plane_m3(const Convolution& step, Strip /*strip*/, InputRows input, OutputRows output,
                                  uint8_t* scratch) {
  detail::depthwise_8_plane<int8_t>(step, input.base, output.base, scratch);
}
inline void depthwise_u8_nested_plane_m3(const Convolution& step, Strip /*strip*/, InputRows input, OutputRows output,
                                         uint8_t* scratch) {
  detail::depthwise_8_plane<uint8_t, true>(step, input.base, output.base, scratch);
}
inline void depthwise_s8_nested_plane_m3(const Convolution& step, Strip /*strip*/, InputRows input, OutputRows output,
                                         uint8_t* scratch) {
  detail::depthwise_8_plane<int8_t, true>(step, input.base, output.base, scratch);
}

}  // namespace trimtab::TRIMTAB_RUNTIME
