#include "program/kernels.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "base/error.h"
#include "program/kernel_choices.h"
#include "trimtab/convolution_generic.h"
#include "trimtab/convolution_nested.h"

namespace trimtab {
namespace {

Kernel choose_convolution(const ConvolutionStep& step) {
  const bool nested = step.weight_code == WeightCode::nested;
  const char* const name = nested ? "convolution_nested" : "convolution_generic";
  Kernel kernel = make_kernel(name, name, nested ? "runs any convolution at any precision" : "runs any convolution");
  kernel.scratch_bytes = aligned(nested ? runtime::convolution_nested_scratch_bytes(step.convolution)
                                        : runtime::convolution_generic_scratch_bytes(step.convolution));
  kernel.layout.kind = WeightLayout::Kind::filters;
  return kernel;
}

/// Weights of 16 bits: the same on every core.
Kernel choose_wide_convolution() {
  Kernel kernel = make_kernel("convolution_wide", "convolution_wide", "weights of 16 bits, sums of 64");
  kernel.layout.kind = WeightLayout::Kind::filters;
  return kernel;
}

Kernel plain(std::string name, const runtime::Image& input, const runtime::Image& output) {
  return make_kernel(std::move(name), "elementwise_generic", "runs any shape", same_layout(input, output));
}

Kernel choose_generic_kernel(const Step& step) {
  return std::visit(
      overloaded{[](const ConvolutionStep& s) { return choose_convolution(s); },
                 [](const MaxPoolStep& s) {
                   return make_pool_kernel(s.pool, "max_pool_generic", "pool_generic", "runs any shape");
                 },
                 [](const AveragePoolStep& s) {
                   return make_pool_kernel(s.pool, "average_pool_generic", "pool_generic", "runs any shape");
                 },
                 [](const AdditionStep& s) { return plain("addition_generic", s.addition.a, s.addition.output); },
                 [](const MultiplicationStep& s) {
                   return plain("multiplication_generic", s.multiplication.a, s.multiplication.output);
                 },
                 [](const LookupStep& s) { return plain("lookup_generic", s.lookup.input, s.lookup.output); },
                 [](const RescaleStep& s) { return plain("rescale_generic", s.rescale.input, s.rescale.output); },
                 [](const SoftmaxStep& s) {
                   return make_kernel("softmax_generic", "softmax", "runs any shape",
                                      same_layout(s.softmax.input, s.softmax.output));
                 },
                 [](const MovementStep&) {
                   Kernel kernel = make_kernel("movement_generic", "movement", "runs any movement");
                   kernel.whole_maps = true;
                   return kernel;
                 }},
      step.operation);
}

/// The kernel for the step that the core brings, or a core whose instructions it has as well.
std::optional<Kernel> choose_core_kernel(const Step& step, Core core, Optimize optimize, std::int64_t scratch_limit,
                                         std::int32_t strip_rows) {
  switch (core) {
    case Core::generic:
      return std::nullopt;
    case Core::host:
      return choose_host_kernel(step, optimize);
    case Core::cortex_m0:
    case Core::cortex_m3:
      return choose_cortex_m3_kernel(step, core);
    case Core::rv32imc: {
      std::optional<Kernel> kernel = choose_rv32_kernel(step);
      return kernel.has_value() ? kernel : choose_cortex_m3_kernel(step, core);
    }
    case Core::cortex_m4:
      return choose_cortex_m4_kernel(step, optimize, scratch_limit, strip_rows);
    case Core::cortex_m55: {
      std::optional<Kernel> kernel = choose_cortex_m55_kernel(step, optimize, strip_rows);
      return kernel.has_value() ? kernel : choose_cortex_m4_kernel(step, optimize, scratch_limit, strip_rows);
    }
    case Core::cortex_a15: {
      std::optional<Kernel> kernel = choose_cortex_a15_kernel(step, optimize);
      return kernel.has_value() ? kernel : choose_cortex_m3_kernel(step, core);
    }
    case Core::cortex_a53: {
      std::optional<Kernel> kernel = choose_cortex_a53_kernel(step, optimize);
      return kernel.has_value() ? kernel : choose_cortex_m3_kernel(step, core);
    }
    case Core::cortex_a76: {
      std::optional<Kernel> kernel = choose_cortex_a76_kernel(step, optimize);
      return kernel.has_value() ? kernel : choose_cortex_m3_kernel(step, core);
    }
  }
  return std::nullopt;
}

/// Whether the step takes zero points off its operands or puts one on its output in a way that only generic kernels
/// have. The offset of an addition holds its zero points, and every kernel of convolutions adds theirs.
bool subtracts_zero(const Step& step) {
  return std::visit(
      overloaded{[](const AveragePoolStep& s) { return s.pool.input_zero != 0 || s.pool.output_zero != 0; },
                 [](const MultiplicationStep& s) {
                   const runtime::Multiplication& m = s.multiplication;
                   return m.a_zero != 0 || m.b_zero != 0 || m.output_zero != 0;
                 },
                 [](const RescaleStep& s) { return s.rescale.input_zero != 0 || s.rescale.output_zero != 0; },
                 [](const auto&) { return false; }},
      step.operation);
}

}  // namespace

Kernel make_kernel(std::string name, const std::string& header, std::string reason, bool in_place) {
  Kernel kernel;
  kernel.name = std::move(name);
  kernel.header = header + ".h";
  kernel.reason = std::move(reason);
  kernel.in_place = in_place;
  return kernel;
}

std::string name_of(runtime::ActivationFormat format) {
  return fmt::format("{}{}", format.is_signed ? 's' : 'u', format.bits);
}

bool same_layout(const runtime::Image& a, const runtime::Image& b) {
  return a.pixel_stride == b.pixel_stride && a.format.bits == b.format.bits && a.height == b.height &&
         a.width == b.width;
}

bool is_depthwise(const runtime::Convolution& convolution) {
  return convolution.groups == convolution.input.channels && convolution.groups == convolution.output.channels;
}

bool can_run_in_place(const runtime::Convolution& c) {
  return c.output.pixel_stride == c.input.pixel_stride && c.output.width <= c.input.width &&
         c.output.height <= c.input.height && c.window.pad_top < c.window.kernel_height;
}

bool padding_is_bytes(const ConvolutionStep& step) {
  const ActivationGrid grid{1, 8, step.convolution.input.format.is_signed};
  return std::all_of(step.padding_value.begin(), step.padding_value.end(),
                     [&](std::int16_t value) { return value >= grid.minimum() && value <= grid.maximum(); });
}

unsigned bit_widths(const Step& step) {
  unsigned widths = 1U << numbers_of(step.operation).weight_bits;
  for (const PointNumbers& numbers : step.points) widths |= 1U << numbers.weight_bits;
  return widths;
}

Kernel choose_kernel(const Step& step, Core core, Optimize optimize, std::int64_t scratch_limit,
                     std::int32_t strip_rows) {
  const auto* convolution = std::get_if<ConvolutionStep>(&step.operation);
  if (convolution != nullptr && convolution->convolution.weight_bits > 8) return choose_wide_convolution();
  if (subtracts_zero(step)) return choose_generic_kernel(step);
  std::optional<Kernel> kernel = choose_core_kernel(step, core, optimize, scratch_limit, strip_rows);
  return kernel.has_value() ? std::move(*kernel) : choose_generic_kernel(step);
}

}  // namespace trimtab
