#include <memory>

#include "cli/sustain.h"
#include "thermal/board_result.h"

namespace trimtab::cli {

void add_sustain_doctor(CLI::App& sustain) {
  const auto root = std::make_shared<std::string>("/sys");
  const auto common = std::make_shared<CommonOptions>();
  CLI::App* command =
      sustain.add_subcommand("doctor", "list the policies, zones and sensors of this board and its misconfigurations");
  add_sysfs_root_option(*command, *root);
  add_common_options(*command, *common, "trimtab sustain doctor");
  command->callback([root, common] { print(describe(thermal::look_at_board(*root)), common->json); });
}

}  // namespace trimtab::cli
