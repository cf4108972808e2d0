// Kernels of cores with MVE: Cortex-M55. What they do not cover falls back to the DSP extension's.

#include <fmt/format.h>

#include <algorithm>
#include <string>

#include "program/kernel_choices.h"
#include "trimtab/convolution_8_4x2_mve.h"
#include "trimtab/depthwise_3x3_rows_mve.h"
#include "trimtab/depthwise_8_plane_mve.h"

namespace trimtab {
namespace {

std::optional<Kernel> choose_convolution(const ConvolutionStep& step, std::int32_t strip_rows) {
  const runtime::Convolution& c = step.convolution;
  if (!is_byte(c.input) || !is_byte(c.output) || !padding_is_bytes(step)) return std::nullopt;
  const bool nested = step.weight_code == WeightCode::nested;
  if (is_depthwise(c) && !nested && runtime::depthwise_3x3_rows_mve_takes(c)) {
    Kernel kernel = make_kernel("depthwise_3x3_" + name_of(c.input.format) + "_rows_mve", "depthwise_3x3_rows_mve",
                                "one filter per channel: eight channels at a time", can_run_in_place(c));
    kernel.scratch_bytes = runtime::depthwise_3x3_rows_m3_scratch_bytes(c);
    kernel.layout.kind = WeightLayout::Kind::depthwise_eights;
    return kernel;
  }
  if (is_depthwise(c)) {
    Kernel kernel = make_kernel("depthwise_" + name_of(c.input.format) + (nested ? "_nested" : "") + "_plane_mve",
                                "depthwise_8_plane_mve",
                                "one filter per channel: channel by channel in a plane, four outputs at a time",
                                c.input.pixel_stride == c.output.pixel_stride &&
                                    c.output.height * c.output.width <= c.input.height * c.input.width);
    kernel.scratch_bytes = aligned(runtime::depthwise_8_plane_mve_scratch_bytes(c));
    kernel.layout.kind = WeightLayout::Kind::dense_filters;
    kernel.whole_maps = true;
    return kernel;
  }
  if (c.groups != 1) return std::nullopt;
  if (nested && runtime::convolution_8_4x2_mve_size(c) > runtime::nested_most_inputs) return std::nullopt;
  const std::string code = nested ? "nested" : fmt::format("w{}", c.weight_bits);
  Kernel kernel = make_kernel("convolution_8_" + code + "_4x2_mve", "convolution_8_4x2_mve",
                              std::string("16 products per instruction, 4 pixels x 2 filters share their loads") +
                                  (nested ? ", any precision" : ""));
  const std::int32_t rows = std::min<std::int32_t>(strip_rows, c.output.height);
  kernel.scratch_bytes = aligned(runtime::convolution_8_4x2_mve_scratch_bytes(c, rows, nested));
  kernel.layout.kind =
      runtime::convolution_8_4x2_mve_unpacks(c, nested) ? WeightLayout::Kind::lanes : WeightLayout::Kind::chunk_pairs;
  const std::int32_t together = runtime::convolution_8_4x2_mve_columns(c, rows, nested).rows;
  kernel.overlap_lead_bytes = overlap_lead_bytes(c, together * c.output.width);
  return kernel;
}

constexpr const char* elementwise = "elementwise_8_mve";
constexpr const char* many_at_a_time = "bytes, many channels at a time";

template <typename Pool>
std::optional<Kernel> choose_pool(const Pool& pool, const std::string& name) {
  if (!is_byte(pool.input) || !is_byte(pool.output)) return std::nullopt;
  return make_pool_kernel(pool, name + "_mve", elementwise, many_at_a_time);
}

std::optional<Kernel> choose_addition(const runtime::Addition& step) {
  const bool equal_size = step.a.height == step.b.height && step.a.width == step.b.width;
  if (!equal_size || !is_byte(step.a) || !is_byte(step.b) || !is_byte(step.output)) return std::nullopt;
  return make_kernel("addition_" + name_of(step.a.format) + "_" + name_of(step.b.format) + "_mve", elementwise,
                     many_at_a_time, step.a.pixel_stride == step.output.pixel_stride);
}

}  // namespace

std::optional<Kernel> choose_cortex_m55_kernel(const Step& step, Optimize /*optimize*/, std::int32_t strip_rows) {
  return std::visit(overloaded{[=](const ConvolutionStep& s) { return choose_convolution(s, strip_rows); },
                               [](const MaxPoolStep& s) { return choose_pool(s.pool, "max_pool_8"); },
                               [](const AveragePoolStep& s) {
                                 return choose_pool(s.pool, "average_pool_" + name_of(s.pool.input.format));
                               },
                               [](const AdditionStep& s) { return choose_addition(s.addition); },
                               [](const auto&) { return std::optional<Kernel>(); }},
                    step.operation);
}

}  // namespace trimtab
