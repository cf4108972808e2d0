#pragma once

#include <cstdint>
#include <vector>

#include "program/kernels.h"

namespace trimtab {

/// A kernel that makes a strip of a step's output rows at a time (runtime/trimtab/rows.h), and what it takes. Kernels
/// of one step that have the same layout of weights may take turns from strip to strip.
struct RowKernel {
  Kernel kernel;  ///< its scratch memory is for the whole map as one strip
  /// Rows that it makes together. Any strip will do, but the last tile of fewer rows takes what a whole one takes.
  std::int32_t tile_rows = 1;
  /// Bytes of scratch memory of a strip: for the strip, and for each of its tiles. Aligned in sum only.
  std::int64_t strip_scratch_bytes = 0;
  std::int64_t tile_scratch_bytes = 0;

  [[nodiscard]] std::int64_t tiles(std::int64_t rows) const { return (rows + tile_rows - 1) / tile_rows; }
  [[nodiscard]] std::int64_t scratch_bytes(std::int64_t rows) const {
    return aligned(strip_scratch_bytes + tiles(rows) * tile_scratch_bytes);
  }
};

/// The kernels that make a step's rows beside the one that choose_kernel() gives; none for most steps.
[[nodiscard]] std::vector<RowKernel> row_kernels(const Step& step, Core core);

}  // namespace trimtab
