#pragma once

#include <sys/types.h>

#include <chrono>
#include <filesystem>
#include <string>
#include <vector>

namespace trimtab::thermal {

/// A child process that writes values to files when this process ends without saying goodbye (kill -9, crash). It also
/// does so when this process stops beating for `timeout_s`; then it ends this process first. beat() starts another
/// child where the last one has gone.
class Watchdog {
 public:
  struct Write {
    std::filesystem::path path;
    std::string value;
  };
  /// `kept` is a file descriptor that the child keeps open until it has written, such as a lock; -1: none.
  Watchdog(std::vector<Write> writes, double timeout_s, int kept = -1);
  /// Says goodbye: the child ends without touching anything.
  ~Watchdog();
  Watchdog(const Watchdog&) = delete;
  Watchdog& operator=(const Watchdog&) = delete;
  Watchdog(Watchdog&&) = delete;
  Watchdog& operator=(Watchdog&&) = delete;
  /// Returns true where the child had to be started again.
  bool beat();
  /// The child now writes at once and this process goes on; for an end that is not clean.
  void abandon() noexcept;

 private:
  void start();
  void close_pipe() noexcept;

  std::vector<Write> writes_;
  int timeout_ms_;
  int kept_;
  std::chrono::steady_clock::duration interval_;
  std::chrono::steady_clock::time_point next_beat_;
  int pipe_ = -1;
  pid_t child_ = -1;
};

}  // namespace trimtab::thermal
