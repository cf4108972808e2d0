#include "fit/quantized_onnx.h"

#include <variant>

#include "base/index.h"
#include "graph/device_form.h"
#include "import/onnx.h"
#include "plan/adopted_grid.h"

namespace trimtab {
namespace {

/// The integer that the device rounds halves of an average away from: the one that the value's file stores as 0, and
/// else the least, which is to round them upward. Averages that change the grid have next to no halves.
std::optional<std::int32_t> center_of(const QuantizedNetwork& network, const Node& node) {
  const auto& grid = nth(network.values, node.output);
  if (device_form(node.op) != DeviceForm::average_pool || !grid || grid != nth(network.values, node.inputs.at(0)))
    return {};
  if (const auto* pool = std::get_if<Pool>(&node.op);
      pool != nullptr && pool->count_include_pad && pool->padding != Padding{})
    return {};
  return stored_zero(network.graph, node.output, *grid).value_or(grid->minimum());
}

}  // namespace

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
  for (const Node& node : network.graph.nodes) quantization.averages.push_back(center_of(network, node));
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
