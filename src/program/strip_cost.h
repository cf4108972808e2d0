#pragma once

#include "program/row_kernels.h"

namespace trimtab {

/// Estimates of the instructions that a kernel takes to make all rows of a step, so many at a time.
[[nodiscard]] double strip_cost(const Step& step, const Kernel& kernel, std::int32_t rows);
[[nodiscard]] double strip_cost(const Step& step, const RowKernel& kernel, std::int32_t rows);

}  // namespace trimtab
