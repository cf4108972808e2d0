#pragma once

#include <array>
#include <cstdint>
#include <span>

#include "data/dataset.h"
#include "plan/nested_network.h"

namespace trimtab {

/// Precisions whose output errors are added up, in bits.
inline constexpr std::array rounding_bits{8, 6, 5, 4, 3};
/// A number for each of them.
using ByRoundingBits = std::array<double, rounding_bits.size()>;

/// The output error e' H e of one output channel at each precision, where e = weight at these bits of the nested grid -
/// real weight, and H = `moments` {n, n} are the second moments of the n inputs that meet the weights.
[[nodiscard]] ByRoundingBits output_errors(std::span<const float> weights, float scale, std::span<const float> moments,
                                           std::span<const std::int8_t> digits);

/// Moves the digits of one output channel so that the sum of importance * output error over the precisions becomes
/// less. One string of digits serves all of them, so each moves with all in view: coordinate descent, weight by weight,
/// to the best of the 256 digits while the others stay, until none moves. (Layer by layer, on the output's error, as
/// AdaRound: Nagel et al., ICML 2020, there for one precision.) `moments` is symmetric with a diagonal greater than 0.
/// A sweep over the weights takes at most 5 n (n + 256) multiply-accumulates; there are at most 20.
void round_channel(std::span<const float> weights, float scale, std::span<const float> moments,
                   const ByRoundingBits& importance, std::span<std::int8_t> digits);

/// Finds scales and digits of every Conv and Linear anew, on the nested grid, by their output errors with the inputs
/// that the float network has on raw samples. The moments are centred: the mean error of a channel is what bias
/// correction takes away, which every operating point needs afterwards. Layers with more than 1200 inputs per output
/// keep what they have, so that the work stays bounded.
void learn_rounding(NestedNetwork& network, const Dataset& samples);

}  // namespace trimtab
