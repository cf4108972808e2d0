#pragma once

#include "program/kernels.h"

namespace trimtab {

/// An estimate of the instructions that a kernel takes to make all rows of a step, so many at a time, which lie
/// anywhere.
[[nodiscard]] double strip_cost(const Step& step, const Kernel& kernel, Core core, std::int32_t rows);

/// The same of the rows from `begin` to before `end`.
[[nodiscard]] double strip_cost(const Step& step, const Kernel& kernel, Core core, std::int32_t rows,
                                std::int32_t begin, std::int32_t end);

/// The same of a whole map without gaps, whose blocks of pixels may cross rows.
[[nodiscard]] double whole_map_cost(const Step& step, const Kernel& kernel, Core core);

}  // namespace trimtab
