#pragma once

// A convolution with a single output pixel whose kernel covers the input without padding, that is a linear layer, of
// bytes that lie without gaps: two outputs share the loads of the activations, and no scratch memory is needed. Weights
// as convolution_s32_4x2_m3.h has them.

#include "trimtab/convolution_s32_4x2_m3.h"

namespace trimtab::TRIMTAB_RUNTIME {

namespace detail {

/// Fields k0c0 k0c1 k1c0 ... of a group of four k.
template <int bits>
inline void unpack_quad(const uint8_t* weights, int32_t (&fields)[8]) {
  if constexpr (bits == 8) {
    for (int32_t i = 0; i < 8; ++i) fields[i] = static_cast<int8_t>(weights[i]);
  } else {
    uint64_t packed = 0;
    for (int32_t i = 0; i < bits; ++i) packed |= static_cast<uint64_t>(weights[i]) << (8 * i);
    for (int32_t i = 0; i < 8; ++i) {
      const auto field = static_cast<uint32_t>(packed >> (i * bits));
      fields[i] = static_cast<int32_t>(field << (32 - bits)) >> (32 - bits);
    }
  }
}

template <int bits, typename Activation>
inline void linear_8_1x2(const Convolution& step, const uint8_t* input, uint8_t* output) {
  const int32_t used = step.window.kernel_height * step.window.kernel_width * step.input.channels;
  const uint8_t* weights = step.weights;
  for (int32_t channel = 0; channel < step.output.channels; channel += 2) {
    const bool both = channel + 1 < step.output.channels;
    int32_t sum0 = step.bias[channel];
    int32_t sum1 = both ? step.bias[channel + 1] : 0;
    const auto* at = reinterpret_cast<const Activation*>(input);
    int32_t fields[8];
    int32_t left = used;
    for (; left >= 4; left -= 4, at += 4, weights += bits) {
      unpack_quad<bits>(weights, fields);
      for (int32_t k = 0; k < 4; ++k) {
        sum0 += at[k] * fields[2 * k];
        sum1 += at[k] * fields[2 * k + 1];
      }
    }
    if (left > 0) {
      unpack_quad<bits>(weights, fields);
      weights += bits;
      for (int32_t k = 0; k < left; ++k) {
        sum0 += at[k] * fields[2 * k];
        sum1 += at[k] * fields[2 * k + 1];
      }
    }
    store_channel(step, &sum0, 1, channel, output);
    if (both) store_channel(step, &sum1, 1, channel + 1, output);
  }
}

template <int bits>
inline void linear_8_1x2(const Convolution& step, const uint8_t* input, uint8_t* output) {
  if (step.input.format.is_signed) {
    linear_8_1x2<bits, int8_t>(step, input, output);
  } else {
    linear_8_1x2<bits, uint8_t>(step, input, output);
  }
}

}  // namespace detail

#define TRIMTAB_LINEAR(bits)                                                                                          \
  inline void linear_8_w##bits##_1x2_m3(const Convolution& step, Strip /*strip*/, InputRows input, OutputRows output, \
                                        uint8_t* /*scratch*/) {                                                       \
    detail::linear_8_1x2<bits>(step, input[0], output[0]);                                                            \
  }
TRIMTAB_LINEAR(2)
TRIMTAB_LINEAR(3)
TRIMTAB_LINEAR(4)
TRIMTAB_LINEAR(5)
TRIMTAB_LINEAR(6)
TRIMTAB_LINEAR(7)
TRIMTAB_LINEAR(8)
#undef TRIMTAB_LINEAR

}  // namespace trimtab::TRIMTAB_RUNTIME
