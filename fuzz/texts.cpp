// Texts from outside: whatever they say, they are refused with an Error or read. The first byte chooses the reader.

#include <array>
#include <string>

#include "base/error.h"
#include "data/dataset.h"
#include "data/taxonomy.h"
#include "data/wordnet.h"
#include "input_file.h"
#include "plan/plan.h"
#include "support/random_graph.h"
#include "target/energy.h"
#include "target/liberty.h"
#include "target/target.h"
#include "thermal/soc.h"
#include "thermal/table.h"
#include "thermal/workload.h"

namespace {

using namespace trimtab;
using Bytes = std::span<const std::uint8_t>;

std::string text_of(Bytes bytes) { return {bytes.begin(), bytes.end()}; }

const Graph& network() {
  static const Graph graph = reference::random_graph(3, 6);
  return graph;
}

// scripts/fuzz gives the seeds these numbers
constexpr std::array readers{
    +[](Bytes bytes) { static_cast<void>(load_target(fuzzed_file(bytes, "target.toml").string())); },
    +[](Bytes bytes) { static_cast<void>(thermal::read_soc(fuzzed_file(bytes, "soc.toml"))); },
    +[](Bytes bytes) { static_cast<void>(thermal::read_variants(fuzzed_file(bytes, "variants.csv"))); },
    +[](Bytes bytes) { static_cast<void>(thermal::read_table(fuzzed_file(bytes, "table.csv"))); },
    +[](Bytes bytes) { static_cast<void>(parse_energy_table(text_of(bytes), "energy.toml", "", "")); },
    +[](Bytes bytes) { static_cast<void>(parse_taxonomy_toml(text_of(bytes), "classes.toml")); },
    +[](Bytes bytes) { static_cast<void>(parse_taxonomy_csv(text_of(bytes), "classes.csv")); },
    +[](Bytes bytes) { static_cast<void>(parse_plan(text_of(bytes), network(), {}, "plan.toml")); },
    +[](Bytes bytes) { static_cast<void>(parse_preprocessing(fuzzed_file(bytes, "preprocessing.toml").string(), 3)); },
    +[](Bytes bytes) { static_cast<void>(parse_liberty(text_of(bytes), "gates.lib")); },
    +[](Bytes bytes) { static_cast<void>(read_wnids(fuzzed_file(bytes, "wnids.txt"))); },
    +[](Bytes bytes) { static_cast<void>(read_wordnet(fuzzed_file(bytes, "data.noun"), {"n00001740"})); },
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  try {
    readers[data[0] % readers.size()]({data + 1, size - 1});
  } catch (const Error&) {
  }
  return 0;
}
