#include "cli/sustain.h"

#include "base/staging.h"
#include "cli/commands.h"

namespace trimtab::cli {

void publish(const Result& result, bool json, const std::string& out,
             const std::function<void(const std::filesystem::path& folder)>& write) {
  if (!out.empty()) {
    const StagingFolder staging(out);
    if (write) write(staging.path());
    write_result(result, staging.path());
    staging.commit();
  }
  print(result, json);
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
