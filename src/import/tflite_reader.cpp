#include "base/error.h"
#include "base/file.h"
#include "import/tflite.h"
#include "import/tflite_translation.h"

namespace trimtab {
namespace {

constexpr std::int64_t largest_tflite = std::int64_t{1} << 30;

}  // namespace

Graph parse_tflite(std::span<const std::uint8_t> bytes, const std::string& name, const ImportOptions& options) {
  try {
    const tflite_reader::TfliteModel model(bytes);
    const std::string stem = std::filesystem::path(name).stem().string();
    return tflite_reader::Translation(model).graph(onnx_reader::clean_name(stem), options);
  } catch (const Error& error) {
    throw Error(error.code(), name + ": " + error.what());
  }
}

Graph read_tflite(const std::filesystem::path& path, const ImportOptions& options) {
  return parse_tflite(read_file(path, largest_tflite), path.string(), options);
}

std::vector<Obstacle> tflite_obstacles(const std::filesystem::path& path, const ImportOptions& options) {
  const std::vector<std::uint8_t> bytes = read_file(path, largest_tflite);
  try {
    const tflite_reader::TfliteModel model(bytes);
    try {
      static_cast<void>(tflite_reader::Translation(model).graph("network", options));
    } catch (const Error& error) {
      if (error.code() != ExitCode::bad_input) throw;
      return {{"", "", error.what()}};
    }
  } catch (const Error& error) {
    throw Error(error.code(), path.string() + ": " + error.what());
  }
  return {};
}

}  // namespace trimtab
