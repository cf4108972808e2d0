#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>
#include <stdlib.h>
#include <termios.h>
#include <unistd.h>

#include <array>
#include <string>

namespace trimtab {

/// A pair of terminals: what is written to one end is read at the other, unchanged. The named end stays open, so that
/// it can be opened and closed by others.
class PseudoTerminal {
 public:
  PseudoTerminal() : end_(::posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC)) {
    std::array<char, 128> name{};
    if (end_ < 0 || ::grantpt(end_) != 0 || ::unlockpt(end_) != 0 || ::ptsname_r(end_, name.data(), name.size()) != 0) {
      ADD_FAILURE() << "this machine gives no pseudo-terminals";
      return;
    }
    path_ = name.data();
    named_end_ = ::open(path_.c_str(), O_RDWR | O_NOCTTY | O_CLOEXEC);
    termios settings{};
    EXPECT_EQ(::tcgetattr(named_end_, &settings), 0);
    ::cfmakeraw(&settings);
    EXPECT_EQ(::tcsetattr(named_end_, TCSANOW, &settings), 0);
  }
  ~PseudoTerminal() {
    ::close(named_end_);
    ::close(end_);
  }
  PseudoTerminal(const PseudoTerminal&) = delete;
  PseudoTerminal& operator=(const PseudoTerminal&) = delete;
  PseudoTerminal(PseudoTerminal&&) = delete;
  PseudoTerminal& operator=(PseudoTerminal&&) = delete;

  [[nodiscard]] int end() const { return end_; }
  [[nodiscard]] const std::string& path() const { return path_; }  ///< of the other end

 private:
  int end_;
  int named_end_ = -1;
  std::string path_;
};

}  // namespace trimtab
