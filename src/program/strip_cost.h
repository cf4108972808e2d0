#pragma once

#include "program/kernels.h"
#include "program/program.h"

namespace trimtab {

/// An estimate of the instructions that a kernel takes to make all rows of a step, so many at a time.
[[nodiscard]] double strip_cost(const Step& step, const Kernel& kernel, std::int32_t rows);

}  // namespace trimtab
