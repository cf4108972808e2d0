#pragma once

#include <onnx/onnx_pb.h>

#include <cstdint>
#include <string>
#include <vector>

#include "graph/graph.h"
#include "import/onnx.h"

// The QDQ form of a model that has been written in real numbers.
namespace trimtab::onnx_writer {

/// The opset that has the types that the grids need.
[[nodiscard]] std::int64_t opset_of(const OnnxQuantization& quantization);

/// Puts QuantizeLinear and DequantizeLinear behind every value with a grid, and integers with DequantizeLinear in place
/// of the weights and biases of layers with a weight grid. Averages of up to 128 numbers are counted from the integer
/// that `quantization` has for them and quantized with a scale that is less by 2^-17: so onnxruntime rounds their
/// halves away from it, and no other number otherwise than it would. `names`: of the graph's values in the model, by
/// ValueId. The model has the opset of `opset_of`.
void quantize_model(onnx::ModelProto& model, const Graph& graph, const std::vector<std::string>& names,
                    const OnnxQuantization& quantization);

}  // namespace trimtab::onnx_writer
