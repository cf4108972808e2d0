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
  // a quantized network, whose weights have 4 bits
  const trimtab::Graph graph = trimtab::reference::random_graph(3, 6);
  trimtab::OnnxQuantization quantization;
  quantization.values.assign(graph.values.size(), trimtab::SourceGrid{0.05F, 3, 8, true});
  for (const trimtab::Node& node : graph.nodes) {
    auto& weight = quantization.weights.emplace_back();
    const trimtab::Tensor* tensor = trimtab::weight_of(node.op);
    if (tensor == nullptr) continue;
    weight = trimtab::QuantizedWeight{std::vector<float>(static_cast<std::size_t>(tensor->shape[0]), 0.25F), 4};
  }
  trimtab::write_file(folder / "quantized.onnx", trimtab::serialize_onnx(graph, quantization));
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
