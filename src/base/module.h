#pragma once

#include <filesystem>

namespace trimtab {

/// The address of a function in a module, a shared library of trimtab's own that is loaded at its first use because the
/// libraries it needs take long to load. A module lies in lib/trimtab of the installation, else where it was built. It
/// stays loaded. Throws Error (failure) where it cannot be loaded.
[[nodiscard]] void* find_in_module(const std::filesystem::path& built, const char* function);

}  // namespace trimtab
