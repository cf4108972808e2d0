#pragma once

// The choices of each core, one file per core: kernels_CORE.cpp. Each returns the kernel that its core has for a step,
// or nothing where a more general core's kernel is to be asked; the order of asking is in kernels.cpp.

#include <cstdint>
#include <optional>
#include <string>
#include <utility>

#include "program/kernels.h"
#include "program/overlap.h"

namespace trimtab {

[[nodiscard]] std::optional<Kernel> choose_host_kernel(const Step& step, Optimize optimize);
[[nodiscard]] std::optional<Kernel> choose_cortex_m3_kernel(const Step& step, Core core);  ///< M0 as well
[[nodiscard]] std::optional<Kernel> choose_cortex_m4_kernel(const Step& step, Optimize optimize,
                                                            std::int64_t scratch_limit, std::int32_t strip_rows);
[[nodiscard]] std::optional<Kernel> choose_cortex_m55_kernel(const Step& step, Optimize optimize,
                                                             std::int32_t strip_rows);
[[nodiscard]] std::optional<Kernel> choose_rv32_kernel(const Step& step);
[[nodiscard]] std::optional<Kernel> choose_cortex_a15_kernel(const Step& step, Optimize optimize);
[[nodiscard]] std::optional<Kernel> choose_cortex_a53_kernel(const Step& step, Optimize optimize);
[[nodiscard]] std::optional<Kernel> choose_cortex_a76_kernel(const Step& step, Optimize optimize);

// Parts of the choices.

/// A kernel without scratch memory and weights. `header`: without its ending.
[[nodiscard]] Kernel make_kernel(std::string name, const std::string& header, std::string reason,
                                 bool in_place = false);
/// The same for a pool that writes a pixel after its whole window has been read, channel by channel.
template <typename Pool>
[[nodiscard]] Kernel make_pool_kernel(const Pool& pool, std::string name, const std::string& header,
                                      std::string reason) {
  Kernel kernel = make_kernel(std::move(name), header, std::move(reason));
  kernel.overlap_lead_bytes = overlap_lead_bytes(pool.input, pool.output, pool.window, 1, false);
  return kernel;
}

[[nodiscard]] inline bool is_byte(const runtime::Image& image) { return image.format.bits == 8; }
/// "u8", "s4" and so on.
[[nodiscard]] std::string name_of(runtime::ActivationFormat format);
/// Whether pixels of the one take the place of those of the other.
[[nodiscard]] bool same_layout(const runtime::Image& a, const runtime::Image& b);
/// Whether a depthwise convolution of bytes whose rows are read before they are written over leaves its output where
/// its input lies.
[[nodiscard]] bool can_run_in_place(const runtime::Convolution& convolution);
/// One filter per channel.
[[nodiscard]] bool is_depthwise(const runtime::Convolution& convolution);
/// Whether the input's format can hold the padding, where it has 8 bits.
[[nodiscard]] bool padding_is_bytes(const ConvolutionStep& step);

/// The bit-widths that a convolution's weights have at the program's operating points, as nested_weights.h writes sets.
[[nodiscard]] unsigned bit_widths(const Step& step);

}  // namespace trimtab
