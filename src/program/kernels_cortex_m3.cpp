// Kernels of cores that multiply and accumulate one product at a time: Cortex-M3, and M0+ with the same files compiled
// without inline assembly.

#include <string>

#include "program/kernel_choices.h"
#include "program/overlap.h"
#include "program/pack.h"
#include "trimtab/convolution_s32_4x2_m3.h"

namespace trimtab {
namespace {

/// Filters two by two, interleaved, as convolution_s32_4x2_m3.h wants them.
std::vector<std::uint8_t> pack_pairs(const ConvolutionStep& step, std::int64_t padded_size) {
  const std::int64_t groups = step.convolution.groups;
  const std::int64_t group_filters = step.convolution.output.channels / groups;
  const std::int64_t size = static_cast<std::int64_t>(step.weights.size()) / step.convolution.output.channels;
  const std::int64_t group_pairs = (group_filters + 1) / 2;
  std::vector<std::int8_t> pairs(static_cast<std::size_t>(groups * group_pairs * 2 * padded_size));
  for (std::int64_t filter = 0; filter < groups * group_filters; ++filter) {
    const std::int64_t in_group = filter % group_filters;
    const std::int64_t pair = filter / group_filters * group_pairs + in_group / 2;
    for (std::int64_t k = 0; k < size; ++k) {
      pairs[static_cast<std::size_t>((pair * padded_size + k) * 2 + in_group % 2)] =
          step.weights[static_cast<std::size_t>(filter * size + k)];
    }
  }
  return pack_filters(pairs, groups * group_pairs, step.convolution.weight_bits);
}

std::optional<Kernel> choose_convolution(const ConvolutionStep& step) {
  const runtime::Convolution& c = step.convolution;
  Kernel kernel;
  kernel.name = "convolution_s32_4x2_m3<" + std::to_string(c.weight_bits) + ">";
  kernel.header = "convolution_s32_4x2_m3.h";
  kernel.scratch_bytes = (runtime::convolution_s32_4x2_m3_scratch_bytes(c) + 7) / 8 * 8;
  kernel.weights = pack_pairs(step, runtime::convolution_s32_4x2_m3_padded_size(c));
  if (c.groups == 1) kernel.overlap_lead_bytes = overlap_lead_bytes(c, 4);
  kernel.reason = "4 pixels x 2 channels share their loads";
  return kernel;
}

}  // namespace

std::optional<Kernel> choose_cortex_m3_kernel(const Step& step, Optimize /*optimize*/) {
  return std::visit(overloaded{[](const ConvolutionStep& s) { return choose_convolution(s); },
                               [](const auto&) { return std::optional<Kernel>(); }},
                    step.operation);
}

}  // namespace trimtab
