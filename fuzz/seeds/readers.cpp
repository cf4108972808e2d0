// fuzz_reader_seeds FOLDER writes seeds of fuzz_arrays and fuzz_study, each in a folder of its own.

#include <fmt/format.h>

#include <cstdio>

#include "base/file.h"
#include "data/npy.h"
#include "plan/quantized_network_file.h"
#include "study/study.h"
#include "support/random_graph.h"

namespace {

/// The byte that chooses the reader, before the bytes that it reads.
void write_seed(const std::filesystem::path& path, std::uint8_t reader, const std::filesystem::path& from) {
  std::vector<std::uint8_t> bytes = trimtab::read_file(from);
  bytes.insert(bytes.begin(), reader);
  trimtab::write_file(path, bytes);
}

}  // namespace

int main(int argc, char** argv) {
  using namespace trimtab;
  if (argc != 2) {
    fmt::print(stderr, "usage: fuzz_reader_seeds FOLDER\n");
    return 2;
  }
  const std::filesystem::path folder = argv[1];
  make_directory(folder / "arrays");
  make_directory(folder / "study");
  const TemporaryDirectory work;
  write_npy(work.path() / "x", {4, 1, 2, 2}, std::vector<float>(16, 0.5F));
  write_seed(folder / "arrays/npy", 0, work.path() / "x");
  save_graph(reference::random_graph(3, 6), work.path() / "graph");
  write_seed(folder / "arrays/graph", 4, work.path() / "graph");
  {
    Study study(work.path(), {{"command", "fit"}});
    study.put_note("cost", "flash_bytes");
    const TrialSpec spec{{{"bits", 4}}, 1};
    study.add(spec, "bits");
    study.start(spec, "host:1");
    study.finish(spec, {{{"top1", 50.0}, {"flash_bytes", 1000}}, "", false, 1.5}, 3);
  }
  std::filesystem::copy(work.path() / "study.sqlite", folder / "study" / "study.sqlite",
                        std::filesystem::copy_options::overwrite_existing);
  return 0;
}
