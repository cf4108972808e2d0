// Kernels of cores that multiply and accumulate one product at a time: Cortex-M3, and M0+ with the same files compiled
// without inline assembly.

#include <algorithm>
#include <string>

#include "program/kernel_choices.h"
#include "program/overlap.h"
#include "program/pack.h"
#include "trimtab/convolution_s32_4x2_m3.h"
#include "trimtab/depthwise_8_plane_m3.h"

namespace trimtab {
namespace {

/// Filters two by two, interleaved, as convolution_s32_4x2_m3.h wants them.
std::vector<std::uint8_t> pack_pairs(const ConvolutionStep& step, std::int64_t padded_size) {
  const std::int64_t groups = step.convolution.groups;
  const std::int64_t group_filters = step.convolution.output.channels / groups;
  const std::int64_t size = static_cast<std::int64_t>(step.weights.size()) / step.convolution.output.channels;
  const std::int64_t group_pairs = (group_filters + 1) / 2;
  std::vector<std::int16_t> pairs(static_cast<std::size_t>(groups * group_pairs * 2 * padded_size));
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

Kernel choose_convolution(const ConvolutionStep& step) {
  const runtime::Convolution& c = step.convolution;
  Kernel kernel;
  if (is_depthwise_of_bytes(step)) {
    kernel.name = "depthwise_" + sign_of(c.input) + "_plane_m3";
    kernel.header = "depthwise_8_plane_m3.h";
    kernel.scratch_bytes = runtime::depthwise_8_plane_m3_scratch_bytes(c);
    kernel.weights = pack_filters(step.weights, 1, c.weight_bits);  // without gaps between them
    kernel.in_place = c.input.pixel_stride == c.output.pixel_stride &&
                      c.output.height * c.output.width <= c.input.height * c.input.width;
    kernel.reason = "one filter per channel: channel by channel in a plane";
    return kernel;
  }
  const std::string bits = std::to_string(c.weight_bits);
  kernel.weights = pack_pairs(step, runtime::convolution_s32_4x2_m3_padded_size(c));
  if (is_linear_of_bytes(c)) {
    kernel.name = "linear_8_w" + bits + "_1x2_m3";
    kernel.header = "linear_8_1x2_m3.h";
    kernel.reason = "a single output pixel";
    return kernel;
  }
  kernel.name = "convolution_w" + bits + "_4x2_m3";
  kernel.header = "convolution_s32_4x2_m3.h";
  kernel.scratch_bytes = (runtime::convolution_s32_4x2_m3_scratch_bytes(c) + 7) / 8 * 8;
  if (c.groups == 1) kernel.overlap_lead_bytes = overlap_lead_bytes(c, 4);
  kernel.reason = "4 pixels x 2 channels share their loads";
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

std::optional<Kernel> choose_addition(const runtime::Addition& step) {
  const bool equal_size = step.a.height == step.b.height && step.a.width == step.b.width &&
                          step.a.height == step.output.height && step.a.width == step.output.width;
  if (!equal_size || !is_byte(step.a) || !is_byte(step.b) || !is_byte(step.output)) return std::nullopt;
  return simple("addition_" + sign_of(step.a) + "_" + sign_of(step.b) + "_m3", "addition_8_m3.h",
                step.a.pixel_stride == step.output.pixel_stride);
}

}  // namespace

std::optional<Kernel> choose_cortex_m3_kernel(const Step& step, Optimize /*optimize*/) {
  return std::visit(overloaded{[](const ConvolutionStep& s) { return std::optional(choose_convolution(s)); },
                               [](const MaxPoolStep& s) { return pool_of_bytes(s.pool, "max_pool_8_m3"); },
                               [](const AveragePoolStep& s) {
                                 return pool_of_bytes(s.pool, "average_pool_" + sign_of(s.pool.input) + "_m3");
                               },
                               [](const AdditionStep& s) { return choose_addition(s.addition); },
                               [](const auto&) { return std::optional<Kernel>(); }},
                    step.operation);
}

}  // namespace trimtab
