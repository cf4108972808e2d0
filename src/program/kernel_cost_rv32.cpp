// The kernels of RISC-V cores with 32 bits. These estimates are rougher than those of Arm's cores: 10 % or so.

#include "program/kernel_cost_terms.h"
#include "trimtab/convolution_packed_rv32.h"

namespace trimtab {
namespace {

/// Of convolution_packed_rv32.h, counted in its inner loops as GCC 12 makes them.
StripCost packed_cost(const runtime::Convolution& c, std::int32_t rows) {
  const double numbers = double(c.window.kernel_height) * c.window.kernel_width * c.input.channels / c.groups;
  const double padded = runtime::convolution_packed_padded_size(c);
  const std::int32_t filters = c.output.channels / c.groups;
  const bool ends_with_pair = filters % 4 == 1 || filters % 4 == 2;
  const double fours = ends_with_pair ? filters / 4 : parts(filters, 4);
  const std::int32_t rest = c.output.width % runtime::detail::packed_pixels;
  const double whole = double(c.output.width / runtime::detail::packed_pixels);
  const double widened = (whole + (rest > 0 ? 1 : 0)) * rows;                       // blocks
  const double multiplied = (whole + (rest > 3 ? 1 : rest > 0 ? 0.57 : 0)) * rows;  // three pixels take less
  const double product = c.weight_bits == 8 ? 41 : 49;                              // of a block with four filters
  CostSum sum;
  sum.add(c.groups, {300, 0});
  sum.add(c.groups * widened, {250 + 20 * numbers, 0});
  sum.add(c.groups * multiplied * fours, {60 + product * padded, 0});
  if (ends_with_pair) sum.add(c.groups * multiplied, {50 + product / 1.8 * padded, 0});
  sum.add(double(c.output.width) * rows * c.output.channels, {20, 0});
  return sum.cost();
}

}  // namespace

std::optional<StripCost> cost_of_rv32_strip(const ConvolutionStep& step, const Kernel& kernel, std::int32_t first,
                                            std::int32_t rows) {
  if (kernel.header == "convolution_packed_rv32.h") {
    return packed_cost(step.convolution, rows);
  }
  // The Cortex-M3's kernels, where a MUL and an ADD take the place of an MLA: networks took 1.5 to 1.8 times its
  // instructions.
  const std::optional<StripCost> arm = cost_of_m3_strip(step, kernel, Core::cortex_m3, first, rows);
  if (!arm.has_value()) return std::nullopt;
  return StripCost{1.7 * arm->instructions, 0};
}

}  // namespace trimtab
