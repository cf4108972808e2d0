#pragma once

#include <filesystem>
#include <string>

#include "emit/deploy.h"
#include "program/program.h"
#include "target/power.h"
#include "target/target.h"

namespace trimtab {

/// Whether a manager can be written: the program has several operating points that say how good they are, and the
/// deployment has cycles at the clocks of the target.
[[nodiscard]] bool has_manager(const Program& program, const Target& target, const Deployment& deployment);

/// Writes NAME_manager.h into a folder of sources, and trimtab/manager.h from `share` where it lacks it: a table of
/// every operating point at every clock of the target, and NAME_choose_setting, which chooses one of them on the device
/// (runtime/trimtab/manager.h). The cycles of a point are those of the dearest one by the ratio of their instructions.
/// Does nothing where there is no manager.
void write_manager(const Program& program, const Target& target, const Deployment& deployment, const std::string& name,
                   const std::filesystem::path& share, const std::filesystem::path& folder);

}  // namespace trimtab
