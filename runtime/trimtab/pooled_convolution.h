#pragma once

// A convolution whose output goes through the pool behind it band by band, so that it is never whole in memory: with
// any kernel for either, and so with their bits. A band holds the convolution's rows that some rows of the pool need;
// those that the next band needs as well move to its front.

#include <string.h>

#include "trimtab/operators.h"

namespace trimtab::TRIMTAB_RUNTIME {

using ConvolutionKernel = void(const Convolution&, const uint8_t* input, uint8_t* output, uint8_t* scratch);

/// Most rows of the convolution that `rows` rows of the pool need at a time.
constexpr int32_t pooled_convolution_band_rows(const Image& convolved, const Window& pool, int32_t rows) {
  const int32_t needed = (rows - 1) * pool.stride_rows + (pool.kernel_height - 1) * pool.dilation_rows + 1;
  return needed < convolved.height ? needed : convolved.height;
}

/// Bytes of the band.
constexpr int32_t pooled_convolution_band_bytes(const Image& convolved, const Window& pool, int32_t rows) {
  return pooled_convolution_band_rows(convolved, pool, rows) * convolved.width * convolved.pixel_stride;
}

/// `rows`: of the pool, at a time. The convolution's scratch memory is that of its kernel. A band is written to
/// `output` after all input that it depends on has been read: `output` may run into the input behind the rows still
/// needed.
template <class Pool>
inline void pooled_convolution(const Convolution& step, ConvolutionKernel* convolve, const Pool& pool,
                               void (*pool_band)(const Pool&, const uint8_t* input, uint8_t* output), int32_t rows,
                               const uint8_t* input, uint8_t* output, uint8_t* band, uint8_t* scratch) {
  const int32_t input_row = step.input.width * step.input.pixel_stride;
  const int32_t band_row = step.output.width * step.output.pixel_stride;
  const int32_t reach = (pool.window.kernel_height - 1) * pool.window.dilation_rows;
  Convolution convolution = step;
  Pool part = pool;
  int32_t begin = 0;  // the convolution's rows in the band
  int32_t end = 0;
  for (int32_t first = 0; first < pool.output.height; first += rows) {
    const int32_t count = pool.output.height - first < rows ? pool.output.height - first : rows;
    const int32_t top = first * pool.window.stride_rows - pool.window.pad_top;
    const int32_t bottom = top + (count - 1) * pool.window.stride_rows + reach + 1;
    const int32_t needed_begin = top > begin ? top : begin;
    const int32_t needed_end = bottom < step.output.height ? bottom : step.output.height;
    if (needed_begin < end) {
      const int32_t shift = needed_begin - begin;
      for (int32_t row = 0; shift > 0 && row < end - needed_begin; ++row) {
        memcpy(band + row * band_row, band + (row + shift) * band_row, static_cast<size_t>(band_row));
      }
    } else {
      end = needed_begin;
    }
    begin = needed_begin;
    if (end < needed_end) {
      const int32_t row = end * step.window.stride_rows - step.window.pad_top;
      const int32_t skipped = saturate(row, 0, step.input.height);
      convolution.input.height = static_cast<int16_t>(step.input.height - skipped);
      convolution.window.pad_top = static_cast<int16_t>(skipped - row);
      convolution.output.height = static_cast<int16_t>(needed_end - end);
      convolve(convolution, input + skipped * input_row, band + (end - begin) * band_row, scratch);
      end = needed_end;
    }
    part.input.height = static_cast<int16_t>(end - begin);
    part.output.height = static_cast<int16_t>(count);
    part.window.pad_top = static_cast<int16_t>(begin - top);
    pool_band(part, band, output);
    output += count * pool.output.width * pool.output.pixel_stride;
  }
}

}  // namespace trimtab::TRIMTAB_RUNTIME
