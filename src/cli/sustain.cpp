#include "cli/sustain.h"

#include "base/staging.h"
#include "cli/commands.h"
#include "report/report.h"

namespace trimtab::cli {

void publish(const Surroundings& around, Result result, bool json, const std::string& out,
             const std::function<void(const std::filesystem::path& folder)>& write) {
  result.json["command_line"] = around.command_line;
  if (!out.empty()) {
    const StagingFolder staging(out);
    if (write) write(staging.path());
    write_result(result, staging.path());
    write_report(staging.path());
    staging.commit();
  }
  around.deliver(result, json);
}

CLI::Option* add_soc(CLI::App& command, std::string& soc) {
  return command.add_option("SOC", soc, "TOML file that describes the SoC, such as those in targets/socs");
}

CLI::Option* add_cluster_option(CLI::App& command, std::string& cluster) {
  return command.add_option("--cluster", cluster, "cluster of the SoC that runs the network")->default_str("the first");
}

namespace {
constexpr const char* variants_help =
    "CSV file with the network's variants; 'plan' takes several, of one cluster or more";
}

CLI::Option* add_variants_option(CLI::App& command, std::string& variants) {
  return command.add_option("--variants", variants, variants_help);
}

CLI::Option* add_variants_option(CLI::App& command, std::vector<std::string>& variants) {
  return command.add_option("--variants", variants, variants_help);
}

CLI::Option* add_ambient_option(CLI::App& command, double& ambient_c) {
  return command.add_option("--ambient", ambient_c, "ambient temperature in degrees Celsius")->capture_default_str();
}

CLI::Option* add_temperature_limit_option(CLI::App& command, double& limit_c) {
  return command.add_option("--temperature-limit", limit_c, "temperature limit in degrees Celsius")
      ->capture_default_str();
}

CLI::Option* add_min_accuracy_option(CLI::App& command, double& percent) {
  return command.add_option("--min-accuracy", percent, "least mean accuracy over inferences in percent")
      ->capture_default_str();
}

CLI::Option* add_duration_option(CLI::App& command, double& seconds) {
  return command
      .add_option(
          "--duration", seconds,
          "seconds to simulate or to govern (0: govern never ends), or of a plan for limited time (0: for ever)")
      ->capture_default_str();
}

CLI::Option* add_fan_flag(CLI::App& command, bool& fan) { return command.add_flag("--fan", fan, "turn the fan on"); }

CLI::Option* add_sysfs_root_option(CLI::App& command, std::string& root) {
  return command.add_option("--sysfs-root", root, "folder of the board's sysfs")->capture_default_str();
}

CLI::Option* add_policy_option(CLI::App& command, std::string& policy) {
  return command.add_option("--policy", policy, "cpufreq policy of the cluster")->capture_default_str();
}

CLI::Option* add_state_folder_option(CLI::App& command, std::string& folder) {
  return command.add_option("--state-folder", folder, "folder of the daemon's lock and state file")
      ->default_str("/run/trimtab");
}

CLI::Option* add_prefix_option(CLI::App& command, std::string& prefix) {
  return command.add_option("--prefix", prefix, "name of the cluster in the columns of the tables")
      ->capture_default_str();
}

CLI::Option* add_plot_option(CLI::App& command, std::string& plot) {
  return command.add_option("--plot", plot, "SVG or PNG file for a plot of temperatures over time");
}

void add_sustain(CLI::App& app, const Surroundings& around) {
  CLI::App* sustain = app.add_subcommand(
      "sustain", "find and keep the speed that a Cortex-A board sustains below its temperature limit");
  sustain->require_subcommand(1);
  sustain->footer(
      "Example:\n"
      "  trimtab sustain simulate targets/socs/exynos5422.toml --cluster a15 \\\n"
      "    --variants targets/socs/mobilenet_v1-exynos5422.csv --ambient 25 --temperature-limit 85 --governors all -o "
      "OUT/");
  add_sustain_doctor(*sustain);
  add_sustain_profile(*sustain);
  add_sustain_identify(*sustain, around);
  add_sustain_simulate(*sustain, around);
  add_sustain_plan(*sustain, around);
  add_sustain_govern(*sustain, around);
  add_sustain_release(*sustain);
}

}  // namespace trimtab::cli
