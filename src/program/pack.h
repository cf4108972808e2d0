#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "program/kernels.h"
#include "program/program.h"

namespace trimtab {

/// The weights of a convolution as a kernel of that layout reads them. Layouts of this machine hold the integers of the
/// operating point that the step has; all others hold what serves every point. O(weights).
[[nodiscard]] std::vector<std::uint8_t> pack_weights(const ConvolutionStep& step, const WeightLayout& layout);

/// Packs `filters` filters of equal size as runtime/trimtab/weights.h reads them.
[[nodiscard]] std::vector<std::uint8_t> pack_filters(std::span<const std::int16_t> weights, std::int64_t filters,
                                                     int bits);

/// A depthwise convolution's weights tap by tap of every `together` channels, whose number is a multiple of that.
[[nodiscard]] std::vector<std::int16_t> interleave_depthwise(const ConvolutionStep& step, std::int32_t together);

// Layouts in files of their own.
[[nodiscard]] std::vector<std::uint8_t> pack_chunk_pairs(const ConvolutionStep& step);
[[nodiscard]] std::vector<std::uint8_t> pack_depthwise_eights(const ConvolutionStep& step);
[[nodiscard]] std::vector<std::uint8_t> pack_lanes(const ConvolutionStep& step);
[[nodiscard]] std::vector<std::uint8_t> pack_panels(const ConvolutionStep& step, std::int32_t block);
[[nodiscard]] std::vector<std::uint8_t> pack_depthwise_blocks(const ConvolutionStep& step, std::int32_t channels);
[[nodiscard]] std::vector<std::uint8_t> pack_depthwise_rows(const ConvolutionStep& step);
[[nodiscard]] std::vector<std::uint8_t> pack_winograd_panels(const ConvolutionStep& step);
[[nodiscard]] std::vector<std::uint8_t> pack_host_blocks(const ConvolutionStep& step);
[[nodiscard]] std::vector<std::uint8_t> pack_host_depthwise(const ConvolutionStep& step);

}  // namespace trimtab
