#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "graph/graph.h"
#include "import/import_options.h"

namespace trimtab {

/// Reads an ONNX model (opset 7 to 25; one image, sequence or vector input with a free or fixed batch dimension) as
/// PyTorch's exporters and tf2onnx write them. Parameters may be float32, float16 or bfloat16, and may lie in side
/// files in the model's folder. A sequence (channels x length) is an image of height 1. Layout Transposes around NHWC
/// networks are folded away: the graph is channels first throughout. An ArgMax that makes the output is left out.
/// Throws Error (bad input) with one sentence: where the model is truncated or malformed, or what it uses that is not
/// supported, every obstacle with its node.
[[nodiscard]] Graph read_onnx(const std::filesystem::path& path, const ImportOptions& options = {});
/// `folder`: that of the side files; empty: there are none.
[[nodiscard]] Graph parse_onnx(std::span<const std::uint8_t> bytes, const std::string& name,
                               const std::filesystem::path& folder = {}, const ImportOptions& options = {});

/// All that keeps read_onnx from reading a whole model; empty where nothing does. Throws Error (bad input) where the
/// file is no ONNX model.
[[nodiscard]] std::vector<Obstacle> onnx_obstacles(const std::filesystem::path& path,
                                                   const ImportOptions& options = {});

/// Writes the graph as ONNX, opset 10 (which OpenCV 4.6 reads too), batch dimension "N" free. Throws Error (bad input)
/// where the graph is not valid.
void write_onnx(const Graph& graph, const std::filesystem::path& path);
[[nodiscard]] std::vector<std::uint8_t> serialize_onnx(const Graph& graph);

/// The grid of a Conv's or Linear's weights: real = scales[output channel] * an integer of `bits` bits. A scale may be
/// negative.
struct QuantizedWeight {
  std::vector<float> scales;
  int bits = 8;
};

/// The grids of a network whose weights lie on theirs already.
struct OnnxQuantization {
  std::vector<std::optional<SourceGrid>> values;        ///< by ValueId
  std::vector<std::optional<QuantizedWeight>> weights;  ///< by node
  /// By node, of averages whose input and output have one grid: the integer that halves are rounded away from. It is in
  /// the grid. ONNX rounds halves to even.
  std::vector<std::optional<std::int32_t>> averages;
};

/// Writes a quantized network in the QDQ form: QuantizeLinear and DequantizeLinear behind every value with a grid,
/// integers and DequantizeLinear in place of weights and biases. The opset is 13; it is 21 where types of 4 or 16 bits
/// are needed. Throws Error (bad input) where the graph is not valid.
[[nodiscard]] std::vector<std::uint8_t> serialize_onnx(const Graph& graph, const OnnxQuantization& quantization);

}  // namespace trimtab
