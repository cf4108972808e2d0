#include "thermal/policy_state.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include "base/error.h"
#include "base/file.h"

namespace trimtab::thermal {
namespace {

namespace fs = std::filesystem;

constexpr const char* header = "trimtab govern 1";

bool is_khz(const std::string& text) {
  return text.size() >= 5 && text.size() <= 8 && text.find_first_not_of("0123456789") == std::string::npos;
}

}  // namespace

fs::path default_state_folder(const fs::path& root) {
  return root == "/sys" ? fs::path("/run/trimtab") : root / "run/trimtab";
}

PolicyLock::PolicyLock(const fs::path& folder, const std::string& policy) : state_(folder / (policy + ".state")) {
  make_directory(folder);
  const fs::path path = folder / (policy + ".lock");
  lock_ = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);
  if (lock_ < 0) throw bad_input("{} cannot be opened: {}", path.string(), std::strerror(errno));
  if (::flock(lock_, LOCK_EX | LOCK_NB) != 0) {
    std::array<char, 32> pid{};
    const ssize_t count = ::pread(lock_, pid.data(), pid.size() - 1, 0);
    ::close(lock_);
    std::string holder(pid.data(), count > 0 ? static_cast<std::size_t>(count) : 0);
    holder.resize(std::min(holder.size(), holder.find_first_not_of("0123456789")));
    throw bad_input("{} is governed by process {} already; end that daemon first", policy,
                    holder.empty() ? "unknown" : holder);
  }
  const std::string pid = fmt::format("{}\n", ::getpid());
  if (::ftruncate(lock_, 0) != 0 || ::pwrite(lock_, pid.data(), pid.size(), 0) < 0) {
    ::close(lock_);
    throw failure("{} cannot be written: {}", path.string(), std::strerror(errno));
  }
}

PolicyLock::~PolicyLock() { ::close(lock_); }

std::optional<PolicyState> read_policy_state(const fs::path& folder, const std::string& policy) {
  const fs::path path = folder / (policy + ".state");
  std::error_code error;
  if (!fs::exists(path, error)) return std::nullopt;
  const std::string text = read_text(path, 1 << 16);
  std::array<std::string, 4> lines;
  std::size_t begin = 0;
  for (std::string& line : lines) {
    const std::size_t end = std::min(text.find('\n', begin), text.size());
    line = text.substr(std::min(begin, text.size()), end - std::min(begin, end));
    begin = end + 1;
  }
  if (lines[0] != header || !is_khz(lines[1]) || !is_khz(lines[2])) {
    throw bad_input("{} is damaged; set scaling_max_freq as it shall be and remove this file", path.string());
  }
  return PolicyState{lines[1], lines[2], lines[3]};
}

void PolicyLock::write(const PolicyState& state) const {
  write_file(state_, fmt::format("{}\n{}\n{}\n{}\n", header, state.original_khz, state.fallback_khz,
                                 state.operating_point.string()));
}

void PolicyLock::remove() const {
  std::error_code error;
  fs::remove(state_, error);
}

}  // namespace trimtab::thermal
