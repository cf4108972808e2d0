// fuzz_seeds FOLDER writes small networks that together use every operator, and one with weights in a side file.

#include <fmt/format.h>

#include <cstdio>
#include <utility>

#include "base/file.h"
#include "import/onnx.h"
#include "support/onnx_builder.h"
#include "support/random_graph.h"

int main(int argc, char** argv) {
  if (argc != 2) {
    fmt::print(stderr, "usage: fuzz_seeds FOLDER\n");
    return 2;
  }
  const std::filesystem::path folder = argv[1];
  trimtab::make_directory(folder);
  for (std::uint64_t seed = 0; seed < 60; ++seed) {
    const trimtab::Graph graph = trimtab::reference::random_graph(seed, 4 + static_cast<int>(seed % 6));
    trimtab::write_onnx(graph, folder / fmt::format("{}.onnx", graph.name));
  }
  trimtab::reference::OnnxBuilder onnx({trimtab::reference::OnnxBuilder::free, 2, 4, 4});
  const auto y = onnx.node("Conv", {"input", onnx.floats("w", {3, 2, 2, 2}, {})});
  auto& weight = *onnx.model.mutable_graph()->mutable_initializer(0);
  for (const auto& [key, value] : {std::pair("location", "weights"), {"offset", "16"}, {"length", "96"}}) {
    auto& entry = *weight.add_external_data();
    entry.set_key(key);
    entry.set_value(value);
  }
  weight.set_data_location(onnx::TensorProto::EXTERNAL);
  trimtab::write_file(folder / "side_file.onnx", std::string_view(onnx.bytes(y)));
  return 0;
}
