#pragma once

#include <string>
#include <vector>

#include "plan/quantized_network.h"
#include "program/program.h"

namespace trimtab {

/// Lowers a quantized network to integers: weights, biases at the accumulators' scale, requantization constants,
/// buffers of height x width x channels; flattening becomes a convolution over the whole image, concatenations become
/// parts of one buffer wherever their parts can be written in place. Throws Error (bad input), naming the layer, where
/// something has no integer form or an accumulator could overflow.
[[nodiscard]] Program lower(const QuantizedNetwork& network, const Preprocessing& preprocessing,
                            const std::vector<std::string>& classes);

/// Names the layers that cannot run on a device, each with the reason; empty where all can.
[[nodiscard]] std::vector<std::string> undeployable_layers(const Graph& prepared);

}  // namespace trimtab
