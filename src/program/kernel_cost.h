#pragma once

#include <cstdint>
#include <optional>

#include "program/kernels.h"

namespace trimtab {

/// What a call of a kernel takes on a Cortex-M4.
struct StripCost {
  double instructions = 0;
  double cycles = 0;  ///< without wait states; see target/cycles.h
};

/// The cost of the rows `first` .. `first` + `rows` - 1 of a step's output by a kernel of the Cortex-M4, from closed
/// forms whose factors were fitted to the emulator and to the cycles that are estimated there. They know convolutions
/// of bytes with results of the whole range: columns of four pixels, F(2,3) and F(4,3), depthwise planes and words.
/// Mean errors are 1 % (Winograd), 2 % (the others), a little more for few channels that are no multiple of four.
/// Nothing for other kernels. O(width of the output).
[[nodiscard]] std::optional<StripCost> cost_of_strip(const Step& step, const Kernel& kernel, std::int32_t first,
                                                     std::int32_t rows);

}  // namespace trimtab
