#include "base/cleaner.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <mutex>
#include <set>
#include <string>
#include <system_error>
#include <thread>

namespace trimtab::cleaner {
namespace {

namespace fs = std::filesystem;

/// Messages are a letter and a path or a number.
constexpr char add_path = 'p';
constexpr char drop_path = 'P';
constexpr char add_group = 'g';
constexpr char drop_group = 'G';
constexpr std::size_t longest_message = 8192;

void clean(const std::set<std::string>& paths, const std::set<std::string>& groups) {
  for (const std::string& group : groups) {
    const long id = std::strtol(group.c_str(), nullptr, 10);
    if (id > 1) ::kill(-static_cast<pid_t>(id), SIGKILL);
  }
  for (const std::string& path : paths) {
    // A killed process may have been writing a file, which then comes back once.
    for (int attempt = 0; attempt < 50; ++attempt) {
      std::error_code error;
      fs::remove_all(path, error);
      if (!fs::exists(fs::symlink_status(path, error))) break;
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
  }
}

[[noreturn]] void serve(int socket) {
  std::set<std::string> paths;
  std::set<std::string> groups;
  std::array<char, longest_message> block{};
  for (;;) {
    const ssize_t count = ::recv(socket, block.data(), block.size(), 0);
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) break;  // the process has ended
    const std::string what(block.data() + 1, static_cast<std::size_t>(count) - 1);
    if (block[0] == add_path) paths.insert(what);
    if (block[0] == drop_path) paths.erase(what);
    if (block[0] == add_group) groups.insert(what);
    if (block[0] == drop_group) groups.erase(what);
  }
  clean(paths, groups);
  ::_exit(0);
}

/// The end of a socket to the new process; negative where there is none, and then nothing is cleaned.
int start_process() {
  std::array<int, 2> ends{};
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends.data()) != 0) return -1;
  const pid_t child = ::fork();
  if (child == 0) {
    ::setsid();
    // A grandchild, so that nobody who waits for the children of the process waits for this one.
    if (::fork() != 0) ::_exit(0);
    for (const int signal : {SIGINT, SIGTERM, SIGHUP, SIGPIPE, SIGQUIT}) ::signal(signal, SIG_IGN);
    const int null = ::open("/dev/null", O_RDWR);
    for (int file = 0; file < 3; ++file) ::dup2(null, file);
    // Who reads from a pipe of the process must see its end.
    for (int file = 3; file < 1024; ++file) {
      if (file != ends[0]) ::close(file);
    }
    if (::chdir("/") != 0) ::_exit(1);
    serve(ends[0]);
  }
  ::close(ends[0]);
  if (child < 0) {
    ::close(ends[1]);
    return -1;
  }
  while (::waitpid(child, nullptr, 0) < 0 && errno == EINTR) {
  }
  return ends[1];
}

void tell(char kind, const std::string& what) {
  static std::mutex mutex;
  static int socket = -1;
  static pid_t owner = 0;
  const std::lock_guard lock(mutex);
  if (owner != ::getpid()) {  // the first call, or a fork() of a process that has its own
    if (socket >= 0) ::close(socket);
    owner = ::getpid();
    socket = start_process();
  }
  const std::string message = kind + what;
  if (socket < 0 || message.size() > longest_message) return;
  // Where that process is gone, nothing is left to do: a path is removed by whoever made it.
  (void)!::send(socket, message.data(), message.size(), MSG_NOSIGNAL);
}

}  // namespace

void start() { tell('-', "-"); }
void watch(const fs::path& path) { tell(add_path, fs::absolute(path).string()); }
void forget(const fs::path& path) { tell(drop_path, fs::absolute(path).string()); }
void watch_group(pid_t group) { tell(add_group, std::to_string(group)); }
void forget_group(pid_t group) { tell(drop_group, std::to_string(group)); }

}  // namespace trimtab::cleaner
