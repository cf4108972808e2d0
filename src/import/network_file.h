#pragma once

#include <filesystem>
#include <vector>

#include "graph/graph.h"
#include "import/import_options.h"

namespace trimtab {

/// Reads a trained network from a file of any format that is supported: a TensorFlow Lite model if it begins as one or
/// ends in .tflite, an ONNX model otherwise. Throws Error (bad input) as read_onnx and read_tflite do.
[[nodiscard]] Graph load_network(const std::filesystem::path& path, const ImportOptions& options = {});

/// All that keeps load_network from reading a whole model; empty where nothing does. Throws Error (bad input) where the
/// file is malformed.
[[nodiscard]] std::vector<Obstacle> network_obstacles(const std::filesystem::path& path,
                                                      const ImportOptions& options = {});

}  // namespace trimtab
