#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "graph/graph.h"

namespace trimtab {

/// Reads an ONNX model (opset 7 to 21, float32 parameters, one image or vector input with a free or fixed batch
/// dimension, one output) as PyTorch's exporters and tf2onnx write them. Layout Transposes around NHWC networks are
/// folded away: the graph is channels first throughout. Throws Error (bad input) with one sentence that names the node
/// where the model is truncated, malformed or uses what is not supported.
[[nodiscard]] Graph read_onnx(const std::filesystem::path& path);
[[nodiscard]] Graph parse_onnx(std::span<const std::uint8_t> bytes, const std::string& name);

/// Writes the graph as ONNX, opset 10 (which OpenCV 4.6 reads too), batch dimension "N" free. Throws Error (bad input)
/// where the graph is not valid.
void write_onnx(const Graph& graph, const std::filesystem::path& path);
[[nodiscard]] std::vector<std::uint8_t> serialize_onnx(const Graph& graph);

}  // namespace trimtab
