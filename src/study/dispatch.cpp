#include "study/dispatch.h"

#include <unistd.h>

#include <deque>
#include <system_error>

#include "base/error.h"
#include "base/file.h"
#include "base/index.h"
#include "study/dispatch_child.h"
#include "study/dispatch_ranks.h"

namespace trimtab {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

/// How long a rank with neighbours sleeps on its children before it looks for messages: MPI cannot be waited for
/// together with them.
constexpr int glance_ms = 10;

}  // namespace

// Messages, rank 0 to a worker: {"work": TrialWork}, {"trial": number, settings, seed, folder}, {"end": true};
// a worker to rank 0: {"slots": children, "owner": name} in answer to work, {"finished": number, "outcome": ...}.

class ProcessRunner::Implementation {
 public:
  explicit Implementation(TrialWork work) : children_(work, 0), interrupted_(work.interrupted) {
    for (int rank = 1; rank < rank_count(); ++rank) send_to_rank(rank, {{"work", to_json(work)}});
    workers_.resize(static_cast<std::size_t>(rank_count()));
  }

  void run(std::span<const TrialSpec> specs, std::span<const fs::path> folders, const Events& events) {
    std::deque<std::size_t> queue;
    for (std::size_t i = 0; i < specs.size(); ++i) queue.push_back(i);
    std::size_t left = specs.size();
    const bool alone = rank_count() == 1;
    while (left > 0) {
      while (!queue.empty() && children_.has_free_slot()) {
        const std::size_t index = queue.front();
        queue.pop_front();
        events.started(index, process_name());
        children_.start(index, specs[index], folders[index]);
      }
      hand_out(queue, specs, folders, events);
      if (interrupted_ != nullptr && *interrupted_) throw failure("interrupted; the same call continues");
      for (const TrialChildren::Finished& finished :
           children_.wait(alone && interrupted_ == nullptr ? -1 : glance_ms)) {
        --left;
        events.finished(finished.number, finished.outcome);
      }
      while (!alone) {
        const std::optional<RankMessage> message = receive_from_ranks();
        if (!message.has_value()) break;
        Worker& worker = nth(workers_, message->rank);
        if (message->value.contains("slots")) {
          worker.free = message->value.at("slots");
          worker.owner = message->value.at("owner");
          continue;
        }
        ++worker.free;
        --left;
        events.finished(message->value.at("finished"), trial_outcome(message->value.at("outcome")));
      }
    }
  }

 private:
  struct Worker {
    int free = 0;  ///< children that wait for a trial
    std::string owner;
  };

  void hand_out(std::deque<std::size_t>& queue, std::span<const TrialSpec> specs, std::span<const fs::path> folders,
                const Events& events) {
    for (std::size_t rank = 1; rank < workers_.size(); ++rank) {
      for (Worker& worker = workers_[rank]; !queue.empty() && worker.free > 0; --worker.free) {
        const std::size_t index = queue.front();
        queue.pop_front();
        events.started(index, worker.owner);
        send_to_rank(static_cast<int>(rank), {{"trial", index},
                                              {"settings", specs[index].settings},
                                              {"seed", specs[index].seed},
                                              {"folder", fs::absolute(folders[index]).string()}});
      }
    }
  }

  TrialChildren children_;
  const std::atomic<bool>* interrupted_;
  std::vector<Worker> workers_;  ///< by rank; that of rank 0 is not used
};

ProcessRunner::ProcessRunner(TrialWork work) : implementation_(std::make_unique<Implementation>(std::move(work))) {}
ProcessRunner::~ProcessRunner() = default;

void ProcessRunner::run(std::span<const TrialSpec> specs, std::span<const fs::path> folders, const Events& events) {
  implementation_->run(specs, folders, events);
}

RankSession::RankSession() {
  if (rank_count() > 1) join_ranks();
}

RankSession::~RankSession() {
  if (rank_count() == 1) return;
  if (!is_worker()) {
    for (int rank = 1; rank < rank_count(); ++rank) send_to_rank(rank, {{"end", true}});
  }
  leave_ranks();
}

bool RankSession::is_worker() const { return rank_index() > 0; }

void RankSession::work() {
  std::optional<TrialChildren> children;
  const TemporaryDirectory own;  // where rank 0's OUT/ is not there on this machine
  for (;;) {
    while (const std::optional<RankMessage> message = receive_from_ranks()) {
      const json& value = message->value;
      if (value.contains("end")) return;
      if (value.contains("work")) {
        children.emplace(trial_work(value.at("work")), rank_index());
        send_to_rank(0, {{"slots", children->slots()}, {"owner", process_name()}});
        continue;
      }
      fs::path folder = value.at("folder").get<std::string>();
      std::error_code missing;
      if (!fs::is_directory(folder.parent_path().parent_path(), missing)) folder = own.path() / folder.filename();
      children->start(value.at("trial"), {value.at("settings"), value.at("seed")}, folder);
    }
    if (!children.has_value() || children->is_idle()) {
      ::usleep(glance_ms * 1000);
      continue;
    }
    for (const TrialChildren::Finished& finished : children->wait(glance_ms))
      send_to_rank(0, {{"finished", finished.number}, {"outcome", to_json(finished.outcome)}});
  }
}

}  // namespace trimtab
