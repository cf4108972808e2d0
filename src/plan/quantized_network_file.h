#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <vector>

#include "plan/quantized_network.h"

namespace trimtab {

/// A quantized network as a file, every bit of it: the letters "trimtabq", the length of a header (8 bytes, little
/// endian), the header (JSON: format, maker, graph, plan, grids), and the parameters it points to (float32, little
/// endian). Operators stand in it by their names.
[[nodiscard]] std::vector<std::uint8_t> serialize(const QuantizedNetwork& network);
void save_quantized_network(const QuantizedNetwork& network, const std::filesystem::path& path);

/// Throws Error (bad input), naming `source`, where the bytes are not such a network: truncated, sizes or ids that do
/// not fit, a graph that `validate` refuses, bits or scales out of range, weights without a grid; and, naming the
/// version that made them, where they are of another format.
[[nodiscard]] QuantizedNetwork parse_quantized_network(std::span<const std::uint8_t> bytes, const std::string& source);
[[nodiscard]] QuantizedNetwork load_quantized_network(const std::filesystem::path& path);

/// A float network alone, every bit of it, in the same form.
void save_graph(const Graph& graph, const std::filesystem::path& path);

/// Throws Error (bad input), naming the path, as above.
[[nodiscard]] Graph load_graph(const std::filesystem::path& path);

}  // namespace trimtab
