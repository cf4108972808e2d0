#include "base/installation.h"

#include <dlfcn.h>
#include <link.h>

#include <system_error>

/// Defined in programs that found Trimtab by find_package (cmake/package_prefix.cpp), and nowhere else.
extern "C" [[gnu::weak]] const char* trimtab_package_prefix();

namespace trimtab {
namespace {

namespace fs = std::filesystem;

/// The program or the shared library whose code this is.
fs::path own_file() {
  std::error_code unreadable;
  Dl_info info{};
  link_map* map = nullptr;
  const void* here = reinterpret_cast<const void*>(&installation_prefix);
  const bool found = ::dladdr1(here, &info, reinterpret_cast<void**>(&map), RTLD_DL_LINKMAP) != 0 && map != nullptr;
  const bool library = found && map->l_name != nullptr && *map->l_name != '\0';  // a program has no name there
  return library ? fs::canonical(map->l_name, unreadable) : fs::read_symlink("/proc/self/exe", unreadable);
}

}  // namespace

std::optional<fs::path> installation_prefix() {
  std::error_code ignored;
  fs::path folder = own_file();
  for (int level = 0; level < 3; ++level) {
    folder = folder.parent_path();
    if (fs::is_directory(folder / "share" / "trimtab" / "targets", ignored)) return folder;
  }
  if (trimtab_package_prefix != nullptr) return trimtab_package_prefix();
  return std::nullopt;
}

fs::path installed_or_built(const fs::path& built) {
  const std::optional<fs::path> prefix = installation_prefix();
  return prefix ? *prefix / "lib" / "trimtab" / built.filename() : built;
}

}  // namespace trimtab
