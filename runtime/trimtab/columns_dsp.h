#pragma once

// Gathers the inputs of four output pixels, or two, as columns (column_layout.h) of 16-bit halves: of n pixels, pair k
// of pixel p is word n * k + p, so that each LDRD brings one pair of two. Windows that reach over the image's edge are
// padded here.

#include "trimtab/column_layout.h"
#include "trimtab/dsp.h"
#include "trimtab/rows.h"

namespace trimtab::TRIMTAB_RUNTIME {

/// Activations of 8, 4 or 2 bits: how a word of them becomes pairs.
template <int Bits, bool Signed>
struct Activations {
  static constexpr uint8_t bits = Bits;
  static constexpr bool is_signed = Signed;
  static constexpr int32_t per_word = 32 / Bits;
  static constexpr int32_t pairs_per_word = per_word / 2;

  /// Pair Index of a word: its activations Index and Index + per_word / 2.
  template <int Index>
  static uint32_t pair(uint32_t word) {
    if constexpr (Bits == 8) {
      return Signed ? dsp::sxtb16<8 * Index>(word) : dsp::uxtb16<8 * Index>(word);
    } else {
      constexpr uint32_t ones = 0x00010001U;
      constexpr uint32_t mask = ones * ((1U << Bits) - 1);
      if constexpr (!Signed) return word >> (Bits * Index) & mask;
      // two's complement to 16 bits: flip the sign bit and subtract its value
      constexpr uint32_t sign = ones << (Bits - 1);
      return dsp::ssub16((word >> (Bits * Index) & mask) ^ sign, sign);
    }
  }
};

namespace detail {

/// The rest of a run, r < per_word activations, with the upper half of them moved to bit 16.
template <class A>
inline uint32_t load_rest(const uint8_t* from, int32_t rest) {
  if constexpr (A::bits == 8) {
    if (rest == 1) return from[0];
    uint16_t half;
    memcpy(&half, from, sizeof half);
    // only bytes 0 and 2 of two activations are read
    return rest == 2 ? half | static_cast<uint32_t>(half) << 8 : half | static_cast<uint32_t>(from[2]) << 16;
  } else {
    const int32_t bytes = (rest * A::bits + 7) / 8;
    uint32_t word = from[0];
    if (bytes > 1) word |= static_cast<uint32_t>(from[1]) << 8;
    if (bytes > 2) word |= static_cast<uint32_t>(from[2]) << 16;
    if (bytes > 3) word |= static_cast<uint32_t>(from[3]) << 24;
    const int32_t low_bits = (rest + 1) / 2 * A::bits;
    return (word & ((1U << low_bits) - 1)) | word >> low_bits << 16;
  }
}

/// Its pairs, for one pixel.
template <class A, int Pixels>
inline void expand_rest(const uint8_t* from, int32_t rest, uint32_t* column) {
  uint32_t word = load_rest<A>(from, rest);
  *column = A::template pair<0>(word);
  for (rest -= 2; rest > 0; rest -= 2) {
    word >>= A::bits;
    column += Pixels;
    *column = A::template pair<0>(word);
  }
}

/// Writes the pairs of one word, `count` at most, for one pixel.
template <class A, int Pixels, int Index = 0>
inline void store_pairs(uint32_t word, uint32_t* column) {
  if constexpr (Index < A::pairs_per_word) {
    column[Pixels * Index] = A::template pair<Index>(word);
    store_pairs<A, Pixels, Index + 1>(word, column);
  }
}

/// The same for two pixels.
template <class A, int Index = 0>
inline void store_pairs_2(uint32_t a, uint32_t b, uint32_t* column) {
  if constexpr (Index < A::pairs_per_word) {
    dsp::store_two<2 * Index>(column, A::template pair<Index>(a), A::template pair<Index>(b));
    store_pairs_2<A, Index + 1>(a, b, column);
  }
}

/// The same for four pixels.
template <class A, int Index = 0>
inline void store_pairs_4(uint32_t a, uint32_t b, uint32_t c, uint32_t d, uint32_t* column) {
  if constexpr (Index < A::pairs_per_word) {
    dsp::store_two<4 * Index>(column, A::template pair<Index>(a), A::template pair<Index>(b));
    dsp::store_two<4 * Index + 2>(column, A::template pair<Index>(c), A::template pair<Index>(d));
    store_pairs_4<A, Index + 1>(a, b, c, d, column);
  }
}

/// One run of one pixel.
template <class A, int Pixels>
inline void expand(const uint8_t* from, int32_t length, uint32_t* column) {
  for (; length >= A::per_word; length -= A::per_word) {
    store_pairs<A, Pixels>(load_word(from), column);
    from += 4;
    column += Pixels * A::pairs_per_word;
  }
  if (length > 0) expand_rest<A, Pixels>(from, length, column);
}

/// One run of two pixels.
template <class A>
inline void expand_2(const uint8_t* from, const uint8_t* second, int32_t length, uint32_t* column) {
  const uint8_t* const end = from + length / A::per_word * 4;
  while (from != end) {
    const uint32_t a = load_word(from), b = load_word(second);
    from += 4;
    second += 4;
    store_pairs_2<A>(a, b, column);
    column += 2 * A::pairs_per_word;
  }
  length %= A::per_word;
  if (length > 0) {
    expand_rest<A, 2>(from, length, column);
    expand_rest<A, 2>(second, length, column + 1);
  }
}

/// One run of four pixels.
template <class A>
inline void expand_4(const uint8_t* from, const uint8_t* second, const uint8_t* third, const uint8_t* fourth,
                     int32_t length, uint32_t* column) {
  const uint8_t* const end = from + length / A::per_word * 4;
  while (from != end) {
    const uint32_t a = load_word(from), b = load_word(second), c = load_word(third), d = load_word(fourth);
    from += 4;
    second += 4;
    third += 4;
    fourth += 4;
    store_pairs_4<A>(a, b, c, d, column);
    column += 4 * A::pairs_per_word;
  }
  length %= A::per_word;
  if (length > 0) {
    expand_rest<A, 4>(from, length, column);
    expand_rest<A, 4>(second, length, column + 1);
    expand_rest<A, 4>(third, length, column + 2);
    expand_rest<A, 4>(fourth, length, column + 3);
  }
}

/// One run of all pixels, each `apart` bytes behind the one before.
template <class A, int Pixels>
inline void expand_all(const uint8_t* from, int32_t apart, int32_t length, uint32_t* column) {
  if constexpr (Pixels == 4) {
    expand_4<A>(from, from + apart, from + 2 * apart, from + 3 * apart, length, column);
  } else {
    expand_2<A>(from, from + apart, length, column);
  }
}

}  // namespace detail

/// Walks over the output pixels of a convolution's strip, row by row, and makes their columns.
template <class A, int Pixels>
class Columns {
  static_assert(Pixels == 4 || Pixels == 2);

 public:
  /// Columns of one group of channels, from row `first_row` on. `dense`: so lie the rows of both images.
  Columns(const Convolution& step, int32_t group, InputRows input, int32_t first_row, bool dense)
      : step_(step), layout_(column_layout(step)), rows_(input), y_(first_row) {
    const Window& window = step.window;
    channels_ = step.input.channels / step.groups;
    rows_.base += group * channels_ * A::bits / 8;
    padding_ = step.padding_value == nullptr ? nullptr : step.padding_value + group * channels_;
    flat_ = dense && window.kernel_height == 1 && window.kernel_width == 1 && window.stride_rows == 1 &&
            window.stride_columns == 1 && window.pad_top == 0 && window.pad_left == 0 &&
            step.output.width == step.input.width && step.output.height == step.input.height;
    // a pointwise convolution sees one long row
    input_width_ = flat_ ? step.input.width * step.input.height : step.input.width;
    output_width_ = flat_ ? step.output.width * step.output.height : step.output.width;
    if (flat_) {
      x_ = first_row * step.output.width;
      y_ = 0;
    }
    reach_ = (window.kernel_width - 1) * window.dilation_columns;
    tap_aligned_ = layout_.runs_per_row > 1 || window.kernel_width == 1 || channels_ % A::per_word == 0;
    edge_bytes_ = fits_edge_bytes();
    row_words_ = Pixels * layout_.run_pairs * layout_.runs_per_row;
  }

  int32_t pairs() const { return layout_.pairs(); }

  /// Columns of the next `count` <= Pixels pixels.
  void gather(int32_t count, uint32_t* column) {
    const Window& window = step_.window;
    const int32_t left = x_ * window.stride_columns - window.pad_left;
    const int32_t top = y_ * window.stride_rows - window.pad_top;
    if (count == Pixels && x_ + Pixels <= output_width_) {
      const int32_t step = window.stride_columns;
      const bool inside = left >= 0 && left + (Pixels - 1) * step + reach_ < input_width_;
      for (int32_t i = 0, row = top; i < layout_.rows; ++i, row += window.dilation_rows) {
        const bool row_inside = static_cast<uint32_t>(row) < static_cast<uint32_t>(step_.input.height) || flat_;
        if (row_inside && inside) {
          gather_inside(pixel(row, left), column);
        } else if (!row_inside && padding_ == nullptr) {
          fill_row_zeros(column);
        } else if (row_inside && layout_.runs_per_row == 1 && edge_bytes_) {
          gather_edge_bytes(row, left, column);
        } else if (row_inside && layout_.runs_per_row == 1 && tap_aligned_ && padding_ == nullptr) {
          gather_edge_taps(row, left, column);
        } else {
          for (int32_t p = 0; p < Pixels; ++p) gather_row(row, left + p * step, column + p);
        }
        column += row_words_;
      }
      advance(Pixels);
      return;
    }
    for (int32_t p = 0; p < count; ++p) {
      gather_pixel(column + p);
      advance(1);
    }
  }

 private:
  static constexpr int32_t most_edge_bytes = 32;

  const uint8_t* pixel(int32_t row, int32_t column) const { return rows_[row] + column * step_.input.pixel_stride; }

  /// One kernel row of all pixels, whose windows lie inside.
  void gather_inside(const uint8_t* from, uint32_t* column) const {
    const int32_t step = step_.window.stride_columns * step_.input.pixel_stride;
    for (int32_t run = 0; run < layout_.runs_per_row; ++run) {
      detail::expand_all<A, Pixels>(from, step, layout_.run_length, column);
      from += step_.window.dilation_columns * step_.input.pixel_stride;
      column += Pixels * layout_.run_pairs;
    }
  }

  /// One kernel row of all pixels, some at the edge: taps that all have, and taps that some miss.
  void gather_edge_taps(int32_t row, int32_t left, uint32_t* column) const {
    const int32_t step = step_.window.stride_columns;
    const int32_t tap_words = Pixels * run_pairs(channels_, A::per_word);
    for (int32_t tap = step_.window.kernel_width; tap > 0; --tap, ++left, column += tap_words) {
      if (left >= 0 && left + (Pixels - 1) * step < input_width_) {
        const uint8_t* from = pixel(row, left);
        detail::expand_all<A, Pixels>(from, step * step_.input.pixel_stride, channels_, column);
        continue;
      }
      for (int32_t p = 0; p < Pixels; ++p) {
        const int32_t x = left + p * step;
        if (static_cast<uint32_t>(x) < static_cast<uint32_t>(input_width_)) {
          detail::expand<A, Pixels>(pixel(row, x), channels_, column + p);
        } else {
          fill_zeros(tap_words / Pixels, column + p);
        }
      }
    }
  }

  /// The same where kernel rows are short: those that reach over the edge are put together as bytes.
  void gather_edge_bytes(int32_t row, int32_t left, uint32_t* column) const {
    uint8_t bytes[static_cast<size_t>(Pixels)][most_edge_bytes];
    const uint8_t* from[static_cast<size_t>(Pixels)];
    for (int32_t p = 0; p < Pixels; ++p, left += step_.window.stride_columns) {
      if (left >= 0 && left + reach_ < input_width_) {
        from[p] = pixel(row, left);
      } else {
        copy_edge(pixel(row, 0), left, bytes[p]);
        from[p] = bytes[p];
      }
    }
    if constexpr (Pixels == 4) {
      detail::expand_4<A>(from[0], from[1], from[2], from[3], layout_.run_length, column);
    } else {
      detail::expand_2<A>(from[0], from[1], layout_.run_length, column);
    }
  }

  void advance(int32_t pixels) {
    x_ += pixels;
    if (x_ >= output_width_) {
      x_ = 0;
      ++y_;
    }
  }

  void gather_pixel(uint32_t* column) const {
    const Window& window = step_.window;
    const int32_t left = x_ * window.stride_columns - window.pad_left;
    int32_t row = y_ * window.stride_rows - window.pad_top;
    if (layout_.runs_per_row == 1 && left >= 0 && left + reach_ < input_width_ && row >= 0 &&
        (flat_ || row + (layout_.rows - 1) * window.dilation_rows < step_.input.height)) {
      for (int32_t i = layout_.rows; i > 0; --i, row += window.dilation_rows, column += row_words_) {
        detail::expand<A, Pixels>(pixel(row, left), layout_.run_length, column);
      }
      return;
    }
    for (int32_t i = layout_.rows; i > 0; --i, row += window.dilation_rows, column += row_words_) {
      gather_row(row, left, column);
    }
  }

  /// One kernel row of one pixel, at the edge or not.
  void gather_row(int32_t row, int32_t left, uint32_t* column) const {
    const bool row_inside = static_cast<uint32_t>(row) < static_cast<uint32_t>(step_.input.height) || flat_;
    if (row_inside && left >= 0 && left + reach_ < input_width_ && layout_.runs_per_row == 1) {
      detail::expand<A, Pixels>(pixel(row, left), layout_.run_length, column);
      return;
    }
    if (!row_inside && padding_ == nullptr) {
      fill_zeros(layout_.run_pairs * layout_.runs_per_row, column);
      return;
    }
    if (edge_bytes_) {
      uint8_t bytes[most_edge_bytes];
      copy_edge(row_inside ? pixel(row, 0) : nullptr, left, bytes);
      detail::expand<A, Pixels>(bytes, layout_.run_length, column);
      return;
    }
    const int32_t tap_words = Pixels * run_pairs(channels_, A::per_word);
    for (int32_t tap = 0; tap < step_.window.kernel_width; ++tap, left += step_.window.dilation_columns) {
      const bool inside = row_inside && static_cast<uint32_t>(left) < static_cast<uint32_t>(input_width_);
      const uint8_t* from = inside ? pixel(row, left) : nullptr;
      if (!tap_aligned_ || (!inside && padding_ != nullptr)) {
        gather_tap(from, tap, column);
      } else if (inside) {
        detail::expand<A, Pixels>(from, channels_, column + tap * tap_words);
      } else {
        fill_zeros(tap_words / Pixels, column + tap * tap_words);
      }
    }
  }

  /// The bytes of a kernel row that reaches over the edge; `row` is null outside.
  void copy_edge(const uint8_t* row, int32_t left, uint8_t* bytes) const {
    for (int32_t tap = step_.window.kernel_width; tap > 0; --tap, ++left) {
      const bool inside = row != nullptr && static_cast<uint32_t>(left) < static_cast<uint32_t>(input_width_);
      const uint8_t* from = inside ? row + left * channels_ : nullptr;
      for (int32_t channel = 0; channel < channels_; ++channel) {
        *bytes++ = inside ? from[channel] : padding_ == nullptr ? uint8_t{0} : static_cast<uint8_t>(padding_[channel]);
      }
    }
  }

  /// Whether short kernel rows at the edge can be put together as bytes.
  bool fits_edge_bytes() const {
    if (A::bits != 8 || layout_.runs_per_row > 1 || layout_.run_length > most_edge_bytes) return false;
    for (int32_t channel = 0; padding_ != nullptr && channel < channels_; ++channel) {
      const int32_t value = A::is_signed ? int32_t{static_cast<int8_t>(padding_[channel])} : padding_[channel] & 255;
      if (value != padding_[channel]) return false;
    }
    return !tap_aligned_ || padding_ != nullptr;
  }

  /// One kernel row of all pixels.
  void fill_row_zeros(uint32_t* to) const {
    if constexpr (Pixels == 4) {
      for (int32_t words = row_words_; words > 0; words -= 8, to += 8) {
        dsp::store_two<0>(to, 0, 0);
        dsp::store_two<2>(to, 0, 0);
        if (words < 8) break;
        dsp::store_two<4>(to, 0, 0);
        dsp::store_two<6>(to, 0, 0);
      }
    } else {
      for (int32_t words = row_words_; words > 0; words -= 2, to += 2) dsp::store_two<0>(to, 0, 0);
    }
  }

  static void fill_zeros(int32_t pairs, uint32_t* column) {
    for (; pairs > 0; --pairs, column += Pixels) *column = 0;
  }

  /// One tap, half by half: where taps do not start at words, or the padding is not zero. `from` is null outside.
  void gather_tap(const uint8_t* from, int32_t tap, uint32_t* row_column) const {
    const bool one_run = layout_.runs_per_row == 1;
    uint32_t* column = one_run ? row_column : row_column + Pixels * tap * layout_.run_pairs;
    const int32_t first = one_run ? tap * channels_ : 0;
    for (int32_t channel = 0; channel < channels_; ++channel) {
      int32_t value = 0;
      if (from != nullptr) {
        value = load_activation(from, channel, {A::bits, A::is_signed});
      } else if (padding_ != nullptr) {
        value = padding_[channel];
      }
      const ColumnPosition at = column_position(first + channel, layout_.run_length, A::per_word);
      const auto half = static_cast<int16_t>(value);
      memcpy(reinterpret_cast<uint8_t*>(column + Pixels * at.pair) + 2 * at.lane, &half, sizeof half);
    }
  }

  const Convolution& step_;
  ColumnLayout layout_;
  InputRows rows_;
  const int16_t* padding_;  // of the group's channels, or null for zeros
  int32_t input_width_, output_width_, reach_, channels_, row_words_;
  int32_t x_ = 0, y_;
  bool flat_, tap_aligned_, edge_bytes_;
};

}  // namespace trimtab::TRIMTAB_RUNTIME
