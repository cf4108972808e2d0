#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "graph/graph.h"
#include "import/import_options.h"

namespace trimtab {

/// Reads a TensorFlow Lite model (one network without state, float32, float16 or quantized) as the float network that
/// it stands for. The graph is channels first throughout, as that of read_onnx. A value that the file quantizes keeps
/// its grid. Throws Error (bad input) with one sentence where the file is truncated, malformed or inconsistent, and
/// with one that names every obstacle where the network uses what is not supported.
[[nodiscard]] Graph read_tflite(const std::filesystem::path& path, const ImportOptions& options = {});
[[nodiscard]] Graph parse_tflite(std::span<const std::uint8_t> bytes, const std::string& name,
                                 const ImportOptions& options = {});

/// All that keeps read_tflite from reading a whole model, in one sentence; empty where nothing does. Throws Error (bad
/// input) where the file is malformed.
[[nodiscard]] std::vector<Obstacle> tflite_obstacles(const std::filesystem::path& path,
                                                     const ImportOptions& options = {});

}  // namespace trimtab
