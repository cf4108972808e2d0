// Weights as the kernels for NEON read them: filter_panels.h and the headers that include it.

#include <algorithm>
#include <span>

#include "base/index.h"
#include "program/pack.h"
#include "trimtab/convolution_winograd_neon.h"
#include "trimtab/depthwise_8_dot.h"
#include "trimtab/depthwise_8_neon.h"
#include "trimtab/filter_panels.h"

namespace trimtab {
namespace {

/// Where number `i` of a filter as it is stored (kernel row, kernel column, input channel) lies in a window.
std::int64_t place_in_window(const runtime::WindowRuns& runs, std::int64_t i) {
  return i / runs.length * runs.pitch() + i % runs.length;
}

/// Vectors of signed weights of fewer than 8 bits as filter_panels.h's bit planes.
void append_vector_planes(std::vector<std::uint8_t>& packed, std::span<const std::int8_t> weights, int bits) {
  constexpr std::size_t lanes = 16;
  constexpr std::size_t vectors = runtime::panel_group_vectors;
  for (std::size_t group = 0; group < weights.size(); group += lanes * vectors) {
    int done = 0;
    for (const int plane : {4, 2, 1}) {
      if ((bits & plane) == 0) continue;
      const std::size_t per_vector = 8 / static_cast<std::size_t>(plane);
      for (std::size_t first = 0; first < vectors; first += per_vector) {
        for (std::size_t lane = 0; lane < lanes; ++lane) {
          std::uint32_t value = 0;
          for (std::size_t j = 0; j < per_vector; ++j) {
            const auto weight = static_cast<std::uint32_t>(weights[group + (first + j) * lanes + lane]);
            value |= (weight >> done & ((1U << plane) - 1)) << (j * static_cast<std::size_t>(plane));
          }
          packed.push_back(static_cast<std::uint8_t>(value));
        }
      }
      done += plane;
    }
  }
}

/// Appends whole groups of vectors, as they are or in bit planes.
void append_vectors(std::vector<std::uint8_t>& packed, std::span<const std::int8_t> weights, int bits) {
  if (bits < 8) return append_vector_planes(packed, weights, bits);
  std::ranges::transform(weights, std::back_inserter(packed),
                         [](std::int8_t weight) { return static_cast<std::uint8_t>(weight); });
}

void append_integer(std::vector<std::uint8_t>& packed, std::int32_t integer, int bytes) {
  for (int byte = 0; byte < bytes; ++byte) {
    packed.push_back(static_cast<std::uint8_t>(static_cast<std::uint32_t>(integer) >> (8 * byte)));
  }
}

/// Where number `k` of a filter lies among the bytes of decoded panels of blocks of 4 or 8 filters, for windows of
/// `size` bytes.
std::int64_t panel_position(std::int32_t block, std::int64_t size, std::int64_t filter, std::int64_t k) {
  const std::int64_t first = filter / block * block * size;
  const std::int64_t in_block = filter % block;
  return block == 4 ? first + k / 16 * 64 + in_block * 16 + k % 16 : first + k / 4 * 32 + in_block * 4 + k % 4;
}

}  // namespace

std::vector<std::uint8_t> pack_panels(const ConvolutionStep& step, std::int32_t block) {
  const runtime::Convolution& convolution = step.convolution;
  const runtime::WindowRuns runs = runtime::window_runs(convolution);
  const std::int64_t filters = convolution.output.channels;
  const std::int64_t filter_size = std::int64_t{runs.count} * runs.length;
  std::vector<std::int8_t> panels(static_cast<std::size_t>(runtime::decoded_panels_bytes(convolution, block)));
  std::vector<std::int32_t> sums(static_cast<std::size_t>(runtime::panel_filters(convolution, block)));
  for (std::int64_t filter = 0; filter < filters; ++filter) {
    for (std::int64_t i = 0; i < filter_size; ++i) {
      const std::int16_t weight = nth(step.weights, filter * filter_size + i);
      nth(sums, filter) += weight;
      nth(panels, panel_position(block, runs.size(), filter, place_in_window(runs, i))) =
          static_cast<std::int8_t>(weight);
    }
  }
  std::vector<std::uint8_t> packed;
  if (step.weight_code == WeightCode::integer) {
    for (const std::int32_t sum : sums) append_integer(packed, sum, 4);
  }
  append_vectors(packed, panels, stored_bits(step));
  return packed;
}

std::vector<std::uint8_t> pack_depthwise_blocks(const ConvolutionStep& step, std::int32_t channels) {
  const runtime::Convolution& convolution = step.convolution;
  const std::int32_t taps = runtime::depthwise_taps(convolution);
  std::vector<std::int8_t> weights(static_cast<std::size_t>(runtime::depthwise_decoded_bytes(convolution, channels)));
  for (std::int32_t block = 0; block < runtime::depthwise_blocks(convolution, channels); ++block) {
    const std::int32_t first = runtime::depthwise_first_channel(convolution, channels, block);
    for (std::int32_t tap = 0; tap < taps; ++tap) {
      for (std::int32_t i = 0; i < channels; ++i) {
        nth(weights, (block * taps + tap) * channels + i) =
            static_cast<std::int8_t>(nth(step.weights, (first + i) * taps + tap));
      }
    }
  }
  std::vector<std::uint8_t> packed;
  append_vectors(packed, weights, stored_bits(step));
  return packed;
}

std::vector<std::uint8_t> pack_depthwise_rows(const ConvolutionStep& step) {
  std::vector<std::int8_t> weights(static_cast<std::size_t>(runtime::depthwise_dot_decoded_bytes(step.convolution)));
  for (std::int32_t block = 0; block < runtime::depthwise_blocks(step.convolution, 8); ++block) {
    const std::int32_t first = runtime::depthwise_first_channel(step.convolution, 8, block);
    for (std::int32_t row = 0; row < 3; ++row) {
      for (std::int32_t column = 0; column < 3; ++column) {
        for (std::int32_t i = 0; i < 8; ++i) {
          const auto weight = static_cast<std::int8_t>(nth(step.weights, (first + i) * 9 + row * 3 + column));
          for (std::int32_t lower = 0; lower < 2; ++lower) {  // of two rows of outputs
            nth(weights, block * 192 + lower * 96 + column * 32 + i * 4 + row + lower) = weight;
          }
        }
      }
    }
  }
  std::vector<std::uint8_t> packed;
  append_vectors(packed, weights, stored_bits(step));
  return packed;
}

std::vector<std::uint8_t> pack_winograd_panels(const ConvolutionStep& step) {
  const std::int32_t inputs = step.convolution.input.channels;
  const std::int32_t filters = step.convolution.output.channels;
  std::vector<std::uint8_t> packed;
  for (std::int32_t filter = 0; filter < filters; ++filter) {
    std::int32_t sum = 0;
    for (std::int32_t i = 0; i < 9 * inputs; ++i) sum += nth(step.weights, filter * 9 * inputs + i);
    append_integer(packed, sum, 4);
  }
  for (std::int32_t block = 0; block < filters; block += 16) {
    for (std::int32_t point = 0; point < 36; ++point) {
      for (std::int32_t input = 0; input < runtime::winograd_neon_inputs(step.convolution); ++input) {
        for (std::int32_t filter = block; filter < block + 16; ++filter) {
          const bool is_padding = input >= inputs || filter >= filters;
          std::int32_t weight = 0;
          for (std::int32_t tap = 0; tap < 9 && !is_padding; ++tap) {
            weight += runtime::winograd_weight(point, tap / 3, tap % 3) *
                      nth(step.weights, (filter * 9 + tap) * inputs + input);
          }
          append_integer(packed, weight, 2);
        }
      }
    }
  }
  return packed;
}

}  // namespace trimtab
