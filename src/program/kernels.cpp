#include "program/kernels.h"

#include <optional>

#include "base/error.h"
#include "program/kernel_choices.h"
#include "program/overlap.h"
#include "trimtab/convolution_generic.h"
#include "trimtab/convolution_nested.h"

namespace trimtab {
namespace {

Kernel choose_convolution(const ConvolutionStep& step) {
  const runtime::Convolution& convolution = step.convolution;
  Kernel kernel;
  if (step.weight_code == WeightCode::nested) {
    kernel.name = "convolution_nested";
    kernel.header = "convolution_nested.h";
    kernel.scratch_bytes = (runtime::convolution_nested_scratch_bytes(convolution) + 7) / 8 * 8;
    kernel.layout.kind = WeightLayout::Kind::filters;
    kernel.reason = "runs any convolution at any precision";
    return kernel;
  }
  kernel.name = "convolution_generic";
  kernel.header = "convolution_generic.h";
  kernel.scratch_bytes = (runtime::convolution_generic_scratch_bytes(convolution) + 7) / 8 * 8;
  kernel.layout.kind = WeightLayout::Kind::filters;
  kernel.reason = "runs any convolution";
  return kernel;
}

/// Weights of 16 bits: the same on every core.
Kernel choose_wide_convolution() {
  Kernel kernel;
  kernel.name = "convolution_wide";
  kernel.header = "convolution_wide.h";
  kernel.layout.kind = WeightLayout::Kind::filters;
  kernel.reason = "weights of 16 bits, sums of 64";
  return kernel;
}

Kernel plain(std::string name, std::string header, bool in_place) {
  Kernel kernel;
  kernel.name = std::move(name);
  kernel.header = std::move(header);
  kernel.in_place = in_place;
  kernel.reason = "runs any shape";
  return kernel;
}

bool same_layout(const runtime::Image& a, const runtime::Image& b) {
  return a.pixel_stride == b.pixel_stride && a.format.bits == b.format.bits && a.height == b.height &&
         a.width == b.width;
}

/// A channel of a pixel is written after its window has been read.
template <typename Pool>
Kernel choose_pool(const Pool& pool, std::string name) {
  Kernel kernel = plain(std::move(name), "pool_generic.h", false);
  kernel.overlap_lead_bytes = overlap_lead_bytes(pool.input, pool.output, pool.window, 1, false);
  return kernel;
}

Kernel choose_generic_kernel(const Step& step) {
  return std::visit(
      overloaded{
          [](const ConvolutionStep& s) { return choose_convolution(s); },
          [](const MaxPoolStep& s) { return choose_pool(s.pool, "max_pool_generic"); },
          [](const AveragePoolStep& s) { return choose_pool(s.pool, "average_pool_generic"); },
          [](const AdditionStep& s) {
            return plain("addition_generic", "elementwise_generic.h", same_layout(s.addition.a, s.addition.output));
          },
          [](const MultiplicationStep& s) {
            return plain("multiplication_generic", "elementwise_generic.h",
                         same_layout(s.multiplication.a, s.multiplication.output));
          },
          [](const LookupStep& s) {
            return plain("lookup_generic", "elementwise_generic.h", same_layout(s.lookup.input, s.lookup.output));
          },
          [](const RescaleStep& s) {
            return plain("rescale_generic", "elementwise_generic.h", same_layout(s.rescale.input, s.rescale.output));
          }},
      step.operation);
}

/// What the core, or a core whose instructions it has as well, brings for the step.
std::optional<Kernel> choose_core_kernel(const Step& step, Core core, Optimize optimize, std::int64_t scratch_limit) {
  switch (core) {
    case Core::generic:
      return std::nullopt;
    case Core::host:
      return choose_host_kernel(step, optimize);
    case Core::cortex_m0:
    case Core::cortex_m3:
      return choose_cortex_m3_kernel(step, optimize);
    case Core::cortex_m4:
      return choose_cortex_m4_kernel(step, optimize, scratch_limit);
    case Core::cortex_m55: {
      std::optional<Kernel> kernel = choose_cortex_m55_kernel(step, optimize);
      return kernel.has_value() ? kernel : choose_cortex_m4_kernel(step, optimize, scratch_limit);
    }
  }
  return std::nullopt;
}

}  // namespace

unsigned bit_widths(const Step& step) {
  unsigned widths = 1U << numbers_of(step.operation).weight_bits;
  for (const PointNumbers& numbers : step.points) widths |= 1U << numbers.weight_bits;
  return widths;
}

Kernel choose_kernel(const Step& step, Core core, Optimize optimize, std::int64_t scratch_limit) {
  const auto* convolution = std::get_if<ConvolutionStep>(&step.operation);
  if (convolution != nullptr && convolution->convolution.weight_bits > 8) return choose_wide_convolution();
  std::optional<Kernel> kernel = choose_core_kernel(step, core, optimize, scratch_limit);
  return kernel.has_value() ? std::move(*kernel) : choose_generic_kernel(step);
}

}  // namespace trimtab
