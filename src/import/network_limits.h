#pragma once

#include <cstdint>

#include "graph/graph.h"

namespace trimtab {

/// Checks that libtorch can run a network from outside: windows, strides, dilations and padding in its 32-bit range,
/// every map with fewer than 2^31 numbers, and the maps of the largest layer for one sample within `memory_bytes`
/// (0: a quarter of the machine's, since libtorch runs several samples and needs room to work). Throws Error (bad
/// input) that names the layer.
void check_network_limits(const Graph& graph, std::int64_t memory_bytes = 0);

/// The memory of this machine.
[[nodiscard]] std::int64_t machine_memory_bytes();

}  // namespace trimtab
