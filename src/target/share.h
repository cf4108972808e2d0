#pragma once

#include <filesystem>

namespace trimtab {

/// The folder that holds what the command needs at run time: targets/, runtime/ (the headers emitted programs copy) and
/// firmware/. In this order: the environment's TRIMTAB_SHARE; share/trimtab of the installation; for a build tree, the
/// source tree it was built from. Throws Error (bad input) where it does not exist.
[[nodiscard]] std::filesystem::path share_directory();

/// Descriptions of targets, one TOML file each.
[[nodiscard]] std::filesystem::path targets_directory();
/// The include directory of the kernels: headers are `trimtab/NAME.h` in it.
[[nodiscard]] std::filesystem::path runtime_directory();
/// Start-up code, harness and linker scripts of firmware images.
[[nodiscard]] std::filesystem::path firmware_directory();
/// The licence of all code that is handed over.
[[nodiscard]] std::filesystem::path license_file();
/// Scalable-precision MACs (rtl/*.sv) and the gate library they are characterized with (cells.lib).
[[nodiscard]] std::filesystem::path hardware_directory();

}  // namespace trimtab
