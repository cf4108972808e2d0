#include "base/error.h"
#include "base/file.h"
#include "graph/passes.h"
#include "import/tflite.h"
#include "import/tflite_translation.h"

namespace trimtab {
namespace {

constexpr std::int64_t largest_tflite = std::int64_t{1} << 30;

}  // namespace

Graph parse_tflite(std::span<const std::uint8_t> bytes, const std::string& name) {
  try {
    const tflite_reader::TfliteModel model(bytes);
    const std::string stem = std::filesystem::path(name).stem().string();
    return tflite_reader::Translation(model).graph(onnx_reader::clean_name(stem));
  } catch (const Error& error) {
    throw Error(error.code(), name + ": " + error.what());
  }
}

Graph read_tflite(const std::filesystem::path& path) {
  return parse_tflite(read_file(path, largest_tflite), path.string());
}

}  // namespace trimtab
