// Kernels of cores that multiply and accumulate one product at a time: Cortex-M3, and M0+ with the same files compiled
// without inline assembly.

#include <fmt/format.h>
#include <algorithm>

#include <string>

#include "program/kernel_choices.h"
#include "program/overlap.h"
#include "trimtab/convolution_s32_4x2_m3.h"
#include "trimtab/depthwise_8_plane_m3.h"

namespace trimtab {
namespace {

bool is_byte(const runtime::Image& image) { return image.format.bits == 8; }

std::string sign_of(const runtime::Image& image) { return image.format.is_signed ? "s8" : "u8"; }

/// One filter per channel, bytes in and out, and padding that the input's format can hold.
bool is_depthwise_of_bytes(const ConvolutionStep& step) {
  const runtime::Convolution& c = step.convolution;
  const ActivationGrid grid{1, 8, c.input.format.is_signed};
  return c.groups == c.input.channels && c.groups == c.output.channels && is_byte(c.input) && is_byte(c.output) &&
         std::all_of(step.padding_value.begin(), step.padding_value.end(),
                     [&](std::int16_t value) { return value >= grid.minimum() && value <= grid.maximum(); });
}

/// A single output whose window is the whole input, bytes without gaps.
bool is_linear_of_bytes(const runtime::Convolution& c) {
  return c.groups == 1 && c.output.height == 1 && c.output.width == 1 && c.window.kernel_height == c.input.height &&
         c.window.kernel_width == c.input.width && c.window.dilation_rows == 1 && c.window.dilation_columns == 1 &&
         c.window.pad_top == 0 && c.window.pad_left == 0 && is_byte(c.input) &&
         (c.input.pixel_stride == c.input.channels || (c.input.height == 1 && c.input.width == 1));
}

Kernel choose_convolution(const ConvolutionStep& step, unsigned widths) {
  const runtime::Convolution& c = step.convolution;
  Kernel kernel;
  if (is_depthwise_of_bytes(step)) {
    const char* const code = step.weight_code == WeightCode::nested ? "_nested" : "";
    kernel.name = "depthwise_" + sign_of(c.input) + code + "_plane_m3";
    kernel.header = "depthwise_8_plane_m3.h";
    kernel.scratch_bytes = runtime::depthwise_8_plane_m3_scratch_bytes(c);
    kernel.layout.kind = WeightLayout::Kind::dense_filters;
    kernel.in_place = c.input.pixel_stride == c.output.pixel_stride &&
                      c.output.height * c.output.width <= c.input.height * c.input.width;
    kernel.reason = "one filter per channel: channel by channel in a plane";
    return kernel;
  }
  const std::string bits = std::to_string(c.weight_bits);
  kernel.layout = {WeightLayout::Kind::pairs, runtime::convolution_s32_4x2_m3_padded_size(c)};
  const bool nested = step.weight_code == WeightCode::nested;
  if (is_linear_of_bytes(c) && !nested) {
    kernel.name = "linear_8_w" + bits + "_1x2_m3";
    kernel.header = "linear_8_1x2_m3.h";
    kernel.reason = "a single output pixel";
    return kernel;
  }
  kernel.name = nested ? fmt::format("convolution_nested_4x2_m3<{:#x}>", widths) : "convolution_w" + bits + "_4x2_m3";
  kernel.header = nested ? "convolution_nested_4x2_m3.h" : "convolution_s32_4x2_m3.h";
  kernel.scratch_bytes = (runtime::convolution_s32_4x2_m3_scratch_bytes(c) + 7) / 8 * 8;
  if (c.groups == 1) kernel.overlap_lead_bytes = overlap_lead_bytes(c, 4);
  kernel.reason =
      nested ? "4 pixels x 2 channels share their loads, any precision" : "4 pixels x 2 channels share their loads";
  return kernel;
}

std::optional<Kernel> simple(std::string name, std::string header, bool in_place = false) {
  Kernel kernel;
  kernel.name = std::move(name);
  kernel.header = std::move(header);
  kernel.in_place = in_place;
  kernel.reason = "bytes";
  return kernel;
}

/// A pixel is written after its whole window has been read, channel by channel.
template <typename Pool>
std::optional<Kernel> pool_of_bytes(const Pool& pool, const std::string& name) {
  if (!is_byte(pool.input)) return std::nullopt;
  std::optional<Kernel> kernel = simple(name, "pool_8_m3.h");
  kernel->overlap_lead_bytes = overlap_lead_bytes(pool.input, pool.output, pool.window, 1, false);
  return kernel;
}

std::optional<Kernel> choose_addition(const runtime::Addition& step, bool at_points) {
  const bool equal_size = step.a.height == step.b.height && step.a.width == step.b.width &&
                          step.a.height == step.output.height && step.a.width == step.output.width;
  if (!equal_size || !is_byte(step.a) || !is_byte(step.b) || !is_byte(step.output)) return std::nullopt;
  return simple("addition_" + sign_of(step.a) + "_" + sign_of(step.b) + (at_points ? "_points_m3" : "_m3"),
                "addition_8_m3.h", step.a.pixel_stride == step.output.pixel_stride);
}

}  // namespace

std::optional<Kernel> choose_cortex_m3_kernel(const Step& step, Optimize /*optimize*/) {
  return std::visit(
      overloaded{[&](const ConvolutionStep& s) { return std::optional(choose_convolution(s, bit_widths(step))); },
                 [](const MaxPoolStep& s) { return pool_of_bytes(s.pool, "max_pool_8_m3"); },
                 [](const AveragePoolStep& s) {
                   return pool_of_bytes(s.pool, "average_pool_" + sign_of(s.pool.input) + "_m3");
                 },
                 [&](const AdditionStep& s) { return choose_addition(s.addition, !step.points.empty()); },
                 [](const auto&) { return std::optional<Kernel>(); }},
      step.operation);
}

}  // namespace trimtab
