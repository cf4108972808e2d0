#pragma once

#include <onnx/onnx_pb.h>

namespace trimtab::onnx_reader {

/// Writes operators that compute with the integers of a quantized network (ONNX's QLinearConv and QLinearMatMul,
/// onnxruntime's QGemm, QLinearAdd and so on) as DequantizeLinear, the operator on real numbers, and QuantizeLinear.
/// Other nodes stay. Throws Error (bad input), naming the node, where it has too few inputs.
void expand_quantized_operators(onnx::ModelProto& model);

}  // namespace trimtab::onnx_reader
