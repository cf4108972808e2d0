#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "program/kernels.h"

namespace trimtab {

/// A kernel that makes a strip of a step's output rows at a time (runtime/trimtab/rows.h), and what it takes. Kernels
/// of one step that have the same layout of weights may take turns from strip to strip.
struct RowKernel {
  Kernel kernel;  ///< its scratch memory is for the whole map as one strip
  /// Rows that it makes together. Any strip will do, but the last tile of fewer rows takes what a whole one takes.
  std::int32_t tile_rows = 1;
  /// Bytes of scratch memory of a strip of so many rows.
  std::function<std::int64_t(std::int32_t rows)> scratch_bytes;
};

/// The kernels that make a step's rows beside the one that choose_kernel() gives; none for most steps.
[[nodiscard]] std::vector<RowKernel> row_kernels(const Step& step, Core core);

}  // namespace trimtab
