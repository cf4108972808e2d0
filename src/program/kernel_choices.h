#pragma once

// The choices of each core, one file per core: kernels_CORE.cpp. Each returns the kernel that its core has for a step,
// or nothing where a more general core's kernel is to be asked; the order of asking is in kernels.cpp.

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "program/kernels.h"

namespace trimtab {

[[nodiscard]] std::optional<Kernel> choose_host_kernel(const Step& step, Optimize optimize);
[[nodiscard]] std::optional<Kernel> choose_cortex_m3_kernel(const Step& step, Optimize optimize);  ///< M0 as well
[[nodiscard]] std::optional<Kernel> choose_cortex_m4_kernel(const Step& step, Optimize optimize,
                                                            std::int64_t scratch_limit);
[[nodiscard]] std::optional<Kernel> choose_cortex_m55_kernel(const Step& step, Optimize optimize);

/// Packs weights of up to 16 bits, in the order of step.weights, for the convolution kernel that choose_host_kernel has
/// chosen for the step: accumulators are the step's own.
[[nodiscard]] std::vector<std::uint8_t> pack_host_weights(const ConvolutionStep& step,
                                                          std::span<const std::int16_t> weights);

}  // namespace trimtab
