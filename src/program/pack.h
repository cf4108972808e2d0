#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "program/program.h"

namespace trimtab {

/// Packs `filters` filters of equal size as runtime/trimtab/weights.h reads them.
[[nodiscard]] std::vector<std::uint8_t> pack_filters(std::span<const std::int16_t> weights, std::int64_t filters,
                                                     int bits);

/// Packs a convolution as runtime/trimtab/convolution_columns_dsp.h reads it, decoding `filters_per_block` filters at a
/// time.
[[nodiscard]] std::vector<std::uint8_t> pack_convolution_columns(const ConvolutionStep& step,
                                                                 std::int32_t filters_per_block);

/// Packs a depthwise convolution as runtime/trimtab/depthwise_1x4_dsp.h reads it, making `rows_per_band` output rows at
/// a time.
[[nodiscard]] std::vector<std::uint8_t> pack_depthwise_1x4(const ConvolutionStep& step, std::int32_t rows_per_band);

}  // namespace trimtab
