#include <algorithm>
#include <bit>
#include <span>
#include <string>
#include <utility>

#include "program/kernel_choices.h"
#include "trimtab/convolution_s16_4x16_avx2.h"
#include "trimtab/depthwise_s16_1x16_avx2.h"
#include "trimtab/elementwise_s16_1x16_avx2.h"
#include "trimtab/pool_s16_1x16_avx2.h"

namespace trimtab {

#if defined(TRIMTAB_HAS_AVX2_KERNELS)
namespace {

using runtime::Convolution;

/// Appends integers of 32 or 16 bits, lowest byte first, as the host reads them.
template <typename Integer>
void append(std::vector<std::uint8_t>& bytes, Integer value) {
  static_assert(std::endian::native == std::endian::little);
  const auto* first = reinterpret_cast<const std::uint8_t*>(&value);
  bytes.insert(bytes.end(), first, first + sizeof(value));
}

/// Appends the biases and multipliers of a block: those of channel first + channels[lane], zeros beyond the last.
void append_constants(std::vector<std::uint8_t>& bytes, const ConvolutionStep& step, std::int32_t first,
                      std::int32_t count, std::int32_t lanes) {
  for (const std::vector<std::int32_t>* constants : {&step.bias, &step.multiplier}) {
    for (std::int32_t lane = 0; lane < lanes; ++lane) {
      const std::int32_t channel = runtime::block_channel(lanes, lane);
      append(bytes, channel < count ? (*constants)[static_cast<std::size_t>(first + channel)] : std::int32_t{0});
    }
  }
}

/// As convolution_s16_4x16_avx2.h reads them.
std::vector<std::uint8_t> pack_blocks(const ConvolutionStep& step, std::span<const std::int16_t> weights) {
  const Convolution& convolution = step.convolution;
  const runtime::ConvolutionRuns runs = runtime::convolution_runs(convolution);
  const std::int32_t outputs = convolution.output.channels / convolution.groups;
  const std::int32_t filter_size = runs.rows * runs.columns * runs.length;
  std::vector<std::uint8_t> packed;
  for (std::int32_t group = 0; group < convolution.groups; ++group) {
    for (std::int32_t done = 0; done < outputs;) {
      const std::int32_t first = group * outputs + done;
      const std::int32_t lanes = runtime::block_lanes(outputs - done);
      const std::int32_t count = std::min(outputs - done, lanes);
      append_constants(packed, step, first, count, lanes);
      for (std::int32_t run = 0; run < runs.rows * runs.columns; ++run) {
        for (std::int32_t pair = 0; pair < runs.pairs(); ++pair) {
          for (std::int32_t lane = 0; lane < lanes; ++lane) {
            const std::int32_t channel = runtime::block_channel(lanes, lane);
            for (std::int32_t input = 2 * pair; input < 2 * pair + 2; ++input) {
              const bool real = channel < count && input < runs.length;
              const std::int32_t index = (first + channel) * filter_size + run * runs.length + input;
              append(packed, real ? std::int16_t{weights[static_cast<std::size_t>(index)]} : std::int16_t{0});
            }
          }
        }
      }
      done += count;
    }
  }
  return packed;
}

/// As depthwise_s16_1x16_avx2.h reads them.
std::vector<std::uint8_t> pack_depthwise(const ConvolutionStep& step, std::span<const std::int16_t> weights) {
  const Convolution& convolution = step.convolution;
  const std::int32_t taps = convolution.window.kernel_height * convolution.window.kernel_width;
  std::vector<std::uint8_t> packed;
  for (std::int32_t first = 0; first < convolution.output.channels; first += 16) {
    const std::int32_t count = std::min(convolution.output.channels - first, 16);
    append_constants(packed, step, first, count, 16);
    for (std::int32_t pair = 0; pair < taps; pair += 2) {
      for (std::int32_t lane = 0; lane < 16; ++lane) {
        const std::int32_t channel = runtime::block_channel(16, lane);
        for (std::int32_t tap = pair; tap < pair + 2; ++tap) {
          const bool real = channel < count && tap < taps;
          const std::int32_t index = (first + channel) * taps + tap;
          append(packed, real ? std::int16_t{weights[static_cast<std::size_t>(index)]} : std::int16_t{0});
        }
      }
    }
  }
  return packed;
}

template <typename... Images>
bool fit(const Images&... images) {
  return (runtime::fits_s16(images.format) && ...);
}

bool same_layout(const runtime::Image& a, const runtime::Image& b) {
  return a.pixel_stride == b.pixel_stride && a.format.bits == b.format.bits && a.height == b.height &&
         a.width == b.width;
}

std::optional<Kernel> make_kernel(const std::string& operation, const std::string& family, bool in_place = false) {
  Kernel kernel;
  kernel.name = operation + "_avx2";
  kernel.header = family + "_avx2.h";
  kernel.in_place = in_place;
  kernel.reason = "the processor has AVX2";
  return kernel;
}

bool is_depthwise(const Convolution& convolution) {
  return convolution.groups == convolution.input.channels && convolution.groups == convolution.output.channels &&
         convolution.window.kernel_height * convolution.window.kernel_width <=
             runtime::depthwise_s16_1x16_avx2_most_taps;
}

std::vector<std::uint8_t> pack(const ConvolutionStep& step, std::span<const std::int16_t> weights) {
  return is_depthwise(step.convolution) ? pack_depthwise(step, weights) : pack_blocks(step, weights);
}

std::optional<Kernel> choose_convolution(const ConvolutionStep& step) {
  const Convolution& convolution = step.convolution;
  if (!fit(convolution.input, convolution.output)) return std::nullopt;
  const bool depthwise = is_depthwise(convolution);
  const std::string family = depthwise ? "depthwise_s16_1x16" : "convolution_s16_4x16";
  std::optional<Kernel> kernel = make_kernel(family, family);
  kernel->weights = pack(step, step.weights);
  kernel->scratch_bytes = (runtime::band_bytes(convolution) + 7) / 8 * 8;
  return kernel;
}

}  // namespace

std::optional<Kernel> choose_host_kernel(const Step& step, Optimize /*optimize*/) {
  if (!__builtin_cpu_supports("avx2")) return std::nullopt;
  return std::visit(overloaded{[](const ConvolutionStep& s) { return choose_convolution(s); },
                               [](const MaxPoolStep& s) -> std::optional<Kernel> {
                                 if (!fit(s.pool.input, s.pool.output)) return std::nullopt;
                                 return make_kernel("max_pool_s16_1x16", "pool_s16_1x16");
                               },
                               [](const AveragePoolStep& s) -> std::optional<Kernel> {
                                 if (!fit(s.pool.input, s.pool.output)) return std::nullopt;
                                 return make_kernel("average_pool_s16_1x16", "pool_s16_1x16");
                               },
                               [](const AdditionStep& s) -> std::optional<Kernel> {
                                 if (!fit(s.addition.a, s.addition.b, s.addition.output)) return std::nullopt;
                                 return make_kernel("addition_s16_1x16", "elementwise_s16_1x16",
                                                    same_layout(s.addition.a, s.addition.output));
                               },
                               [](const MultiplicationStep& s) -> std::optional<Kernel> {
                                 if (!fit(s.multiplication.a, s.multiplication.b, s.multiplication.output))
                                   return std::nullopt;
                                 return make_kernel("multiplication_s16_1x16", "elementwise_s16_1x16",
                                                    same_layout(s.multiplication.a, s.multiplication.output));
                               },
                               [](const LookupStep&) -> std::optional<Kernel> { return std::nullopt; },
                               [](const RescaleStep& s) -> std::optional<Kernel> {
                                 if (!fit(s.rescale.input, s.rescale.output)) return std::nullopt;
                                 return make_kernel("rescale_s16_1x16", "elementwise_s16_1x16",
                                                    same_layout(s.rescale.input, s.rescale.output));
                               }},
                    step.operation);
}

std::vector<std::uint8_t> pack_host_weights(const ConvolutionStep& step, std::span<const std::int16_t> weights) {
  return pack(step, weights);
}

#else

std::optional<Kernel> choose_host_kernel(const Step& /*step*/, Optimize /*optimize*/) { return std::nullopt; }

std::vector<std::uint8_t> pack_host_weights(const ConvolutionStep& /*step*/,
                                            std::span<const std::int16_t> /*weights*/) {
  return {};
}

#endif

}  // namespace trimtab
