#include "target/share.h"

#include <cstdlib>
#include <optional>
#include <system_error>

#include "base/error.h"
#include "base/installation.h"

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
  const std::optional<fs::path> prefix = installation_prefix();
  const fs::path share = prefix ? *prefix / "share" / "trimtab" : fs::path(TRIMTAB_SHARE_DIR);
  if (is_share(share)) return share;
  throw bad_input("the folder {} is gone; set TRIMTAB_SHARE to the folder that holds targets and runtime",
                  share.string());
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
