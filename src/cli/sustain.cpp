#include "cli/sustain.h"

#include <fmt/format.h>

#include <cstdio>
#include <filesystem>

#include "base/file.h"
#include "cli/commands.h"

namespace trimtab::cli {

void print_result(const nlohmann::ordered_json& result, const std::string& text, bool json, const std::string& out) {
  if (!out.empty()) {
    make_directory(out);
    write_file(std::filesystem::path(out) / "result.json", result.dump(2) + "\n");
  }
  if (json) {
    fmt::print("{}\n", result.dump(2));
  } else {
    fmt::print("{}", text);
  }
}

void add_sustain(CLI::App& app) {
  CLI::App* sustain = app.add_subcommand(
      "sustain", "how fast a network runs for ever on a Cortex-A board without crossing its temperature limit");
  sustain->require_subcommand(1);
  sustain->footer(
      "Example:\n"
      "  trimtab sustain simulate targets/socs/exynos5422.toml --cluster a15 \\\n"
      "    --variants targets/socs/mobilenet_v1-exynos5422.csv --ambient 25 --limit 85 --policy all -o OUT/");
  add_sustain_doctor(*sustain);
  add_sustain_profile(*sustain);
  add_sustain_identify(*sustain);
  add_sustain_simulate(*sustain);
  add_sustain_plan(*sustain);
  add_sustain_govern(*sustain);
}

}  // namespace trimtab::cli
