#pragma once

// Depthwise 3x3 convolutions of bytes on cores with the DSP extension, strides of 1 and 2 along a row, straight from
// words of four channels as pixels have them: two neighbouring outputs of four channels at a time, one product per
// SMLABB or SMLATT. Nothing is transposed, so small and strided images cost less than by depthwise_1x4_dsp.h, and large
// ones as much.
//
// The words that a strip needs of four channels are copied into a plane first, padding included, then their outputs are
// written, which only touch bytes of the same four channels: rows of the output may lie where rows of the strip's input
// lie. Channels are a multiple of four, and padding values are bytes.
//
// The packed weights are nine words of four channels' bytes for every four channels, tap by tap; those of fewer than 8
// bits as in weight_planes.h.
//
// Scratch: the weights of four channels as halves, the plane, the decoded weights.

#include "trimtab/columns_dsp.h"
#include "trimtab/multiply_4x2_dsp.h"
#include "trimtab/rows.h"
#include "trimtab/weight_planes.h"

namespace trimtab::TRIMTAB_RUNTIME {

/// Whether the kernels of this header take a convolution of that shape.
constexpr bool depthwise_words_takes(const Convolution& step) {
  const Window& window = step.window;
  return step.groups == step.input.channels && step.groups == step.output.channels && step.groups % 4 == 0 &&
         window.kernel_height == 3 && window.kernel_width == 3 && window.stride_columns <= 2 && window.pad_left <= 2 &&
         window.dilation_rows == 1 && window.dilation_columns == 1 && step.input.format.bits == 8 &&
         step.weight_bits <= 8;
}

constexpr int32_t depthwise_words_taps = 9;

/// Words of a row of the plane.
constexpr int32_t depthwise_words_plane_row(const Convolution& step) {
  const int32_t pairs = (step.output.width + 1) / 2;
  return step.window.stride_columns == 1 ? 2 * pairs + 2 : 4 * pairs + 1;
}

/// Scratch memory for strips of `rows` rows.
constexpr int32_t depthwise_words_scratch_bytes(const Convolution& step, int32_t rows) {
  const int32_t plane_rows = (rows - 1) * step.window.stride_rows + 3;
  const int32_t decoded = step.weight_bits == 8 ? 0 : plane_groups_around(depthwise_words_taps);
  return 4 * (2 * depthwise_words_taps + plane_rows * depthwise_words_plane_row(step) + decoded);
}

namespace detail {

/// What depthwise_words_row() works on and moves on. The assembly knows the order of the members.
struct DepthwiseWords {
  const uint32_t* plane;      // 0: the first column of the next two outputs
  const uint32_t* weights;    // 4: by tap: channels 0 and 2, channels 1 and 3
  const int32_t* bias;        // 8: of the four channels
  const int32_t* multiplier;  // 12
  uint8_t* output;            // 16: the next
  int32_t stride;             // 20: bytes from output to output
  const uint8_t* end;         // 24: of the row's outputs
  int32_t row_bytes;          // 28: of the plane
  uint32_t mode;              // 32: 0: u8, 1: s8, 2: two outputs' sums only
  int32_t zero;               // 36: the output's zero point
  int32_t sums[8];            // 40: an output's four channels, the next one's
};

#if TRIMTAB_HAS_DSP && defined(__arm__)

// A column of the plane as halves, and its products with a tap for the first and for the second output.
#define TRIMTAB_COLUMN(extend, column) \
  "ldr r12, [r0, #4*" #column "]\n\t" extend " lr, r12, ror #8\n\t" extend " r12, r12\n\t"
#define TRIMTAB_FIRST(tap)      \
  "ldrd r2, r3, [r1, #8*(" #tap \
  ")]\n\t"                      \
  "smlabb r4, r12, r2, r4\n\tsmlatt r6, r12, r2, r6\n\tsmlabb r5, lr, r3, r5\n\tsmlatt r7, lr, r3, r7\n\t"
#define TRIMTAB_SECOND(tap)     \
  "ldrd r2, r3, [r1, #8*(" #tap \
  ")]\n\t"                      \
  "smlabb r8, r12, r2, r8\n\tsmlatt r10, r12, r2, r10\n\tsmlabb r9, lr, r3, r9\n\tsmlatt r11, lr, r3, r11\n\t"
#define TRIMTAB_ROW_1(extend, tap) \
  TRIMTAB_COLUMN(extend, 0)        \
  TRIMTAB_FIRST(tap)               \
  TRIMTAB_COLUMN(extend, 1)        \
  TRIMTAB_FIRST(tap + 1)           \
  TRIMTAB_SECOND(tap)              \
  TRIMTAB_COLUMN(extend, 2)        \
  TRIMTAB_FIRST(tap + 2) TRIMTAB_SECOND(tap + 1) TRIMTAB_COLUMN(extend, 3) TRIMTAB_SECOND(tap + 2)
#define TRIMTAB_ROW_2(extend, tap) \
  TRIMTAB_COLUMN(extend, 0)        \
  TRIMTAB_FIRST(tap)               \
  TRIMTAB_COLUMN(extend, 1)        \
  TRIMTAB_FIRST(tap + 1)           \
  TRIMTAB_COLUMN(extend, 2)        \
  TRIMTAB_FIRST(tap + 2)           \
  TRIMTAB_SECOND(tap)              \
  TRIMTAB_COLUMN(extend, 3) TRIMTAB_SECOND(tap + 1) TRIMTAB_COLUMN(extend, 4) TRIMTAB_SECOND(tap + 2)
#define TRIMTAB_NEXT_ROW "ldr r12, [sp, #4]\n\tadd r0, r12\n\t"
#define TRIMTAB_WORDS_BEGIN   \
  "push {r4-r11, lr}\n\t"     \
  "sub sp, #12\n\t"           \
  "ldr r1, [r0, #28]\n\t"     \
  "strd r0, r1, [sp]\n"       \
  "1:\n\t"                    \
  "ldr r12, [sp]\n\t"         \
  "ldm r12, {r0, r1, r2}\n\t" \
  "ldm r2, {r4-r7}\n\t"       \
  "mov r8, r4\n\t"            \
  "mov r9, r5\n\t"            \
  "mov r10, r6\n\t"           \
  "mov r11, r7\n\t"
// Saturates, packs and stores; an odd last output is not written. The flags of the mode last until its branch.
#define TRIMTAB_WORDS_END        \
  "ldr r12, [sp]\n\t"            \
  "ldr r0, [r12]\n\t"            \
  "ldr r1, [r12, #12]\n\t"       \
  "adds r0, %[step]\n\t"         \
  "str r0, [r12]\n\t"            \
  "ldr lr, [r12, #32]\n\t"       \
  "cmp lr, #1\n\t"               \
  "bhi 5f\n\t"                   \
  "ldr lr, [r12, #36]\n\t"       \
  "ldm r1, {r0, r1, r2, r3}\n\t" \
  "smmlar r4, r4, r0, lr\n\t"    \
  "smmlar r8, r8, r0, lr\n\t"    \
  "smmlar r5, r5, r1, lr\n\t"    \
  "smmlar r9, r9, r1, lr\n\t"    \
  "smmlar r6, r6, r2, lr\n\t"    \
  "smmlar r10, r10, r2, lr\n\t"  \
  "smmlar r7, r7, r3, lr\n\t"    \
  "smmlar r11, r11, r3, lr\n\t"  \
  "ldrd r0, r1, [r12, #16]\n\t"  \
  "ldr r2, [r12, #24]\n\t"       \
  "beq 4f\n\t"                   \
  "usat r4, #8, r4\n\t"          \
  "usat r5, #8, r5\n\t"          \
  "usat r6, #8, r6\n\t"          \
  "usat r7, #8, r7\n\t"          \
  "usat r8, #8, r8\n\t"          \
  "usat r9, #8, r9\n\t"          \
  "usat r10, #8, r10\n\t"        \
  "usat r11, #8, r11\n"          \
  "3:\n\t"                       \
  "bfi r4, r5, #8, #8\n\t"       \
  "bfi r4, r6, #16, #8\n\t"      \
  "bfi r4, r7, #24, #8\n\t"      \
  "str r4, [r0]\n\t"             \
  "add r0, r1\n\t"               \
  "cmp r0, r2\n\t"               \
  "beq 2f\n\t"                   \
  "bfi r8, r9, #8, #8\n\t"       \
  "bfi r8, r10, #16, #8\n\t"     \
  "bfi r8, r11, #24, #8\n\t"     \
  "str r8, [r0]\n\t"             \
  "add r0, r1\n\t"               \
  "str r0, [r12, #16]\n\t"       \
  "cmp r0, r2\n\t"               \
  "bne.w 1b\n"                   \
  "2:\n\t"                       \
  "add sp, #12\n\t"              \
  "pop {r4-r11, pc}\n"           \
  "4:\n\t"                       \
  "ssat r4, #8, r4\n\t"          \
  "ssat r5, #8, r5\n\t"          \
  "ssat r6, #8, r6\n\t"          \
  "ssat r7, #8, r7\n\t"          \
  "ssat r8, #8, r8\n\t"          \
  "ssat r9, #8, r9\n\t"          \
  "ssat r10, #8, r10\n\t"        \
  "ssat r11, #8, r11\n\t"        \
  "b 3b\n"                       \
  "5:\n\t"                       \
  "add r12, #40\n\t"             \
  "stm r12, {r4-r11}\n\t"        \
  "b 2b\n"
#define TRIMTAB_WORDS(row, extend)                                                                                \
  asm volatile(TRIMTAB_WORDS_BEGIN row(extend, 0) TRIMTAB_NEXT_ROW row(extend, 3) TRIMTAB_NEXT_ROW row(extend, 6) \
                   TRIMTAB_WORDS_END                                                                              \
               :                                                                                                  \
               : [step] "i"(8 * Stride))

/// Makes the outputs of a row until `output` meets `end`, or two where only the sums are wanted.
template <bool Signed, int Stride>
__attribute__((naked, noinline)) inline void depthwise_words_row(DepthwiseWords* /*state*/) {
  if constexpr (Stride == 1) {
    if constexpr (Signed) {
      TRIMTAB_WORDS(TRIMTAB_ROW_1, "sxtb16");
    } else {
      TRIMTAB_WORDS(TRIMTAB_ROW_1, "uxtb16");
    }
  } else {
    if constexpr (Signed) {
      TRIMTAB_WORDS(TRIMTAB_ROW_2, "sxtb16");
    } else {
      TRIMTAB_WORDS(TRIMTAB_ROW_2, "uxtb16");
    }
  }
}

#undef TRIMTAB_WORDS
#undef TRIMTAB_WORDS_END
#undef TRIMTAB_WORDS_BEGIN
#undef TRIMTAB_NEXT_ROW
#undef TRIMTAB_ROW_2
#undef TRIMTAB_ROW_1
#undef TRIMTAB_SECOND
#undef TRIMTAB_FIRST
#undef TRIMTAB_COLUMN

#else

template <bool Signed, int Stride>
inline void depthwise_words_row(DepthwiseWords* state) {
  using A = Activations<8, Signed>;
  do {
    for (int32_t i = 0; i < 8; ++i) {
      const int32_t channel = i % 4;
      const uint32_t* columns = state->plane + i / 4 * Stride;
      int32_t sum = state->bias[channel];
      for (int32_t tap = 0; tap < depthwise_words_taps; ++tap) {
        const uint32_t word = columns[tap / 3 * (state->row_bytes / 4) + tap % 3];
        const uint32_t inputs = channel % 2 == 0 ? A::template pair<0>(word) : A::template pair<1>(word);
        const uint32_t weights = state->weights[2 * tap + channel % 2];
        sum += channel < 2 ? dsp::low_half(inputs) * dsp::low_half(weights)
                           : dsp::high_half(inputs) * dsp::high_half(weights);
      }
      state->sums[i] = sum;
    }
    state->plane += 2 * Stride;
    if (state->mode == 2) return;
    for (int32_t i = 0; i < 8 && state->output != state->end; i += 4, state->output += state->stride) {
      for (int32_t channel = 0; channel < 4; ++channel) {
        const int32_t value = dsp::smmlar(state->sums[i + channel], state->multiplier[channel], state->zero);
        state->output[channel] = static_cast<uint8_t>(state->mode == 0 ? dsp::usat<8>(value) : dsp::ssat<8>(value));
      }
    }
  } while (state->output != state->end);
}

#endif

/// The words of four channels that a strip needs.
struct DepthwiseWordsPlane {
  const Convolution& step;
  Strip strip;
  uint32_t* words;
  int32_t row_words, rows;

  void clear(uint32_t padding) const {
    uint32_t* to = words;
    for (int32_t i = rows * row_words; i > 0; --i) *to++ = padding;
  }

  /// The image's words of the channels from `channel` on; what lies outside the image stays as it is.
  void fill(InputRows input, int32_t channel) const {
    const Window& window = step.window;
    const int32_t stride = step.input.pixel_stride;
    const int32_t room = row_words - window.pad_left;
    const int32_t width = step.input.width < room ? step.input.width : room;
    uint32_t* to = words + window.pad_left;
    int32_t row = strip.first * window.stride_rows - window.pad_top;
    for (int32_t i = rows; i > 0; --i, ++row, to += row_words) {
      if (row < 0 || row >= step.input.height) continue;
      const uint8_t* from = input[row] + channel;
      uint32_t* const end = to + width;
#pragma GCC unroll 4
      for (uint32_t* word = to; word != end; ++word, from += stride) *word = load_word(from);
    }
  }
};

/// A row whose outputs have any format, range and shift.
template <bool Signed, int Stride>
inline void depthwise_words_any(const Convolution& step, DepthwiseWords* state, int32_t channel) {
  for (int32_t x = 0; x < step.output.width; ++x) {
    if (x % 2 == 0) depthwise_words_row<Signed, Stride>(state);
    for (int32_t i = 0; i < 4; i += 2) {
      store_any(step, channel + i, 2, state->sums + x % 2 * 4 + i, state->output);
    }
    state->output += step.output.pixel_stride;
  }
}

}  // namespace detail

template <bool Signed, int WeightBits, int Stride>
__attribute__((noinline)) void depthwise_words(const Convolution& step, Strip strip, InputRows input, OutputRows output,
                                               uint8_t* scratch) {
  using detail::Store;
  constexpr int32_t taps = depthwise_words_taps;
  auto* const weights = reinterpret_cast<uint32_t*>(scratch);
  const detail::DepthwiseWordsPlane plane{step, strip, weights + 2 * taps, depthwise_words_plane_row(step),
                                          (strip.count - 1) * step.window.stride_rows + 3};
  auto* const decoded = reinterpret_cast<uint8_t*>(plane.words + plane.rows * plane.row_words);
  detail::DepthwiseWords state;
  const Store kind = detail::store_of(step, true);
  const bool any = step.shift != 0 || (kind != Store::u8 && kind != Store::s8);
  state.mode = any ? 2 : kind == Store::u8 ? 0 : 1;
  state.zero = step.output_zero;
  state.weights = weights;
  state.stride = step.output.pixel_stride;
  state.row_bytes = 4 * plane.row_words;
  for (int32_t channel = 0; channel < step.output.channels; channel += 4) {
    const int32_t first_word = channel / 4 * taps;
    const uint8_t* bytes = step.weights + 4 * first_word;
    if constexpr (WeightBits < 8) {
      const int32_t before = first_word % plane_group_words;
      unpack_weight_planes<WeightBits>(step.weights + weight_planes_bytes(first_word - before, WeightBits),
                                       before + taps, decoded);
      bytes = decoded + 4 * before;
    }
    for (int32_t tap = 0; tap < taps; ++tap) {
      const uint32_t word = load_word(bytes + 4 * tap);
      dsp::store_two<0>(weights + 2 * tap, dsp::sxtb16<0>(word), dsp::sxtb16<8>(word));
    }
    if (channel == 0 || step.padding_value != nullptr) {
      uint32_t padding = 0;
      for (int32_t i = 0; i < 4 && step.padding_value != nullptr; ++i) {
        padding |= (static_cast<uint32_t>(step.padding_value[channel + i]) & 255U) << (8 * i);
      }
      plane.clear(padding);
    }
    plane.fill(input, channel);
    state.bias = step.bias + channel;
    state.multiplier = step.multiplier + channel;
    for (int32_t y = 0; y < strip.count; ++y) {
      state.plane = plane.words + y * step.window.stride_rows * plane.row_words;
      state.output = output[strip.first + y];
      if (any) {
        detail::depthwise_words_any<Signed, Stride>(step, &state, channel);
      } else {
        state.output += channel;
        state.end = state.output + step.output.width * state.stride;
        detail::depthwise_words_row<Signed, Stride>(&state);
      }
    }
  }
}

/// depthwise_3x3sSTRIDE_FORMAT_wBITS_words_dsp.
#define TRIMTAB_DEPTHWISE_WORDS_(FORMAT, SIGNED, WEIGHT_BITS, STRIDE)                               \
  inline void depthwise_3x3s##STRIDE##_##FORMAT##_w##WEIGHT_BITS##_words_dsp(                       \
      const Convolution& step, Strip strip, InputRows input, OutputRows output, uint8_t* scratch) { \
    depthwise_words<SIGNED, WEIGHT_BITS, STRIDE>(step, strip, input, output, scratch);              \
  }
#define TRIMTAB_DEPTHWISE_WORDS(FORMAT, SIGNED, STRIDE) \
  TRIMTAB_DEPTHWISE_WORDS_(FORMAT, SIGNED, 2, STRIDE)   \
  TRIMTAB_DEPTHWISE_WORDS_(FORMAT, SIGNED, 3, STRIDE)   \
  TRIMTAB_DEPTHWISE_WORDS_(FORMAT, SIGNED, 4, STRIDE)   \
  TRIMTAB_DEPTHWISE_WORDS_(FORMAT, SIGNED, 5, STRIDE)   \
  TRIMTAB_DEPTHWISE_WORDS_(FORMAT, SIGNED, 6, STRIDE)   \
  TRIMTAB_DEPTHWISE_WORDS_(FORMAT, SIGNED, 7, STRIDE)   \
  TRIMTAB_DEPTHWISE_WORDS_(FORMAT, SIGNED, 8, STRIDE)

TRIMTAB_DEPTHWISE_WORDS(u8, false, 1)
TRIMTAB_DEPTHWISE_WORDS(u8, false, 2)
TRIMTAB_DEPTHWISE_WORDS(s8, true, 1)
TRIMTAB_DEPTHWISE_WORDS(s8, true, 2)

#undef TRIMTAB_DEPTHWISE_WORDS_
#undef TRIMTAB_DEPTHWISE_WORDS

}  // namespace trimtab::TRIMTAB_RUNTIME
