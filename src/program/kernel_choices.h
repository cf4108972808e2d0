#pragma once

// The choices of each core, one file per core: kernels_CORE.cpp. Each returns the kernel that its core has for a step,
// or nothing where a more general core's kernel is to be asked; the order of asking is in kernels.cpp.

#include <cstdint>
#include <optional>

#include "program/kernels.h"

namespace trimtab {

[[nodiscard]] std::optional<Kernel> choose_host_kernel(const Step& step, Optimize optimize);
[[nodiscard]] std::optional<Kernel> choose_cortex_m3_kernel(const Step& step, Optimize optimize);  ///< M0 as well
[[nodiscard]] std::optional<Kernel> choose_cortex_m4_kernel(const Step& step, Optimize optimize,
                                                            std::int64_t scratch_limit);
[[nodiscard]] std::optional<Kernel> choose_cortex_m55_kernel(const Step& step, Optimize optimize);

/// The bit-widths that a convolution's weights have at the program's operating points, as nested_weights.h writes sets.
[[nodiscard]] unsigned bit_widths(const Step& step);

}  // namespace trimtab
