#pragma once

#include <atomic>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>

#include "study/study.h"

namespace trimtab {

// Where trials run. A trial runs in a child process, a fresh start of this same program (`trimtab trial`). So a trial
// that is killed or runs out of memory takes nothing else with it. A child loads model and data once and then takes one
// trial after the other. Under `mpirun -n K` every rank has children of its own. Rank 0 runs the search and owns the
// study. The other ranks, on any machine, receive specs and return metrics by message.

/// Evaluates trials in a child: metrics of a spec. `folder` is the trial's own, for checkpoints. Its files are from an
/// earlier attempt of the same trial. Throws Error where the trial fails.
using TrialFunction = std::function<nlohmann::json(const TrialSpec& spec, const std::filesystem::path& folder)>;

/// Makes the function of one kind of trial. `context` has the model, data and options of the search. The function must
/// compute with `threads`, neither more nor fewer: sums of floating-point numbers, and so results, depend on it.
using TrialFactory = std::function<TrialFunction(const nlohmann::json& context, int threads)>;

/// The work that all children of a search are told first.
struct TrialWork {
  std::string kind;            ///< see serve_trials
  nlohmann::json context;      ///< for the factory; paths in it must hold on every machine
  int threads_per_trial = 1;   ///< results depend on it
  int threads = 0;             ///< of each rank, over all its children; 0: the machine's cores, shared by its ranks
  std::filesystem::path logs;  ///< folder for the standard error of the children
  std::filesystem::path program = "/proc/self/exe";  ///< the children: this program, or trimtab-learn
  const std::atomic<bool>* interrupted = nullptr;    ///< where it becomes true, the search ends with an Error
};

/// Runs trials in child processes of this rank and of all others.
class ProcessRunner : public TrialRunner {
 public:
  explicit ProcessRunner(TrialWork work);
  ~ProcessRunner() override;
  void run(std::span<const TrialSpec> specs, std::span<const std::filesystem::path> folders,
           const Events& events) override;

 private:
  class Implementation;
  std::unique_ptr<Implementation> implementation_;
};

/// The child's side: takes work and trials from the socket `descriptor` until its other end closes. The work's kind
/// chooses among `factories`.
void serve_trials(int descriptor, const std::map<std::string, TrialFactory>& factories);

/// To be made once, in main. Joins the other ranks where mpirun started this program (OMPI_COMM_WORLD_SIZE is more than
/// 1). Otherwise it does nothing and does not even initialise MPI. On rank 0 its end tells the others to end.
class RankSession {
 public:
  RankSession();
  ~RankSession();
  RankSession(const RankSession&) = delete;
  RankSession& operator=(const RankSession&) = delete;
  RankSession(RankSession&&) = delete;
  RankSession& operator=(RankSession&&) = delete;

  /// Whether this rank is there only to run trials for rank 0.
  [[nodiscard]] bool is_worker() const;
  /// Runs trials until rank 0 ends.
  void work();
};

}  // namespace trimtab
