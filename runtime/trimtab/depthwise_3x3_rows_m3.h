#pragma once

// Depthwise 3x3 convolution of bytes (strides of 1 or 2 columns, no dilation) for cores that multiply one product at a
// time (Armv7-M; planes take fewer instructions on Armv6-M). The three input rows under an output row are copied
// together with their padding; then every channel makes four neighbouring outputs at a time, from bytes that lie a
// pixel apart. An input row is copied before the first output row that needs it is written.
//
// Weights: those of a channel one after the other, packed as in weights.h without gaps between channels. Fewer than 8
// bits are unpacked once per strip.
//
// Scratch: the three rows, and the unpacked weights.

#if defined(__ARM_FEATURE_MVE)
#include <arm_mve.h>
#endif

#include "trimtab/dsp.h"
#include "trimtab/rows.h"
#include "trimtab/store_outputs.h"
#include "trimtab/weights.h"

namespace trimtab::TRIMTAB_RUNTIME {

/// Whether the kernel takes a depthwise convolution of that shape (its padding must fit 8 bits, too).
constexpr bool depthwise_3x3_rows_m3_takes(const Convolution& step) {
  const Window& window = step.window;
  return window.kernel_height == 3 && window.kernel_width == 3 && window.stride_columns <= 2 && window.pad_left < 3 &&
         window.dilation_rows == 1 && window.dilation_columns == 1 && step.input.format.bits == 8 &&
         step.output.format.bits == 8;
}

/// Bytes of a copied row, in a multiple of 8.
constexpr int32_t depthwise_3x3_rows_m3_row_bytes(const Convolution& step) {
  const int32_t columns = (step.output.width - 1) * step.window.stride_columns + 3;
  return (columns * step.input.channels + 7) / 8 * 8;
}
constexpr int32_t depthwise_3x3_rows_m3_scratch_bytes(const Convolution& step) {
  return 3 * depthwise_3x3_rows_m3_row_bytes(step) +
         (step.weight_bits == 8 ? 0 : (9 * step.input.channels + 7) / 8 * 8);
}

namespace detail {

inline void copy_bytes(const uint8_t* from, int32_t count, uint8_t* to) {
#if defined(__ARM_FEATURE_MVE)
  for (; count > 0; count -= 16, from += 16, to += 16) {
    const mve_pred16_t left = vctp8q(static_cast<uint32_t>(count));
    vstrbq_p_u8(to, vldrbq_z_u8(from, left), left);
  }
#else
  for (; count >= 16; count -= 16, from += 16, to += 16) {
    const uint32_t words[4] = {load_word(from), load_word(from + 4), load_word(from + 8), load_word(from + 12)};
    store_word(to, words[0]);
    store_word(to + 4, words[1]);
    store_word(to + 8, words[2]);
    store_word(to + 12, words[3]);
  }
  for (; count > 0; --count) *to++ = *from++;
#endif
}

/// Pixels of padding.
inline uint8_t* fill_padding(const Convolution& step, int32_t pixels, uint8_t* to) {
  if (step.padding_value == nullptr) {
    uint8_t* const end = to + pixels * step.input.channels;
    for (; end - to >= 4; to += 4) store_word(to, 0);
    while (to != end) *to++ = 0;
    return to;
  }
  for (; pixels > 0; --pixels) {
    for (int32_t i = 0; i < step.input.channels; ++i) {
      *to++ = static_cast<uint8_t>(step.padding_value[i]);
    }
  }
  return to;
}

/// Row `row` of the input with its padding.
__attribute__((noinline)) inline void copy_padded_row(const Convolution& step, InputRows input, int32_t row,
                                                      uint8_t* to) {
  const Image& image = step.input;
  const int32_t columns = (step.output.width - 1) * step.window.stride_columns + 3;
  if (row < 0 || row >= image.height) {
    fill_padding(step, columns, to);
    return;
  }
  to = fill_padding(step, step.window.pad_left, to);
  const int32_t room = columns - step.window.pad_left;
  const int32_t inside = room < image.width ? room : image.width;
  const uint8_t* from = input[row];
  if (image.pixel_stride == image.channels) {
    copy_bytes(from, inside * image.channels, to);
  } else {
    for (int32_t x = 0; x < inside; ++x)
      copy_bytes(from + x * image.pixel_stride, image.channels, to + x * image.channels);
  }
  fill_padding(step, room - inside, to + inside * image.channels);
}

/// Adds a kernel row's products to the sums of neighbouring outputs of a channel. `at` and `weights` move on to the
/// next channel and to the next three weights.
template <typename Activation, int Stride, int Count>
inline void add_kernel_row(const Activation*& at, const int8_t*& weights, int32_t channels, int32_t three_channels,
                           Array<int32_t, Count>& sums) {
#if defined(__ARM_ARCH_7M__)
  // Columns 1 to 8 of the row, and column 0, which comes last.
#define TRIMTAB_COLUMN_1 "%[at], %[channels]]\n"
#define TRIMTAB_COLUMN_2 "%[at], %[channels], lsl #1]\n"
#define TRIMTAB_COLUMN_3 "%[at], %[three]]\n"
#define TRIMTAB_COLUMN_4 "%[at], %[channels], lsl #2]\n"
#define TRIMTAB_COLUMN_6 "%[at], %[three], lsl #1]\n"
#define TRIMTAB_COLUMN_8 "%[at], %[channels], lsl #3]\n"
#define TRIMTAB_TO_COLUMN_5 "add.w %[a], %[at], %[channels], lsl #2\n"
#define TRIMTAB_TO_COLUMN_7 "add.w %[a], %[at], %[three], lsl #1\n"
#define TRIMTAB_COLUMN_0 "%[at]], #1\n"
#define TRIMTAB_PRODUCT(output, tap) "mla %[s" #output "], %[a], %[w" #tap "], %[s" #output "]\n"
#define TRIMTAB_WEIGHTS \
  "ldrsb %[w0], [%[weights]], #1\n ldrsb %[w1], [%[weights]], #1\n ldrsb %[w2], [%[weights]], #1\n"
#define TRIMTAB_ONE(load)                                                                                 \
  TRIMTAB_WEIGHTS load TRIMTAB_COLUMN_1 TRIMTAB_PRODUCT(0, 1) load TRIMTAB_COLUMN_2 TRIMTAB_PRODUCT(0, 2) \
      load TRIMTAB_COLUMN_0 TRIMTAB_PRODUCT(0, 0)
#define TRIMTAB_TWO_1(load)                                                                                         \
  TRIMTAB_WEIGHTS load TRIMTAB_COLUMN_1 TRIMTAB_PRODUCT(0, 1) TRIMTAB_PRODUCT(1, 0)                                 \
      load TRIMTAB_COLUMN_2 TRIMTAB_PRODUCT(0, 2) TRIMTAB_PRODUCT(1, 1) load TRIMTAB_COLUMN_3 TRIMTAB_PRODUCT(1, 2) \
          load TRIMTAB_COLUMN_0 TRIMTAB_PRODUCT(0, 0)
#define TRIMTAB_TWO_2(load)                                                                                         \
  TRIMTAB_WEIGHTS load TRIMTAB_COLUMN_1 TRIMTAB_PRODUCT(0, 1) load TRIMTAB_COLUMN_2 TRIMTAB_PRODUCT(0, 2)           \
      TRIMTAB_PRODUCT(1, 0) load TRIMTAB_COLUMN_3 TRIMTAB_PRODUCT(1, 1) load TRIMTAB_COLUMN_4 TRIMTAB_PRODUCT(1, 2) \
          load TRIMTAB_COLUMN_0 TRIMTAB_PRODUCT(0, 0)
#define TRIMTAB_FOUR_1(load)                                                                             \
  TRIMTAB_WEIGHTS load TRIMTAB_COLUMN_1 TRIMTAB_PRODUCT(0, 1) TRIMTAB_PRODUCT(1, 0)                      \
      load TRIMTAB_COLUMN_2 TRIMTAB_PRODUCT(0, 2) TRIMTAB_PRODUCT(1, 1) TRIMTAB_PRODUCT(2, 0)            \
          load TRIMTAB_COLUMN_3 TRIMTAB_PRODUCT(1, 2) TRIMTAB_PRODUCT(2, 1) TRIMTAB_PRODUCT(3, 0)        \
              load TRIMTAB_COLUMN_4 TRIMTAB_PRODUCT(2, 2) TRIMTAB_PRODUCT(3, 1) TRIMTAB_TO_COLUMN_5 load \
      "%[a], %[channels]]\n" TRIMTAB_PRODUCT(3, 2) load TRIMTAB_COLUMN_0 TRIMTAB_PRODUCT(0, 0)
#define TRIMTAB_FOUR_2(load)                                                                                        \
  TRIMTAB_WEIGHTS load TRIMTAB_COLUMN_1 TRIMTAB_PRODUCT(0, 1) load TRIMTAB_COLUMN_2 TRIMTAB_PRODUCT(0, 2)           \
      TRIMTAB_PRODUCT(1, 0) load TRIMTAB_COLUMN_3 TRIMTAB_PRODUCT(1, 1) load TRIMTAB_COLUMN_4 TRIMTAB_PRODUCT(1, 2) \
          TRIMTAB_PRODUCT(2, 0) TRIMTAB_TO_COLUMN_5 load "%[a], %[channels]]\n" TRIMTAB_PRODUCT(2, 1)               \
              load TRIMTAB_COLUMN_6 TRIMTAB_PRODUCT(2, 2) TRIMTAB_PRODUCT(3, 0) TRIMTAB_TO_COLUMN_7 load            \
      "%[a], %[channels]]\n" TRIMTAB_PRODUCT(3, 1) load TRIMTAB_COLUMN_8 TRIMTAB_PRODUCT(3, 2)                      \
          load TRIMTAB_COLUMN_0 TRIMTAB_PRODUCT(0, 0)
#define TRIMTAB_OPERANDS \
  [at] "+r"(at), [weights] "+r"(weights), [w0] "=&r"(w0), [w1] "=&r"(w1), [w2] "=&r"(w2), [a] "=&r"(a)
#define TRIMTAB_ROW(code, ...)                                                \
  if constexpr (sizeof(Activation) == 1 && static_cast<Activation>(-1) < 0) { \
    asm volatile(code("ldrsb %[a], [")                                        \
                 : TRIMTAB_OPERANDS, __VA_ARGS__                              \
                 : [channels] "r"(channels), [three] "r"(three_channels)      \
                 : "memory");                                                 \
  } else {                                                                    \
    asm volatile(code("ldrb %[a], [")                                         \
                 : TRIMTAB_OPERANDS, __VA_ARGS__                              \
                 : [channels] "r"(channels), [three] "r"(three_channels)      \
                 : "memory");                                                 \
  }
  int32_t w0;
  int32_t w1;
  int32_t w2;
  int32_t a;
  if constexpr (Count == 1) {
    TRIMTAB_ROW(TRIMTAB_ONE, [s0] "+r"(sums[0]))
  } else if constexpr (Count == 2 && Stride == 1) {
    TRIMTAB_ROW(TRIMTAB_TWO_1, [s0] "+r"(sums[0]), [s1] "+r"(sums[1]))
  } else if constexpr (Count == 2) {
    TRIMTAB_ROW(TRIMTAB_TWO_2, [s0] "+r"(sums[0]), [s1] "+r"(sums[1]))
  } else if constexpr (Stride == 1) {
    TRIMTAB_ROW(TRIMTAB_FOUR_1, [s0] "+r"(sums[0]), [s1] "+r"(sums[1]), [s2] "+r"(sums[2]), [s3] "+r"(sums[3]))
  } else {
    TRIMTAB_ROW(TRIMTAB_FOUR_2, [s0] "+r"(sums[0]), [s1] "+r"(sums[1]), [s2] "+r"(sums[2]), [s3] "+r"(sums[3]))
  }
#undef TRIMTAB_ROW
#undef TRIMTAB_OPERANDS
#undef TRIMTAB_FOUR_2
#undef TRIMTAB_FOUR_1
#undef TRIMTAB_TWO_2
#undef TRIMTAB_TWO_1
#undef TRIMTAB_ONE
#undef TRIMTAB_WEIGHTS
#undef TRIMTAB_PRODUCT
#undef TRIMTAB_COLUMN_0
#undef TRIMTAB_TO_COLUMN_7
#undef TRIMTAB_TO_COLUMN_5
#undef TRIMTAB_COLUMN_8
#undef TRIMTAB_COLUMN_6
#undef TRIMTAB_COLUMN_4
#undef TRIMTAB_COLUMN_3
#undef TRIMTAB_COLUMN_2
#undef TRIMTAB_COLUMN_1
#else
  const int32_t w0 = weights[0];
  const int32_t w1 = weights[1];
  const int32_t w2 = weights[2];
  weights += 3;
  const Activation* from = at++;
#pragma GCC unroll 4
  for (int i = 0; i < Count; ++i) {
    sums[i] += from[0] * w0 + from[channels] * w1 + from[2 * channels] * w2;
    from += Stride == 1 ? channels : 2 * channels;
  }
  static_cast<void>(three_channels);
#endif
}

/// Neighbouring outputs of all channels.
template <typename Activation, int Stride, int Count, bool WholeByte>
__attribute__((noinline)) inline void make_outputs_3x3(const Convolution& step, uint8_t* const (&rows)[3],
                                                       int32_t offset, const int8_t* weights, uint8_t* output) {
  const auto* first = reinterpret_cast<const Activation*>(rows[0] + offset);
  const auto* second = reinterpret_cast<const Activation*>(rows[1] + offset);
  const auto* third = reinterpret_cast<const Activation*>(rows[2] + offset);
  const int32_t channels = step.input.channels;
  const int32_t three_channels = 3 * channels;
  const int32_t pixel_stride = step.output.pixel_stride;
  const int32_t minimum = step.output_minimum;
  const int32_t maximum = step.output_maximum;
  const int shift = WholeByte ? 0 : step.shift;
  const int32_t zero = step.output_zero;
  const int32_t* bias = step.bias;
  const int32_t* multiplier = step.multiplier;
  const int32_t* const bias_end = bias + channels;
  while (bias != bias_end) {
    Array<int32_t, Count> sums;
    sums[0] = *bias++;
#pragma GCC unroll 4
    for (int i = 1; i < Count; ++i) sums[i] = sums[0];
    add_kernel_row<Activation, Stride, Count>(first, weights, channels, three_channels, sums);
    add_kernel_row<Activation, Stride, Count>(second, weights, channels, three_channels, sums);
    add_kernel_row<Activation, Stride, Count>(third, weights, channels, three_channels, sums);
    const int32_t scale = *multiplier++;
    uint8_t* to = output++;
#pragma GCC unroll 4
    for (int i = 0; i < Count; ++i, to += pixel_stride) {
      const int32_t value = scale_sum(sums[i], scale, shift, zero);
      *to = static_cast<uint8_t>(WholeByte ? saturate(value, 0, 255) : saturate(value, minimum, maximum));
    }
  }
}

template <typename Activation, int Stride, bool WholeByte>
inline void make_row_3x3(const Convolution& step, uint8_t* const (&rows)[3], const int8_t* weights, uint8_t* output) {
  const int32_t next = Stride * step.input.channels;
  int32_t offset = 0;
  int32_t left = step.output.width;
  for (; left >= 4; left -= 4, offset += 4 * next, output += 4 * step.output.pixel_stride) {
    make_outputs_3x3<Activation, Stride, 4, WholeByte>(step, rows, offset, weights, output);
  }
  if (left >= 2) {
    make_outputs_3x3<Activation, Stride, 2, WholeByte>(step, rows, offset, weights, output);
    offset += 2 * next;
    output += 2 * step.output.pixel_stride;
  }
  if (left % 2 != 0) make_outputs_3x3<Activation, Stride, 1, WholeByte>(step, rows, offset, weights, output);
}

/// Calls make_row(rows, weights, output) for every output row of a strip, with the copies of its three input rows and
/// weights that are bytes.
template <typename MakeRow>
inline void for_rows_3x3(const Convolution& step, Strip strip, InputRows input, OutputRows output, uint8_t* scratch,
                         MakeRow make_row) {
  const int32_t row_bytes = depthwise_3x3_rows_m3_row_bytes(step);
  uint8_t* rows[3] = {scratch, scratch + row_bytes, scratch + 2 * row_bytes};
  const auto* weights = reinterpret_cast<const int8_t*>(step.weights);
  if (step.weight_bits != 8) {
    auto* const unpacked = reinterpret_cast<int8_t*>(scratch + 3 * row_bytes);
    unpack_weights(step.weights, 9 * step.input.channels, step.weight_bits, unpacked);
    weights = unpacked;
  }
  const int32_t stride = step.window.stride_rows;
  int32_t kept = 0;  // rows that the next output row needs, too
  for (int32_t y = strip.first; y < strip.first + strip.count; ++y) {
    const int32_t top = y * stride - step.window.pad_top;
    for (; kept < 3; ++kept) copy_padded_row(step, input, top + kept, rows[kept]);
    make_row(rows, weights, output[y]);
    for (int32_t i = 0; i < stride && kept > 0; ++i, --kept) {
      uint8_t* const free = rows[0];
      rows[0] = rows[1];
      rows[1] = rows[2];
      rows[2] = free;
    }
  }
}

template <typename Activation, int Stride, bool WholeByte>
inline void depthwise_3x3_rows(const Convolution& step, Strip strip, InputRows input, OutputRows output,
                               uint8_t* scratch) {
  for_rows_3x3(step, strip, input, output, scratch, [&](uint8_t* const(&rows)[3], const int8_t* weights, uint8_t* to) {
    make_row_3x3<Activation, Stride, WholeByte>(step, rows, weights, to);
  });
}

}  // namespace detail

/// depthwise_3x3sSTRIDE_FORMAT_RANGE_rows_m3; RANGE: `u8`, outputs without a shift that take all values of unsigned
/// bytes, or `any`.
#define TRIMTAB_DEPTHWISE(STRIDE, FORMAT, TYPE, RANGE, WHOLE_BYTE)                                  \
  inline void depthwise_3x3s##STRIDE##_##FORMAT##_##RANGE##_rows_m3(                                \
      const Convolution& step, Strip strip, InputRows input, OutputRows output, uint8_t* scratch) { \
    detail::depthwise_3x3_rows<TYPE, STRIDE, WHOLE_BYTE>(step, strip, input, output, scratch);      \
  }
TRIMTAB_DEPTHWISE(1, u8, uint8_t, u8, true)
TRIMTAB_DEPTHWISE(1, u8, uint8_t, any, false)
TRIMTAB_DEPTHWISE(1, s8, int8_t, u8, true)
TRIMTAB_DEPTHWISE(1, s8, int8_t, any, false)
TRIMTAB_DEPTHWISE(2, u8, uint8_t, u8, true)
TRIMTAB_DEPTHWISE(2, u8, uint8_t, any, false)
TRIMTAB_DEPTHWISE(2, s8, int8_t, u8, true)
TRIMTAB_DEPTHWISE(2, s8, int8_t, any, false)
#undef TRIMTAB_DEPTHWISE

}  // namespace trimtab::TRIMTAB_RUNTIME
