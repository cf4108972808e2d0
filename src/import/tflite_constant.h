#pragma once

#include <onnx/onnx_pb.h>

#include <cstdint>
#include <optional>
#include <vector>

#include "graph/graph.h"
#include "import/onnx_constant.h"
#include "import/tflite_model.h"

namespace trimtab::tflite_reader {

/// A constant, under its name, as ONNX has it: FLOAT and FLOAT16 as they are, quantized numbers as the floats that they
/// stand for, other integers as INT64. Throws Error (bad input) where the data does not fit the shape, or has a type
/// that no network needs.
[[nodiscard]] onnx::TensorProto onnx_constant(const TfliteTensor& tensor, onnx_reader::Budget& budget);

/// The elements of a constant of integers, such as a shape: at most 64. Throws Error (bad input) otherwise.
[[nodiscard]] std::vector<std::int64_t> integer_constant(const TfliteTensor& tensor);

/// The grid of a value that operators make; none where it is float32. Throws Error (bad input) where the type is
/// neither float32 nor a quantized one with one scale above 0.
[[nodiscard]] std::optional<SourceGrid> grid_of(const TfliteTensor& tensor);

}  // namespace trimtab::tflite_reader
