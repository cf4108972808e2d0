#pragma once

#include <string>
#include <vector>

#include "plan/nested_network.h"
#include "plan/quantized_network.h"
#include "program/program.h"

namespace trimtab {

/// Lowers a quantized network to integers: weights, biases at the accumulators' scale, requantization constants,
/// buffers of height x width x channels; flattening becomes a convolution over the whole image, concatenations become
/// parts of one buffer wherever their parts can be written in place. Throws Error (bad input), naming the layer, where
/// something has no integer form or an accumulator could overflow.
[[nodiscard]] Program lower(const QuantizedNetwork& network, const Preprocessing& preprocessing,
                            const std::vector<std::string>& classes);

/// The same for one set of weights at several operating points. Every activation takes a byte at every precision, so
/// that the points share one memory plan; multipliers serve all points.
[[nodiscard]] Program lower(const NestedNetwork& network, const std::vector<OperatingPoint>& points,
                            const Preprocessing& preprocessing, const std::vector<std::string>& classes);

}  // namespace trimtab
