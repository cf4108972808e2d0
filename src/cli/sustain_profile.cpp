#include <fmt/format.h>

#include <memory>

#include "base/error.h"
#include "cli/sustain.h"
#include "thermal/profile.h"

namespace trimtab::cli {

void add_sustain_profile(CLI::App& sustain) {
  struct Options {
    CommonOptions common;
    thermal::ProfileOptions profile;
    std::string output;
    std::vector<std::string> command;
  };
  const auto options = std::make_shared<Options>();
  CLI::App* command =
      sustain.add_subcommand("profile", "run an inference program at several frequencies and log the board");
  command->add_option("--sysfs-root", options->profile.root, "sysfs of the board")->capture_default_str();
  command->add_option("--policy", options->profile.policy, "cpufreq policy of the cluster")->capture_default_str();
  command->add_option("--prefix", options->profile.prefix, "cluster's name in the columns")->capture_default_str();
  command->add_option("--mhz", options->profile.mhz, "frequencies; the lowest and highest by default");
  command->add_option("--seconds", options->profile.seconds, "at each frequency")
      ->check(CLI::Range(0.1, 86400.0))
      ->capture_default_str();
  command->add_option("--sample", options->profile.sample_s, "seconds between rows")
      ->check(CLI::Range(0.01, 60.0))
      ->capture_default_str();
  command->add_option("--ambient", options->profile.ambient_c, "ambient as you measured it, degrees Celsius");
  command->add_option("-o,--output", options->output, "folder for the CSV files")->required();
  command
      ->add_option("command", options->command,
                   "after --: the program with its arguments; it prints one line per inference")
      ->required();
  add_common_options(*command, options->common,
                     "trimtab sustain profile -o OUT/ --policy policy4 --mhz 600 1400 2000 -- ./classify --loop");
  command->callback([options] {
    const thermal::Profile result = thermal::profile(options->command, options->profile, options->output);
    nlohmann::ordered_json json{{"inferences", result.inferences}};
    std::string text = fmt::format("{} inferences; written:\n", result.inferences);
    for (const auto& file : result.files) {
      json["files"].push_back(file.string());
      text += "  " + file.string() + "\n";
    }
    print({json, text}, options->common.json);
  });
}

}  // namespace trimtab::cli
