#pragma once

#include <filesystem>
#include <optional>

namespace trimtab {

/// The prefix of the installation that this code belongs to, such as /usr: it holds share/trimtab (data) and
/// lib/trimtab (modules, and the program trimtab-learn). Nothing where the code runs from a build tree.
///
/// The file that holds this code (the program, or the Python module) lies at most three folders below the prefix. A
/// program elsewhere that found Trimtab by CMake's find_package knows the prefix from there.
[[nodiscard]] std::optional<std::filesystem::path> installation_prefix();

/// The file of the same name in lib/trimtab of the installation, else `built`, where the build tree has it.
[[nodiscard]] std::filesystem::path installed_or_built(const std::filesystem::path& built);

}  // namespace trimtab
