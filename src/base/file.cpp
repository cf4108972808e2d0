#include "base/file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <random>
#include <system_error>
#include <utility>

#include "base/cleaner.h"
#include "base/error.h"
#include "base/input_file.h"

namespace trimtab {
namespace fs = std::filesystem;

namespace {

/// Closes the file and removes it unless it was committed.
class PendingFile {
 public:
  explicit PendingFile(fs::path target) : target_(std::move(target)) {
    std::string pattern = target_.string() + ".XXXXXX";
    descriptor_ = ::mkstemp(pattern.data());
    if (descriptor_ < 0) throw bad_input("{} cannot be written: {}", target_.string(), std::strerror(errno));
    temporary_ = pattern;
  }
  PendingFile(const PendingFile&) = delete;
  PendingFile& operator=(const PendingFile&) = delete;
  PendingFile(PendingFile&&) = delete;
  PendingFile& operator=(PendingFile&&) = delete;
  ~PendingFile() {
    if (descriptor_ >= 0) ::close(descriptor_);
    if (!temporary_.empty()) ::unlink(temporary_.c_str());
  }

  void write(std::span<const std::uint8_t> bytes) {
    while (!bytes.empty()) {
      const ssize_t written = ::write(descriptor_, bytes.data(), bytes.size());
      if (written < 0 && errno == EINTR) continue;
      if (written < 0) throw failure("{} could not be written: {}", target_.string(), std::strerror(errno));
      bytes = bytes.subspan(static_cast<std::size_t>(written));
    }
  }

  void commit() {
    const mode_t mask = ::umask(0);
    ::umask(mask);
    ::fchmod(descriptor_, 0666 & ~mask);
    if (::fsync(descriptor_) != 0 || ::close(std::exchange(descriptor_, -1)) != 0) {
      throw failure("{} could not be written: {}", target_.string(), std::strerror(errno));
    }
    if (::rename(temporary_.c_str(), target_.c_str()) != 0) {
      throw bad_input("{} cannot be written: {}", target_.string(), std::strerror(errno));
    }
    temporary_.clear();
  }

 private:
  fs::path target_;
  std::string temporary_;
  int descriptor_ = -1;
};

template <typename Bytes>
Bytes read_into(const fs::path& path, std::int64_t limit) {
  const InputFile file(path);
  if (file.size() > limit) {
    throw bad_input("{} has {} bytes; more than {} are not read", path.string(), file.size(), limit);
  }
  Bytes bytes;
  bytes.reserve(static_cast<std::size_t>(file.size()));
  std::vector<std::uint8_t> block(1 << 16);
  for (std::size_t count = block.size(); count == block.size();) {
    count = file.read(std::ssize(bytes), block);
    bytes.insert(bytes.end(), block.begin(), block.begin() + static_cast<std::ptrdiff_t>(count));
    if (std::ssize(bytes) > limit) {
      throw bad_input("{} is too large; more than {} bytes are not read", path.string(), limit);
    }
  }
  return bytes;
}

}  // namespace

std::vector<std::uint8_t> read_file(const fs::path& path, std::int64_t limit) {
  return read_into<std::vector<std::uint8_t>>(path, limit);
}

std::string read_text(const fs::path& path, std::int64_t limit) { return read_into<std::string>(path, limit); }

void write_file(const fs::path& path, std::span<const std::uint8_t> bytes) {
  PendingFile file(path);
  file.write(bytes);
  file.commit();
}

void write_file(const fs::path& path, std::string_view text) {
  write_file(path, std::span(reinterpret_cast<const std::uint8_t*>(text.data()), text.size()));
}

void make_directory(const fs::path& path) {
  std::error_code error;
  fs::create_directories(path, error);
  if (error) throw bad_input("the folder {} cannot be made: {}", path.string(), error.message());
  if (!fs::is_directory(path)) throw bad_input("{} is not a folder", path.string());
  if (::access(path.c_str(), W_OK | X_OK) != 0)
    throw bad_input("the folder {} cannot be written: {}", path.string(), std::strerror(errno));
}

TemporaryDirectory::TemporaryDirectory() {
  const char* wanted = std::getenv("TMPDIR");
  std::error_code error;
  const fs::path parent = fs::temp_directory_path(error);
  if (error) {
    throw bad_input("TMPDIR is {}, which is no folder; it must name a folder for temporary files",
                    wanted != nullptr ? wanted : "not set");
  }
  std::random_device random;
  for (int attempt = 0; attempt < 100; ++attempt) {
    const fs::path path = parent / fmt::format("trimtab-{}-{:08x}", ::getpid(), random());
    if (fs::exists(fs::symlink_status(path, error))) continue;
    cleaner::watch(path);
    if (::mkdir(path.c_str(), 0700) == 0) {
      path_ = path;
      return;
    }
    const int reason = errno;
    cleaner::forget(path);
    if (reason == EEXIST) continue;
    throw failure("no temporary folder can be made in {}: {}", parent.string(), std::strerror(reason));
  }
  throw failure("no temporary folder can be made in {}", parent.string());
}

TemporaryDirectory::TemporaryDirectory(TemporaryDirectory&& other) noexcept : path_(std::exchange(other.path_, {})) {}

TemporaryDirectory::~TemporaryDirectory() {
  if (path_.empty()) return;
  std::error_code ignored;
  fs::remove_all(path_, ignored);
  if (!fs::exists(fs::symlink_status(path_, ignored))) cleaner::forget(path_);  // otherwise it tries again
}

}  // namespace trimtab
