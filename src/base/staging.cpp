#include "base/staging.h"

#include <system_error>
#include <utility>

#include "base/file.h"

namespace trimtab {

namespace fs = std::filesystem;

StagingFolder::StagingFolder(fs::path out, std::vector<std::string> owned)
    : out_(std::move(out)), owned_(std::move(owned)), was_there_(fs::exists(out_)), path_(out_ / ".partial") {
  make_directory(out_);
  fs::remove_all(path_);
  make_directory(path_);
}

StagingFolder::~StagingFolder() {
  std::error_code ignored;
  fs::remove_all(path_, ignored);
  if (!was_there_ && fs::is_empty(out_, ignored)) fs::remove(out_, ignored);
}

void StagingFolder::commit() const {
  const fs::path last = "result.json";
  fs::remove(out_ / last);
  for (const std::string& name : owned_) fs::remove_all(out_ / name);
  for (const fs::directory_entry& entry : fs::directory_iterator(path_)) {
    if (entry.path().filename() == last) continue;
    fs::remove_all(out_ / entry.path().filename());
    fs::rename(entry.path(), out_ / entry.path().filename());
  }
  if (fs::exists(path_ / last)) fs::rename(path_ / last, out_ / last);
}

}  // namespace trimtab
