#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "assess/space.h"
#include "cost/pricer.h"
#include "data/dataset.h"
#include "graph/graph.h"
#include "measure/score.h"
#include "plan/plan.h"
#include "study/study.h"

namespace trimtab {

// The published experiment: it measures how far a solution that hardware restricts to 8 or 16 bits is from the best.
// Every number of the network (weights, biases, counted activations, the input's pixels) has the same b bits. For every
// budget and b the network is pruned until it fits. It then recovers in float, learns at its bits, and is measured.

/// The training of a candidate before it is measured, in samples seen. More samples than the data holds are several
/// epochs. Fewer are a part of the data, spread evenly over the classes.
struct AssessRound {
  std::int64_t recovery_samples = 0;  ///< of the pruned network in float; an unpruned network needs none
  std::int64_t training_samples = 0;  ///< at its bits; 0: it is quantized without training
  std::int64_t keep = 0;              ///< candidates of every budget, the best of the round before; 0: all
};

struct AssessOptions {
  std::vector<std::int64_t> budgets_bytes;  ///< rising
  std::vector<int> bits;                    ///< 2..16
  std::vector<int> restricted_bits = {8, 16};
  std::vector<PruningRule> rules = {PruningRule::uniform, PruningRule::importance};
  std::vector<AssessRound> rounds;
  std::int64_t repeats = 1;  ///< number of seeds that measure the best of every budget again
  double recovery_learning_rate = 0.03;
  double learning_rate = 0.01;
  bool distill = true;  ///< from the network before it was pruned
  std::uint64_t seed = 1;
};

/// One point of the map: the longest trial of a candidate, with its other seeds beside it.
struct AssessPoint {
  int bits = 0;
  KeptFilters filters;
  CountedNumbers numbers;
  std::int64_t memory_bytes = 0;
  double score = 0;              ///< the task's first measure, of the integers on the test samples; of the first seed
  std::vector<double> repeated;  ///< scores of all seeds in the longest round, the first's with them
  std::size_t round = 0;
  std::int64_t trial = 0;
  std::string folder;  ///< relative to OUT/
};

struct AssessBudget {
  std::int64_t budget_bytes = 0;
  std::optional<AssessPoint> optimum;     ///< of all points that fit; none where all trials failed
  std::optional<AssessPoint> restricted;  ///< of the points with restricted bits
  std::vector<AssessPoint> by_bits;       ///< the best that fits at each bit-width that was tried
};

struct AssessResult {
  CountedNumbers numbers;  ///< of the network as it came
  Task task;
  double score_float = 0;  ///< the task's first measure
  std::vector<AssessPoint> map;
  std::vector<AssessBudget> budgets;
  std::int64_t failed = 0;  ///< trials
};

/// The candidates of every budget go through the rounds, fewer in each (successive halving, Jamieson and Talwalkar
/// 2016). The best candidate with restricted bits is always among them. `importance` is by unit of
/// find_channel_groups(prepared), the same as the trials find. Throws Error (bound not met) where no candidate fits a
/// budget, with the least memory that can be reached. Throws Error (failure) where all trials of a budget failed, with
/// the reason of one.
[[nodiscard]] AssessResult assess(const Graph& prepared, const std::vector<double>& importance, const Task& task,
                                  double score_float, const AssessOptions& options, Study& study, TrialRunner& runner,
                                  const std::function<void(const std::string&)>& report);

/// Importance of the units as `assess` and its trials need it.
[[nodiscard]] std::vector<double> assess_importance(const Graph& prepared, const Dataset& train_data, const Task& task);

/// The plan with which a microcontroller runs a point of the map.
struct DeployablePlan {
  Plan plan;
  std::int64_t weights_bytes = 0;  ///< packed
  std::int64_t arena_bytes = 0;    ///< the planner's working memory

  [[nodiscard]] std::int64_t memory_bytes() const { return weights_bytes + arena_bytes; }
};

/// The point's filters with as many bits as fit the budget, weights and arena together. Activations start with 8 bits
/// everywhere and lose bits where that frees most memory. Weights start with the point's bits (at most 8) and get more
/// if there is room, all together and then layer by layer. Returns 2 bits everywhere where even these take too much.
[[nodiscard]] DeployablePlan deployable_plan(const Graph& prepared, const std::vector<double>& importance,
                                             const AssessPoint& point, std::int64_t budget_bytes, const Pricer& pricer);

/// The samples with pixels of so many bits. Each pixel is at the middle of its step. 8 and more bits change nothing.
[[nodiscard]] Dataset with_pixel_bits(Dataset data, int bits);

/// The trials of `assess`: settings "bits", "filters", "recovery_samples", "training_samples",
/// "recovery_learning_rate", "learning_rate", "distill". Metrics: the task's first measure by its key ("top1") of the
/// integer simulation on the test samples, "samples", "memory_bytes", "weights", "activations", "bits",
/// "multiply_accumulates", "training_s".
class AssessTrials {
 public:
  /// Takes `graph` as it was read, and pixels as data. Throws Error (bad input) for other data, or where they do not
  /// fit.
  AssessTrials(const Graph& graph, const Preprocessing& preprocessing, Dataset train_data, Dataset test_data,
               const TaskChoice& task, int threads);
  /// Continues the trial whose files lie in `folder`.
  [[nodiscard]] nlohmann::json run(const TrialSpec& spec, const std::filesystem::path& folder);

 private:
  [[nodiscard]] Graph recovered(const Graph& pruned, const TrialSpec& spec, const std::filesystem::path& folder) const;
  std::shared_ptr<const Graph> teacher_;  ///< the prepared network before it is pruned
  ChannelGroups groups_;
  std::vector<double> importance_;
  Dataset train_;
  Dataset test_;
  Task task_;
  int threads_;
};

}  // namespace trimtab
