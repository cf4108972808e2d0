#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace trimtab {

// A study is a search with its stored trials: one SQLite file in OUT/. A search is a sequence of rounds, and each round
// is a list of trials. A search asks for every round from the first. Finished trials are then read instead of run. So a
// search that was killed at any moment and started again goes the same way and repeats nothing.

/// The specification of a trial: equal specs are one trial.
struct TrialSpec {
  nlohmann::json settings = nlohmann::json::object();  ///< the result depends on these and the study's settings
  std::uint64_t seed = 1;

  /// The one text form of the spec: object keys sorted, no spaces.
  [[nodiscard]] std::string key() const;
  /// Name of the trial's folder, from the key alone: 16 hexadecimal digits.
  [[nodiscard]] std::string folder_name() const;
};

enum class TrialState { waiting, running, done, failed };

[[nodiscard]] std::string name_of(TrialState state);

struct Trial {
  std::int64_t id = 0;
  TrialSpec spec;
  std::string stage;  ///< of the search; the one that asked for the trial first
  TrialState state = TrialState::waiting;
  int attempts = 0;             ///< number of starts
  int deaths = 0;               ///< number of deaths of its process
  nlohmann::json metrics;       ///< null unless it is done
  std::string reason;           ///< why it failed
  double wall_s = 0;            ///< of the attempt that finished it
  std::string owner;            ///< "host:process" that ran it last
  std::string folder;           ///< for its checkpoint, relative to OUT/; may not exist
  std::int64_t started_at = 0;  ///< seconds since 1970; 0: never
  std::int64_t finished_at = 0;
};

/// The outcome of one attempt.
struct TrialOutcome {
  nlohmann::json metrics;  ///< of a trial that is done
  std::string reason;      ///< of one that is not
  bool died = false;       ///< its process ended without a word (killed, out of memory): it may be tried again
  double wall_s = 0;
};

/// The stored trials of one search. Only one process at a time owns a study; any number may read it meanwhile
/// (write-ahead log). Every change is on the disk when its function returns.
class Study {
 public:
  /// Makes OUT/study.sqlite or continues the one that is there. Trials that were running when their owner died wait
  /// again. `settings` is everything that all trials depend on, with the fingerprints of model and data. Throws Error
  /// (bad input) and changes nothing where the study was made with other settings (the message names them), where
  /// another process owns it, or where the file is damaged. Throws Error (failure) where the disk is full.
  Study(const std::filesystem::path& out, const nlohmann::json& settings);
  ~Study();
  Study(Study&&) noexcept;
  Study& operator=(Study&&) noexcept;

  [[nodiscard]] const std::filesystem::path& out() const;
  /// The folder in which a trial may keep its files: OUT/trials/NAME. It is not made.
  [[nodiscard]] std::filesystem::path folder_of(const TrialSpec& spec) const;

  /// The trial of this spec, added as waiting where it is new.
  Trial add(const TrialSpec& spec, const std::string& stage);
  [[nodiscard]] std::optional<Trial> find(const TrialSpec& spec) const;
  [[nodiscard]] std::vector<Trial> trials() const;

  void start(const TrialSpec& spec, const std::string& owner);
  /// Stores the outcome: done, failed, or waiting where its process died fewer than `max_deaths` times.
  void finish(const TrialSpec& spec, const TrialOutcome& outcome, int max_deaths);
  /// Failed trials wait again.
  void retry_failed();

  /// Other things that the search keeps: sensitivities, the name of its cost, the number of trials it plans.
  void put_note(const std::string& name, const nlohmann::json& value);
  [[nodiscard]] nlohmann::json note(const std::string& name) const;  ///< null where there is none

 private:
  class Implementation;
  std::unique_ptr<Implementation> implementation_;
};

/// A look at a study that somebody else may be writing: never writes, never waits for the owner.
struct StudyView {
  nlohmann::json settings;
  std::vector<Trial> trials;
  nlohmann::json notes;  ///< object: all notes by name
  bool owned = false;    ///< a process is working on it now
};

/// Throws Error (bad input) where OUT/ holds no study, or a damaged one.
[[nodiscard]] StudyView read_study(const std::filesystem::path& out);

/// Runs trials, several at a time if it can. See study/dispatch.h for processes and machines.
class TrialRunner {
 public:
  TrialRunner() = default;
  TrialRunner(const TrialRunner&) = delete;
  TrialRunner& operator=(const TrialRunner&) = delete;
  TrialRunner(TrialRunner&&) = delete;
  TrialRunner& operator=(TrialRunner&&) = delete;
  virtual ~TrialRunner() = default;

  struct Events {
    std::function<void(std::size_t index, const std::string& owner)> started;
    std::function<void(std::size_t index, const TrialOutcome& outcome)> finished;
  };
  /// Runs all trials, in any order. Reports the start and the end of each in the calling thread. `folders` is as long
  /// as `specs`: the folders in which the trials may keep their files.
  virtual void run(std::span<const TrialSpec> specs, std::span<const std::filesystem::path> folders,
                   const Events& events) = 0;
};

/// One trial after the other in this process. An Error thrown by `function` is its trial's failure.
class InProcessRunner : public TrialRunner {
 public:
  using Function = std::function<nlohmann::json(const TrialSpec& spec, const std::filesystem::path& folder)>;
  explicit InProcessRunner(Function function) : function_(std::move(function)) {}
  void run(std::span<const TrialSpec> specs, std::span<const std::filesystem::path> folders,
           const Events& events) override;

 private:
  Function function_;
};

struct RunTrialsOptions {
  std::string stage;   ///< for the reader of the study: "bits", "fine-tuning of the best"
  int max_deaths = 3;  ///< of a trial's process, after which the trial has failed
};

/// One round: the trials in the order of their specs, each done or failed. Runs only the trials that are not finished.
/// Equal specs are run once. Progress goes to standard error. Throws the errors of Study and the runner. Throws Error
/// (failure) where a trial failed and the disk is full: the trial is not to blame, and waits.
[[nodiscard]] std::vector<Trial> run_trials(Study& study, std::span<const TrialSpec> specs, TrialRunner& runner,
                                            const RunTrialsOptions& options);

}  // namespace trimtab
