#pragma once

// Convolution of bytes to bytes, one group, any shape, for cores with MVE: blocks of 4 pixels x 2 filters, 14
// instructions for 128 products.
//
// The rows that some output rows read are copied first, as signed numbers (unsigned ones less 128, which the bias takes
// back) and with their padding, column by column: of every column the pixels of all kernel rows follow each other. So
// the window of an output pixel is one run of numbers (kernel column, kernel row, input channel), and windows share
// their columns. Where they cannot, since kernel columns are dilated or skipped, every window has columns of its own.
//
// Weights, in the order of the windows: 8-bit filters of a multiple of 16 numbers are read where they lie, in pairs
// (the last one filled up): 16 numbers of the one filter, 16 of the other, in turn. All others are unpacked to that
// form once for the output rows that are copied together, from blocks of eight filters (the last one of fewer, an odd
// one twice): for every chunk of 16 numbers (the last one of fewer) the filters' fields lie one above the other in each
// of its lanes, lowest bits first, in as many vectors of a byte per lane as they take. Vectors are read whole, so that
// some bytes follow the last one. Behind the last number of a filter weights are zero, and windows hold anything.

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
/// Filters that are unpacked together, a multiple of eight: the pixels are gone through for every such block.
constexpr int32_t convolution_8_4x2_mve_block(const Convolution& step) {
  const int32_t eights = 2304 / (128 * convolution_8_4x2_mve_chunks(step));
  const int32_t all = (step.output.channels + 7) / 8;
  return 8 * (eights < 1 ? 1 : eights < all ? eights : all);
}

/// The columns that output rows are made of.
struct MveColumns {
  int32_t runs;         // of columns whose inputs lie equally far apart: one, or one for each kernel column
  int32_t run_columns;  // columns of a run
  int32_t from_step;    // input columns from one to the next
  int32_t to_step;      // ... and columns
  int32_t pixel_step;   // columns from the window of an output pixel to that of the next
  int32_t row_columns;  // columns of an output row
  int32_t column_bytes;
  int32_t rows;  // output rows that are copied together

  constexpr int32_t row_bytes() const { return row_columns * column_bytes; }
};
/// For strips of `rows` rows. Filters that are unpacked serve 64 pixels at least, so that this takes less than a tenth
/// of the time, unless the columns take more than 20 KB.
constexpr MveColumns convolution_8_4x2_mve_columns(const Convolution& step, int32_t rows, bool nested = false) {
  const Window& window = step.window;
  const int32_t width = step.output.width;
  const int32_t stride = window.stride_columns;
  const int32_t kernel = window.kernel_width;
  MveColumns columns{};
  columns.column_bytes = window.kernel_height * step.input.channels;
  if (kernel == 1 || (window.dilation_columns == 1 && stride <= kernel)) {
    columns.runs = 1;
    columns.from_step = kernel == 1 ? stride : 1;
    columns.to_step = 1;
    columns.pixel_step = kernel == 1 ? 1 : stride;
    columns.row_columns = columns.run_columns = (width - 1) * columns.pixel_step + kernel;
  } else {
    columns.runs = columns.to_step = columns.pixel_step = kernel;
    columns.from_step = stride;
    columns.run_columns = width;
    columns.row_columns = width * kernel;
  }
  const int32_t pixels = convolution_8_4x2_mve_unpacks(step, nested) ? 64 : 4;
  const int32_t whole = width % 4 == 0 ? 1 : width % 2 == 0 ? 2 : 4;  // rows that blocks of four end with
  const int32_t most = 20480 / columns.row_bytes();
  const int32_t wanted = ((pixels + width - 1) / width + whole - 1) / whole * whole;
  const int32_t together = wanted < most ? wanted : most;
  columns.rows = together < 1 ? 1 : together < rows ? together : rows;
  return columns;
}

/// For strips of `rows` rows: columns, a pixel of padding, biases, and a block of filters where they are unpacked.
constexpr int32_t convolution_8_4x2_mve_scratch_bytes(const Convolution& step, int32_t rows, bool nested = false) {
  const MveColumns columns = convolution_8_4x2_mve_columns(step, rows, nested);
  return (columns.rows * columns.row_bytes() + 31) / 16 * 16 + (step.input.channels + 15) / 16 * 16 +
         (step.output.channels + 1) / 2 * 8 +
         (convolution_8_4x2_mve_unpacks(step, nested)
              ? 16 * convolution_8_4x2_mve_chunks(step) * convolution_8_4x2_mve_block(step)
              : 0);
}

#if defined(__ARM_FEATURE_MVE)

namespace detail {

/// Copies the columns of output row `y`.
inline void copy_columns_mve(const Convolution& step, const MveColumns& columns, InputRows input,
                             const uint8_t* padding, int32_t y, uint32_t flip, int8_t* to) {
  const Window& window = step.window;
  const Image& image = step.input;
  const int32_t channels = image.channels;
  const int32_t to_step = columns.to_step * columns.column_bytes;
  int32_t row = y * window.stride_rows - window.pad_top;
  for (int32_t i = 0; i < window.kernel_height; ++i, row += window.dilation_rows, to += channels) {
    const uint8_t* const pixels = row >= 0 && row < image.height ? input[row] : nullptr;
    int8_t* run_to = to;
    int32_t first = -window.pad_left;
    for (int32_t run = 0; run < columns.runs; ++run, first += window.dilation_columns) {
      // columns before the image, in it, and behind it
      const int32_t step_columns = columns.from_step;
      int32_t begin = first < 0 ? (step_columns - 1 - first) / step_columns : 0;
      int32_t end = first < image.width ? (image.width - 1 - first) / step_columns + 1 : 0;
      if (end > columns.run_columns) end = columns.run_columns;
      if (begin > end || pixels == nullptr) begin = end = columns.run_columns;
      copy_pixels_mve(padding, 0, begin, channels, flip, run_to, to_step);
      copy_pixels_mve(pixels + (first + begin * step_columns) * image.pixel_stride, step_columns * image.pixel_stride,
                      end - begin, channels, flip, run_to + begin * to_step, to_step);
      copy_pixels_mve(padding, 0, columns.run_columns - end, channels, flip, run_to + end * to_step, to_step);
      run_to += columns.column_bytes;
    }
  }
}

/// Adds to four words, pointers or offsets.
template <typename Word>
inline void move_mve(Word* words, int32_t bytes) {
  static_assert(sizeof(Word) == 4);
  auto* const to = reinterpret_cast<uint32_t*>(words);
  vst1q_u32(to, vaddq_n_u32(vld1q_u32(to), static_cast<uint32_t>(bytes)));
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
  const MveColumns columns = convolution_8_4x2_mve_columns(step, rows.count, nested);
  const int32_t size = convolution_8_4x2_mve_size(step);
  const int32_t chunks = convolution_8_4x2_mve_chunks(step);
  const int32_t filters = step.output.channels;
  const int32_t width = step.output.width;
  const uint32_t flip = step.input.format.is_signed ? 0 : 0x80;
  auto* const windows = reinterpret_cast<int8_t*>(scratch);
  uint8_t* const padding = scratch + (columns.rows * columns.row_bytes() + 31) / 16 * 16;
  auto* const bias = reinterpret_cast<int32_t*>(padding + (step.input.channels + 15) / 16 * 16);
  auto* const unpacked = reinterpret_cast<int8_t*>(bias + (filters + 1) / 2 * 2);
  for (int32_t k = 0; k < step.input.channels; ++k) {
    padding[k] = static_cast<uint8_t>(step.padding_value == nullptr ? 0 : step.padding_value[k]);
  }
  for (int32_t filter = 0; filter < filters; ++filter) bias[filter] = step.bias[filter];
  if (unpacks) {
    for (int32_t pair = 1; pair <= convolution_8_4x2_mve_block(step) / 2; ++pair) {  // behind the last numbers
      vstrbq_s8(unpacked + 32 * chunks * pair - 32, vdupq_n_s8(0));
      vstrbq_s8(unpacked + 32 * chunks * pair - 16, vdupq_n_s8(0));
    }
  }

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
  const int32_t pixel_bytes = columns.pixel_step * columns.column_bytes;
  const int32_t pixel_stride = step.output.pixel_stride;
  const int32_t end_row = rows.first + rows.count;
  for (int32_t top = rows.first; top < end_row; top += columns.rows) {
    const int32_t count = end_row - top < columns.rows ? end_row - top : columns.rows;
    for (int32_t row = 0; row < count; ++row) {
      copy_columns_mve(step, columns, input, padding, top + row, flip, windows + row * columns.row_bytes());
    }
    const int32_t block = unpacks ? convolution_8_4x2_mve_block(step) : filters;
    const uint8_t* packed = step.weights;
    for (int32_t filter = 0; filter < filters; filter += block) {
      const int32_t end = filter + block < filters ? filter + block : filters;
      const auto* weights = reinterpret_cast<const int8_t*>(packed);
      if (unpacks) {
        for (int32_t f = filter; f < end; f += 8) {
          packed = unpack_filters_mve<weight_bits>(packed, size, end - f < 8 ? end - f : 8,
                                                   unpacked + 16 * chunks * (f - filter));
        }
        weights = unpacked;
      }
      if (top == rows.first && flip != 0) {
        for (int32_t f = filter; f < end; f += 2) {
          if constexpr (nested) {
            add_nested_offsets_mve(weights + (f - filter) * 16 * chunks, size, step.weight_bits, bias + f);
          } else {
            add_offsets_mve(weights + (f - filter) * 16 * chunks, size, bias + f);
          }
        }
      }
      const bool odd = (end - filter) % 2 != 0;
      const int8_t* window = nullptr;
      uint32_t place = 0;
      int32_t row = 0;
      int32_t x = 0;
      for (int32_t left = count * width; left > 0;) {
        if (x >= 4 && x + 4 <= width && !odd) {
          // the pixels behind the four before, in one row
          move_mve(run.windows, 4 * pixel_bytes);
          move_mve(run.places, 4 * pixel_stride);
          move_mve(run.places + 4, 4 * pixel_stride);
          left -= 4;
          x += 4;
        } else {
          for (int32_t q = 0; q < 4; ++q) {
            if (x == width) {
              x = 0;
              ++row;
            }
            if (q == 0 || x == 0) {
              window = windows + row * columns.row_bytes() + x * pixel_bytes;
              place = static_cast<uint32_t>(output[top + row] - output.base + x * pixel_stride);
            }
            run.windows[q] = window;
            run.places[2 * q] = place;
            run.places[2 * q + 1] = place + 1;
            if (--left <= 0) continue;  // the last pixel is made again, at the same place
            ++x;
            window += pixel_bytes;
            place += static_cast<uint32_t>(pixel_stride);
          }
        }
        if constexpr (nested) {
          int32_t sums[4];
          sum_windows_mve(run, size, sums);
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
        if (odd) {
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
