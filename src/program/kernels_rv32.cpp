// Kernels of RISC-V cores with 32 bits and multiplication, beside those of the Cortex-M3.

#include <fmt/format.h>

#include <algorithm>

#include "program/kernel_choices.h"
#include "trimtab/convolution_packed_rv32.h"

namespace trimtab {
namespace {

/// Whether the sums of a convolution fit their packing, whatever the input is, with windows in so many parts. A sum is
/// largest where every input is at the end of its range that the weight's sign chooses.
bool fits_packing(const ConvolutionStep& step, int parts) {
  const runtime::Convolution& c = step.convolution;
  const ActivationGrid grid{1, c.input.format.bits, c.input.format.is_signed};
  const std::int64_t least = grid.minimum();
  const std::int64_t most = grid.maximum();
  const std::size_t size = step.weights.size() / static_cast<std::size_t>(c.output.channels);
  const auto part = static_cast<std::size_t>(runtime::convolution_packed_part_size(c, parts));
  for (std::size_t filter = 0; filter < step.weights.size(); filter += size) {
    std::int64_t low = 0;
    std::int64_t high = 0;
    for (std::size_t k = 0; k < size; ++k) {
      if (k % part == 0) low = high = 0;
      const std::int64_t weight = integer_weight(step, filter + k, c.weight_bits);
      low += std::min(weight * least, weight * most);
      high += std::max(weight * least, weight * most);
      if (std::max(-low, high) >= runtime::largest_packed_sum) return false;
    }
  }
  return true;
}

}  // namespace

std::optional<Kernel> choose_rv32_kernel(const Step& step) {
  const auto* const convolution = std::get_if<ConvolutionStep>(&step.operation);
  if (convolution == nullptr || convolution->weight_code == WeightCode::nested) return std::nullopt;
  const runtime::Convolution& c = convolution->convolution;
  const bool one_pixel = c.output.height == 1 && c.output.width == 1;
  if (c.weight_bits > 8 || !is_byte(c.input) || !padding_is_bytes(*convolution) || is_depthwise(c) || one_pixel)
    return std::nullopt;
  for (const int parts : {1, 2, 3, 4, 6, 8}) {
    if (!fits_packing(*convolution, parts)) continue;
    Kernel kernel = make_kernel(
        fmt::format("convolution_w{}_packed{}_rv32", c.weight_bits, parts == 1 ? "" : std::to_string(parts)),
        "convolution_packed_rv32", "three pixels share two products of 32 bits");
    kernel.scratch_bytes = aligned(runtime::convolution_packed_scratch_bytes(c));
    if (c.groups == 1) kernel.overlap_lead_bytes = overlap_lead_bytes(c, runtime::detail::packed_pixels);
    kernel.layout = {WeightLayout::Kind::pairs, runtime::convolution_packed_padded_size(c)};
    return kernel;
  }
  return std::nullopt;
}

}  // namespace trimtab
