#include "base/process.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <string_view>

#include "base/cleaner.h"
#include "base/error.h"

namespace trimtab {
namespace {

/// Path of the program as the shell would find it, or empty.
std::string find_program(const std::string& name) {
  if (name.find('/') != std::string::npos) return ::access(name.c_str(), X_OK) == 0 ? name : std::string{};
  const char* path = std::getenv("PATH");
  std::string_view rest = path != nullptr ? path : "/usr/bin:/bin";
  while (!rest.empty()) {
    const auto colon = rest.find(':');
    const std::string candidate = std::string(rest.substr(0, colon)) + "/" + name;
    if (::access(candidate.c_str(), X_OK) == 0) return candidate;
    rest = colon == std::string_view::npos ? std::string_view{} : rest.substr(colon + 1);
  }
  return {};
}

struct Pipe {
  std::array<int, 2> ends{-1, -1};
  Pipe() {
    if (::pipe2(ends.data(), O_CLOEXEC) != 0) throw failure("no pipe can be made: {}", std::strerror(errno));
  }
  Pipe(const Pipe&) = delete;
  Pipe& operator=(const Pipe&) = delete;
  Pipe(Pipe&&) = delete;
  Pipe& operator=(Pipe&&) = delete;
  ~Pipe() {
    close_end(0);
    close_end(1);
  }
  void close_end(std::size_t end) {
    if (ends[end] >= 0) ::close(ends[end]);
    ends[end] = -1;
  }
};

}  // namespace

bool has_program(const std::string& name) { return !find_program(name).empty(); }

ProcessResult run_process(const std::vector<std::string>& command, const std::string& hint,
                          std::chrono::milliseconds limit, const std::filesystem::path& working_directory) {
  const std::string program = find_program(command.at(0));
  if (program.empty()) throw bad_input("the program {} is not installed; {}", command[0], hint);
  std::vector<char*> arguments;
  arguments.reserve(command.size() + 1);
  for (const std::string& argument : command) arguments.push_back(const_cast<char*>(argument.c_str()));
  arguments.push_back(nullptr);
  const std::string directory = working_directory.string();

  Pipe output;
  Pipe errors;
  cleaner::start();
  const pid_t child = ::fork();
  if (child < 0) throw failure("{} cannot be started: {}", command[0], std::strerror(errno));
  if (child == 0) {
    const int null = ::open("/dev/null", O_RDONLY);
    ::dup2(null, STDIN_FILENO);
    ::dup2(output.ends[1], STDOUT_FILENO);
    ::dup2(errors.ends[1], STDERR_FILENO);
    ::setpgid(0, 0);
    if (!directory.empty() && ::chdir(directory.c_str()) != 0) ::_exit(127);
    ::execv(program.c_str(), arguments.data());
    ::_exit(127);
  }
  ::setpgid(child, child);  // here too: a limit may be over before the child comes to its own call
  cleaner::watch_group(child);
  output.close_end(1);
  errors.close_end(1);

  ProcessResult result;
  const auto deadline = std::chrono::steady_clock::now() + limit;
  std::array<char, 65536> block{};
  while (output.ends[0] >= 0 || errors.ends[0] >= 0) {
    std::array<pollfd, 2> polled{{{output.ends[0], POLLIN, 0}, {errors.ends[0], POLLIN, 0}}};
    const auto left =
        std::chrono::duration_cast<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now()).count();
    if (left <= 0) {
      result.timed_out = true;
      ::kill(-child, SIGKILL);
      break;
    }
    if (::poll(polled.data(), polled.size(), static_cast<int>(left)) < 0 && errno != EINTR) break;
    for (std::size_t index = 0; index < 2; ++index) {
      if ((polled[index].revents & (POLLIN | POLLHUP | POLLERR)) == 0) continue;
      Pipe& pipe = index == 0 ? output : errors;
      const ssize_t count = ::read(pipe.ends[0], block.data(), block.size());
      if (count > 0) (index == 0 ? result.output : result.errors).append(block.data(), static_cast<std::size_t>(count));
      if (count == 0 || (count < 0 && errno != EINTR && errno != EAGAIN)) pipe.close_end(0);
    }
  }
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  cleaner::forget_group(child);
  result.exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  return result;
}

std::vector<std::string> own_arguments() {
  std::ifstream file("/proc/self/cmdline", std::ios::binary);  // every argument ends with a zero byte
  std::vector<std::string> arguments;
  for (std::string argument; std::getline(file, argument, '\0');) arguments.push_back(argument);
  return arguments;
}

}  // namespace trimtab
