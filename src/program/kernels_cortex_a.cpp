// Kernels of the Cortex-A cores. What they do not take runs with the portable kernels.

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <string>

#include "base/index.h"
#include "program/kernel_choices.h"
#include "trimtab/convolution_8_4x4_neon.h"
#include "trimtab/convolution_8_8x8_dot.h"
#include "trimtab/convolution_winograd_neon.h"
#include "trimtab/depthwise_8_dot.h"
#include "trimtab/depthwise_8_neon.h"
#include "trimtab/depthwise_8_pairs_neon.h"

namespace trimtab {
namespace {

using runtime::Convolution;

/// Whether panels hold what the convolution reads.
bool fits_panels(const ConvolutionStep& step) {
  return step.convolution.groups == 1 && is_byte(step.convolution.input) && padding_is_bytes(step);
}

/// Whether a filter has -128 at both numbers that `partner` makes a pair, whose products together may not fit 16 bits.
template <typename Partner>
bool has_extreme_pair(const ConvolutionStep& step, Partner partner) {
  const std::int64_t filters = step.convolution.output.channels;
  const std::int64_t size = std::ssize(step.weights) / filters;
  for (std::int64_t i = 0; i < std::ssize(step.weights); ++i) {
    if (nth(step.weights, i) != -128) continue;
    const std::int64_t other = partner(i % size);
    if (other >= 0 && other < size && nth(step.weights, i / size * size + other) == -128) return true;
  }
  return false;
}

/// As products_4x4_neon.h adds products: bytes k and k + 8 of every 16.
bool pairs_fit(const ConvolutionStep& step) {
  const runtime::WindowRuns runs = runtime::window_runs(step.convolution);
  return !has_extreme_pair(step, [&](std::int64_t i) -> std::int64_t {
    const std::int64_t place = i / runs.length * runs.pitch() + i % runs.length;
    if (place % 16 >= 8) return -1;
    const std::int64_t other = place + 8;
    return other % runs.pitch() < runs.length ? other / runs.pitch() * runs.length + other % runs.pitch() : -1;
  });
}

/// As depthwise_8_pairs_neon.h adds them: taps 0 and 1, and so on.
bool depthwise_pairs_fit(const ConvolutionStep& step) {
  return !has_extreme_pair(step, [](std::int64_t i) { return i % 2 == 0 ? i + 1 : -1; });
}

Kernel panel_kernel(const ConvolutionStep& step, const std::string& blocks, std::int32_t filters,
                    std::int32_t scratch_bytes, std::string reason) {
  const bool nested = step.weight_code == WeightCode::nested;
  Kernel kernel = make_kernel((nested ? "convolution_8_nested_" : "convolution_8_") + blocks, "convolution_8_" + blocks,
                              std::move(reason));
  kernel.layout = {WeightLayout::Kind::panels, filters};
  kernel.scratch_bytes = aligned(scratch_bytes);
  return kernel;
}

bool decodes(const ConvolutionStep& step) {
  return step.weight_code == WeightCode::nested || step.convolution.weight_bits < 8;
}

/// The kernel without the dot product, where it takes the convolution.
std::optional<Kernel> pairs_kernel(const ConvolutionStep& step) {
  if (!fits_panels(step) || !pairs_fit(step)) return std::nullopt;
  return panel_kernel(step, "4x4_neon", 4,
                      runtime::convolution_8_4x4_neon_scratch_bytes(step.convolution, decodes(step)),
                      "4 windows x 4 filters by SMLAL and SADALP");
}

/// Whether a depthwise kernel takes the convolution: its blocks have 8 channels, and it sums weights in 16 bits.
bool fits_depthwise(const ConvolutionStep& step) {
  const Convolution& c = step.convolution;
  constexpr std::int32_t most_taps = 64;
  return is_depthwise(c) && is_byte(c.input) && is_byte(c.output) && c.output.channels >= 8 &&
         runtime::depthwise_taps(c) <= most_taps && padding_is_bytes(step);
}

bool is_3x3(const runtime::Window& window, std::int32_t most_stride) {
  return window.kernel_height == 3 && window.kernel_width == 3 && window.dilation_rows == 1 &&
         window.dilation_columns == 1 && window.stride_columns <= most_stride;
}

Kernel depthwise_kernel(const ConvolutionStep& step) {
  const bool nested = step.weight_code == WeightCode::nested;
  Kernel kernel =
      make_kernel(nested ? "depthwise_8_nested_neon" : "depthwise_8_neon", "depthwise_8_neon", "8 channels together");
  kernel.layout = {WeightLayout::Kind::depthwise_blocks, 8};
  const bool is_decoded = !nested && step.convolution.weight_bits < 8;
  kernel.scratch_bytes = aligned(runtime::depthwise_8_neon_scratch_bytes(step.convolution, is_decoded));
  return kernel;
}

/// The same in blocks of so many channels, where two products fit 16 bits.
Kernel depthwise_pairs_kernel(const ConvolutionStep& step, std::int32_t channels) {
  const Convolution& c = step.convolution;
  if (step.weight_code == WeightCode::nested || !is_3x3(c.window, 2) || c.output.channels < channels ||
      !depthwise_pairs_fit(step)) {
    return depthwise_kernel(step);
  }
  Kernel kernel = make_kernel("depthwise_8_pairs_neon", "depthwise_8_pairs_neon",
                              fmt::format("{} channels together, two products in 16 bits", channels));
  kernel.layout = {WeightLayout::Kind::depthwise_blocks, channels};
  kernel.scratch_bytes = aligned(runtime::depthwise_8_pairs_neon_scratch_bytes(c, channels, c.weight_bits < 8));
  return kernel;
}

constexpr std::int32_t channels_in_32_bit_state = 8;
constexpr std::int32_t channels_in_64_bit_state = 16;

/// Whether F(4x4, 3x3) computes every sum right. Where it takes fewer instructions is measured: from 12 inputs on, and
/// where at least three quarters of the filters' blocks are filters.
bool fits_winograd(const ConvolutionStep& step) {
  const Convolution& c = step.convolution;
  if (!runtime::winograd_neon_takes(c) || step.weight_code != WeightCode::integer || !padding_is_bytes(step) ||
      c.input.channels < 12 || 4 * c.output.channels < 3 * runtime::winograd_neon_filters(c) || c.output.height < 4 ||
      c.output.width < 4) {
    return false;
  }
  const std::int64_t size = std::ssize(step.weights) / c.output.channels;
  const std::int64_t largest_input = c.input.format.is_signed ? 128 : 255;
  for (std::int64_t filter = 0; filter < c.output.channels; ++filter) {
    std::int64_t sum = std::abs(std::int64_t{nth(step.bias, filter)});
    for (std::int64_t i = 0; i < size; ++i) {
      sum += std::abs(std::int64_t{nth(step.weights, filter * size + i)}) * largest_input;
    }
    if (sum > runtime::winograd_neon_largest_sum) return false;
  }
  return true;
}

Kernel winograd_kernel(const Convolution& convolution) {
  Kernel kernel =
      make_kernel("convolution_winograd_neon", "convolution_winograd_neon", "F(4x4, 3x3): 36 products in place of 144");
  kernel.layout.kind = WeightLayout::Kind::winograd_panels;
  kernel.scratch_bytes = aligned(runtime::winograd_neon_scratch(convolution).end);
  return kernel;
}

Kernel depthwise_dot_kernel(const Convolution& convolution) {
  Kernel kernel = make_kernel("depthwise_8_dot", "depthwise_8_dot", "8 channels and two rows together, by SDOT");
  kernel.layout.kind = WeightLayout::Kind::depthwise_rows;
  kernel.scratch_bytes = aligned(runtime::depthwise_8_dot_scratch_bytes(convolution, convolution.weight_bits < 8));
  return kernel;
}

}  // namespace

std::optional<Kernel> choose_cortex_a15_kernel(const Step& step, Optimize /*optimize*/) {
  const auto* const s = std::get_if<ConvolutionStep>(&step.operation);
  if (s == nullptr) return std::nullopt;
  if (fits_depthwise(*s)) return depthwise_pairs_kernel(*s, channels_in_32_bit_state);
  return pairs_kernel(*s);
}

std::optional<Kernel> choose_cortex_a53_kernel(const Step& step, Optimize /*optimize*/) {
  const auto* const s = std::get_if<ConvolutionStep>(&step.operation);
  if (s == nullptr) return std::nullopt;
  if (fits_depthwise(*s)) return depthwise_pairs_kernel(*s, channels_in_64_bit_state);
  if (step.points.empty() && fits_winograd(*s)) return winograd_kernel(s->convolution);
  return pairs_kernel(*s);
}

std::optional<Kernel> choose_cortex_a76_kernel(const Step& step, Optimize /*optimize*/) {
  const auto* const s = std::get_if<ConvolutionStep>(&step.operation);
  if (s == nullptr) return std::nullopt;
  if (fits_depthwise(*s)) {
    const bool by_dot = is_3x3(s->convolution.window, 1) && s->convolution.window.stride_rows == 1 &&
                        s->weight_code == WeightCode::integer;
    return by_dot ? depthwise_dot_kernel(s->convolution) : depthwise_pairs_kernel(*s, channels_in_64_bit_state);
  }
  if (!fits_panels(*s)) return std::nullopt;
  return panel_kernel(*s, "8x8_dot", 8, runtime::convolution_8_8x8_dot_scratch_bytes(s->convolution, decodes(*s)),
                      "8 windows x 8 filters by SDOT");
}

}  // namespace trimtab
