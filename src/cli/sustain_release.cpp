#include <fmt/format.h>

#include <memory>
#include <system_error>

#include "cli/sustain.h"
#include "thermal/govern.h"
#include "thermal/policy_state.h"
#include "thermal/sysfs.h"

namespace trimtab::cli {
namespace {

struct SustainReleaseOptions {
  CommonOptions common;
  std::string root = "/sys";
  std::string policy = "policy0";
  std::string state_folder;
  bool restore = false;
};

void release(const SustainReleaseOptions& options) {
  thermal::BoardFiles files;
  files.root = options.root;
  files.policy = options.policy;
  const std::filesystem::path folder = options.state_folder.empty() ? thermal::default_state_folder(options.root)
                                                                    : std::filesystem::path(options.state_folder);
  std::string value;
  std::string text = fmt::format("no daemon left {} behind\n", options.policy);
  // Without a state file there is nothing to lock, and no folder is made.
  if (std::error_code error; std::filesystem::exists(folder / (options.policy + ".state"), error)) {
    const thermal::PolicyLock lock(folder, options.policy);
    if (const auto state = thermal::read_policy_state(folder, options.policy)) {
      value = options.restore ? state->original_khz : state->fallback_khz;
      thermal::write_attribute(files.limit(), value);
      if (options.restore) {
        if (!state->operating_point.empty()) std::filesystem::remove(state->operating_point, error);
        lock.remove();
      }
      text = fmt::format("{} is limited to {} kHz, {}\n", options.policy, value,
                         options.restore ? "as before the daemon" : "the fallback");
    }
  }
  print({{{"policy", options.policy}, {"limit_khz", value}}, text}, options.common.json);
}

}  // namespace

void add_sustain_release(CLI::App& sustain) {
  const auto options = std::make_shared<SustainReleaseOptions>();
  CLI::App* command = sustain.add_subcommand(
      "release", "hold the fallback frequency after a daemon that did not end cleanly, or restore what was before it");
  add_policy_option(*command, options->policy);
  add_sysfs_root_option(*command, options->root);
  add_state_folder_option(*command, options->state_folder);
  command->add_flag("--restore", options->restore,
                    "put the frequency limit back that was in force before the daemon, and forget the daemon");
  add_common_options(*command, options->common, "trimtab sustain release --policy policy4 --restore");
  command->callback([options] { release(*options); });
}

}  // namespace trimtab::cli
