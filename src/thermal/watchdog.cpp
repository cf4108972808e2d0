#include "thermal/watchdog.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "base/error.h"

namespace trimtab::thermal {
namespace {

constexpr char goodbye = 'q';

/// Only calls that are safe after fork() of a process with threads: open, write, close.
void write_all(const std::vector<Watchdog::Write>& writes) {
  for (const Watchdog::Write& one : writes) {
    const int file = ::open(one.path.c_str(), O_WRONLY | O_TRUNC);
    if (file < 0) continue;
    if (::write(file, one.value.data(), one.value.size()) < 0) {
      // Nothing is left to try; the kernel's trips remain.
    }
    ::close(file);
  }
}

[[noreturn]] void watch(int pipe, int kept, pid_t parent, int timeout_ms, const std::vector<Watchdog::Write>& writes) {
  ::setsid();
  // Nothing of the daemon's may stay open because of us: who reads from its pipes must see its end.
  for (int opened = 3; opened < 1024; ++opened) {
    if (opened != pipe && opened != kept) ::close(opened);
  }
  for (const int signal : {SIGINT, SIGTERM, SIGHUP, SIGPIPE}) ::signal(signal, SIG_IGN);
  std::array<char, 64> block{};
  for (;;) {
    pollfd polled{pipe, POLLIN, 0};
    const int ready = ::poll(&polled, 1, timeout_ms);
    if (ready < 0 && errno == EINTR) continue;
    if (ready == 0) {  // it hangs
      ::kill(parent, SIGKILL);
      write_all(writes);
      ::_exit(0);
    }
    const ssize_t count = ::read(pipe, block.data(), block.size());
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) {  // it died
      write_all(writes);
      ::_exit(0);
    }
    if (std::memchr(block.data(), goodbye, static_cast<std::size_t>(count)) != nullptr) ::_exit(0);
  }
}

}  // namespace

Watchdog::Watchdog(std::vector<Write> writes, double timeout_s, int kept)
    : writes_(std::move(writes)),
      timeout_ms_(static_cast<int>(timeout_s * 1000)),
      kept_(kept),
      interval_(std::chrono::duration_cast<std::chrono::steady_clock::duration>(
          std::chrono::duration<double>(timeout_s / 10))) {
  for (Write& one : writes_) one.value += '\n';
  ::signal(SIGPIPE, SIG_IGN);
  start();
}

void Watchdog::start() {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) throw failure("no pipe can be made: {}", std::strerror(errno));
  const pid_t parent = ::getpid();
  child_ = ::fork();
  if (child_ < 0) {
    ::close(ends[0]);
    ::close(ends[1]);
    throw failure("the watchdog cannot be started: {}", std::strerror(errno));
  }
  if (child_ == 0) {
    ::close(ends[1]);
    watch(ends[0], kept_, parent, timeout_ms_, writes_);
  }
  ::close(ends[0]);
  pipe_ = ends[1];
  ::fcntl(pipe_, F_SETFL, O_NONBLOCK);
}

void Watchdog::close_pipe() noexcept {
  if (pipe_ >= 0) ::close(pipe_);
  pipe_ = -1;
}

bool Watchdog::beat() {
  if (::waitpid(child_, nullptr, WNOHANG) == child_) {
    close_pipe();
    start();
    return true;
  }
  // Ten beats within the timeout are enough; one at every step would wake the child each time.
  const auto now = std::chrono::steady_clock::now();
  if (now < next_beat_) return false;
  next_beat_ = now + interval_;
  if (::write(pipe_, "b", 1) < 0) {
    // A full pipe means that the child is slow, not that we are gone.
  }
  return false;
}

void Watchdog::abandon() noexcept {
  close_pipe();
  while (::waitpid(child_, nullptr, 0) < 0 && errno == EINTR) {
  }
}

Watchdog::~Watchdog() {
  if (pipe_ < 0) return;
  if (::write(pipe_, &goodbye, 1) < 0) {
    // Then the child writes once more, and the file is put right after it.
  }
  abandon();
}

}  // namespace trimtab::thermal
