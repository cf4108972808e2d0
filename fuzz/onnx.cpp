// Whatever the bytes are: refused with an Error, or a network that is valid, and stays so written and read once more. A
// side file named "weights" lies in the model's folder.

#include <cstdlib>
#include <string>

#include "base/error.h"
#include "base/file.h"
#include "graph/passes.h"
#include "graph/summary.h"
#include "import/onnx.h"

namespace {

const std::filesystem::path& folder() {
  static const trimtab::TemporaryDirectory made = [] {
    trimtab::TemporaryDirectory directory;
    trimtab::write_file(directory.path() / "weights", std::string_view(std::string(4096, '\x3c')));
    return directory;
  }();
  return made.path();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  try {
    const trimtab::Graph graph = trimtab::parse_onnx({data, size}, "input.onnx", folder());
    try {
      const trimtab::Graph again = trimtab::parse_onnx(trimtab::serialize_onnx(graph), "again.onnx");
      if (again.input_shape() != graph.input_shape() || again.output_shape() != graph.output_shape()) std::abort();
      static_cast<void>(trimtab::summarize(again));
      static_cast<void>(trimtab::merge_padding(trimtab::fold_batch_normalization(again)));
    } catch (const trimtab::Error&) {
      std::abort();
    }
  } catch (const trimtab::Error&) {
  }
  return 0;
}
