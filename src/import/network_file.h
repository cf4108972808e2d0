#pragma once

#include <filesystem>

#include "graph/graph.h"

namespace trimtab {

/// Reads a trained network from a file of any format that is supported: a TensorFlow Lite model if it begins as one or
/// ends in .tflite, an ONNX model otherwise. Throws Error (bad input) as read_onnx and read_tflite do.
[[nodiscard]] Graph load_network(const std::filesystem::path& path);

}  // namespace trimtab
