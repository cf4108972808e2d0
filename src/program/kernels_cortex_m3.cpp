// Kernels of cores that multiply and accumulate one product at a time: Cortex-M3, and M0+ with the same files compiled
// without inline assembly.

#include <fmt/format.h>

#include <string>

#include "program/kernel_choices.h"
#include "trimtab/convolution_s32_4x2_m3.h"
#include "trimtab/depthwise_3x3_rows_m3.h"
#include "trimtab/depthwise_8_plane_m3.h"

namespace trimtab {
namespace {

/// A single output whose window is the whole input, bytes without gaps.
bool is_linear_of_bytes(const runtime::Convolution& c) {
  return c.groups == 1 && c.output.height == 1 && c.output.width == 1 && c.window.kernel_height == c.input.height &&
         c.window.kernel_width == c.input.width && c.window.dilation_rows == 1 && c.window.dilation_columns == 1 &&
         c.window.pad_top == 0 && c.window.pad_left == 0 && is_byte(c.input) &&
         (c.input.pixel_stride == c.input.channels || (c.input.height == 1 && c.input.width == 1));
}

/// Depthwise 3x3 convolutions by rows.
Kernel choose_depthwise_rows(const runtime::Convolution& c, bool at_points) {
  const bool whole_bytes = !at_points && c.output_minimum == 0 && c.output_maximum == 255 && c.shift == 0;
  Kernel kernel = make_kernel(fmt::format("depthwise_3x3s{}_{}_{}_rows_m3", c.window.stride_columns,
                                          name_of(c.input.format), whole_bytes ? "u8" : "any"),
                              "depthwise_3x3_rows_m3", "one filter per channel: four outputs of each at a time",
                              can_run_in_place(c));
  kernel.scratch_bytes = runtime::depthwise_3x3_rows_m3_scratch_bytes(c);
  kernel.layout.kind = WeightLayout::Kind::dense_filters;
  return kernel;
}

Kernel choose_convolution(const ConvolutionStep& step, unsigned widths, bool at_points, Core core) {
  const runtime::Convolution& c = step.convolution;
  const bool nested = step.weight_code == WeightCode::nested;
  if (is_depthwise(c) && is_byte(c.input) && is_byte(c.output) && padding_is_bytes(step)) {
    // on the Cortex-M0+ planes take fewer instructions
    if (core == Core::cortex_m3 && !nested && runtime::depthwise_3x3_rows_m3_takes(c))
      return choose_depthwise_rows(c, at_points);
    Kernel kernel = make_kernel("depthwise_" + name_of(c.input.format) + (nested ? "_nested" : "") + "_plane_m3",
                                "depthwise_8_plane_m3", "one filter per channel: channel by channel in a plane",
                                c.input.pixel_stride == c.output.pixel_stride &&
                                    c.output.height * c.output.width <= c.input.height * c.input.width);
    kernel.scratch_bytes = runtime::depthwise_8_plane_m3_scratch_bytes(c);
    kernel.layout.kind = WeightLayout::Kind::dense_filters;
    kernel.whole_maps = true;
    return kernel;
  }
  const std::string bits = std::to_string(c.weight_bits);
  Kernel kernel;
  if (is_linear_of_bytes(c) && !nested) {
    kernel = make_kernel("linear_8_w" + bits + "_1x2_m3", "linear_8_1x2_m3", "a single output pixel");
    kernel.whole_maps = true;
  } else {
    kernel = nested ? make_kernel(fmt::format("convolution_nested_4x2_m3<{:#x}>", widths), "convolution_nested_4x2_m3",
                                  "4 pixels x 2 channels share their loads, any precision")
                    : make_kernel("convolution_w" + bits + "_4x2_m3", "convolution_s32_4x2_m3",
                                  "4 pixels x 2 channels share their loads");
    kernel.scratch_bytes = aligned(runtime::convolution_s32_4x2_m3_scratch_bytes(c));
    if (c.groups == 1) kernel.overlap_lead_bytes = overlap_lead_bytes(c, 4);
  }
  kernel.layout = {WeightLayout::Kind::pairs, runtime::convolution_s32_4x2_m3_padded_size(c)};
  return kernel;
}

template <typename Pool>
std::optional<Kernel> pool_of_bytes(const Pool& pool, std::string name) {
  if (!is_byte(pool.input)) return std::nullopt;
  return make_pool_kernel(pool, std::move(name), "pool_8_m3", "bytes");
}

std::optional<Kernel> choose_addition(const runtime::Addition& step, bool at_points) {
  const bool equal_size = step.a.height == step.b.height && step.a.width == step.b.width &&
                          step.a.height == step.output.height && step.a.width == step.output.width;
  if (!equal_size || !is_byte(step.a) || !is_byte(step.b) || !is_byte(step.output)) return std::nullopt;
  return make_kernel(
      fmt::format("addition_{}_{}{}_m3", name_of(step.a.format), name_of(step.b.format), at_points ? "_points" : ""),
      "addition_8_m3", "bytes", step.a.pixel_stride == step.output.pixel_stride);
}

}  // namespace

std::optional<Kernel> choose_cortex_m3_kernel(const Step& step, Core core) {
  return std::visit(
      overloaded{[&](const ConvolutionStep& s) {
                   return std::optional(choose_convolution(s, bit_widths(step), !step.points.empty(), core));
                 },
                 [](const MaxPoolStep& s) { return pool_of_bytes(s.pool, "max_pool_8_m3"); },
                 [](const AveragePoolStep& s) {
                   return pool_of_bytes(s.pool, "average_pool_" + name_of(s.pool.input.format) + "_m3");
                 },
                 [&](const AdditionStep& s) { return choose_addition(s.addition, !step.points.empty()); },
                 [](const auto&) { return std::optional<Kernel>(); }},
      step.operation);
}

}  // namespace trimtab
