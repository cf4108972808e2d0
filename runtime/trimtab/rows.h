#pragma once

// Where the rows of a value lie in the arena, and which rows of its output a step makes at a time. A kernel that works
// by rows is called as
//     NAME(step, strip, input rows, output rows, scratch)
// and makes the rows of the strip from rows that may lie anywhere. All other numbers (padding, strides, the heights of
// the images) are those of the whole images, so a strip changes nothing but the rows that are made.

#include "trimtab/operators.h"

namespace trimtab::TRIMTAB_RUNTIME {

/// Rows first .. first + count - 1.
struct Strip {
  int32_t first;
  int32_t count;
};

/// Rows that lie `pitch` bytes apart, or, with `places`, row r `8 * places[r]` bytes behind `base`.
template <typename Byte>
struct RowsOf {
  Byte* base;
  const uint16_t* places;  // by row, or null
  int32_t pitch;           // bytes from row to row without `places`

  Byte* operator[](int32_t row) const {
    return places == nullptr ? base + row * pitch : base + 8 * int32_t{places[row]};
  }
  /// Whether the rows follow each other without gaps, so that an image is one long row.
  bool is_dense() const { return places == nullptr; }
};
using InputRows = RowsOf<const uint8_t>;
using OutputRows = RowsOf<uint8_t>;

/// The rows of an image that lies without gaps between its rows.
inline InputRows dense_rows(const uint8_t* first, const Image& image) {
  return {first, nullptr, image.width * image.pixel_stride};
}
inline OutputRows dense_rows(uint8_t* first, const Image& image) {
  return {first, nullptr, image.width * image.pixel_stride};
}
constexpr Strip all_rows(const Image& image) { return {0, image.height}; }

/// A kernel's call for whole maps without gaps between their rows. Calls that differ in places alone share it: that
/// saves some forty bytes each.
template <auto Kernel, typename Step>
__attribute__((noinline)) void whole_map(const Step& step, const uint8_t* input, uint8_t* output) {
  Kernel(step, all_rows(step.output), dense_rows(input, step.input), dense_rows(output, step.output));
}
template <auto Kernel>
__attribute__((noinline)) void whole_map(const Convolution& step, const uint8_t* input, uint8_t* output,
                                         uint8_t* scratch) {
  Kernel(step, all_rows(step.output), dense_rows(input, step.input), dense_rows(output, step.output), scratch);
}
template <auto Kernel, typename Step>
__attribute__((noinline)) void whole_map_of_two(const Step& step, const uint8_t* a, const uint8_t* b, uint8_t* output) {
  Kernel(step, all_rows(step.output), dense_rows(a, step.a), dense_rows(b, step.b), dense_rows(output, step.output));
}

}  // namespace trimtab::TRIMTAB_RUNTIME
