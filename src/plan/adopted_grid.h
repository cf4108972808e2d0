#pragma once

#include <optional>

#include "plan/quantized_network.h"

namespace trimtab {

/// The integer of `grid` that the value's file stores as 0, where the value has kept the grid that it came with
/// (Value::grid); else nothing. Bytes of the other sign may stand for the file's: signed ones around -128 are unsigned
/// here. TensorFlow Lite rounds the halves of an average away from the stored 0.
[[nodiscard]] std::optional<std::int32_t> stored_zero(const Graph& graph, ValueId value, const ActivationGrid& grid);

}  // namespace trimtab
