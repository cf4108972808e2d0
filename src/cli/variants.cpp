#include <fmt/format.h>

#include <cmath>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/file.h"
#include "cli/commands.h"
#include "cli/common.h"
#include "cli/surroundings.h"
#include "cli/sustain.h"
#include "thermal/made_variants.h"

namespace trimtab::cli {
namespace {

struct VariantsOptions {
  CommonOptions common;
  std::vector<std::string> folders;
  std::string soc;
  std::string cluster;
  std::string out;
  thermal::VariantAssumptions assumptions;
};

void run(const VariantsOptions& options, const Surroundings& around) {
  const thermal::VariantAssumptions& assumed = options.assumptions;
  const auto check = [](const char* option, double value, double least) {
    if (!std::isfinite(value) || value < least || value > 1e6)
      throw bad_input("{} is {}; give a number from {} to 1000000", option, value, least);
  };
  check("--instructions-per-cycle", assumed.instructions_per_cycle, 0.01);
  check("--fixed-ms", assumed.fixed_ms, 0);
  check("--joule-per-ginstruction", assumed.joule_per_ginstruction, 0);
  const thermal::Soc soc = thermal::read_soc(options.soc);
  const std::vector<std::filesystem::path> folders(options.folders.begin(), options.folders.end());
  const thermal::MadeVariants made = thermal::read_made_variants(folders, soc, options.cluster);
  write_file(options.out, format_variants(made, soc, assumed));
  nlohmann::ordered_json json = {{"command", "variants"},  {"variants_file", options.out},
                                 {"soc", soc.name},        {"cluster", made.cluster},
                                 {"core", made.core},      {"data", made.data},
                                 {"samples", made.samples}};
  json["origin"] = {{"accuracy", "measured"}, {"instructions", "emulated"}, {"cores", "emulated"},
                    {"gcycles", "assumed"},   {"fixed_ms", "assumed"},      {"mj_per_v2", "assumed"}};
  auto variants = nlohmann::ordered_json::array();
  for (const thermal::MadeVariant& variant : made.variants) {
    variants.push_back({{"variant", variant.name},
                        {"folder", variant.folder},
                        {"operating_point", variant.operating_point},
                        {"instructions", variant.instructions},
                        {"accuracy", variant.accuracy}});
  }
  json["variants"] = std::move(variants);
  std::string text = fmt::format("{} variants for the cluster {} of {}, measured on {} samples of {}\n",
                                 made.variants.size(), made.cluster, soc.name, made.samples, made.data);
  for (const thermal::MadeVariant& variant : made.variants) {
    text += fmt::format("  {:<24} top-1 {:.2f} % measured, {:.1f} M instructions emulated\n", variant.name,
                        variant.accuracy, variant.instructions * 1e-6);
  }
  text += "cycles, memory time and energy are assumed; trimtab sustain profile and identify measure them on a board\n";
  text += fmt::format("written to {}\n", options.out);
  around.deliver({json, text}, options.common.json);
}

}  // namespace

void add_variants(CLI::App& app, const Surroundings& around) {
  const auto options = std::make_shared<VariantsOptions>();
  CLI::App* command = app.add_subcommand(
      "variants", "make the table of variants that sustain plans with, from finished results of fit and scale");
  add_finished_folders(*command, options->folders);
  command
      ->add_option("--soc", options->soc,
                   "TOML file of the SoC that the variants are for, such as those in targets/socs")
      ->required();
  add_cluster_option(*command, options->cluster)->default_str("the one whose core the folders are made for");
  command
      ->add_option("--instructions-per-cycle", options->assumptions.instructions_per_cycle,
                   "assumption: instructions that the core executes in a cycle")
      ->capture_default_str();
  command
      ->add_option("--fixed-ms", options->assumptions.fixed_ms,
                   "assumption: milliseconds of an inference that do not scale with the clock")
      ->capture_default_str();
  command
      ->add_option("--joule-per-ginstruction", options->assumptions.joule_per_ginstruction,
                   "assumption: joules per square volt that 1e9 instructions switch beyond the cost of their cycles")
      ->capture_default_str();
  add_out_option(*command, options->out, "FILE.csv")->required();
  add_common_options(*command, options->common,
                     "trimtab variants out-8bit/ out-4bit/ --soc targets/socs/rk3399.toml -o net.csv");
  command->callback([options, &around] { run(*options, around); });
}

}  // namespace trimtab::cli
