#include "study/dispatch_child.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <system_error>
#include <thread>

#include "base/error.h"
#include "base/json_text.h"

namespace trimtab {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

/// A child must not take itself for a rank of its parent's job, and computes with as many threads as it is told,
/// whichever library counts them.
std::vector<std::string> child_environment(int threads) {
  std::vector<std::string> result = {fmt::format("OMP_NUM_THREADS={}", threads),
                                     fmt::format("OPENBLAS_NUM_THREADS={}", threads), "OMP_WAIT_POLICY=passive"};
  for (char** variable = environ; *variable != nullptr; ++variable) {
    const std::string text = *variable;
    const auto begins = [&](const char* prefix) { return text.starts_with(prefix); };
    if (begins("OMPI_") || begins("PMIX_") || begins("PRTE_") || begins("PMI_") || begins("OMP_NUM_THREADS=") ||
        begins("OPENBLAS_NUM_THREADS=") || begins("OMP_WAIT_POLICY="))
      continue;
    result.push_back(text);
  }
  return result;
}

std::vector<char*> pointers(std::vector<std::string>& texts) {
  std::vector<char*> result;
  result.reserve(texts.size() + 1);
  for (std::string& text : texts) result.push_back(text.data());
  result.push_back(nullptr);
  return result;
}

/// How many children share the threads of this rank.
std::size_t slot_count(const TrialWork& work) {
  int threads = work.threads;
  if (threads <= 0) {
    const char* local = std::getenv("OMPI_COMM_WORLD_LOCAL_SIZE");
    const int ranks = local != nullptr ? std::max(1, std::atoi(local)) : 1;
    threads = static_cast<int>(std::thread::hardware_concurrency()) / ranks;
  }
  return static_cast<std::size_t>(std::max(1, threads / std::max(1, work.threads_per_trial)));
}

}  // namespace

JsonSocket::~JsonSocket() { ::close(descriptor_); }

bool JsonSocket::send(const json& value) const {
  const std::string line = json_text(value) + "\n";
  for (std::size_t sent = 0; sent < line.size();) {
    const ssize_t count = ::send(descriptor_, line.data() + sent, line.size() - sent, MSG_NOSIGNAL);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return false;
    sent += static_cast<std::size_t>(count);
  }
  return true;
}

std::optional<json> JsonSocket::receive() {
  for (;;) {
    const std::size_t end = buffer_.find('\n');
    if (end != std::string::npos) {
      json value = json::parse(buffer_.substr(0, end), nullptr, false);
      buffer_.erase(0, end + 1);
      return value;
    }
    std::array<char, 65536> block{};
    const ssize_t count = ::read(descriptor_, block.data(), block.size());
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return std::nullopt;
    buffer_.append(block.data(), static_cast<std::size_t>(count));
  }
}

bool JsonSocket::is_ready(int timeout_ms) const {
  if (buffer_.find('\n') != std::string::npos) return true;
  pollfd polled{descriptor_, POLLIN, 0};
  return ::poll(&polled, 1, timeout_ms) > 0;
}

json to_json(const TrialWork& work) {
  return {{"kind", work.kind},
          {"context", work.context},
          {"threads_per_trial", work.threads_per_trial},
          {"threads", work.threads},
          {"logs", work.logs.string()}};
}

TrialWork trial_work(const json& value) {
  TrialWork work;  // each rank starts its own program
  work.kind = value.at("kind");
  work.context = value.at("context");
  work.threads_per_trial = value.at("threads_per_trial");
  work.threads = value.at("threads");
  work.logs = value.at("logs").get<std::string>();
  return work;
}

json to_json(const TrialOutcome& outcome) {
  return {{"metrics", outcome.metrics}, {"reason", outcome.reason}, {"died", outcome.died}, {"wall_s", outcome.wall_s}};
}

TrialOutcome trial_outcome(const json& value) {
  return {value.at("metrics"), value.at("reason"), value.at("died"), value.at("wall_s")};
}

TrialChild::TrialChild(const TrialWork& work, const fs::path& log) : log_(log) {
  std::array<int, 2> ends{};
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) != 0)
    throw failure("no socket can be made: {}", std::strerror(errno));
  socket_ = std::make_unique<JsonSocket>(ends[0]);
  std::error_code ignored;
  fs::create_directories(log.parent_path(), ignored);
  // all that needs memory is done before the fork: other threads may hold the allocator's lock at that moment
  std::vector<std::string> arguments = {"trimtab", "trial", std::to_string(ends[1])};
  std::vector<std::string> environment = child_environment(work.threads_per_trial);
  const std::vector<char*> argument_pointers = pointers(arguments);
  const std::vector<char*> environment_pointers = pointers(environment);
  const std::string log_path = log.string();
  const std::string program = work.program.string();
  const pid_t parent = ::getpid();
  process_ = ::fork();
  if (process_ == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (::getppid() != parent) ::_exit(127);  // it died before the line above
    const int null = ::open("/dev/null", O_RDWR);
    const int words = ::open(log_path.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0666);
    ::dup2(null, STDIN_FILENO);
    ::dup2(words >= 0 ? words : null, STDOUT_FILENO);
    ::dup2(words >= 0 ? words : null, STDERR_FILENO);
    ::fcntl(ends[1], F_SETFD, 0);
    ::execve(program.c_str(), argument_pointers.data(), environment_pointers.data());
    ::_exit(127);
  }
  ::close(ends[1]);
  if (process_ < 0) throw failure("no process can be started for trials: {}", std::strerror(errno));
  socket_->send(to_json(work));
}

TrialChild::~TrialChild() {
  if (process_ <= 0) return;
  ::kill(process_, SIGKILL);
  reap();
}

std::string TrialChild::reap() {
  int status = 0;
  while (::waitpid(process_, &status, 0) < 0 && errno == EINTR) {
  }
  process_ = -1;
  if (WIFSIGNALED(status)) {
    const int signal = WTERMSIG(status);
    return fmt::format("its process was ended by signal {} ({}{})", signal, ::strsignal(signal),
                       signal == SIGKILL ? ": by hand, or for want of memory" : "");
  }
  return fmt::format("its process ended with exit code {}; {} may tell why", WEXITSTATUS(status), log_.string());
}

bool TrialChild::send(const TrialSpec& spec, const fs::path& folder) {
  return socket_->send({{"settings", spec.settings}, {"seed", spec.seed}, {"folder", folder.string()}});
}

TrialOutcome TrialChild::receive() {
  const std::optional<json> reply = socket_->receive();
  if (reply.has_value() && reply->is_object()) return trial_outcome(*reply);
  ::kill(process_, SIGKILL);  // it may have closed its socket and live
  return {.metrics = {}, .reason = reap(), .died = true};
}

void serve_trials(int descriptor, const std::map<std::string, TrialFactory>& factories) {
  JsonSocket socket(descriptor);
  const std::optional<json> first = socket.receive();
  if (!first.has_value()) return;
  const TrialWork work = trial_work(*first);
  TrialFunction function;
  while (const std::optional<json> request = socket.receive()) {
    const auto start = std::chrono::steady_clock::now();
    TrialOutcome outcome;
    try {
      if (!function) {
        const auto factory = factories.find(work.kind);
        if (factory == factories.end()) throw failure("there are no trials of the kind '{}'", work.kind);
        function = factory->second(work.context, work.threads_per_trial);
      }
      outcome.metrics =
          function({request->at("settings"), request->at("seed")}, fs::path(request->at("folder").get<std::string>()));
    } catch (const Error& error) {
      outcome.reason = error.what();
    } catch (const std::bad_alloc&) {
      outcome.reason = "there is not enough memory";
    } catch (const std::exception& error) {
      outcome.reason = error.what();
    }
    outcome.wall_s = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    if (!socket.send(to_json(outcome))) return;
  }
}

TrialChildren::TrialChildren(TrialWork work, int rank)
    : work_(std::move(work)), rank_(rank), slots_(slot_count(work_)) {}

bool TrialChildren::has_free_slot() const {
  return std::any_of(slots_.begin(), slots_.end(), [](const Slot& slot) { return !slot.number.has_value(); });
}

bool TrialChildren::is_idle() const {
  return std::none_of(slots_.begin(), slots_.end(), [](const Slot& slot) { return slot.number.has_value(); });
}

void TrialChildren::start(std::size_t number, const TrialSpec& spec, const fs::path& folder) {
  const auto slot =
      std::find_if(slots_.begin(), slots_.end(), [](const Slot& candidate) { return !candidate.number.has_value(); });
  if (!slot->child || !slot->child->is_alive()) {
    slot->child =
        std::make_unique<TrialChild>(work_, work_.logs / fmt::format("rank{}-{}.log", rank_, slot - slots_.begin()));
  }
  slot->number = number;
  (void)slot->child->send(spec, folder);  // where it is dead, wait() finds out
}

std::vector<TrialChildren::Finished> TrialChildren::wait(int timeout_ms) {
  std::vector<pollfd> polled;
  std::vector<Slot*> busy;
  for (Slot& slot : slots_) {
    if (!slot.number.has_value()) continue;
    polled.push_back({slot.child->descriptor(), POLLIN, 0});
    busy.push_back(&slot);
  }
  std::vector<Finished> finished;
  if (::poll(polled.data(), polled.size(), timeout_ms) <= 0) return finished;
  for (std::size_t i = 0; i < busy.size(); ++i) {
    if (polled[i].revents == 0) continue;
    finished.push_back({*busy[i]->number, busy[i]->child->receive()});
    busy[i]->number.reset();
  }
  return finished;
}

}  // namespace trimtab
