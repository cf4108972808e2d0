#pragma once

// Depthwise convolution of bytes for cores with MVE: as depthwise_8_plane_m3.h, whose planes, axes and weights it
// shares, four outputs of a channel at a time.

#include "trimtab/depthwise_8_plane_m3.h"
#if defined(__ARM_FEATURE_MVE)
#include "trimtab/requantize_mve.h"
#endif

namespace trimtab::TRIMTAB_RUNTIME {

/// Vectors are read whole beyond the end of the plane.
constexpr int32_t depthwise_8_plane_mve_scratch_bytes(const Convolution& step) {
  return depthwise_8_plane_m3_scratch_bytes(step) + 32 + 16 * step.window.stride_columns + 16 * step.window.stride_rows;
}

#if defined(__ARM_FEATURE_MVE)

namespace detail {

inline void gather_plane_mve(const uint8_t* input, const DepthwiseAxis& along, const DepthwiseAxis& across,
                             uint8_t* plane) {
  const int32_t room = along.plane - along.pad;
  const int32_t width = room < along.input ? room : along.input;
  const int32_t rows = across.plane - across.pad;
  const int32_t height = rows < across.input ? rows : across.input;
  const uint16x8_t places = vmulq_n_u16(vidupq_n_u16(0, 1), static_cast<uint16_t>(along.input_step));
  plane += across.pad * along.plane + along.pad;
  for (int32_t y = 0; y < height; ++y, input += across.input_step, plane += along.plane) {
    const uint8_t* from = input;
    for (int32_t x = 0; x < width; x += 8, from += 8 * along.input_step) {
      const mve_pred16_t left = vctp16q(static_cast<uint32_t>(width - x));
      const uint16x8_t bytes = vldrbq_gather_offset_z_u16(from, places, left);
      vstrbq_p_u16(plane + x, bytes, left);
    }
  }
}

template <bool is_signed, bool neighbours>
inline int32x4_t load_plane_mve(const uint8_t* at, uint32x4_t places) {
  if constexpr (is_signed) {
    const auto* const bytes = reinterpret_cast<const int8_t*>(at);
    return neighbours ? vldrbq_s32(bytes) : vldrbq_gather_offset_s32(bytes, places);
  }
  return vreinterpretq_s32_u32(neighbours ? vldrbq_u32(at) : vldrbq_gather_offset_u32(at, places));
}

/// All outputs of a channel. `three`: the kernel is 3x3 without dilation, and its weights stay in registers.
template <bool is_signed, bool neighbours, bool three>
inline void depthwise_plane_mve(const Convolution& step, const DepthwiseAxis& along, const DepthwiseAxis& across,
                                const uint8_t* plane, const int32_t* filter, int32_t channel, uint8_t* output) {
  const RequantizeMve requantized(step.multiplier[channel], step.shift, step.output_minimum, step.output_maximum,
                                  step.output_zero);
  const int32_t bias = step.bias[channel];
  const uint32x4_t counting = vidupq_n_u32(0, 1);
  const uint32x4_t from = vmulq_n_u32(counting, static_cast<uint32_t>(along.stride));
  const uint32x4_t to = vmulq_n_u32(counting, static_cast<uint32_t>(along.output_step));
  const auto load = [&](const uint8_t* at) { return load_plane_mve<is_signed, neighbours>(at, from); };
  const int32_t row_step = across.dilation * along.plane;
  for (int32_t rows = across.output; rows > 0; --rows) {
    const uint8_t* first = plane;
    uint8_t* out = output;
    for (int32_t left = along.output; left > 0; left -= 4, first += 4 * along.stride, out += 4 * along.output_step) {
      int32x4_t sum = vdupq_n_s32(bias);
      const uint8_t* row = first;
      if constexpr (three) {
        for (int32_t i = 0; i < 3; ++i, row += row_step) {
          sum = vmlaq_n_s32(sum, load(row), filter[3 * i]);
          sum = vmlaq_n_s32(sum, load(row + 1), filter[3 * i + 1]);
          sum = vmlaq_n_s32(sum, load(row + 2), filter[3 * i + 2]);
        }
      } else {
        const int32_t* weight = filter;
        for (int32_t i = 0; i < across.kernel; ++i, row += row_step) {
          const uint8_t* at = row;
          for (int32_t j = 0; j < along.kernel; ++j, at += along.dilation) {
            sum = vmlaq_n_s32(sum, load(at), *weight++);
          }
        }
      }
      const mve_pred16_t some = vctp32q(static_cast<uint32_t>(left));
      vstrbq_scatter_offset_p_u32(out, to, vreinterpretq_u32_s32(requantized(sum)), some);
    }
    plane += across.stride * along.plane;
    output += across.output_step;
  }
}

template <bool is_signed, bool nested = false>
inline void depthwise_8_plane_mve(const Convolution& step, const uint8_t* input, uint8_t* output, uint8_t* scratch) {
  DepthwiseAxis along = depthwise_columns(step);
  DepthwiseAxis across = depthwise_rows(step);
  if ((across.output + 3) / 4 * along.output < (along.output + 3) / 4 * across.output) {
    const DepthwiseAxis swapped = along;
    along = across;
    across = swapped;
  }
  const int32_t size = along.kernel * across.kernel;
  const int32_t plane_bytes = along.plane * across.plane;
  auto* const filter = reinterpret_cast<int32_t*>(scratch);
  auto* const bytes = reinterpret_cast<int8_t*>(filter + size);
  uint8_t* const plane = scratch + (size * 5 + 7) / 8 * 8;
  const bool padded = depthwise_is_padded(along, across);
  const bool three = along.kernel == 3 && across.kernel == 3 && along.dilation == 1;
  for (int32_t channel = 0; channel < step.output.channels; ++channel) {
    if (padded && (channel == 0 || step.padding_value != nullptr)) {
      const int32_t value = step.padding_value == nullptr ? 0 : step.padding_value[channel];
      const uint8x16_t filled = vdupq_n_u8(static_cast<uint8_t>(value));
      for (int32_t i = 0; i < plane_bytes; i += 16) vst1q_u8(plane + i, filled);
    }
    gather_plane_mve(input + channel, along, across, plane);
    unpack_depthwise_filter<nested>(step, along, across, channel, bytes, filter);
    uint8_t* const out = output + channel;
    if (!three) {
      depthwise_plane_mve<is_signed, false, false>(step, along, across, plane, filter, channel, out);
    } else if (along.stride == 1) {
      depthwise_plane_mve<is_signed, true, true>(step, along, across, plane, filter, channel, out);
    } else {
      depthwise_plane_mve<is_signed, false, true>(step, along, across, plane, filter, channel, out);
    }
  }
}

}  // namespace detail

inline void depthwise_u8_plane_mve(const Convolution& step, Strip /*strip*/, InputRows input, OutputRows output,
                                   uint8_t* scratch) {
  detail::depthwise_8_plane_mve<false>(step, input.base, output.base, scratch);
}
inline void depthwise_s8_plane_mve(const Convolution& step, Strip /*strip*/, InputRows input, OutputRows output,
                                   uint8_t* scratch) {
  detail::depthwise_8_plane_mve<true>(step, input.base, output.base, scratch);
}
inline void depthwise_u8_nested_plane_mve(const Convolution& step, Strip /*strip*/, InputRows input, OutputRows output,
                                          uint8_t* scratch) {
  detail::depthwise_8_plane_mve<false, true>(step, input.base, output.base, scratch);
}
inline void depthwise_s8_nested_plane_mve(const Convolution& step, Strip /*strip*/, InputRows input, OutputRows output,
                                          uint8_t* scratch) {
  detail::depthwise_8_plane_mve<true, true>(step, input.base, output.base, scratch);
}

#endif

}  // namespace trimtab::TRIMTAB_RUNTIME
