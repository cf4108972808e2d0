// Weights as the kernels of this machine read them: 16-bit integers of one operating point, biases and multipliers
// among them.

#include <algorithm>
#include <bit>
#include <span>

#include "base/index.h"
#include "program/pack.h"
#include "trimtab/convolution_s16_4x16_avx2.h"
#include "trimtab/depthwise_s16_1x16_avx2.h"

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
      append(bytes, channel < count ? nth((*constants), first + channel) : std::int32_t{0});
    }
  }
}

/// As convolution_s16_4x16_avx2.h reads them.
std::vector<std::uint8_t> blocks_of(const ConvolutionStep& step, std::span<const std::int16_t> weights) {
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
              append(packed, real ? std::int16_t{nth(weights, index)} : std::int16_t{0});
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
std::vector<std::uint8_t> depthwise_of(const ConvolutionStep& step, std::span<const std::int16_t> weights) {
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
          append(packed, real ? std::int16_t{nth(weights, index)} : std::int16_t{0});
        }
      }
    }
  }
  return packed;
}

/// The integers of the operating point that the step has now.
std::vector<std::int16_t> integers_of(const ConvolutionStep& step) {
  std::vector<std::int16_t> integers;
  integers.reserve(step.weights.size());
  for (std::size_t i = 0; i < step.weights.size(); ++i) {
    integers.push_back(static_cast<std::int16_t>(integer_weight(step, i, step.convolution.weight_bits)));
  }
  return integers;
}

}  // namespace

std::vector<std::uint8_t> pack_host_blocks(const ConvolutionStep& step) { return blocks_of(step, integers_of(step)); }

std::vector<std::uint8_t> pack_host_depthwise(const ConvolutionStep& step) {
  return depthwise_of(step, integers_of(step));
}

#else

std::vector<std::uint8_t> pack_host_blocks(const ConvolutionStep& /*step*/) { return {}; }
std::vector<std::uint8_t> pack_host_depthwise(const ConvolutionStep& /*step*/) { return {}; }

#endif

}  // namespace trimtab
