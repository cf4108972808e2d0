#pragma once

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/file.h"
#include "support/fake_board.h"

namespace trimtab::thermal {

/// `trimtab sustain govern`, started as a process of its own on the tree of a board, which is also its clock.
/// `settings` are its arguments but for the board's places.
class Daemon {
 public:
  Daemon(FakeBoard& board, const std::vector<std::string>& settings) : board_(board) {
    // A watchdog that outlives its daemon becomes our child, so that its end can be waited for.
    ::prctl(PR_SET_CHILD_SUBREAPER, 1);
    ::signal(SIGPIPE, SIG_IGN);
    std::array<int, 2> sleep{};
    std::array<int, 2> now{};
    if (::pipe(sleep.data()) != 0 || ::pipe(now.data()) != 0) throw failure("no pipe");
    std::vector<std::string> command{TRIMTAB_COMMAND,         "sustain",         "govern",
                                     "--sysfs-root",          board.root(),      "--operating-point",
                                     board.variant_file(),    "--virtual-clock", std::to_string(now[0]),
                                     std::to_string(sleep[1])};
    command.insert(command.begin() + 3, settings.begin(), settings.end());
    pid_ = ::fork();
    if (pid_ == 0) {
      ::close(sleep[0]);
      ::close(now[1]);
      std::vector<char*> arguments;
      for (std::string& argument : command) arguments.push_back(argument.data());
      arguments.push_back(nullptr);
      const int log = ::open((board.root() / "log").c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0644);
      ::dup2(log, STDOUT_FILENO);
      ::dup2(log, STDERR_FILENO);
      ::execv(arguments[0], arguments.data());
      ::_exit(127);
    }
    ::close(sleep[1]);
    ::close(now[0]);
    sleep_ = sleep[0];
    now_ = now[1];
  }
  ~Daemon() {
    close_clock();
    if (pid_ > 0) ::kill(pid_, SIGKILL);
    while (::waitpid(-1, nullptr, 0) > 0) {
    }
  }
  Daemon(const Daemon&) = delete;
  Daemon& operator=(const Daemon&) = delete;
  Daemon(Daemon&&) = delete;
  Daemon& operator=(Daemon&&) = delete;

  /// The daemon has decided and wants to sleep until this time; negative where it has ended.
  double wish() {
    std::array<char, 64> line{};
    const ssize_t count = ::read(sleep_, line.data(), line.size() - 1);
    return count <= 0 ? -1 : std::strtod(line.data(), nullptr);
  }
  void wake() {
    const std::string line = fmt::format("{:.6f}\n", board_.now_s());
    ASSERT_EQ(::write(now_, line.data(), line.size()), static_cast<ssize_t>(line.size()));
  }
  /// Lets the board live until `seconds`, or to its end; the daemon is then asleep.
  void run(double seconds) {
    for (;;) {
      const double until = wish();
      ASSERT_GE(until, 0) << "the daemon has ended at " << board_.now_s() << " s: " << log();
      if (!board_.sleep_until(until) || board_.now_s() >= seconds) return;
      wake();
    }
  }
  void close_clock() {
    if (sleep_ >= 0) ::close(sleep_);
    if (now_ >= 0) ::close(now_);
    sleep_ = now_ = -1;
  }
  [[nodiscard]] pid_t process() const { return pid_; }
  /// The daemon's only child; 0 where it has none.
  [[nodiscard]] pid_t watchdog() const {
    return static_cast<pid_t>(std::strtol(
        read_attribute(fmt::format("/proc/{}/task/{}/children", pid_, pid_)).value_or("0").c_str(), nullptr, 10));
  }
  void signal(int number) const { ::kill(pid_, number); }
  /// Its exit code, or 128 and the signal that ended it.
  int wait() {
    int status = 0;
    while (::waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
    }
    pid_ = -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  }
  /// Until nothing that the daemon has started lives any more.
  static void wait_for_watchdog() {
    while (::waitpid(-1, nullptr, 0) > 0) {
    }
  }
  [[nodiscard]] std::string log() const {
    const auto bytes = read_file(board_.root() / "log");
    return {bytes.begin(), bytes.end()};
  }

 private:
  FakeBoard& board_;
  pid_t pid_ = -1;
  int sleep_ = -1;
  int now_ = -1;
};

}  // namespace trimtab::thermal
