#include "base/input_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "base/error.h"

namespace trimtab {
namespace {

const char* kind_of(mode_t mode) {
  if (S_ISDIR(mode)) return "a folder";
  if (S_ISFIFO(mode)) return "a pipe";
  if (S_ISSOCK(mode)) return "a socket";
  return "a device";
}

}  // namespace

InputFile::InputFile(const std::filesystem::path& path) : path_(path) {
  struct stat status {};
  // Before it is opened, since to open a device can change it, and after, since it may be another file by then.
  if (::stat(path.c_str(), &status) != 0) {
    if (errno == ENOENT || errno == ENOTDIR) throw bad_input("{} does not exist", path.string());
    throw bad_input("{} cannot be read: {}", path.string(), std::strerror(errno));
  }
  if (S_ISREG(status.st_mode)) {
    descriptor_ = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (descriptor_ < 0) throw bad_input("{} cannot be read: {}", path.string(), std::strerror(errno));
    ::fstat(descriptor_, &status);
  }
  if (!S_ISREG(status.st_mode)) {
    if (descriptor_ >= 0) ::close(descriptor_);
    throw bad_input("{} is {}; a file is needed", path.string(), kind_of(status.st_mode));
  }
  size_ = status.st_size;
}

InputFile::~InputFile() { ::close(descriptor_); }

std::size_t InputFile::read(std::int64_t offset, std::span<std::uint8_t> bytes) const {
  std::size_t done = 0;
  while (done < bytes.size()) {
    const ssize_t count = ::pread(descriptor_, bytes.data() + done, bytes.size() - done,
                                  static_cast<off_t>(offset + static_cast<std::int64_t>(done)));
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) throw bad_input("{} cannot be read: {}", path_.string(), std::strerror(errno));
    if (count == 0) break;
    done += static_cast<std::size_t>(count);
  }
  return done;
}

}  // namespace trimtab
