#pragma once

#include <span>

#include "graph/graph.h"
#include "learn/range_method.h"
#include "plan/quantized_network.h"

namespace trimtab {

/// Scale of the symmetric grid, integers in [-2^(bits-1), 2^(bits-1) - 1], for the weights of one output channel.
/// The grid has one level more below zero than above. A negative scale mirrors the grid, where that fits the weights
/// better. `mse` searches the scale with the least squared error. `min_max` saturates nothing. `percentile` is for
/// activations and is the same as `min_max` here. Returns 0 where all weights are 0.
[[nodiscard]] float weight_scale(std::span<const float> weights, int bits, RangeMethod method);

/// The integer nearest to weight / scale, halves upward, saturated to `bits`.
[[nodiscard]] std::int32_t quantize_weight(float weight, float scale, int bits);

/// Grid of a Conv's or Linear's weights {output channels, ...}. The accumulator (in units of input_scale * weight
/// scale) also has to hold the bias. `bias` is {output channels} or empty. Scales are kept large enough for a bias
/// below 2^24 units (2^40 where weights have more than 8 bits, whose sums have 64 bits), and are never 0.
[[nodiscard]] WeightGrid make_weight_grid(const Tensor& weight, const Tensor& bias, float input_scale, int bits,
                                          RangeMethod method);

/// Raises scales until they are large enough for `bias`, as said above.
void keep_scales_up(WeightGrid& grid, const Tensor& bias, float input_scale);

/// Replaces every weight by the nearest number of its grid: exactly integer * scale.
void round_to_grid(Tensor& weight, const WeightGrid& grid);

}  // namespace trimtab
