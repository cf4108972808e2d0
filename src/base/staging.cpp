#include "base/staging.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <set>
#include <sstream>
#include <system_error>
#include <utility>

#include "base/cleaner.h"
#include "base/error.h"
#include "base/file.h"

namespace trimtab {

namespace fs = std::filesystem;

namespace {

constexpr const char* manifest_name = ".result-files";
constexpr const char* result_name = "result.json";

/// The process that holds a flock() on the file, as the kernel lists it; 0 where it lists none.
long lock_holder(const struct stat& file) {
  std::ifstream locks("/proc/locks");
  const std::string wanted =
      fmt::format("{:02x}:{:02x}:{}", major(file.st_dev), minor(file.st_dev), static_cast<std::uint64_t>(file.st_ino));
  for (std::string line; std::getline(locks, line);) {
    // 1: FLOCK  ADVISORY  WRITE 4711 08:01:123456 0 EOF
    std::istringstream words(line);
    std::string id;
    std::string kind;
    std::string mode;
    std::string access;
    long process = 0;
    std::string where;
    if (words >> id >> kind >> mode >> access >> process >> where && kind == "FLOCK" && where == wanted) return process;
  }
  return 0;
}

/// Names of entries, one a line; of a damaged file nothing is taken that could be outside the folder.
std::set<std::string> read_manifest(const fs::path& folder) {
  std::set<std::string> names;
  std::error_code error;
  if (!fs::is_regular_file(folder / manifest_name, error)) return names;
  std::istringstream lines(read_text(folder / manifest_name, 1 << 20));
  for (std::string name; std::getline(lines, name);) {
    if (!name.empty() && name != "." && name != ".." && name.find('/') == std::string::npos) names.insert(name);
  }
  return names;
}

/// The same files under a second name; folders are made anew, symbolic links too.
void link_tree(const fs::path& from, const fs::path& to) {
  const fs::file_status status = fs::symlink_status(from);
  if (!fs::is_directory(status)) {
    if (::linkat(AT_FDCWD, from.c_str(), AT_FDCWD, to.c_str(), 0) != 0) {
      throw fs::filesystem_error("link", from, to, std::error_code(errno, std::generic_category()));
    }
    return;
  }
  fs::create_directory(to, from);
  for (const fs::directory_entry& entry : fs::directory_iterator(from)) {
    link_tree(entry.path(), to / entry.path().filename());
  }
}

fs::path make_canonical(const fs::path& out) {
  make_directory(out);
  return fs::canonical(out);
}

bool holds(const fs::path& folder, const fs::path& inner) {
  const auto [end, unused] = std::mismatch(folder.begin(), folder.end(), inner.begin(), inner.end());
  return end == folder.end();
}

/// A folder of our own beside OUT; in OUT where that cannot be or OUT cannot be swapped.
fs::path staging_path(const fs::path& out) {
  const std::string name = fmt::format(".{}.partial-{}", out.filename().string(), ::getpid());
  struct stat own {};
  struct stat parent {};
  std::error_code error;
  const fs::path current = fs::current_path(error);
  // A shell that stands in OUT would stand in a folder that is gone.
  const bool beside = out.has_parent_path() && out != out.parent_path() && !holds(out, current) &&
                      ::stat(out.c_str(), &own) == 0 && ::stat(out.parent_path().c_str(), &parent) == 0 &&
                      own.st_dev == parent.st_dev && ::access(out.parent_path().c_str(), W_OK | X_OK) == 0;
  return beside ? out.parent_path() / name : out / name;
}

}  // namespace

FolderLock::FolderLock(const fs::path& folder) {
  for (int attempt = 0; attempt < 10; ++attempt) {
    make_directory(folder);
    descriptor_ = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (descriptor_ < 0) throw bad_input("the folder {} cannot be opened: {}", folder.string(), std::strerror(errno));
    struct stat opened {};
    struct stat there {};
    ::fstat(descriptor_, &opened);
    if (::flock(descriptor_, LOCK_EX | LOCK_NB) != 0) {
      const int reason = errno;
      ::close(descriptor_);
      descriptor_ = -1;
      if (reason != EWOULDBLOCK) return;  // a file system without locks
      const long holder = lock_holder(opened);
      throw bad_input("process {} writes to {} already; wait for its end or choose another folder",
                      holder > 0 ? std::to_string(holder) : "unknown", folder.string());
    }
    // A commit may have put another folder in its place since it was opened.
    if (::stat(folder.c_str(), &there) == 0 && there.st_ino == opened.st_ino && there.st_dev == opened.st_dev) return;
    ::close(descriptor_);
    descriptor_ = -1;
  }
  throw failure("the folder {} changes all the time", folder.string());
}

FolderLock::~FolderLock() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

StagingFolder::StagingFolder(fs::path out, std::vector<std::string> owned)
    : was_there_(fs::exists(out)),
      out_(make_canonical(out)),
      lock_(out_),
      owned_(std::move(owned)),
      path_(staging_path(out_)) {
  cleaner::watch(path_);
  std::error_code error;
  // A process that had our number and was killed together with its cleaner may have left this folder.
  fs::remove_all(path_, error);
  make_directory(path_);
}

StagingFolder::~StagingFolder() {
  std::error_code ignored;
  fs::remove_all(path_, ignored);
  if (!fs::exists(fs::symlink_status(path_, ignored))) cleaner::forget(path_);  // otherwise it tries again
  if (!was_there_ && fs::is_empty(out_, ignored)) fs::remove(out_, ignored);
}

void StagingFolder::commit() const {
  std::vector<std::string> names{manifest_name};
  for (const fs::directory_entry& entry : fs::directory_iterator(path_)) {
    names.push_back(entry.path().filename().string());
  }
  std::string manifest;
  for (const std::string& name : names) manifest += name + "\n";
  write_file(path_ / manifest_name, manifest);
  try {
    std::set<std::string> dropped = read_manifest(out_);
    dropped.insert(names.begin(), names.end());
    dropped.insert(owned_.begin(), owned_.end());
    dropped.insert(result_name);
    dropped.insert(path_.filename().string());
    for (const fs::directory_entry& entry : fs::directory_iterator(out_)) {
      const fs::path name = entry.path().filename();
      if (!dropped.contains(name.string())) link_tree(entry.path(), path_ / name);
    }
    struct stat old {};
    if (::stat(out_.c_str(), &old) == 0) ::chmod(path_.c_str(), old.st_mode & 07777);
    if (path_.parent_path() != out_ &&
        ::renameat2(AT_FDCWD, path_.c_str(), AT_FDCWD, out_.c_str(), RENAME_EXCHANGE) == 0) {
      return;  // the destructor removes the earlier result
    }
  } catch (const fs::filesystem_error&) {  // no hard links here
  }
  replace_one_by_one(names);
}

/// Where folders cannot be swapped: an earlier result.json goes first and the new one comes last, so that where it is
/// there, all that belongs to it is there.
void StagingFolder::replace_one_by_one(const std::vector<std::string>& names) const {
  try {
    fs::remove(out_ / result_name);
    for (const std::string& name : owned_) fs::remove_all(out_ / name);
    for (const std::string& name : read_manifest(out_)) fs::remove_all(out_ / name);
    for (const std::string& name : names) {
      if (name == result_name) continue;
      fs::remove_all(out_ / name);
      fs::rename(path_ / name, out_ / name);
    }
    if (fs::exists(path_ / result_name)) fs::rename(path_ / result_name, out_ / result_name);
  } catch (const fs::filesystem_error& error) {
    throw failure("the result cannot take its place in {}: {}", out_.string(), error.code().message());
  }
}

}  // namespace trimtab
