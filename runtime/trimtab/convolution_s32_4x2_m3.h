#pragma once

// Convolution of any shape for cores that multiply and accumulate one product at a time (Armv7-M): blocks of 4 pixels x
// 2 channels. The windows of four pixels are widened once (widen_windows.h) and meet every filter; eight accumulators,
// two activations and two weights stay in registers, so that 8 products take 8 MLA, 2 LDRD and 2 loads of weights: 1.5
// instructions per product, 1.63 where the weights have less than 8 bits.
//
// Weights: the filters of a group two by two, the last one with a filter of zeros where their number is odd; in a pair
// the integers c0k0 c1k0 c0k1 c1k1 ... of weight_bits each, lowest bits first, and zeros until k is a multiple of 4.

#include "trimtab/store_outputs.h"
#include "trimtab/sum_4x2_m3.h"
#include "trimtab/widen_windows.h"

namespace trimtab::TRIMTAB_RUNTIME {

constexpr int32_t convolution_s32_4x2_m3_padded_size(const Convolution& step) {
  return (step.window.kernel_height * step.window.kernel_width * (step.input.channels / step.groups) + 3) / 4 * 4;
}
constexpr int32_t convolution_s32_4x2_m3_scratch_bytes(const Convolution& step) {
  return convolution_s32_4x2_m3_padded_size(step) * 16 + WindowWidener::scratch_bytes(step);
}

namespace detail {

template <bool nested>
struct FilterRunOf {
  using Type = FilterRun;
};
template <>
struct FilterRunOf<true> {
  using Type = NestedFilterRun;
};

/// The layer, with the inner loops for its weights: `to_bytes` may be null, `saturation` is for nested weights, and
/// `pair_bytes` those of two filters.
template <bool nested = false>
inline void convolution_s32_4x2(const Convolution& step, Strip strip, InputRows input, OutputRows output,
                                uint8_t* scratch, RunFilters* to_sums, RunFilters* to_bytes, int32_t pair_bytes,
                                [[maybe_unused]] uintptr_t saturation = 0) {
  const int32_t group_inputs = step.input.channels / step.groups;
  const int32_t group_outputs = step.output.channels / step.groups;
  const int32_t size = convolution_s32_4x2_m3_padded_size(step);
  const int32_t used = step.window.kernel_height * step.window.kernel_width * group_inputs;
  // rows that lie densely are one long row
  const int32_t pixels = output.is_dense() ? strip.count * step.output.width : int32_t{step.output.width};
  const int32_t end_row = output.is_dense() ? strip.first + 1 : strip.first + strip.count;
  auto* words = reinterpret_cast<int32_t*>(scratch);
  for (int32_t k = 4 * used; k < 4 * size; ++k) words[k] = 0;
  typename FilterRunOf<nested>::Type run;
  run.words = words;
  run.words_end = words + 4 * size;
  run.stride = step.output.pixel_stride;
  run.shift = (step.output_zero * 256) | step.shift;
  if constexpr (nested) run.saturation = saturation;
  const uint8_t* group_weights = step.weights;
  for (int32_t first = 0; first < step.output.channels; first += group_outputs) {
    WindowWidener windows(step, input, strip.first, first / group_outputs * group_inputs, scratch + 16 * size);
    const int32_t end = first + group_outputs;
    for (int32_t row = strip.first; row < end_row; ++row) {
      uint8_t* const row_begin = output[row];
      for (int32_t pixel = 0; pixel < pixels; pixel += 4) {
        const int32_t count = pixels - pixel < 4 ? pixels - pixel : 4;
        windows.widen(count, words);
        if constexpr (nested) sum_activations_4(run);
        uint8_t* const out = row_begin + pixel * step.output.pixel_stride;
        run.weights = group_weights;
        int32_t channel = first;
        if (to_bytes != nullptr && count == 4 && group_outputs > 1) {
          run.pairs = group_outputs / 2;
          run.bias = step.bias + channel;
          run.multiplier = step.multiplier + channel;
          run.output = out + channel;
          channel += run.pairs * 2;
          to_bytes(run);
        }
        for (; channel < end; channel += 2) {
          const bool both = channel + 1 < end;
          const int32_t bias[2] = {step.bias[channel], both ? step.bias[channel + 1] : 0};
          int32_t sums[8];
          run.pairs = 1;
          run.bias = bias;
          run.output = reinterpret_cast<uint8_t*>(sums);
          to_sums(run);
          store_channel(step, sums, count, channel, out);
          if (both) store_channel(step, sums + 4, count, channel + 1, out);
        }
      }
    }
    group_weights += (group_outputs + 1) / 2 * pair_bytes;
  }
}

template <int weight_bits>
inline void convolution_s32_4x2(const Convolution& step, Strip strip, InputRows input, OutputRows output,
                                uint8_t* scratch) {
  RunFilters* to_bytes = nullptr;
#if defined(__ARM_ARCH_7M__)
  if (step.output.format.bits == 8 && step.output_minimum == 0 && step.output_maximum == 255) {
    to_bytes = run_filters_4x2<weight_bits, FilterOutput::unsigned_bytes>;
  } else if (step.output.format.bits == 8 && step.output_minimum == -128 && step.output_maximum == 127) {
    to_bytes = run_filters_4x2<weight_bits, FilterOutput::signed_bytes>;
  }
#endif
  convolution_s32_4x2(step, strip, input, output, scratch, run_filters_4x2<weight_bits, FilterOutput::sums>, to_bytes,
                      convolution_s32_4x2_m3_padded_size(step) / 4 * weight_bits);
}

}  // namespace detail

#define TRIMTAB_CONVOLUTION(bits)                                                                                    \
  inline void convolution_w##bits##_4x2_m3(const Convolution& step, Strip strip, InputRows input, OutputRows output, \
                                           uint8_t* scratch) {                                                       \
    detail::convolution_s32_4x2<bits>(step, strip, input, output, scratch);                                          \
  }
TRIMTAB_CONVOLUTION(2)
TRIMTAB_CONVOLUTION(3)
TRIMTAB_CONVOLUTION(4)
TRIMTAB_CONVOLUTION(5)
TRIMTAB_CONVOLUTION(6)
TRIMTAB_CONVOLUTION(7)
TRIMTAB_CONVOLUTION(8)
#undef TRIMTAB_CONVOLUTION

}  // namespace trimtab::TRIMTAB_RUNTIME
