// fuzz_seeds FOLDER writes small networks that together use every operator.

#include <fmt/format.h>

#include <cstdio>

#include "base/file.h"
#include "import/onnx.h"
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
  return 0;
}
