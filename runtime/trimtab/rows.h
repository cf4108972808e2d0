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

}  // namespace trimtab::TRIMTAB_RUNTIME
