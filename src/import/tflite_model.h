#pragma once

#include <tflite_generated.h>

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "graph/graph.h"

namespace trimtab::tflite_reader {

/// A tensor of the file. Spans point into the file's bytes.
struct TfliteTensor {
  std::string name;  ///< printable, not empty, unique in the file
  Shape shape;       ///< with the batch, images as batch x height x width x channels
  tflite::Type type = tflite::Type::FLOAT32;
  std::span<const std::uint8_t> data;  ///< of a constant; empty where operators make the tensor
  bool is_variable = false;
  bool is_sparse = false;
  std::span<const float> scales;  ///< one, or one per index of `quantized_axis`; empty where not quantized
  const flatbuffers::Vector<std::int64_t>* zero_points = nullptr;  ///< as many as scales, or null, which means 0
  std::int64_t quantized_axis = 0;

  /// Of scale `index`.
  [[nodiscard]] std::int64_t zero_point(std::size_t index) const;
};

struct TfliteOperator {
  tflite::Code code = tflite::Code::CUSTOM;
  std::string type;                       ///< "CONV_2D"; "custom operator 'X'"
  std::string name;                       ///< that of its first output, as far as it names one layer
  std::span<const std::int32_t> inputs;   ///< indices of tensors; -1 where one is left out
  std::span<const std::int32_t> outputs;  ///< indices of tensors, at least one
  const tflite::Operator* table = nullptr;
};

/// The first subgraph of a TensorFlow Lite file, in a checked form: every index is in range, a tensor is made
/// once and before it is used, and every quantization fits its tensor. Throws Error (bad input) where the file is
/// something else.
struct TfliteModel {
  explicit TfliteModel(std::span<const std::uint8_t> file);
  TfliteModel(const TfliteModel&) = delete;
  TfliteModel& operator=(const TfliteModel&) = delete;

  std::vector<std::uint8_t> bytes;
  std::vector<TfliteTensor> tensors;
  std::vector<TfliteOperator> operators;
  std::vector<std::int32_t> inputs;
  std::vector<std::int32_t> outputs;
  std::size_t subgraphs = 0;  ///< of the file; those behind the first are called by operators such as CALL_ONCE and IF
};

/// "FLOAT32"
[[nodiscard]] std::string type_name(tflite::Type type);

}  // namespace trimtab::tflite_reader
