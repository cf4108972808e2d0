// Kernels of cores with MVE: Cortex-M55. What they do not cover falls back to the DSP extension's.

#include <algorithm>
#include <string>

#include "program/kernel_choices.h"
#include "program/overlap.h"
#include "trimtab/convolution_8_4x2_mve.h"
#include "trimtab/depthwise_8_plane_mve.h"

namespace trimtab {
namespace {

bool is_byte(const runtime::Image& image) { return image.format.bits == 8; }

bool padding_is_bytes(const ConvolutionStep& step) {
  const ActivationGrid grid{1, 8, step.convolution.input.format.is_signed};
  return std::all_of(step.padding_value.begin(), step.padding_value.end(),
                     [&](std::int16_t value) { return value >= grid.minimum() && value <= grid.maximum(); });
}

std::string sign_of(const runtime::Image& image) { return image.format.is_signed ? "s8" : "u8"; }

std::optional<Kernel> choose_convolution(const ConvolutionStep& step) {
  const runtime::Convolution& c = step.convolution;
  if (!is_byte(c.input) || !is_byte(c.output) || !padding_is_bytes(step)) return std::nullopt;
  Kernel kernel;
  if (c.groups == c.input.channels && c.groups == c.output.channels) {
    const char* const code = step.weight_code == WeightCode::nested ? "_nested" : "";
    kernel.name = "depthwise_" + sign_of(c.input) + code + "_plane_mve";
    kernel.header = "depthwise_8_plane_mve.h";
    kernel.scratch_bytes = (runtime::depthwise_8_plane_mve_scratch_bytes(c) + 7) / 8 * 8;
    kernel.layout.kind = WeightLayout::Kind::dense_filters;
    kernel.in_place = c.input.pixel_stride == c.output.pixel_stride &&
                      c.output.height * c.output.width <= c.input.height * c.input.width;
    kernel.reason = "one filter per channel: channel by channel in a plane, four outputs at a time";
    return kernel;
  }
  if (c.groups != 1) return std::nullopt;
  if (step.weight_code == WeightCode::nested) {
    if (runtime::convolution_8_4x2_mve_size(c) > runtime::nested_most_inputs) return std::nullopt;
    kernel.name = "convolution_8_nested_4x2_mve";
    kernel.header = "convolution_8_4x2_mve.h";
    kernel.scratch_bytes = (runtime::convolution_8_4x2_mve_scratch_bytes(c, true) + 7) / 8 * 8;
    kernel.layout.kind = WeightLayout::Kind::chunk_pairs;
    kernel.overlap_lead_bytes = overlap_lead_bytes(c, runtime::convolution_8_4x2_mve_pixels(c, true));
    kernel.reason = "16 products per instruction, 4 pixels x 2 filters share their loads, any precision";
    return kernel;
  }
  kernel.name = "convolution_8_w" + std::to_string(c.weight_bits) + "_4x2_mve";
  kernel.header = "convolution_8_4x2_mve.h";
  kernel.scratch_bytes = (runtime::convolution_8_4x2_mve_scratch_bytes(c) + 7) / 8 * 8;
  kernel.layout.kind =
      runtime::convolution_8_4x2_mve_unpacks(c) ? WeightLayout::Kind::lanes : WeightLayout::Kind::chunk_pairs;
  kernel.overlap_lead_bytes = overlap_lead_bytes(c, runtime::convolution_8_4x2_mve_pixels(c));
  kernel.reason = "16 products per instruction, 4 pixels x 2 filters share their loads";
  return kernel;
}

std::optional<Kernel> vectors(const std::string& name, bool in_place = false) {
  Kernel kernel;
  kernel.name = name + "_mve";
  kernel.header = "elementwise_8_mve.h";
  kernel.in_place = in_place;
  kernel.reason = "bytes, many channels at a time";
  return kernel;
}

/// Channels of a pixel are written after their windows have been read.
template <typename Pool>
std::optional<Kernel> choose_pool(const Pool& pool, const std::string& name) {
  if (!is_byte(pool.input) || !is_byte(pool.output)) return std::nullopt;
  std::optional<Kernel> kernel = vectors(name);
  kernel->overlap_lead_bytes = overlap_lead_bytes(pool.input, pool.output, pool.window, 1, false);
  return kernel;
}

std::optional<Kernel> choose_addition(const runtime::Addition& step) {
  const bool equal_size = step.a.height == step.b.height && step.a.width == step.b.width;
  if (!equal_size || !is_byte(step.a) || !is_byte(step.b) || !is_byte(step.output)) return std::nullopt;
  return vectors("addition_" + sign_of(step.a) + "_" + sign_of(step.b),
                 step.a.pixel_stride == step.output.pixel_stride);
}

}  // namespace

std::optional<Kernel> choose_cortex_m55_kernel(const Step& step, Optimize /*optimize*/) {
  return std::visit(
      overloaded{[](const ConvolutionStep& s) { return choose_convolution(s); },
                 [](const MaxPoolStep& s) { return choose_pool(s.pool, "max_pool_8"); },
                 [](const AveragePoolStep& s) { return choose_pool(s.pool, "average_pool_" + sign_of(s.pool.input)); },
                 [](const AdditionStep& s) { return choose_addition(s.addition); },
                 [](const auto&) { return std::optional<Kernel>(); }},
      step.operation);
}

}  // namespace trimtab
