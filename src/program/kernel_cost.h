#pragma once

#include <cstdint>
#include <optional>

#include "program/kernels.h"

namespace trimtab {

/// What a call of a kernel takes.
struct StripCost {
  double instructions = 0;
  double cycles = 0;  ///< without wait states; see target/cycles.h
};

/// The cost of the rows `first` .. `first` + `rows` - 1 of a step's output by a kernel of the Cortex-M4, M3 or M0+,
/// from closed forms whose factors were fitted to the emulator and to the cycles that are estimated there, without
/// TRIMTAB_CHAINED_LOADS. They know convolutions of bytes whose results have the whole range: by blocks of four pixels
/// and by F(2,3), F(4,3) and F(4,5), both with integers and with nested weights, the depthwise planes and words of
/// integers of the Cortex-M4 and the depthwise rows of the Cortex-M3. On random layers the mean errors on the Cortex-M4
/// were 0.2 % (Winograd), 1.3 % (columns and words) and 2 % (planes), and the largest 1 %, 2.3 % (7 % where channels
/// are no multiple of four), 3.3 % and 5 %; on the others 0.4 % (Winograd; 1 % where channels are no multiple of four),
/// 1 % (blocks) and 0.7 % (rows), and the largest 3.2 % (5.5 %), 9 % and 3.5 %. Nothing for other kernels. O(width of
/// the output + rows). `is_dense`: the rows follow each other, which planes make use of; blocks of pixels still end
/// with a row. Those of RISC-V cores are rough, and no cycles are known of them.
[[nodiscard]] std::optional<StripCost> cost_of_strip(const Step& step, const Kernel& kernel, Core core,
                                                     std::int32_t first, std::int32_t rows, bool is_dense = false);

}  // namespace trimtab
