#pragma once

// The descriptors of the kernels: one plain struct per operator, made by lowering, constant on the device.

#include "trimtab/activations.h"

namespace trimtab::TRIMTAB_RUNTIME {

/// A value in the arena: its pixels lie `pixel_stride` bytes apart, which is more than its own channels take where it
/// is a part of a concatenation.
struct Image {
  int16_t height;
  int16_t width;
  int16_t channels;
  int16_t pixel_stride;  // bytes
  ActivationFormat format;
};

struct Window {
  int16_t kernel_height, kernel_width;
  int16_t stride_rows, stride_columns;
  int16_t dilation_rows, dilation_columns;
  int16_t pad_top, pad_left;
};

/// Convolution with groups; a linear layer is one whose kernel covers the whole input.
/// accumulator[o] = bias[o] + sum of (input or padding_value) * weight; output = output_zero + requantize(accumulator,
/// multiplier[o], shift). With weights of 16 bits the sum has 64 bits, and round(sum / 2^sum_shift), halves upward,
/// takes its place. Nested weights have no output_zero.
struct Convolution {
  Image input;
  Image output;
  Window window;
  int16_t groups;
  uint8_t weight_bits;  // 2..8, 16
  uint8_t shift;
  uint8_t sum_shift;  // 0 unless weight_bits is 16
  int32_t output_minimum, output_maximum;
  const uint8_t* weights;        // in the layout of the kernel that runs it
  const int32_t* bias;           // per output channel
  const int32_t* multiplier;     // per output channel
  const int16_t* padding_value;  // per input channel, or null for zeros
  int16_t output_zero = 0;
};

/// Max: output = maximum of the pixels inside. The grids of input and output are the same.
struct MaxPool {
  Image input;
  Image output;
  Window window;
  int32_t output_minimum, output_maximum;
};

/// Average: output = requantize(sum, multiplier[count - 1], shift) where count is the number of summed pixels inside
/// the input, or multiplier[0] for all where `fixed_divisor` (padding counts, or there is none). Around zero points:
/// output = output_zero + requantize(sum - count * input_zero, ...).
struct AveragePool {
  Image input;
  Image output;
  Window window;
  bool fixed_divisor;
  uint8_t shift;
  int32_t output_minimum, output_maximum;
  const int32_t* multiplier;
  int16_t input_zero = 0, output_zero = 0;
};

/// output = saturate((a * multiplier_a + b * multiplier_b + offset + 2^(shift-1)) >> shift). The offset makes up for
/// the zero points of all three. `b` may be 1x1 and is then broadcast.
struct Addition {
  Image a;
  Image b;
  Image output;
  int32_t multiplier_a, multiplier_b;
  uint8_t shift;  // >= 1
  int32_t output_minimum, output_maximum;
  int32_t offset = 0;
};

/// output = output_zero + requantize((a - a_zero) * (b - b_zero), multiplier, shift). `b` may be 1x1 and is then
/// broadcast.
struct Multiplication {
  Image a;
  Image b;
  Image output;
  int32_t multiplier;
  uint8_t shift;
  int32_t output_minimum, output_maximum;
  int16_t a_zero = 0, b_zero = 0, output_zero = 0;
};

/// output = table[input]: any function of one activation of at most 8 bits, indexed by the input's bit pattern.
struct Lookup {
  Image input;
  Image output;
  const int16_t* table;  // 2^input.format.bits entries
};

constexpr int32_t softmax_one = 1 << 15;

/// Over the channels of every pixel: with power(c) = table[largest input of the pixel - input(c)] and their sum,
/// output(c) = output_zero + requantize((power(c) * 2^16 + sum / 2) / sum, multiplier, shift), both divisions down.
struct Softmax {
  Image input;  // of at most 8 bits
  Image output;
  int32_t multiplier;
  uint8_t shift;  // 0 to 14
  int16_t output_zero;
  int32_t output_minimum;
  int32_t output_maximum;
  const uint16_t* table;  // 2^input.format.bits entries, the first 2^15 and none larger
};

/// output = output_zero + requantize(input - input_zero, multiplier, shift): a change of grid; with multiplier 0 a
/// plain copy.
struct Rescale {
  Image input;
  Image output;
  int32_t multiplier;
  uint8_t shift;
  int32_t output_minimum, output_maximum;
  int16_t input_zero = 0, output_zero = 0;
};

}  // namespace trimtab::TRIMTAB_RUNTIME
