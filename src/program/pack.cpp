#include "program/pack.h"

#include <algorithm>
#include <array>

#include "base/index.h"
#include "trimtab/convolution_columns_dsp.h"
#include "trimtab/weights.h"

namespace trimtab {
namespace {

void append_word(std::vector<std::uint8_t>& bytes, std::uint32_t word) {
  for (int shift = 0; shift < 32; shift += 8) bytes.push_back(static_cast<std::uint8_t>(word >> shift));
}

/// Appends words of four signed weights as runtime/trimtab/weight_planes.h reads them.
void append_planes(std::vector<std::uint8_t>& packed, std::span<const std::int16_t> weights, int bits) {
  constexpr std::size_t words = runtime::plane_group_words;
  constexpr std::size_t group = 4 * words;
  for (std::size_t first = 0; first < weights.size(); first += group) {
    std::array<std::uint32_t, group> fields{};
    for (std::size_t i = 0; i < std::min(group, weights.size() - first); ++i) {
      fields[i] = static_cast<std::uint32_t>(weights[first + i] + (1 << (bits - 1)));
    }
    int done = 0;
    for (const int plane : {4, 2, 1}) {
      if ((bits & plane) == 0) continue;
      const std::size_t per_byte = 8 / static_cast<std::size_t>(plane);
      for (std::size_t word = 0; word < words; word += per_byte) {
        for (std::size_t byte = 0; byte < 4; ++byte) {
          std::uint32_t value = 0;
          for (std::size_t j = 0; j < per_byte; ++j) {
            const std::uint32_t field = fields[(word + j) * 4 + byte] >> done & ((1U << plane) - 1);
            value |= field << (j * static_cast<std::size_t>(plane));
          }
          packed.push_back(static_cast<std::uint8_t>(value));
        }
      }
      done += plane;
    }
  }
}

/// Appends words of four signed weights: as bytes where they have 8 bits.
void append_words(std::vector<std::uint8_t>& packed, std::span<const std::int16_t> weights, int bits) {
  if (bits < 8) {
    append_planes(packed, weights, bits);
  } else {
    for (const std::int16_t weight : weights) packed.push_back(static_cast<std::uint8_t>(weight));
  }
}

/// The two filters `first` and `first` + 1 (or an empty one) of a group that ends at `end`, word by word.
void append_filter_pair(std::vector<std::int16_t>& words, const ConvolutionStep& step, std::int32_t first,
                        std::int32_t end) {
  const runtime::ColumnLayout layout = runtime::column_layout(step.convolution);
  const std::int32_t per_word = 32 / step.convolution.input.format.bits;
  const std::int32_t runs = layout.rows * layout.runs_per_row;
  const std::int32_t size = runs * layout.run_length;
  const std::size_t begin = words.size();
  words.resize(begin + static_cast<std::size_t>(4 * layout.pairs()));
  for (std::int32_t filter = first; filter < std::min(first + 2, end); ++filter) {
    for (std::int32_t i = 0; i < size; ++i) {
      const std::int32_t run = i / layout.run_length;
      const auto at = runtime::column_position(i % layout.run_length, layout.run_length, per_word);
      const std::int32_t pair = run * layout.run_pairs + at.pair;
      words[begin + static_cast<std::size_t>(4 * pair + 2 * at.lane + filter - first)] =
          nth(step.weights, filter * size + i);
    }
  }
}

}  // namespace

std::vector<std::uint8_t> pack_filters(std::span<const std::int16_t> weights, std::int64_t filters, int bits) {
  const auto size = static_cast<std::int32_t>(static_cast<std::int64_t>(weights.size()) / filters);
  const std::int64_t filter_bytes = runtime::packed_filter_bytes(size, bits);
  std::vector<std::uint8_t> packed(static_cast<std::size_t>(filter_bytes * filters));
  for (std::int64_t filter = 0; filter < filters; ++filter) {
    for (std::int64_t i = 0; i < size; ++i) {
      const auto weight = static_cast<std::uint32_t>(nth(weights, filter * size + i));
      for (int bit = 0; bit < bits; ++bit) {
        const std::int64_t position = i * bits + bit;
        const std::uint32_t value = (weight >> bit & 1U) << (position & 7);
        nth(packed, filter * filter_bytes + (position >> 3)) |= static_cast<std::uint8_t>(value);
      }
    }
  }
  return packed;
}

namespace {

std::vector<std::uint8_t> pack_convolution_columns(const ConvolutionStep& step, std::int32_t filters_per_block) {
  const runtime::Convolution& convolution = step.convolution;
  const std::int32_t group_filters = convolution.output.channels / convolution.groups;
  std::vector<std::uint8_t> packed;
  append_word(packed, static_cast<std::uint32_t>(filters_per_block));
  for (std::int32_t group = 0; group < convolution.groups; ++group) {
    const std::int32_t end = (group + 1) * group_filters;
    for (std::int32_t block = group * group_filters; block < end; block += filters_per_block) {
      std::vector<std::int16_t> words;
      for (std::int32_t filter = block; filter < std::min(block + filters_per_block, end); filter += 2) {
        append_filter_pair(words, step, filter, end);
      }
      append_words(packed, words, stored_bits(step));
    }
  }
  return packed;
}

std::vector<std::uint8_t> pack_depthwise_1x4(const ConvolutionStep& step, std::int32_t rows_per_band) {
  const std::span<const std::int16_t> weights(step.weights);
  const std::size_t four = weights.size() / static_cast<std::size_t>(step.convolution.output.channels) * 4;
  std::vector<std::uint8_t> packed;
  append_word(packed, static_cast<std::uint32_t>(rows_per_band));
  for (std::size_t first = 0; first < weights.size(); first += four) {
    const auto channels = weights.subspan(first, std::min(four, weights.size() - first));
    const std::vector<std::uint8_t> filters = pack_filters(channels, 1, stored_bits(step));
    packed.insert(packed.end(), filters.begin(), filters.end());
  }
  return packed;
}

std::vector<std::uint8_t> pack_depthwise_words(const ConvolutionStep& step) {
  std::vector<std::uint8_t> packed;
  append_words(packed, interleave_depthwise(step, 4), stored_bits(step));
  return packed;
}

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
      nth(pairs, (pair * padded_size + k) * 2 + in_group % 2) = nth(step.weights, filter * size + k);
    }
  }
  return pack_filters(pairs, groups * group_pairs, stored_bits(step));
}

}  // namespace

std::vector<std::int16_t> interleave_depthwise(const ConvolutionStep& step, std::int32_t together) {
  const std::int32_t channels = step.convolution.output.channels;
  const auto taps = static_cast<std::int32_t>(std::ssize(step.weights)) / channels;
  std::vector<std::int16_t> weights;
  for (std::int32_t first = 0; first < channels; first += together) {
    for (std::int32_t tap = 0; tap < taps; ++tap) {
      for (std::int32_t i = 0; i < together; ++i) weights.push_back(nth(step.weights, (first + i) * taps + tap));
    }
  }
  return weights;
}

std::vector<std::uint8_t> pack_weights(const ConvolutionStep& step, const WeightLayout& layout) {
  switch (layout.kind) {
    case WeightLayout::Kind::none:
      return {};
    case WeightLayout::Kind::filters:
      return pack_filters(step.weights, step.convolution.output.channels, stored_bits(step));
    case WeightLayout::Kind::dense_filters:
      return pack_filters(step.weights, 1, stored_bits(step));
    case WeightLayout::Kind::columns:
      return pack_convolution_columns(step, layout.parameter);
    case WeightLayout::Kind::depthwise_fours:
      return pack_depthwise_1x4(step, layout.parameter);
    case WeightLayout::Kind::depthwise_words:
      return pack_depthwise_words(step);
    case WeightLayout::Kind::depthwise_eights:
      return pack_depthwise_eights(step);
    case WeightLayout::Kind::pairs:
      return pack_pairs(step, layout.parameter);
    case WeightLayout::Kind::chunk_pairs:
      return pack_chunk_pairs(step);
    case WeightLayout::Kind::lanes:
      return pack_lanes(step);
    case WeightLayout::Kind::panels:
      return pack_panels(step, layout.parameter);
    case WeightLayout::Kind::depthwise_blocks:
      return pack_depthwise_blocks(step, layout.parameter);
    case WeightLayout::Kind::depthwise_rows:
      return pack_depthwise_rows(step);
    case WeightLayout::Kind::winograd_panels:
      return pack_winograd_panels(step);
    case WeightLayout::Kind::host_blocks:
      return pack_host_blocks(step);
    case WeightLayout::Kind::host_depthwise:
      return pack_host_depthwise(step);
  }
  return {};
}

}  // namespace trimtab
