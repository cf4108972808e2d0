#pragma once

// How the inputs of one output pixel are lined up for kernels that multiply two 16-bit halves at once (SMLAD), and with
// them its weights: as a column of *pairs*. A pair is a word whose low and high halves (lane 0 and lane 1) meet two
// inputs. Inputs come in *runs*: the longest pieces that lie without gaps in memory, a kernel row where pixels lie
// densely, else the channels of one tap. Inside a run each whole word of w = 32 / bits activations becomes w / 2 pairs,
// pair i holding the activations i and i + w / 2: so a mask or a UXTB16 makes a pair out of a word. A rest of r < w
// activations becomes (r + 1) / 2 pairs in the same way; the last half is empty where r is odd.

#include "trimtab/operators.h"

namespace trimtab::TRIMTAB_RUNTIME {

/// Pairs that a run of `length` activations takes, `per_word` = 32 / bits of which fill a word.
constexpr int32_t run_pairs(int32_t length, int32_t per_word) {
  return length / per_word * (per_word / 2) + (length % per_word + 1) / 2;
}

struct ColumnPosition {
  int32_t pair;
  int32_t lane;  // 0: low half
};

/// Where activation `index` of a run of `length` lies.
constexpr ColumnPosition column_position(int32_t index, int32_t length, int32_t per_word) {
  const int32_t word = index / per_word;
  const int32_t within = index % per_word;
  const int32_t rest = length - word * per_word;
  const int32_t pairs = rest >= per_word ? per_word / 2 : (rest + 1) / 2;
  const int32_t first = word * (per_word / 2);
  return within < pairs ? ColumnPosition{first + within, 0} : ColumnPosition{first + within - pairs, 1};
}

struct ColumnLayout {
  int32_t rows;          // kernel rows
  int32_t runs_per_row;  // 1 or the kernel's width
  int32_t run_length;    // activations
  int32_t run_pairs;
  constexpr int32_t pairs() const { return rows * runs_per_row * run_pairs; }
};

constexpr ColumnLayout column_layout(const Convolution& step) {
  const int32_t per_word = 32 / step.input.format.bits;
  const int32_t channels = step.input.channels / step.groups;
  const bool dense = step.groups == 1 && step.window.dilation_columns == 1 &&
                     step.input.pixel_stride * 8 == step.input.channels * step.input.format.bits;
  const int32_t length = dense ? channels * step.window.kernel_width : channels;
  return {step.window.kernel_height, dense ? 1 : step.window.kernel_width, length, run_pairs(length, per_word)};
}

}  // namespace trimtab::TRIMTAB_RUNTIME
