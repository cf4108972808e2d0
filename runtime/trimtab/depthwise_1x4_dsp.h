#pragma once

// Depthwise convolution on cores with the DSP extension: any kernel, strides 1 and 2, activations of 8, 4 or 2 bits,
// weights of 2 to 8 bits. Four channels at a time are transposed into planes of 16-bit halves, padding included, a band
// of rows at a time; then each channel makes four outputs of a row at once, two products per SMLAD. A channel's plane
// is complete before its outputs are written, and outputs only touch bytes of the same four channels: it runs in place.
//
// With stride 1 an even output takes the taps of a row as (w0, w1), (w2, 0) and an odd one as (0, w0), (w1, w2).
// The kernel's height is a template parameter for 3 x 3: without loops over rows that takes 17.5 instead of 21
// instructions per output.
//
// The packed weights begin with a word: the output rows of a band. Then follow the channels in fours as in weights.h,
// each four from a byte on.
//
// Scratch: the words of four channels' weights, their unpacked bytes, four planes.

#include "trimtab/columns_dsp.h"
#include "trimtab/multiply_4x2_dsp.h"
#include "trimtab/nested_weights.h"
#include "trimtab/weights.h"

namespace trimtab::TRIMTAB_RUNTIME {

constexpr int32_t depthwise_1x4_header_bytes = 4;

struct DepthwiseLayout {
  int32_t taps;       // of a channel
  int32_t row_taps;   // words of two taps that an output reads of a kernel row
  int32_t row_words;  // weights of a kernel row
  int32_t plane_row;  // words of a row of a plane
  /// Rows of a plane that `rows` output rows need.
  static constexpr int32_t plane_rows(const Convolution& step, int32_t rows) {
    return (rows - 1) * step.window.stride_rows + step.window.kernel_height;
  }
  constexpr int32_t weight_bytes(const Convolution& step) const {
    return 4 * (row_words * step.window.kernel_height * 4) + (4 * taps + 7) / 8 * 8;
  }
};

constexpr DepthwiseLayout depthwise_layout(const Convolution& step) {
  const int32_t width = step.window.kernel_width;
  const int32_t outputs = (step.output.width + 3) / 4 * 4;
  const bool single = step.window.stride_columns == 1;
  const int32_t row_taps = single ? width / 2 + 1 : (width + 1) / 2;
  return {step.window.kernel_height * width, row_taps, single ? 2 * row_taps : row_taps,
          (single ? outputs / 2 : outputs) + row_taps - 1};
}

/// Scratch memory where `rows` output rows are made at a time.
constexpr int32_t depthwise_1x4_scratch_bytes(const Convolution& step, int32_t rows) {
  const DepthwiseLayout layout = depthwise_layout(step);
  return layout.weight_bytes(step) + 16 * layout.plane_row * DepthwiseLayout::plane_rows(step, rows);
}

namespace detail {

/// The words that an output multiplies its inputs by, from the taps of one channel.
template <bool Nested>
inline void arrange_taps(const Convolution& step, const DepthwiseLayout& layout, const int8_t* taps, uint32_t* words) {
  const auto next = [&] {
    const int8_t tap = *taps++;
    return static_cast<uint32_t>(Nested ? nested_weight(tap, step.weight_bits) : tap);
  };
  const int32_t width = step.window.kernel_width;
  const bool single = step.window.stride_columns == 1;
  for (int32_t i = step.window.kernel_height; i > 0; --i) {
    uint32_t before = 0;  // the tap on the left
    int32_t left = width;
    for (int32_t t = layout.row_taps; t > 0; --t) {
      const uint32_t low = left > 0 ? next() : 0;
      const uint32_t high = left > 1 ? next() : 0;
      left -= 2;
      *words++ = dsp::halves(low, high);
      if (single) *words++ = dsp::halves(before, low);
      before = high;
    }
  }
}

/// The next `Channels` (4 at most) activations at a byte, as halves (0, 2) and (1, 3) after A::pair.
template <class A>
inline uint32_t load_four(const uint8_t* from, int32_t bytes) {
  uint32_t word;
  if (bytes == A::bits / 2) {
    if constexpr (A::bits == 8) {
      word = load_word(from);
    } else if constexpr (A::bits == 4) {
      word = static_cast<uint32_t>(from[0] | from[1] << 8);
    } else {
      word = from[0];
    }
  } else {
    word = from[0];
    if (bytes > 1) word |= static_cast<uint32_t>(from[1]) << 8;
    if (bytes > 2) word |= static_cast<uint32_t>(from[2]) << 16;
  }
  return A::bits == 8 ? word : word | word << (16 - 2 * A::bits);
}

/// Four planes, row by row.
template <class A>
struct Planes {
  const Convolution& step;
  const DepthwiseLayout& layout;
  uint32_t* plane;      // the first channel's
  int32_t plane_words;  // from one plane to the next
  InputRows input;
  int32_t bytes;  // of the channels in a pixel
  uint32_t padding[4];

  void store_half(uint32_t* row, int32_t column, int32_t channel, uint32_t value) const {
    const auto half = static_cast<uint16_t>(value);
    memcpy(reinterpret_cast<uint8_t*>(row + channel * plane_words) + 2 * column, &half, sizeof half);
  }

  /// Fills rows with padding.
  void clear(int32_t index, int32_t rows) const {
    for (int32_t channel = 0; channel < 4; ++channel) {
      const uint32_t both = dsp::halves(padding[channel], padding[channel]);
      uint32_t* to = plane + channel * plane_words + index * layout.plane_row;
      for (int32_t i = rows * layout.plane_row; i > 0; --i) *to++ = both;
    }
  }

  /// Input row `y`, which may lie outside, as row `index` of the planes, whose first and last columns hold the padding.
  void fill(int32_t index, int32_t y) const {
    if (y < 0 || y >= step.input.height) {
      clear(index, 1);
      return;
    }
    uint32_t* const row = plane + index * layout.plane_row;
    const int32_t end = 2 * layout.plane_row;
    const int32_t left = step.window.pad_left < end ? step.window.pad_left : end;
    const int32_t right = left + step.input.width < end ? left + step.input.width : end;
    const int32_t stride = step.input.pixel_stride;
    const uint8_t* from = input[y];
    int32_t column = left;
    const auto single = [&] {
      const uint32_t word = load_four<A>(from, bytes);
      const uint32_t even = A::template pair<0>(word);
      const uint32_t odd = A::template pair<1>(word);
      store_half(row, column, 0, even);
      store_half(row, column, 1, odd);
      store_half(row, column, 2, even >> 16);
      store_half(row, column, 3, odd >> 16);
      from += stride;
      ++column;
    };
    if (column % 2 != 0 && column < right) single();
    uint32_t* to = row + column / 2;
    uint32_t* const last = row + right / 2;
    uint32_t* to2 = to + 2 * plane_words;
    const int32_t words = plane_words;
    if (bytes == A::bits / 2) {
      for (; to < last; ++to, ++to2, from += 2 * stride) {
        const uint32_t a = load_four<A>(from, A::bits / 2);
        const uint32_t b = load_four<A>(from + stride, A::bits / 2);
        const uint32_t a02 = A::template pair<0>(a), b02 = A::template pair<0>(b);
        const uint32_t a13 = A::template pair<1>(a), b13 = A::template pair<1>(b);
        to[0] = dsp::pack_low(a02, b02);
        to[words] = dsp::pack_low(a13, b13);
        to2[0] = dsp::pack_high(a02, b02);
        to2[words] = dsp::pack_high(a13, b13);
      }
      column = right / 2 * 2 > column ? right / 2 * 2 : column;
    }
    while (column < right) single();
  }

  /// Moves the last rows of a band to the front of the next.
  void keep(int32_t from_row, int32_t rows) const {
    for (int32_t channel = 0; channel < 4; ++channel) {
      uint32_t* to = plane + channel * plane_words;
      const uint32_t* from = to + from_row * layout.plane_row;
      for (int32_t i = rows * layout.plane_row; i > 0; --i) *to++ = *from++;
    }
  }
};

/// Writes results of one channel.
struct DepthwiseStore {
  Store kind;
  int32_t multiplier, shift, zero, minimum, maximum, channel;
  ActivationFormat format;

  __attribute__((noinline)) void other(uint8_t* pixel, int32_t value) const {
    store_activation(pixel, channel, saturate(value, minimum, maximum), format);
  }

  void operator()(uint8_t* pixel, int32_t sum) const {
    const int32_t value = dsp::smmlar(static_cast<int32_t>(static_cast<uint32_t>(sum) << shift), multiplier, zero);
    if (kind == Store::u8) {
      pixel[channel] = static_cast<uint8_t>(dsp::usat<8>(value));
    } else {
      other(pixel, value);
    }
  }
};

/// Sums of four outputs of a row of one channel, of two or of one: StrideOne, words of two taps in a kernel row, and
/// kernel rows (0: any).
template <bool StrideOne, int RowTaps, int Rows, int Outputs>
inline void depthwise_sums(const uint32_t* in, int32_t row_words, const uint32_t* w, int32_t rows, int32_t& a,
                           int32_t& b, int32_t& c, int32_t& d) {
  const auto row = [&] {
    if constexpr (StrideOne) {
      uint32_t first = in[0];
#pragma GCC unroll 4
      for (int32_t t = 0; t < RowTaps; ++t) {
        const uint32_t even = w[2 * t];
        [[maybe_unused]] const uint32_t odd = w[2 * t + 1];
        a = dsp::smlad(first, even, a);
        if constexpr (Outputs > 1) b = dsp::smlad(first, odd, b);
        if (Outputs == 4 || t + 1 < RowTaps) first = in[t + 1];
        if constexpr (Outputs == 4) {
          c = dsp::smlad(first, even, c);
          d = dsp::smlad(first, odd, d);
        }
      }
      w += 2 * RowTaps;
    } else {
#pragma GCC unroll 4
      for (int32_t t = 0; t < RowTaps; ++t) {
        const uint32_t taps = w[t];
        a = dsp::smlad(in[t], taps, a);
        if constexpr (Outputs > 1) b = dsp::smlad(in[t + 1], taps, b);
        if constexpr (Outputs == 4) {
          c = dsp::smlad(in[t + 2], taps, c);
          d = dsp::smlad(in[t + 3], taps, d);
        }
      }
      w += RowTaps;
    }
    in += row_words;
  };
  if constexpr (Rows > 0) {
#pragma GCC unroll 3
    for (int32_t i = 0; i < Rows; ++i) row();
  } else {
#pragma GCC unroll 1
    for (int32_t i = 0; i < rows; ++i) row();
  }
}

/// Rows [0, rows) of a band, one channel, as u8 or u4 over their whole range or as bytes from 0 on, each without a zero
/// point, which would take a register too much, or as anything else.
template <bool StrideOne, int RowTaps, int Rows, Store Kind>
inline void depthwise_rows_as(const Convolution& step, const uint32_t* plane, int32_t row_words,
                              const uint32_t* weights, int32_t rows, int32_t bias, const DepthwiseStore& given,
                              uint8_t* output) {
  const DepthwiseStore store = given;
  const int32_t stride = step.output.pixel_stride;
  const int32_t width = step.output.width;
  const int32_t kernel_rows = step.window.kernel_height;
  const int32_t plane_step = step.window.stride_rows * row_words;
  if (Kind == Store::u8 || Kind == Store::byte) output += store.channel;
  if (Kind == Store::nibble) output += store.channel / 2;
  [[maybe_unused]] const int32_t nibble = store.channel % 2 * 4;
  const auto put = [&](int32_t sum) {
    if constexpr (Kind == Store::u8) {
      *output = static_cast<uint8_t>(dsp::usat<8>(dsp::smmulr(sum, store.multiplier)));
    } else if constexpr (Kind == Store::byte) {
      const auto scaled = static_cast<int32_t>(static_cast<uint32_t>(sum) << store.shift);
      const int32_t value = dsp::usat<8>(dsp::smmulr(scaled, store.multiplier));
      *output = static_cast<uint8_t>(value < store.maximum ? value : store.maximum);
    } else if constexpr (Kind == Store::nibble) {
      const int32_t value = dsp::usat<4>(dsp::smmulr(sum, store.multiplier));
      *output = static_cast<uint8_t>((*output & (0xf0 >> nibble)) | value << nibble);
    } else {
      store(output, sum);
    }
    output += stride;
  };
  for (; rows > 0; --rows, plane += plane_step) {
    const uint32_t* in = plane;
    int32_t left = width;
    for (; left > 2; left -= 4, in += StrideOne ? 2 : 4) {
      int32_t a = bias, b = bias, c = bias, d = bias;
      depthwise_sums<StrideOne, RowTaps, Rows, 4>(in, row_words, weights, kernel_rows, a, b, c, d);
      put(a);
      put(b);
      put(c);
      if (left > 3) put(d);
    }
    if (left <= 0) continue;
    int32_t a = bias, b = bias;
    if (left > 1) {
      depthwise_sums<StrideOne, RowTaps, Rows, 2>(in, row_words, weights, kernel_rows, a, b, a, b);
      put(a);
      put(b);
    } else {
      depthwise_sums<StrideOne, RowTaps, Rows, 1>(in, row_words, weights, kernel_rows, a, a, a, a);
      put(a);
    }
  }
}

/// `AtPoints`: other operating points may have smaller ranges and other shifts; all from 0 on take the same time.
template <bool StrideOne, int RowTaps, int Rows, bool AtPoints = false>
__attribute__((noinline)) void depthwise_rows(const Convolution& step, const uint32_t* plane, int32_t row_words,
                                              const uint32_t* weights, int32_t rows, int32_t bias,
                                              const DepthwiseStore& store, uint8_t* output) {
  if constexpr (AtPoints) {
    if (store.minimum == 0 && store.format.bits == 8 && !store.format.is_signed) {
      depthwise_rows_as<StrideOne, RowTaps, Rows, Store::byte>(step, plane, row_words, weights, rows, bias, store,
                                                               output);
    } else {
      depthwise_rows_as<StrideOne, RowTaps, Rows, Store::any>(step, plane, row_words, weights, rows, bias, store,
                                                              output);
    }
    return;
  }
  const bool plain = store.shift == 0 && store.minimum == 0 && store.zero == 0;
  if (plain && store.kind == Store::u8) {
    depthwise_rows_as<StrideOne, RowTaps, Rows, Store::u8>(step, plane, row_words, weights, rows, bias, store, output);
  } else if (plain && store.format.bits == 4 && store.maximum == 15) {
    depthwise_rows_as<StrideOne, RowTaps, Rows, Store::nibble>(step, plane, row_words, weights, rows, bias, store,
                                                               output);
  } else {
    depthwise_rows_as<StrideOne, RowTaps, Rows, Store::any>(step, plane, row_words, weights, rows, bias, store, output);
  }
}

using DepthwiseRows = void (*)(const Convolution&, const uint32_t*, int32_t, const uint32_t*, int32_t, int32_t,
                               const DepthwiseStore&, uint8_t*);

/// All of a layer with one function for its rows. `Nested`: weights are bytes as in nested_weights.h.
template <class A, bool Nested = false>
inline void depthwise(const Convolution& step, Strip strip, InputRows input, OutputRows output, uint8_t* scratch,
                      DepthwiseRows run_rows) {
  const Window& window = step.window;
  const DepthwiseLayout layout = depthwise_layout(step);
  const auto band_rows = static_cast<int32_t>(load_word(step.weights));
  const uint8_t* packed = step.weights + depthwise_1x4_header_bytes;
  auto* const words = reinterpret_cast<uint32_t*>(scratch);
  const int32_t channel_words = layout.row_words * window.kernel_height;
  auto* const taps = reinterpret_cast<int8_t*>(words + 4 * channel_words);
  auto* const planes = reinterpret_cast<uint32_t*>(scratch + layout.weight_bytes(step));
  const int32_t plane_words = layout.plane_row * DepthwiseLayout::plane_rows(step, band_rows);
  Store kind = store_of(step, false);
  if (kind != Store::u8) kind = Store::any;

  for (int32_t first = 0; first < step.output.channels; first += 4) {
    const int32_t channels = step.output.channels - first < 4 ? step.output.channels - first : 4;
    const auto* channel_taps = reinterpret_cast<const int8_t*>(packed);
    const int stored_bits = Nested ? 8 : step.weight_bits;
    if (stored_bits < 8) {
      unpack_weights(packed, channels * layout.taps, step.weight_bits, taps);
      channel_taps = taps;
    }
    packed += packed_filter_bytes(channels * layout.taps, stored_bits);
    InputRows channel_rows = input;
    channel_rows.base += first * A::bits / 8;
    Planes<A> source{step, layout, planes, plane_words, channel_rows, (channels * A::bits + 7) / 8, {0, 0, 0, 0}};
    for (int32_t i = 0; i < channels; ++i) {
      arrange_taps<Nested>(step, layout, channel_taps + i * layout.taps, words + i * channel_words);
      if (step.padding_value != nullptr) source.padding[i] = static_cast<uint32_t>(step.padding_value[first + i]);
    }
    // rows of the image leave the borders as they are: zeros stay for all channels
    if (first == 0 || step.padding_value != nullptr) source.clear(0, plane_words / layout.plane_row);
    int32_t held = 0;  // rows of the planes that are filled already
    const int32_t end = strip.first + strip.count;
    for (int32_t y = strip.first; y < end; y += band_rows) {
      const int32_t rows = end - y < band_rows ? end - y : band_rows;
      const int32_t needed = DepthwiseLayout::plane_rows(step, rows);
      const int32_t top = y * window.stride_rows - window.pad_top;
      for (int32_t i = held; i < needed; ++i) source.fill(i, top + i);
      for (int32_t i = 0; i < channels; ++i) {
        const int32_t channel = first + i;
        const DepthwiseStore store{
            kind,    step.multiplier[channel], step.shift, step.output_zero, step.output_minimum, step.output_maximum,
            channel, step.output.format};
        const uint32_t* plane = planes + i * plane_words;
        const int32_t together = output.is_dense() ? rows : 1;
        for (int32_t row = 0; row < rows; row += together, plane += window.stride_rows * layout.plane_row) {
          run_rows(step, plane, layout.plane_row, words + i * channel_words, together, step.bias[channel], store,
                   output[y + row]);
        }
      }
      held = window.kernel_height > window.stride_rows ? window.kernel_height - window.stride_rows : 0;
      source.keep(rows * window.stride_rows, held);
    }
  }
}

/// The function for a kernel width up to 7.
template <bool StrideOne, bool AtPoints = false>
inline DepthwiseRows depthwise_rows_of(const Convolution& step) {
  const int32_t taps = depthwise_layout(step).row_taps;
  if (taps == 1) return depthwise_rows<StrideOne, 1, 0, AtPoints>;
  if (taps == 2) return depthwise_rows<StrideOne, 2, 0, AtPoints>;
  if (taps == 3) return depthwise_rows<StrideOne, 3, 0, AtPoints>;
  return depthwise_rows<StrideOne, 4, 0, AtPoints>;
}

}  // namespace detail

#define TRIMTAB_DEPTHWISE(FORMAT, BITS, SIGNED)                                                                      \
  inline void depthwise_3x3s1_##FORMAT##_1x4_dsp(const Convolution& step, Strip strip, InputRows input,              \
                                                 OutputRows output, uint8_t* scratch) {                              \
    detail::depthwise<Activations<BITS, SIGNED>>(step, strip, input, output, scratch,                                \
                                                 detail::depthwise_rows<true, 2, 3>);                                \
  }                                                                                                                  \
  inline void depthwise_3x3s2_##FORMAT##_1x4_dsp(const Convolution& step, Strip strip, InputRows input,              \
                                                 OutputRows output, uint8_t* scratch) {                              \
    detail::depthwise<Activations<BITS, SIGNED>>(step, strip, input, output, scratch,                                \
                                                 detail::depthwise_rows<false, 2, 3>);                               \
  }                                                                                                                  \
  inline void depthwise_##FORMAT##_1x4_dsp(const Convolution& step, Strip strip, InputRows input, OutputRows output, \
                                           uint8_t* scratch) {                                                       \
    detail::depthwise<Activations<BITS, SIGNED>>(step, strip, input, output, scratch,                                \
                                                 step.window.stride_columns == 1                                     \
                                                     ? detail::depthwise_rows_of<true>(step)                         \
                                                     : detail::depthwise_rows_of<false>(step));                      \
  }

TRIMTAB_DEPTHWISE(u8, 8, false)
TRIMTAB_DEPTHWISE(s8, 8, true)
TRIMTAB_DEPTHWISE(u4, 4, false)
TRIMTAB_DEPTHWISE(s4, 4, true)
TRIMTAB_DEPTHWISE(u2, 2, false)
TRIMTAB_DEPTHWISE(s2, 2, true)

#undef TRIMTAB_DEPTHWISE

/// Nested weights (nested_weights.h), activations of 8 bits, any kernel.
#define TRIMTAB_DEPTHWISE_NESTED(FORMAT, SIGNED)                                                                 \
  inline void depthwise_##FORMAT##_nested_1x4_dsp(const Convolution& step, Strip strip, InputRows input,         \
                                                  OutputRows output, uint8_t* scratch) {                         \
    const bool three = step.window.kernel_height == 3 && step.window.kernel_width == 3;                          \
    const bool single = step.window.stride_columns == 1;                                                         \
    const detail::DepthwiseRows rows =                                                                           \
        three    ? single ? detail::depthwise_rows<true, 2, 3, true> : detail::depthwise_rows<false, 2, 3, true> \
           : single ? detail::depthwise_rows_of<true, true>(step)                                                \
                 : detail::depthwise_rows_of<false, true>(step);                                                 \
    detail::depthwise<Activations<8, SIGNED>, true>(step, strip, input, output, scratch, rows);                  \
  }

TRIMTAB_DEPTHWISE_NESTED(u8, false)
TRIMTAB_DEPTHWISE_NESTED(s8, true)

#undef TRIMTAB_DEPTHWISE_NESTED

}  // namespace trimtab::TRIMTAB_RUNTIME
