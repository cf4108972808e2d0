// Whatever the bytes are: refused with an Error, or a network that is valid and that our exporter can write and read.

#include <cstdlib>

#include "base/error.h"
#include "graph/summary.h"
#include "import/onnx.h"
#include "import/tflite.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  try {
    const trimtab::Graph graph = trimtab::parse_tflite({data, size}, "input.tflite");
    try {
      const trimtab::Graph again = trimtab::parse_onnx(trimtab::serialize_onnx(graph), "again.onnx");
      if (again.input_shape() != graph.input_shape() || again.output_shape() != graph.output_shape()) std::abort();
      static_cast<void>(trimtab::summarize(again));
    } catch (const trimtab::Error&) {
      std::abort();
    }
  } catch (const trimtab::Error&) {
  }
  return 0;
}
