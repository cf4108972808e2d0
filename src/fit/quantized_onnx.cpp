#include "fit/quantized_onnx.h"

#include <variant>

#include "base/index.h"
#include "import/onnx.h"

namespace trimtab {

std::vector<std::uint8_t> quantized_onnx(const QuantizedNetwork& network) {
  OnnxQuantization quantization;
  for (const std::optional<ActivationGrid>& grid : network.values) {
    auto& stored = quantization.values.emplace_back();
    if (grid.has_value()) stored = SourceGrid{grid->scale, grid->zero_point, grid->bits, grid->is_signed};
  }
  // Several inputs and outputs are apart in the file, each with its own grid.
  if (!network.graph.input_parts.empty()) nth(quantization.values, network.graph.input).reset();
  if (!network.graph.output_parts.empty()) nth(quantization.values, network.graph.output).reset();
  for (const std::optional<WeightGrid>& grid : network.weights) {
    auto& stored = quantization.weights.emplace_back();
    if (grid.has_value()) stored = QuantizedWeight{grid->scale, grid->bits};
  }
  Graph graph = network.graph;
  for (Node& node : graph.nodes) {
    auto* conv = std::get_if<Conv>(&node.op);
    if (conv == nullptr) continue;
    const std::optional<ActivationGrid>& input = nth(network.values, node.inputs.at(0));
    for (float& value : conv->padding_value.data) {  // what the device pads with
      if (input.has_value()) value = dequantize(quantize(value, *input), *input);
    }
  }
  return serialize_onnx(graph, quantization);
}

}  // namespace trimtab
