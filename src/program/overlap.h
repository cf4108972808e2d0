#pragma once

#include <cstdint>

#include "trimtab/operators.h"

namespace trimtab {

/// The least number of bytes by which the output of a step may begin before its input, so that no pixel is written over
/// an input pixel that is still to be read. The step makes its output pixels row by row, `pixels_at_once` at a time,
/// and has read a block's whole window before it writes the block, unless not `reads_first`. 0: in place. O(output
/// pixels).
[[nodiscard]] std::int64_t overlap_lead_bytes(const runtime::Image& input, const runtime::Image& output,
                                              const runtime::Window& window, std::int32_t pixels_at_once,
                                              bool reads_first = true);
[[nodiscard]] std::int64_t overlap_lead_bytes(const runtime::Convolution& convolution, std::int32_t pixels_at_once);

}  // namespace trimtab
