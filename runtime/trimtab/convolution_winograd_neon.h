#pragma once

// 3x3 convolutions of bytes with stride 1 by exact integer F(4x4, 3x3) for AArch64 (S. Winograd, "Arithmetic Complexity
// of Computations", 1980; A. Lavin and S. Gray, "Fast Algorithms for Convolutional Neural Networks", 2016): 36 products
// per input channel take the place of 144. Every point has integer weights of its own instead of a common fraction, so
// that nothing is rounded. Along an axis, of inputs d, weights g and products m:
//     inputs   4 d0 - 5 d2 + d4, d4 + d3 - 4 (d2 + d1), d4 - d3 - 4 (d2 - d1), d4 - d2 + 2 (d3 - d1),
//              d4 - d2 - 2 (d3 - d1), 4 d1 - 5 d3 + d5
//     weights  6 g0, -4 (g0 + g1 + g2), -4 (g0 - g1 + g2), g0 + 2 g1 + 4 g2, g0 - 2 g1 + 4 g2, 12 g2
//     outputs  24 y0 = m0 + a + b, 24 y1 = c + 2 d, 24 y2 = a + 4 b, 24 y3 = c + 8 d + 2 m5
//              with a, c = m1 +- m2 and b, d = m3 +- m4
// Down the columns the second and third inputs and weights have the other sign, which saves an instruction. All
// transformed numbers fit 16 bits: 100 * 128 and 144 * 128. Sums may wrap around modulo 2^32: of 576 times the sum the
// 9 goes by its inverse there and the 64 by a shift, so the result is right where the sum stays below 2^25. The bias
// takes part once, at point (1, 1), which every output has once.
//
// `step.weights`: the sum of every filter as 32 bits, then for every 16 filters and point the transformed weights
// {input channel, filter} of 16 bits; zeros fill up the last 16 filters and the last 8 inputs. They are the same size
// whatever the bits of the weights.

#include <string.h>

#include "trimtab/products_4x16_neon.h"
#include "trimtab/signed_rows_neon.h"
#if defined(__aarch64__)
#include "trimtab/requantize_neon.h"
#endif

namespace trimtab::TRIMTAB_RUNTIME {

constexpr int32_t winograd_tiles_together = 16;

/// Whether the kernel takes a convolution of that shape.
constexpr bool winograd_neon_takes(const Convolution& step) {
  const Window& window = step.window;
  return window.kernel_height == 3 && window.kernel_width == 3 && window.stride_rows == 1 &&
         window.stride_columns == 1 && window.dilation_rows == 1 && window.dilation_columns == 1 && step.groups == 1 &&
         step.input.format.bits == 8 && step.output.format.bits == 8 && step.input.channels % 4 == 0 &&
         step.output.channels % 4 == 0;
}
/// Input channels with those that fill up the last eight: they read what lies behind a pixel, and have weights of 0.
constexpr int32_t winograd_neon_inputs(const Convolution& step) { return (step.input.channels + 7) / 8 * 8; }
/// Filters with those of zeros that fill up the last block.
constexpr int32_t winograd_neon_filters(const Convolution& step) { return (step.output.channels + 15) / 16 * 16; }
/// Sums with their bias must stay below this.
constexpr int64_t winograd_neon_largest_sum = (int64_t{1} << 25) - 1;

/// The factor of weight (row, column) of a filter at point 0 .. 35.
constexpr int32_t winograd_weight(int32_t point, int32_t row, int32_t column) {
  constexpr int32_t factors[6][3] = {{6, 0, 0}, {4, 4, 4}, {4, -4, 4}, {1, 2, 4}, {1, -2, 4}, {0, 0, 12}};
  const bool negative = point % 6 == 1 || point % 6 == 2;
  return factors[point / 6][row] * factors[point % 6][column] * (negative ? -1 : 1);
}

/// Output rows of a band, a multiple of 4: as many as keep the copy of their input within 64 KB, at least 4.
constexpr int32_t winograd_band_rows(const Convolution& step) {
  int32_t rows = 4;
  while (rows < step.output.height && signed_rows_bytes(step, rows + 4) <= 64 * 1024) rows += 4;
  return rows;
}

struct WinogradScratch {
  int32_t copy, inputs, sums, bias, end;
};
constexpr WinogradScratch winograd_neon_scratch(const Convolution& step) {
  constexpr int32_t tiles = winograd_tiles_together;
  WinogradScratch at{};
  at.inputs = at.copy + signed_rows_bytes(step, winograd_band_rows(step)) + 3 * step.input.channels + 16;
  at.inputs = (at.inputs + 15) / 16 * 16;
  at.sums = at.inputs + 36 * tiles * winograd_neon_inputs(step) * 2;
  at.bias = at.sums + 36 * tiles * 16 * 4;
  at.end = at.bias + 4 * step.output.channels;
  return at;
}

#if defined(__aarch64__)

namespace neon {

/// The six points of a column, of bytes; the second and third with the other sign.
inline __attribute__((always_inline)) void transform_bytes(const int8x8_t (&d)[6], int16x8_t (&points)[6]) {
  const int16x8_t p = vsubw_s8(vshll_n_s8(d[2], 2), d[4]);
  const int16x8_t q = vsubw_s8(vshll_n_s8(d[1], 2), d[3]);
  const int16x8_t r = vsubl_s8(d[4], d[2]);
  const int16x8_t t = vsubl_s8(d[3], d[1]);
  const int16x8_t twice = vaddq_s16(t, t);
  points[0] = vmlaq_n_s16(r, vsubl_s8(d[0], d[2]), 4);
  points[1] = vaddq_s16(p, q);
  points[2] = vsubq_s16(p, q);
  points[3] = vaddq_s16(r, twice);
  points[4] = vsubq_s16(r, twice);
  points[5] = vmlsq_n_s16(vsubl_s8(d[5], d[3]), t, 4);
}

/// The six points of a row, of points of columns.
inline __attribute__((always_inline)) void transform_again(const int16x8_t (&d)[6], int16x8_t (&points)[6]) {
  const int16x8_t r = vsubq_s16(d[4], d[2]);
  const int16x8_t t = vsubq_s16(d[3], d[1]);
  const int16x8_t p = vmlsq_n_s16(d[4], d[2], 4);
  const int16x8_t q = vmlsq_n_s16(d[3], d[1], 4);
  const int16x8_t twice = vaddq_s16(t, t);
  points[0] = vmlaq_n_s16(r, vsubq_s16(d[0], d[2]), 4);
  points[1] = vaddq_s16(p, q);
  points[2] = vsubq_s16(p, q);
  points[3] = vaddq_s16(r, twice);
  points[4] = vsubq_s16(r, twice);
  points[5] = vmlsq_n_s16(vsubq_s16(d[5], d[3]), t, 4);
}

/// 24 times four outputs of an axis, of six products, modulo 2^32.
inline __attribute__((always_inline)) void transform_back(const uint32x4_t (&m)[6], uint32x4_t (&y)[4]) {
  const uint32x4_t a = vaddq_u32(m[1], m[2]);
  const uint32x4_t c = vsubq_u32(m[1], m[2]);
  const uint32x4_t b = vaddq_u32(m[3], m[4]);
  const uint32x4_t d = vsubq_u32(m[3], m[4]);
  y[0] = vaddq_u32(vaddq_u32(m[0], a), b);
  y[1] = vaddq_u32(c, vaddq_u32(d, d));
  y[2] = vmlaq_n_u32(a, b, 4);
  y[3] = vmlaq_n_u32(c, vaddq_u32(vshlq_n_u32(d, 2), m[5]), 2);
}

/// A convolution by tiles of 4 x 4 outputs.
template <bool shifts>
class WinogradConvolution {
 public:
  WinogradConvolution(const Convolution& step, uint8_t* scratch)
      : step_(step),
        at_(winograd_neon_scratch(step)),
        scratch_(scratch),
        weights_(reinterpret_cast<const int16_t*>(step.weights + 4 * step.output.channels)),
        pitch_(signed_columns(step) * step.input.channels),
        to_(requantization(step)) {
    const int32_t missing = step.input.format.is_signed ? 0 : 128;
    for (int32_t n = 0; n < step.output.channels; ++n) {
      int32_t sum;
      memcpy(&sum, step.weights + 4 * n, sizeof sum);
      bias()[n] = static_cast<int32_t>(
          576 * (static_cast<uint32_t>(step.bias[n]) + static_cast<uint32_t>(missing) * static_cast<uint32_t>(sum)));
    }
  }

  void run(Strip strip, InputRows input, OutputRows output) {
    const int32_t most = winograd_band_rows(step_);
    for (int32_t done = 0; done < strip.count; done += most) {
      const Strip band{strip.first + done, strip.count - done < most ? strip.count - done : most};
      copy_signed_rows(step_, band, input, scratch_ + at_.copy);
      const int32_t across = (step_.output.width + 3) / 4;
      const int32_t tiles = (band.count + 3) / 4 * across;
      for (int32_t first = 0; first < tiles; first += together) {
        const int32_t count = tiles - first < together ? tiles - first : together;
        for (int32_t t = 0; t < count; ++t) transform_inputs((first + t) / across, (first + t) % across, t);
        for (int32_t n = 0; n < step_.output.channels; n += 16) {
          multiply(n, count);
          for (int32_t t = 0; t < count; ++t) {
            make_outputs(band, output, (first + t) / across * 4, (first + t) % across * 4, t, n);
          }
        }
      }
    }
  }

 private:
  static constexpr int32_t together = winograd_tiles_together;

  int32_t* bias() const { return reinterpret_cast<int32_t*>(scratch_ + at_.bias); }
  int32_t* sums() const { return reinterpret_cast<int32_t*>(scratch_ + at_.sums); }
  int16_t* inputs() const { return reinterpret_cast<int16_t*>(scratch_ + at_.inputs); }

  /// {point, four tiles, eight channels, tile, channel}
  __attribute__((noinline)) void transform_inputs(int32_t tile_row, int32_t tile_column, int32_t tile) const {
    const int32_t channels = step_.input.channels;
    const int32_t inputs_of_point = winograd_neon_inputs(step_);
    const int64_t next_column = channels;
    const int64_t next_point = 2 * together * inputs_of_point;
    const uint8_t* from = scratch_ + at_.copy + tile_row * 4 * pitch_ + tile_column * 4 * channels;
    int16_t* to = inputs() + tile / 4 * 4 * inputs_of_point + tile % 4 * 8;
    for (int32_t c = 0; c < inputs_of_point; c += 8, from += 8, to += 32) {
      const uint8_t* rows[6];
#pragma GCC unroll 6
      for (int32_t i = 0; i < 6; ++i) rows[i] = from + i * pitch_;
      int16x8_t columns[6][6];  // by row of points, by column of inputs
#pragma GCC unroll 6
      for (int32_t j = 0; j < 6; ++j) {
        int8x8_t d[6];
#pragma GCC unroll 6
        for (int32_t i = 0; i < 6; ++i) d[i] = load_and_move(rows[i], next_column);
        int16x8_t points[6];
        transform_bytes(d, points);
#pragma GCC unroll 6
        for (int32_t i = 0; i < 6; ++i) columns[i][j] = points[i];
      }
      int16_t* place = to;
#pragma GCC unroll 6
      for (int32_t i = 0; i < 6; ++i) {
        int16x8_t points[6];
        transform_again(columns[i], points);
#pragma GCC unroll 6
        for (int32_t j = 0; j < 6; ++j) store_and_move(place, points[j], next_point);
      }
    }
  }
  // With the address that follows, which GCC adds by itself.
  static int8x8_t load_and_move(const uint8_t*& from, int64_t step) {
    int8x8_t bytes;
    asm("ld1 {%0.8b}, [%1], %2" : "=w"(bytes), "+r"(from) : "r"(step), "m"(*reinterpret_cast<const int64_t*>(from)));
    return bytes;
  }
  static void store_and_move(int16_t*& to, int16x8_t numbers, int64_t step) {
    asm volatile("st1 {%1.8h}, [%0], %2" : "+r"(to) : "w"(numbers), "r"(step) : "memory");
  }

  /// {point, tile, filter} of 16 filters.
  void multiply(int32_t first_filter, int32_t tiles) const {
    const int32_t channels = winograd_neon_inputs(step_);
    const int16_t* weights = weights_ + 36 * channels * first_filter;
    for (int32_t point = 0; point < 36; ++point, weights += 16 * channels) {
      multiply_4x16(inputs() + point * together * channels, weights, channels, (tiles + 3) / 4,
                    sums() + point * together * 16);
    }
  }

  /// Filters of a block: 16, or those that are left.
  int32_t filters_from(int32_t first_filter) const {
    const int32_t left = step_.output.channels - first_filter;
    return left < 16 ? left : 16;
  }

  /// A block of filters of a tile at output row `y` of the band and column `x`.
  void make_outputs(Strip band, OutputRows output, int32_t y, int32_t x, int32_t tile, int32_t first_filter) const {
    const int32_t stride = step_.output.pixel_stride;
    if (y + 4 <= band.count && x + 4 <= step_.output.width) {
      uint8_t* rows[4];
      for (int32_t i = 0; i < 4; ++i) rows[i] = output[band.first + y + i] + x * stride + first_filter;
      return make_tile(tile, first_filter, rows, stride);
    }
    uint8_t pixels[4 * 4 * 16];
    uint8_t* rows[4];
    for (int32_t i = 0; i < 4; ++i) rows[i] = pixels + 4 * 16 * i;
    make_tile(tile, first_filter, rows, 16);
    for (int32_t i = 0; i < 4 && y + i < band.count; ++i) {
      uint8_t* to = output[band.first + y + i] + x * stride + first_filter;
      for (int32_t j = 0; j < 4 && x + j < step_.output.width; ++j, to += stride)
        memcpy(to, pixels + 64 * i + 16 * j, static_cast<size_t>(filters_from(first_filter)));
    }
  }

  /// The same, to four rows whose pixels lie `stride` bytes apart.
  __attribute__((noinline)) void make_tile(int32_t tile, int32_t first_filter, uint8_t* const (&places)[4],
                                           int64_t stride) const {
    const int32_t* m = sums() + tile * 16;
    const bool is_plain = to_.kind == 0;
    const int32_t filters = filters_from(first_filter);
    for (int32_t n = 0; n < filters; n += 4) {
      const int32x4_t multiplier = vld1q_s32(step_.multiplier + first_filter + n);
      uint32x4_t rows[4][6];  // by row of outputs, by column of points
#pragma GCC unroll 6
      for (int32_t j = 0; j < 6; ++j) {
        uint32x4_t column[6];
#pragma GCC unroll 6
        for (int32_t i = 0; i < 6; ++i)
          column[i] = vreinterpretq_u32_s32(vld1q_s32(m + (i * 6 + j) * together * 16 + n));
        if (j == 1) column[1] = vaddq_u32(column[1], vreinterpretq_u32_s32(vld1q_s32(bias() + first_filter + n)));
        uint32x4_t outputs[4];
        transform_back(column, outputs);
#pragma GCC unroll 4
        for (int32_t i = 0; i < 4; ++i) rows[i][j] = outputs[i];
      }
      constexpr int times = shifts ? 1 : 7;  // how often a factor of 2 is left
      int16x8_t words[4][2];
#pragma GCC unroll 4
      for (int32_t i = 0; i < 4; ++i) {
        uint32x4_t sums_of_row[4];
        transform_back(rows[i], sums_of_row);
        int32x4_t outputs[4];
#pragma GCC unroll 4
        for (int32_t j = 0; j < 4; ++j) {
          // 64 times the sum; only a shift to the left has no room for the 64
          const int32x4_t sum = vreinterpretq_s32_u32(vmulq_n_u32(sums_of_row[j], inverse_of_9));
          outputs[j] = vqdmulhq_s32(shifts ? vshlq_s32(vshrq_n_s32(sum, 6), to_.shift) : sum, multiplier);
        }
        words[i][0] = round_eight<times>(outputs[0], outputs[1]);
        words[i][1] = round_eight<times>(outputs[2], outputs[3]);
      }
#pragma GCC unroll 4
      for (int32_t i = 0; i < 4; ++i) {
        store_words(places[i] + n, stride,
                    is_plain ? vqmovun_high_s16(vqmovun_s16(words[i][0]), words[i][1])
                             : narrow_words(words[i][0], words[i][1], to_));
      }
    }
  }

  /// Four lanes of 32 bits, `stride` bytes apart.
  static void store_words(uint8_t* to, int64_t stride, uint8x16_t bytes) {
    asm volatile(
        "st1 {%1.s}[0], [%0], %2\n\tst1 {%1.s}[1], [%0], %2\n\t"
        "st1 {%1.s}[2], [%0], %2\n\tst1 {%1.s}[3], [%0]"
        : "+&r"(to)
        : "w"(bytes), "r"(stride)
        : "memory");
  }

  static constexpr uint32_t inverse_of_9 = 0x38e38e39;  // modulo 2^32

  const Convolution& step_;
  WinogradScratch at_;
  uint8_t* scratch_;
  const int16_t* weights_;
  int32_t pitch_;  // bytes of a row of the copy
  Requantization to_;
};

}  // namespace neon

inline void convolution_winograd_neon(const Convolution& step, Strip strip, InputRows input, OutputRows output,
                                      uint8_t* scratch) {
  if (step.shift != 0) {
    neon::WinogradConvolution<true>(step, scratch).run(strip, input, output);
  } else {
    neon::WinogradConvolution<false>(step, scratch).run(strip, input, output);
  }
}

#endif

}  // namespace trimtab::TRIMTAB_RUNTIME
