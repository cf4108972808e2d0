#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "base/file.h"
#include "base/index.h"
#include "cli/commands.h"
#include "cli/common.h"
#include "cli/output.h"
#include "data/dataset.h"
#include "data/taxonomy.h"
#include "data/wordnet.h"

namespace trimtab::cli {
namespace {

struct TaxonomyOptions {
  CommonOptions common;
  std::string source;
  std::string wordnet = wordnet_nouns;
  std::vector<std::int64_t> sizes{500, 120, 30, 15, 2};
  std::string match;
  std::string out;
};

struct LevelSummary {
  std::string largest;            ///< the class with most leaves
  std::int64_t largest_size = 0;  ///< its leaves
};

LevelSummary summarize(const Level& level) {
  std::vector<std::int64_t> sizes(level.classes.size());
  for (const std::int64_t index : level.class_of) ++nth(sizes, index);
  const auto largest = std::max_element(sizes.begin(), sizes.end());
  return {nth(level.classes, largest - sizes.begin()), *largest};
}

void print_levels(const Taxonomy& taxonomy) {
  print_text("{:<20} {:>8} {:>15}  {}\n", "level", "classes", "largest has", "(which is)");
  for (const Level& level : taxonomy.levels) {
    const LevelSummary summary = summarize(level);
    print_text("{:<20} {:>8} {:>15}  {}\n", level.name, level.classes.size(),
               fmt::format("{} ({:.1f} %)", summary.largest_size,
                           100.0 * static_cast<double>(summary.largest_size) / static_cast<double>(taxonomy.leaves())),
               summary.largest);
  }
}

nlohmann::json to_json(const Taxonomy& taxonomy) {
  nlohmann::json levels = nlohmann::json::array();
  for (const Level& level : taxonomy.levels) {
    const LevelSummary summary = summarize(level);
    levels.push_back({{"name", level.name},
                      {"classes", level.classes.size()},
                      {"largest", summary.largest},
                      {"largest_leaves", summary.largest_size}});
  }
  return {{"leaves", taxonomy.leaves()}, {"levels", levels}, {"version", TRIMTAB_VERSION}};
}

void run_taxonomy(const TaxonomyOptions& options) {
  const std::string ending = std::filesystem::path(options.source).extension().string();
  const bool is_written = ending == ".toml" || ending == ".csv";
  Taxonomy taxonomy = is_written ? read_taxonomy(options.source)
                                 : cut(read_wordnet(options.wordnet, read_wnids(options.source)), options.sizes);
  if (!options.match.empty()) taxonomy = arrange(taxonomy, load_dataset(options.match, Split::test, {}).classes);
  if (!options.out.empty()) write_file(options.out, to_toml(taxonomy));
  if (options.common.json) {
    print_json(to_json(taxonomy));
    return;
  }
  print_levels(taxonomy);
  if (!options.out.empty()) print_text("written to {}\n", options.out);
}

}  // namespace

void add_taxonomy(CLI::App& app) {
  auto options = std::make_shared<TaxonomyOptions>();
  CLI::App* command = app.add_subcommand("taxonomy", "make, check and describe levels of abstraction of classes");
  command
      ->add_option("SOURCE", options->source,
                   "a taxonomy (.toml or .csv), or a list with one of ImageNet's wnids at the beginning of every line")
      ->required();
  add_level_sizes_option(*command, options->sizes);
  command->add_option("--wordnet", options->wordnet, "WordNet 3.0's file of nouns")->capture_default_str();
  command->add_option("--match", options->match,
                      "data set whose classes the taxonomy must match; it takes their order");
  add_out_option(*command, options->out, "FILE");
  add_common_options(*command, options->common,
                     "trimtab taxonomy synset_words.txt --level-sizes 500,120,30,15,2 -o imagenet.toml");
  command->callback([options] { run_taxonomy(*options); });
}

}  // namespace trimtab::cli
