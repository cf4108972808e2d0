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

/// The output error e' H e of one output channel at each precision. e is the weight at these bits of the nested grid
/// less the real weight. H = `moments` {n, n} are the second moments of the n inputs that meet the weights.
[[nodiscard]] ByRoundingBits output_errors(std::span<const float> weights, float scale, std::span<const float> moments,
                                           std::span<const std::int8_t> digits);

/// Moves the digits of one output channel so that the sum of importance * output error over the precisions becomes
/// less. One string of digits serves all precisions. The method is coordinate descent: weight by weight it moves to the
/// best of the 256 digits while the others stay, until none moves. (AdaRound, Nagel et al., ICML 2020, works layer by
/// layer on the output's error, too, there for one precision.) `moments` is symmetric with a diagonal greater than 0. A
/// sweep over the weights takes at most 5 n (n + 256) multiply-accumulates. There are at most 20 sweeps.
void round_channel(std::span<const float> weights, float scale, std::span<const float> moments,
                   const ByRoundingBits& importance, std::span<std::int8_t> digits);

/// Finds scales and digits of every Conv and Linear anew, on the nested grid, by their output errors with the inputs
/// that the float network has on raw samples. The moments are centred: bias correction takes away the mean error of a
/// channel, and every operating point needs bias correction afterwards. Layers with more than 1200 inputs per output
/// keep their scales and digits, so that the work stays bounded.
void learn_rounding(NestedNetwork& network, const Dataset& samples);

}  // namespace trimtab
