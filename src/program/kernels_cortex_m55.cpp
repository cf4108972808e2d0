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

/// As convolution_8_4x2_mve.h reads them where they lie: pairs of filters, 16 numbers of each in turn.
std::vector<std::uint8_t> pack_pairs(const ConvolutionStep& step) {
  const std::int64_t filters = step.convolution.output.channels;
  const std::int64_t size = runtime::convolution_8_4x2_mve_size(step.convolution);
  std::vector<std::uint8_t> packed;
  for (std::int64_t pair = 0; pair < filters; pair += 2) {
    for (std::int64_t first = 0; first < size; first += 16) {
      for (const std::int64_t filter : {pair, std::min(pair + 1, filters - 1)}) {
        const auto from = step.weights.begin() + filter * size + first;
        std::transform(from, from + 16, std::back_inserter(packed),
                       [](std::int16_t weight) { return static_cast<std::uint8_t>(weight); });
      }
    }
  }
  return packed;
}

/// As convolution_8_4x2_mve.h unpacks them: blocks of eight filters, whose fields lie in the lanes of vectors.
std::vector<std::uint8_t> pack_lanes(const ConvolutionStep& step) {
  const std::int64_t filters = step.convolution.output.channels;
  const std::int64_t size = runtime::convolution_8_4x2_mve_size(step.convolution);
  const int bits = step.convolution.weight_bits;
  std::vector<std::uint8_t> packed;
  std::int64_t read = 0;  // by the kernel, vectors of 16 lanes for 8 filters
  for (std::int64_t block = 0; block < filters; block += 8) {
    const std::int64_t count = std::min<std::int64_t>(8, (filters - block + 1) / 2 * 2);
    const std::int64_t vectors = (count * bits + 7) / 8;
    for (std::int64_t first = 0; first < size; first += 16) {
      const std::int64_t lanes = std::min<std::int64_t>(16, size - first);
      const std::size_t begin = packed.size();
      read = std::ssize(packed) + (bits - 1) * lanes + 16;
      packed.resize(begin + static_cast<std::size_t>(vectors * lanes));
      for (std::int64_t i = 0; i < count * lanes * bits; ++i) {
        const std::int64_t lane = i / bits % lanes;
        const std::int64_t filter = i / bits / lanes;
        const std::int64_t bit = filter * bits + i % bits;
        const int weight =
            step.weights[static_cast<std::size_t>(std::min(block + filter, filters - 1) * size + first + lane)];
        const unsigned value = static_cast<unsigned>(weight) >> (i % bits) & 1U;
        packed[begin + static_cast<std::size_t>(bit / 8 * lanes + lane)] |=
            static_cast<std::uint8_t>(value << (bit % 8));
      }
    }
  }
  packed.resize(static_cast<std::size_t>(std::max(read, std::ssize(packed))));
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
    kernel.weights = pack_filters(step.weights, 1, c.weight_bits);  // without gaps between them
    kernel.in_place = c.input.pixel_stride == c.output.pixel_stride &&
                      c.output.height * c.output.width <= c.input.height * c.input.width;
    kernel.reason = "one filter per channel: channel by channel in a plane, four outputs at a time";
    return kernel;
  }
  if (c.groups != 1) return std::nullopt;
  kernel.name = "convolution_8_w" + std::to_string(c.weight_bits) + "_4x2_mve";
  kernel.header = "convolution_8_4x2_mve.h";
  kernel.scratch_bytes = (runtime::convolution_8_4x2_mve_scratch_bytes(c) + 7) / 8 * 8;
  kernel.weights = runtime::convolution_8_4x2_mve_unpacks(c) ? pack_lanes(step) : pack_pairs(step);
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
