#pragma once

// Convolution of bytes to bytes, one group, any shape, for cores with MVE: blocks of 4 pixels x 2 filters. The windows
// of some pixels are copied together, as signed numbers (unsigned ones less 128, which the bias takes back), and meet
// every filter: 14 instructions for 128 products.
//
// Weights: 8-bit filters of a multiple of 16 numbers (kernel row, kernel column, input channel) are read where they
// lie, in pairs (the last one filled up): 16 numbers of the one filter, 16 of the other, in turn. All others are
// unpacked to that form once for 24 to 32 pixels, from blocks of eight filters (the last one of fewer, an odd one
// twice): for every chunk of 16 numbers (the last one of fewer) the filters' fields lie one above the other in each of
// its lanes, lowest bits first, in as many vectors of a byte per lane as they take. Vectors are read whole, so that
// some bytes follow the last one; what such lanes hold meets zeros of the windows.

#include "trimtab/rows.h"
#if defined(__ARM_FEATURE_MVE)
#include "trimtab/filters_4x2_mve.h"
#endif

namespace trimtab::TRIMTAB_RUNTIME {

/// Numbers of a window or filter, and chunks of 16 that they take.
constexpr int32_t convolution_8_4x2_mve_size(const Convolution& step) {
  return step.window.kernel_height * step.window.kernel_width * step.input.channels;
}
constexpr int32_t convolution_8_4x2_mve_chunks(const Convolution& step) {
  return (convolution_8_4x2_mve_size(step) + 15) / 16;
}
/// Whether the filters are unpacked before they are used. Nested weights are not, and packed with zeros to a multiple
/// of 16 numbers.
constexpr bool convolution_8_4x2_mve_unpacks(const Convolution& step, bool nested = false) {
  if (nested) return false;
  return step.weight_bits < 8 || convolution_8_4x2_mve_size(step) % 16 != 0;
}
/// Pixels whose windows are copied together: of 24 on, filters cost less than a tenth to unpack; more than 32, or 20 KB
/// of windows, are not worth their memory.
constexpr int32_t convolution_8_4x2_mve_pixels(const Convolution& step, bool nested = false) {
  if (!convolution_8_4x2_mve_unpacks(step, nested)) return 4;
  const int32_t fit = 20480 / (16 * convolution_8_4x2_mve_chunks(step)) / 4 * 4;
  return fit < 24 ? 24 : fit > 32 ? 32 : fit;
}

/// Windows, a pixel of padding, biases, and a block of filters where they are unpacked.
constexpr int32_t convolution_8_4x2_mve_scratch_bytes(const Convolution& step, bool nested = false) {
  const int32_t chunks = convolution_8_4x2_mve_chunks(step);
  return 16 * chunks * convolution_8_4x2_mve_pixels(step, nested) + (step.input.channels + 15) / 16 * 16 +
         (step.output.channels + 1) / 2 * 8 + (convolution_8_4x2_mve_unpacks(step, nested) ? 128 * chunks : 0);
}

#if defined(__ARM_FEATURE_MVE)

namespace detail {

/// Copies the window of output pixel (y, x).
inline void copy_window_mve(const Convolution& step, InputRows input, const uint8_t* padding, int32_t y, int32_t x,
                            uint32_t flip, int8_t* to) {
  const Window& window = step.window;
  const Image& image = step.input;
  const int32_t first_column = x * window.stride_columns - window.pad_left;
  int32_t row = y * window.stride_rows - window.pad_top;
  const int32_t channels = image.channels;
  const bool whole = window.dilation_columns == 1 && image.pixel_stride == channels && first_column >= 0 &&
                     first_column + window.kernel_width <= image.width;
  for (int32_t i = 0; i < window.kernel_height; ++i, row += window.dilation_rows) {
    const bool inside = row >= 0 && row < image.height;
    const uint8_t* const pixels = inside ? input[row] : padding;
    if (whole && inside) {
      copy_flipped_mve(pixels + first_column * channels, window.kernel_width * channels, flip, to);
      to += window.kernel_width * channels;
      continue;
    }
    for (int32_t j = 0, column = first_column; j < window.kernel_width; ++j, column += window.dilation_columns) {
      const uint8_t* const from =
          inside && column >= 0 && column < image.width ? pixels + column * image.pixel_stride : padding;
      copy_flipped_mve(from, channels, flip, to);
      to += channels;
    }
  }
}

template <bool nested>
struct MveRunOf {
  using Type = MveRun;
};
template <>
struct MveRunOf<true> {
  using Type = NestedMveRun;
};
inline void run_pairs(MveRun& run) { run_filters_4x2_mve(run); }
inline void run_pairs(NestedMveRun& run) { run_nested_filters_4x2_mve(run); }

template <int weight_bits, bool nested = false>
inline void convolution_8_4x2_mve(const Convolution& step, Strip rows, InputRows input, OutputRows output,
                                  uint8_t* scratch) {
  const bool unpacks = convolution_8_4x2_mve_unpacks(step, nested);
  const int32_t strip = convolution_8_4x2_mve_pixels(step, nested);
  const int32_t size = convolution_8_4x2_mve_size(step);
  const int32_t chunks = convolution_8_4x2_mve_chunks(step);
  const int32_t bytes = 16 * chunks;
  const int32_t filters = step.output.channels;
  const int32_t pixels = rows.count * step.output.width;
  const uint32_t flip = step.input.format.is_signed ? 0 : 0x80;
  auto* const windows = reinterpret_cast<int8_t*>(scratch);
  uint8_t* const padding = scratch + strip * bytes;
  auto* const bias = reinterpret_cast<int32_t*>(padding + (step.input.channels + 15) / 16 * 16);
  auto* const unpacked = reinterpret_cast<int8_t*>(bias + (filters + 1) / 2 * 2);
  for (int32_t k = 0; k < step.input.channels; ++k) {
    padding[k] = static_cast<uint8_t>(step.padding_value == nullptr ? 0 : step.padding_value[k]);
  }
  for (int32_t filter = 0; filter < filters; ++filter) bias[filter] = step.bias[filter];
  for (int32_t p = 1; p <= strip; ++p) vstrbq_s8(windows + p * bytes - 16, vdupq_n_s8(0));

  typename MveRunOf<nested>::Type run;
  if constexpr (nested) {
    run.mask = nested_mask(step.weight_bits);
    run.product_shift = step.shift + 1 - (8 - step.weight_bits);
  }
  run.chunks = chunks;
  run.shift = step.shift;
  run.zero = step.output_zero;
  run.minimum = step.output_minimum;
  run.maximum = step.output_maximum;
  const int32_t stride = step.output.pixel_stride;
  int32_t y = rows.first;
  int32_t x = 0;
  uint32_t places[32];  // of the pixels whose windows are copied together: bytes behind output.base
  for (int32_t first = 0; first < pixels; first += strip) {
    const int32_t count = pixels - first < strip ? pixels - first : strip;
    for (int32_t p = 0; p < count; ++p) {
      copy_window_mve(step, input, padding, y, x, flip, windows + p * bytes);
      places[p] = static_cast<uint32_t>(output[y] - output.base + x * stride);
      if (++x == step.output.width) {
        x = 0;
        ++y;
      }
    }
    const int32_t block = unpacks ? 8 : filters;
    const uint8_t* packed = step.weights;
    for (int32_t filter = 0; filter < filters; filter += block) {
      const int32_t end = filter + block < filters ? filter + block : filters;
      const auto* weights = reinterpret_cast<const int8_t*>(packed);
      if (unpacks) {
        packed = unpack_filters_mve<weight_bits>(packed, size, end - filter, unpacked);
        weights = unpacked;
      }
      if (first == 0 && flip != 0) {
        for (int32_t f = filter; f < end; f += 2) {
          if constexpr (nested) {
            add_nested_offsets_mve(weights + (f - filter) * bytes, size, step.weight_bits, bias + f);
          } else {
            add_offsets_mve(weights + (f - filter) * bytes, size, bias + f);
          }
        }
      }
      for (int32_t p = 0; p < count; p += 4) {
        // beyond the last pixel it is made again, at the same place
        for (int32_t q = 0; q < 4; ++q) {
          const int32_t pixel = p + q < count ? q : count - 1 - p;
          run.windows[q] = windows + (p + pixel) * bytes;
          run.places[2 * q] = places[p + pixel];
          run.places[2 * q + 1] = places[p + pixel] + 1;
        }
        if constexpr (nested) {
          int32_t sums[4];
          sum_windows_mve(run, sums);
          for (int32_t i = 0; i < 8; ++i) {
            run.activations[i] = static_cast<int32_t>(static_cast<uint32_t>(sums[i / 2]) << step.shift);
          }
        }
        run.weights = weights;
        run.bias = bias + filter;
        run.multiplier = step.multiplier + filter;
        run.output = output.base + filter;
        run.constants[0] = run.constants[2] = 0;
        run.constants[1] = run.constants[3] = 4;
        run.pairs = (end - filter) / 2;
        if (run.pairs > 0) run_pairs(run);
        if ((end - filter) % 2 != 0) {
          // the second filter of the pair is the first once more
          for (int32_t q = 0; q < 4; ++q) {
            run.constants[q] = 0;
            run.places[2 * q + 1] = run.places[2 * q];
          }
          run.pairs = 1;
          run_pairs(run);
        }
      }
    }
  }
}

}  // namespace detail

#define TRIMTAB_CONVOLUTION(bits)                                                                    \
  inline void convolution_8_w##bits##_4x2_mve(const Convolution& step, Strip strip, InputRows input, \
                                              OutputRows output, uint8_t* scratch) {                 \
    detail::convolution_8_4x2_mve<bits>(step, strip, input, output, scratch);                        \
  }
TRIMTAB_CONVOLUTION(2)
TRIMTAB_CONVOLUTION(3)
TRIMTAB_CONVOLUTION(4)
TRIMTAB_CONVOLUTION(5)
TRIMTAB_CONVOLUTION(6)
TRIMTAB_CONVOLUTION(7)
TRIMTAB_CONVOLUTION(8)
#undef TRIMTAB_CONVOLUTION

/// The same for nested weights (nested_weights.h), whose bytes are masked as they are read: 16 instructions for 128
/// products at every precision.
inline void convolution_8_nested_4x2_mve(const Convolution& step, Strip strip, InputRows input, OutputRows output,
                                         uint8_t* scratch) {
  detail::convolution_8_4x2_mve<8, true>(step, strip, input, output, scratch);
}

#endif

}  // namespace trimtab::TRIMTAB_RUNTIME
