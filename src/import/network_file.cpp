#include "import/network_file.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <limits>

#include "base/input_file.h"
#include "import/network_limits.h"
#include "import/onnx.h"
#include "import/tflite.h"

namespace trimtab {
namespace {

/// Bytes 4 to 7 of the file are TFL3.
[[nodiscard]] bool begins_as_tflite(const std::filesystem::path& path) {
  std::array<std::uint8_t, 8> start{};
  (void)InputFile(path).read(0, start);
  constexpr std::array<std::uint8_t, 4> identifier{'T', 'F', 'L', '3'};
  return std::equal(identifier.begin(), identifier.end(), start.begin() + 4);
}

[[nodiscard]] bool is_tflite(const std::filesystem::path& path) {
  return path.extension() == ".tflite" || begins_as_tflite(path);
}

}  // namespace

Graph load_network(const std::filesystem::path& path, const ImportOptions& options) {
  Graph graph = is_tflite(path) ? read_tflite(path, options) : read_onnx(path, options);
  check_network_limits(graph, std::numeric_limits<std::int64_t>::max());  // of memory the caller knows more
  return graph;
}

std::vector<Obstacle> network_obstacles(const std::filesystem::path& path, const ImportOptions& options) {
  return is_tflite(path) ? tflite_obstacles(path, options) : onnx_obstacles(path, options);
}

}  // namespace trimtab
