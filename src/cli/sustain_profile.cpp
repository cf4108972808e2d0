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
    std::string root = "/sys";
    std::string out;
    std::vector<std::string> command;
  };
  const auto options = std::make_shared<Options>();
  CLI::App* command =
      sustain.add_subcommand("profile", "run an inference program at several frequencies and log the board");
  add_sysfs_root_option(*command, options->root);
  add_policy_option(*command, options->profile.policy);
  add_prefix_option(*command, options->profile.prefix);
  command->add_option("--mhz", options->profile.mhz, "frequencies to measure at")
      ->default_str("the lowest and the highest");
  command->add_option("--seconds", options->profile.seconds, "seconds at each frequency")
      ->check(CLI::Range(0.1, 86400.0))
      ->capture_default_str();
  command->add_option("--sample", options->profile.sample_s, "seconds between rows")
      ->check(CLI::Range(0.01, 60.0))
      ->capture_default_str();
  add_ambient_option(*command, options->profile.ambient_c)->default_str("unknown");
  add_out_option(*command, options->out)->required();
  command
      ->add_option("COMMAND", options->command,
                   "after --: the program with its arguments; it prints one line for each inference")
      ->required();
  add_common_options(*command, options->common,
                     "trimtab sustain profile -o OUT/ --policy policy4 --mhz 600 1400 2000 -- ./classify --loop");
  command->callback([options] {
    options->profile.root = options->root;
    const thermal::Profile result = thermal::profile(options->command, options->profile, options->out);
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
