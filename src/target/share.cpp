#include "target/share.h"

#include <cstdlib>
#include <system_error>

#include "base/error.h"

namespace trimtab {
namespace {

namespace fs = std::filesystem;

bool is_share(const fs::path& path) {
  std::error_code ignored;
  return fs::is_directory(path / "targets", ignored) && fs::is_directory(path / "runtime", ignored);
}

}  // namespace

fs::path share_directory() {
  if (const char* chosen = std::getenv("TRIMTAB_SHARE"); chosen != nullptr && *chosen != '\0') {
    if (is_share(chosen)) return chosen;
    throw bad_input("TRIMTAB_SHARE names {}, which has no folders targets and runtime", chosen);
  }
  std::error_code unreadable;
  const fs::path command = fs::read_symlink("/proc/self/exe", unreadable);
  if (!unreadable) {
    const fs::path installed = command.parent_path().parent_path() / "share" / "trimtab";
    if (is_share(installed)) return installed;
  }
  if (is_share(TRIMTAB_SHARE_DIR)) return TRIMTAB_SHARE_DIR;
  throw bad_input("the folder {} is gone; set TRIMTAB_SHARE to the folder that holds targets and runtime",
                  TRIMTAB_SHARE_DIR);
}

fs::path targets_directory() { return share_directory() / "targets"; }

fs::path runtime_directory() { return share_directory() / "runtime"; }

fs::path firmware_directory() {
  const fs::path share = share_directory();
  std::error_code ignored;
  if (fs::is_directory(share / "firmware", ignored)) return share / "firmware";
  return share / "src" / "emit" / "firmware";
}

fs::path license_file() { return share_directory() / "LICENSE"; }

fs::path hardware_directory() { return share_directory() / "hardware"; }

}  // namespace trimtab
