#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace trimtab {

/// Ecosystems that packages are made for, as --for names them.
[[nodiscard]] std::vector<std::string> package_kinds();

/// Makes a package from the folder `out` of fit or scale: the device's sources in the layout and with the metadata that
/// the ecosystem documents, and an example. The package's folder `folder` is made anew: nothing may be there. Throws
/// Error (bad input) where `out` holds no device folder, where a file of it is not the one that was handed over, and
/// where `folder` is there.
void make_package(const std::filesystem::path& out, const std::string& kind, const std::filesystem::path& folder);

}  // namespace trimtab
