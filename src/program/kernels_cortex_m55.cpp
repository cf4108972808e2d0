// Kernels of cores with MVE: Cortex-M55. What they do not cover falls back to the DSP extension's.

#include <algorithm>
#include <string>

#include "program/kernel_choices.h"
#include "program/overlap.h"
#include "program/pack.h"
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

/// As convolution_8_4x2_mve.h wants them.
std::vector<std::uint8_t> pack_for_mve(const ConvolutionStep& step) {
  const runtime::Convolution& c = step.convolution;
  const std::int64_t filters = c.output.channels;
  const std::int64_t size = static_cast<std::int64_t>(step.weights.size()) / filters;
  const std::int64_t chunks = runtime::convolution_8_4x2_mve_chunks(c);
  const int bits = c.weight_bits;
  // of 8 bits, only the last pair is filled up
  const std::int64_t block = bits == 8 ? 2 : 8;
  const std::int64_t padded_filters = (filters + block - 1) / block * block;
  // byte `lane` of chunk `index`, in the order that the kernel reads them
  std::vector<std::int8_t> numbers(static_cast<std::size_t>(padded_filters * chunks * 16));
  for (std::int64_t filter = 0; filter < padded_filters; ++filter) {
    const std::int64_t from = std::min(filter, filters - 1) * size;
    for (std::int64_t k = 0; k < size; ++k) {
      const std::int64_t index = (filter / 2 * chunks + k / 16) * 2 + filter % 2;
      numbers[static_cast<std::size_t>(index * 16 + k % 16)] = step.weights[static_cast<std::size_t>(from + k)];
    }
  }
  if (bits == 8) return {numbers.begin(), numbers.end()};
  std::vector<std::uint8_t> packed(numbers.size() / 8 * static_cast<std::size_t>(bits));
  for (std::size_t i = 0; i < numbers.size(); ++i) {
    const std::size_t lane = i % 16;
    const std::size_t chunk = i / 16 % 8;
    const std::size_t group = i / 128;
    for (int b = 0; b < bits; ++b) {
      const std::size_t bit = chunk * static_cast<std::size_t>(bits) + static_cast<std::size_t>(b);
      const unsigned value = static_cast<unsigned>(numbers[i]) >> b & 1U;
      packed[(group * static_cast<std::size_t>(bits) + bit / 8) * 16 + lane] |=
          static_cast<std::uint8_t>(value << (bit % 8));
    }
  }
  return packed;
}

std::string sign_of(const runtime::Image& image) { return image.format.is_signed ? "s8" : "u8"; }

std::optional<Kernel> choose_convolution(const ConvolutionStep& step) {
  const runtime::Convolution& c = step.convolution;
  if (!is_byte(c.input) || !is_byte(c.output) || !padding_is_bytes(step)) return std::nullopt;
  Kernel kernel;
  if (c.groups == c.input.channels && c.groups == c.output.channels) {
    kernel.name = "depthwise_" + sign_of(c.input) + "_plane_mve";
    kernel.header = "depthwise_8_plane_mve.h";
    kernel.scratch_bytes = (runtime::depthwise_8_plane_mve_scratch_bytes(c) + 7) / 8 * 8;
    kernel.weights = pack_filters(step.weights, c.output.channels, c.weight_bits);
    kernel.in_place = c.input.pixel_stride == c.output.pixel_stride &&
                      c.output.height * c.output.width <= c.input.height * c.input.width;
    kernel.reason = "one filter per channel: channel by channel in a plane, four outputs at a time";
    return kernel;
  }
  if (c.groups != 1) return std::nullopt;
  kernel.name = "convolution_8_w" + std::to_string(c.weight_bits) + "_4x2_mve";
  kernel.header = "convolution_8_4x2_mve.h";
  kernel.scratch_bytes = (runtime::convolution_8_4x2_mve_scratch_bytes(c) + 7) / 8 * 8;
  kernel.weights = pack_for_mve(step);
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
