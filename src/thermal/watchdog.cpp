#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "base/error.h"
#include "thermal/govern.h"

namespace trimtab::thermal {
namespace {

constexpr char goodbye = 'q';

/// Only calls that are safe after fork() of a process with threads: open, write, unlink, close, poll, read, kill.
void restore(const std::vector<Watchdog::Restore>& files, const std::vector<std::string>& lines) {
  for (std::size_t i = 0; i < files.size(); ++i) {
    if (files[i].value.empty()) {
      ::unlink(files[i].path.c_str());
      continue;
    }
    const int file = ::open(files[i].path.c_str(), O_WRONLY | O_TRUNC);
    if (file < 0) continue;
    if (::write(file, lines[i].data(), lines[i].size()) < 0) {
      // Nothing is left to try; the kernel's trips remain.
    }
    ::close(file);
  }
}

[[noreturn]] void watch(int pipe, pid_t parent, int timeout_ms, const std::vector<Watchdog::Restore>& files,
                        const std::vector<std::string>& lines) {
  ::setsid();
  // Nothing of the daemon's may stay open because of us: who reads from its pipes must see its end.
  for (int file = 3; file < 1024; ++file) {
    if (file != pipe) ::close(file);
  }
  for (const int signal : {SIGINT, SIGTERM, SIGHUP, SIGPIPE}) ::signal(signal, SIG_IGN);
  std::array<char, 64> block{};
  for (;;) {
    pollfd polled{pipe, POLLIN, 0};
    const int ready = ::poll(&polled, 1, timeout_ms);
    if (ready < 0 && errno == EINTR) continue;
    if (ready == 0) {  // it hangs
      ::kill(parent, SIGKILL);
      restore(files, lines);
      ::_exit(0);
    }
    const ssize_t count = ::read(pipe, block.data(), block.size());
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) {  // it died
      restore(files, lines);
      ::_exit(0);
    }
    if (std::memchr(block.data(), goodbye, static_cast<std::size_t>(count)) != nullptr) ::_exit(0);
  }
}

}  // namespace

Watchdog::Watchdog(const std::vector<Restore>& files, double timeout_s)
    : interval_(std::chrono::duration_cast<std::chrono::steady_clock::duration>(
          std::chrono::duration<double>(timeout_s / 10))) {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) throw failure("no pipe can be made: {}", std::strerror(errno));
  std::vector<std::string> lines;
  for (const Restore& file : files) lines.push_back(file.value + "\n");
  const pid_t parent = ::getpid();
  child_ = ::fork();
  if (child_ < 0) {
    ::close(ends[0]);
    ::close(ends[1]);
    throw failure("the watchdog cannot be started: {}", std::strerror(errno));
  }
  if (child_ == 0) {
    ::close(ends[1]);
    watch(ends[0], parent, static_cast<int>(timeout_s * 1000), files, lines);
  }
  ::close(ends[0]);
  pipe_ = ends[1];
  ::fcntl(pipe_, F_SETFL, O_NONBLOCK);
  ::signal(SIGPIPE, SIG_IGN);
}

void Watchdog::beat() noexcept {
  // Ten beats within the timeout are enough; one at every step would wake the child each time.
  const auto now = std::chrono::steady_clock::now();
  if (now < next_beat_) return;
  next_beat_ = now + interval_;
  if (::write(pipe_, "b", 1) < 0) {
    // A full pipe means that the child is slow, not that we are gone.
  }
}

Watchdog::~Watchdog() {
  if (::write(pipe_, &goodbye, 1) < 0) {
    // Then the child restores what is restored already.
  }
  ::close(pipe_);
  while (::waitpid(child_, nullptr, 0) < 0 && errno == EINTR) {
  }
}

}  // namespace trimtab::thermal
