// The kernels of RISC-V cores with 32 bits. These estimates are rougher than those of Arm's cores: 10 % or so.

#include "program/kernel_cost_terms.h"
#include "trimtab/convolution_packed_rv32.h"

namespace trimtab {
namespace {

/// Of convolution_packed_rv32.h, counted in its inner loops as GCC 12 makes them.
double packed_instructions(const runtime::Convolution& c, std::int32_t rows) {
  const double numbers = double(c.window.kernel_height) * c.window.kernel_width * c.input.channels / c.groups;
  const double padded = runtime::convolution_packed_padded_size(c);
  const std::int32_t filters = c.output.channels / c.groups;
  const double blocks = parts(c.output.width, runtime::detail::packed_pixels) * rows;
  const double outputs = double(c.output.width) * rows * filters;
  const double fours = filters / 4;
  const double twos = filters % 4 == 0 ? 0 : filters % 4 < 3 ? 1 : 2;
  const double decoding = c.weight_bits == 8 ? 0 : 2;
  const double unrolled = padded * 41;
  return c.groups * (300 +
                     blocks * (250 + numbers * 20 + fours * (unrolled + 4 * padded * decoding + 60) +
                               twos * (unrolled / 1.8 + 2 * padded * decoding + 50)) +
                     outputs * 20);
}

}  // namespace

std::optional<StripCost> cost_of_rv32_strip(const ConvolutionStep& step, const Kernel& kernel, std::int32_t first,
                                            std::int32_t rows) {
  if (kernel.header == "convolution_packed_rv32.h") {
    return StripCost{packed_instructions(step.convolution, rows), 0};
  }
  // The Cortex-M3's kernels, where a MUL and an ADD take the place of an MLA: networks took 1.5 to 1.8 times its
  // instructions.
  const std::optional<StripCost> arm = cost_of_m3_strip(step, kernel, Core::cortex_m3, first, rows);
  if (!arm.has_value()) return std::nullopt;
  return StripCost{1.7 * arm->instructions, 0};
}

}  // namespace trimtab
