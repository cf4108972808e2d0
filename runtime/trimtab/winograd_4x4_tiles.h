#pragma once

// 3x3 convolutions with stride 1 by exact integer F(4x4, 3x3): F(4,3) (winograd_tiles.h) along both axes, so that 36
// products per input channel take the place of 144. The points of F(4,3) along a row are transformed along the columns
// again, which gives 36 points. The factors of both axes are divided out at once: 9 by its inverse modulo 2^32, and the
// rest by a shift of up to 6 bits, so an output is right if it stays below 2^25. Transformed inputs are at most 100 *
// 128 or 50 * 255 and weights 49 * 128, or 49 * 255 of nested weights: they fit 16 bits.
//
// A strip is made in tiles of four rows and four columns, from left to right and from top to bottom. The inputs of all
// tiles are transformed first; then come the filters, two at a time: their weights are decoded and transformed once per
// strip. Four tiles are multiplied together. A number of tiles that is no multiple of four takes the time of the next.
//
// Transformed numbers lie in six planes, one for each point along a row. In a plane every pair of inputs has six points
// of a column, of four tiles or of two filters each: the layout of winograd_products_CORE.h.

#include "trimtab/winograd_tiles.h"

namespace trimtab::TRIMTAB_RUNTIME {

/// Whether the kernels by these tiles take a convolution of that shape (its padding must fit 8 bits, too).
constexpr bool winograd_4x4_takes(const Convolution& step) {
  return winograd_takes(step) && step.window.kernel_height == 3 && step.input.channels % 4 == 0;
}

/// The sums of products, bias apart, are right up to this magnitude.
constexpr int32_t winograd_4x4_largest_sum = (1 << 25) - 1;

/// Sizes in a convolution by these tiles.
struct Winograd4x4Layout {
  int32_t pairs;  // of inputs
  int32_t tiles;  // in a row

  /// Words of a plane of the inputs of four tiles.
  constexpr int32_t plane_words() const { return 24 * pairs; }
  constexpr int32_t tiles_of(int32_t rows) const { return (rows + 3) / 4 * tiles; }
  constexpr int32_t fours_of(int32_t rows) const { return (tiles_of(rows) + 3) / 4; }
  /// Bytes of a pixel of padding, in a multiple of 8.
  constexpr int32_t padding_bytes() const { return (2 * pairs + 7) / 8 * 8; }
  /// Bytes that the transformed inputs of `rows` rows and a pixel of padding take.
  constexpr int32_t input_bytes(int32_t rows) const { return 24 * fours_of(rows) * plane_words() + padding_bytes(); }
};
constexpr Winograd4x4Layout winograd_4x4_layout(const Convolution& step) {
  return {step.input.channels / 2, (step.output.width + 3) / 4};
}

namespace detail {

/// Points of one axis, which are transformed again.
template <class Arithmetic>
struct FirstAxis : Arithmetic {
  static uint32_t finish(uint32_t a) { return a; }
};

/// The inputs of the tile at output row `top` and column `left` in a strip that ends before row `end`. `padding`: a
/// pixel.
template <class Arithmetic>
__attribute__((noinline)) void transform_square(const Convolution& step, const Winograd4x4Layout& layout,
                                                InputRows input, int32_t top, int32_t left, int32_t end,
                                                const uint8_t* padding, uint32_t* to) {
  Array<const uint8_t*, 6> rows;
  find_input_rows<4, 3>(step, input, top, end, rows);
  const int32_t plane = layout.plane_words();
  uint32_t* column_to = to;
  for (int32_t x = left - step.window.pad_left; x < left - step.window.pad_left + 6; ++x, column_to += plane) {
    Array<const uint8_t*, 6> pixels;
    find_pixels<6>(step, rows, x, padding, pixels);
    transform_column<FirstAxis<Arithmetic>, 6>(pixels, step.input.channels, column_to);
  }
  uint32_t* middle = to + 3 * plane;
  for (const uint32_t* const end_of_plane = to + plane; to != end_of_plane; to += 4, middle += 4) {
#if defined(__thumb2__)
    asm("" : "+r"(to), "+r"(middle));  // else GCC has a pointer for each plane, and spills them
#endif
    const Array<uint32_t, 6> points = {to[0], to[plane], to[2 * plane], middle[0], middle[plane], middle[2 * plane]};
    transform_inputs<Arithmetic, 6>(points, [=](int32_t point, uint32_t pair) {
      (point < 3 ? to[point * plane] : middle[(point - 3) * plane]) = Arithmetic::finish(pair);
    });
  }
}

/// The inputs of all tiles of a strip, which begin at `to`; `padding`: room for a pixel.
template <class Arithmetic>
inline void transform_squares(const Convolution& step, const Winograd4x4Layout& layout, Strip strip, InputRows input,
                              uint8_t* padding, uint32_t* to) {
  fill_padding(step, padding);
  const int32_t end = strip.first + strip.count;
  int32_t tile = 0;  // of four
  for (int32_t top = strip.first; top < end; top += 4) {
    for (int32_t left = 0; left < step.output.width; left += 4) {
      transform_square<Arithmetic>(step, layout, input, top, left, end, padding, to + tile);
      if (++tile == 4) {
        tile = 0;
        to += 6 * layout.plane_words();
      }
    }
  }
}

/// The points of the nine taps g (row by row) of a number: point i of plane j is word `Apart` * i behind `to` + j *
/// `plane`.
template <class Arithmetic, int Apart>
inline void transform_taps(const Array<uint32_t, 9>& g, uint32_t* to, int32_t plane) {
  Array<uint32_t, 18> along;
#pragma GCC unroll 3
  for (int32_t row = 0; row < 3; ++row) {
    const Array<uint32_t, 3> taps = {g[3 * row], g[3 * row + 1], g[3 * row + 2]};
    transform_weights<Arithmetic, 4, 3, 1>(taps, along + 6 * row);
  }
  for (int32_t j = 0; j < 6; ++j, to += plane) {
    const Array<uint32_t, 3> column = {along[j], along[6 + j], along[12 + j]};
    transform_weights<Arithmetic, 4, 3, Apart>(column, to);
  }
}

/// 9 times it is 1 modulo 2^32.
constexpr uint32_t inverse_of_nine = 0x38e38e39U;

/// Outputs of a tile, column by column, from the sums of its 36 points.
class SquareOutputs {
 public:
  /// Point i of plane j is number 8 * i behind `sums` + j * `Plane`.
  template <int Plane>
  static SquareOutputs of(const int32_t* sums) {
    SquareOutputs square;
    uint32_t* to = square.along_;
#pragma GCC unroll 1
    for (const int32_t* const end = sums + 48; sums != end; sums += 8, ++to) {
      const auto sum = [=](int32_t plane) { return static_cast<uint32_t>(sums[plane * Plane]); };
      const Array<uint32_t, 6> points = {sum(0), sum(1), sum(2), sum(3), sum(4), sum(5)};
      Array<uint32_t, 4> columns;
      multiples_of_outputs(points, columns);
#pragma GCC unroll 4
      for (int32_t column = 0; column < 4; ++column) to[6 * column] = columns[column];
    }
    square.from_ = square.along_;
    square.inverse_ = opaque(inverse_of_nine);
    return square;
  }

  /// The four rows of the next column.
  void next(Array<int32_t, 4>& outputs) {
    const Array<uint32_t, 6> points = {from_[0], from_[1], from_[2], from_[3], from_[4], from_[5]};
    Array<uint32_t, 4> rows;
    multiples_of_outputs(points, rows);
    from_ += 6;
    const auto divided = [&](uint32_t row, int by) { return static_cast<int32_t>(row * inverse_) >> by; };
    outputs[0] = divided(rows[0], 6);
    outputs[1] = divided(rows[1], 5);
    outputs[2] = divided(rows[2], 4);
    outputs[3] = divided(rows[3], 4);
    // the columns have 24, 12, 6 and 6 times their outputs, so two doublings; then the sign is set
    if (static_cast<int32_t>(inverse_) >= 0) inverse_ *= 2;
  }

 private:
  Array<uint32_t, 24> along_;  // of every column, six points
  const uint32_t* from_;
  uint32_t inverse_;  // of 9, times 1, 2, 4 and 4
};

/// Goes through the tiles of a strip in fours, whose transformed inputs begin at `inputs`: multiply(plane, inputs) for
/// each of the six planes of four tiles, then write(tile, top, left, columns) for each of them that is there, of which
/// `columns` columns lie inside.
template <class Multiply, class Write>
inline __attribute__((always_inline)) void for_squares(const Convolution& step, const Winograd4x4Layout& layout,
                                                       Strip strip, const uint32_t* inputs, Multiply multiply,
                                                       Write write) {
  const int32_t width = step.output.width;
  const int32_t end = strip.first + strip.count;
  int32_t top = strip.first;
  int32_t left = 0;
  while (top < end) {
    for (int32_t plane = 0; plane < 6; ++plane, inputs += layout.plane_words()) multiply(plane, inputs);
    for (int32_t tile = 0; tile < 4 && top < end; ++tile) {
      write(tile, top, left, width - left < 4 ? width - left : 4);
      left += 4;
      if (left >= width) {
        left = 0;
        top += 4;
      }
    }
  }
}

}  // namespace detail

}  // namespace trimtab::TRIMTAB_RUNTIME

/// convolution_FORMAT_wBITS_winograd4x4_CORE, and with `nested` instead of wBITS, by the template
/// convolution_winograd_4x4_CORE<is_signed, weight bits>.
#define TRIMTAB_CONVOLUTION_WINOGRAD_4X4(CORE, FORMAT, SIGNED, WEIGHTS, WEIGHT_BITS)                \
  inline void convolution_##FORMAT##_##WEIGHTS##_winograd4x4_##CORE(                                \
      const Convolution& step, Strip strip, InputRows input, OutputRows output, uint8_t* scratch) { \
    convolution_winograd_4x4_##CORE<SIGNED, WEIGHT_BITS>(step, strip, input, output, scratch);      \
  }
#define TRIMTAB_CONVOLUTION_WINOGRAD_4X4_BITS(CORE, FORMAT, SIGNED) \
  TRIMTAB_CONVOLUTION_WINOGRAD_4X4(CORE, FORMAT, SIGNED, w2, 2)     \
  TRIMTAB_CONVOLUTION_WINOGRAD_4X4(CORE, FORMAT, SIGNED, w3, 3)     \
  TRIMTAB_CONVOLUTION_WINOGRAD_4X4(CORE, FORMAT, SIGNED, w4, 4)     \
  TRIMTAB_CONVOLUTION_WINOGRAD_4X4(CORE, FORMAT, SIGNED, w5, 5)     \
  TRIMTAB_CONVOLUTION_WINOGRAD_4X4(CORE, FORMAT, SIGNED, w6, 6)     \
  TRIMTAB_CONVOLUTION_WINOGRAD_4X4(CORE, FORMAT, SIGNED, w7, 7)     \
  TRIMTAB_CONVOLUTION_WINOGRAD_4X4(CORE, FORMAT, SIGNED, w8, 8)     \
  TRIMTAB_CONVOLUTION_WINOGRAD_4X4(CORE, FORMAT, SIGNED, nested, 0)
#define TRIMTAB_CONVOLUTIONS_WINOGRAD_4X4(CORE)          \
  TRIMTAB_CONVOLUTION_WINOGRAD_4X4_BITS(CORE, u8, false) \
  TRIMTAB_CONVOLUTION_WINOGRAD_4X4_BITS(CORE, s8, true)
