#pragma once

#include <cstdint>
#include <vector>

#include "plan/quantized_network.h"

namespace trimtab {

/// The network in ONNX's QDQ form, with the numbers of the device: the grids of all values and weights, biases in units
/// of the accumulators. It takes samples as the device does: raw pixels, or preprocessed features. Where the grids have
/// more than 8 bits or at most 4, it needs opset 21; else opset 13.
[[nodiscard]] std::vector<std::uint8_t> quantized_onnx(const QuantizedNetwork& network);

}  // namespace trimtab
