#pragma once

#include <map>
#include <string_view>
#include <vector>

#include "import/onnx_constant.h"

// Parts that the operators on constants share.
namespace trimtab::onnx_reader {

using Inputs = std::vector<ConstantPointer>;
using Evaluator = Constant (*)(const OnnxNode&, const Inputs&, Budget&);
using Evaluators = std::map<std::string_view, Evaluator>;

/// Input `index`. Throws Error (bad input) where it is left out.
[[nodiscard]] const Constant& constant_input(const OnnxNode& node, const Inputs& inputs, std::size_t index);

/// Its integers. Throws Error (bad input) where it holds floats.
[[nodiscard]] const std::vector<std::int64_t>& integers_of(const OnnxNode& node, const Constant& constant);

/// An attribute that became an input in a later opset.
[[nodiscard]] std::vector<std::int64_t> integers_from(const OnnxNode& node, const Inputs& inputs,
                                                      std::string_view attribute, std::size_t index);

/// Distances between neighbours along each axis, in C order.
[[nodiscard]] std::vector<std::int64_t> strides_of(const Shape& shape);

/// `source` rearranged: element i of the result, in C order over `shape`, is at `start` plus its index times `strides`.
[[nodiscard]] Constant gather_strided(const Constant& source, Shape shape, const std::vector<std::int64_t>& strides,
                                      std::int64_t start, Budget& budget);

/// The shape of two operands, broadcast as ONNX has it. Throws Error (bad input) where they do not fit.
[[nodiscard]] Shape broadcast_shape(const OnnxNode& node, const Shape& a, const Shape& b);

/// Strides of an operand over the broadcast shape: 0 where it is repeated.
[[nodiscard]] std::vector<std::int64_t> broadcast_strides(const Shape& own, const Shape& shape);

/// Arithmetics, comparisons, functions of one number, Where, Range and reductions.
void add_arithmetic_evaluators(Evaluators& evaluators);

/// QuantizeLinear and DequantizeLinear.
void add_quantization_evaluators(Evaluators& evaluators);

}  // namespace trimtab::onnx_reader
