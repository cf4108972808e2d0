#pragma once

#include <sys/types.h>

#include <deque>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "study/dispatch.h"

namespace trimtab {

/// JSON values over a stream socket, one a line.
class JsonSocket {
 public:
  explicit JsonSocket(int descriptor) : descriptor_(descriptor) {}
  ~JsonSocket();
  JsonSocket(const JsonSocket&) = delete;
  JsonSocket& operator=(const JsonSocket&) = delete;
  JsonSocket(JsonSocket&&) = delete;
  JsonSocket& operator=(JsonSocket&&) = delete;

  [[nodiscard]] int descriptor() const { return descriptor_; }
  /// False where the other end is closed.
  bool send(const nlohmann::json& value) const;
  /// Waits for the next value; nothing where the other end is closed.
  std::optional<nlohmann::json> receive();
  /// Whether receive() would not wait.
  [[nodiscard]] bool is_ready(int timeout_ms) const;

 private:
  int descriptor_;
  std::string buffer_;
};

/// A child process that runs trials: `trimtab trial`. It ends with this object, and with this process, however that
/// ends.
class TrialChild {
 public:
  TrialChild(const TrialWork& work, const std::filesystem::path& log);
  ~TrialChild();
  TrialChild(const TrialChild&) = delete;
  TrialChild& operator=(const TrialChild&) = delete;
  TrialChild(TrialChild&&) = delete;
  TrialChild& operator=(TrialChild&&) = delete;

  /// False where it is dead; then receive() says how it died.
  bool send(const TrialSpec& spec, const std::filesystem::path& folder);
  [[nodiscard]] int descriptor() const { return socket_->descriptor(); }
  /// The outcome of the trial sent last. Where the child is dead, the outcome says so, and is_alive() is false.
  TrialOutcome receive();
  [[nodiscard]] bool is_alive() const { return process_ > 0; }

 private:
  std::string reap();
  std::filesystem::path log_;
  std::unique_ptr<JsonSocket> socket_;
  pid_t process_ = -1;
};

[[nodiscard]] nlohmann::json to_json(const TrialWork& work);
[[nodiscard]] TrialWork trial_work(const nlohmann::json& json);
[[nodiscard]] nlohmann::json to_json(const TrialOutcome& outcome);
[[nodiscard]] TrialOutcome trial_outcome(const nlohmann::json& json);

/// The children of one rank, started when they are needed and kept for the next trials.
class TrialChildren {
 public:
  explicit TrialChildren(TrialWork work, int rank);

  [[nodiscard]] std::size_t slots() const { return slots_.size(); }
  [[nodiscard]] bool has_free_slot() const;
  /// Starts a trial under a number of the caller's in a free slot.
  void start(std::size_t number, const TrialSpec& spec, const std::filesystem::path& folder);
  [[nodiscard]] bool is_idle() const;

  struct Finished {
    std::size_t number;
    TrialOutcome outcome;
  };
  /// Waits at most so long (-1: for ever) for trials to finish.
  [[nodiscard]] std::vector<Finished> wait(int timeout_ms);

 private:
  struct Slot {
    std::unique_ptr<TrialChild> child;
    std::optional<std::size_t> number;
  };
  TrialWork work_;
  int rank_;
  std::vector<Slot> slots_;
};

}  // namespace trimtab
