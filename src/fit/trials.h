#pragma once

#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>

#include "data/dataset.h"
#include "graph/graph.h"
#include "learn/importance.h"
#include "learn/quantization_aware.h"
#include "measure/score.h"
#include "plan/plan.h"
#include "plan/quantized_network.h"
#include "study/study.h"

namespace trimtab {

/// The data of the trials of `trimtab fit --search`.
struct FitTrialData {
  std::shared_ptr<const Graph> prepared;  ///< the float network, also the teacher
  std::shared_ptr<const Graph> teacher;   ///< a prepared graph with the same inputs; null: `prepared`
  Task task;                              ///< by whose first measure trials are compared
  Dataset train;                          ///< raw samples as the prepared graph takes them
  Dataset validation;                     ///< other raw samples, on which trials are compared
  ImportanceMeasure importance = ImportanceMeasure::taylor;
  QatOptions training;  ///< of quantize trials, less epochs, seed and directory
  int threads = 0;
};

// The two kinds of trials. Their settings hold all that the result depends on, so that a trial whose predecessor's
// files are elsewhere (on another machine) makes them again.

/// How long a trial trains, and on how many of the training samples (spread evenly over the classes; 0: all).
struct TrialEffort {
  std::int64_t epochs = 1;
  std::int64_t samples = 0;
};

/// Pruning: `kept` units of every group stay (empty: all), with recovery in float.
[[nodiscard]] TrialSpec shrink_trial(const std::vector<std::int64_t>& kept, const TrialEffort& effort,
                                     std::uint64_t seed);

/// Quantization-aware training of `plan` (no epochs: only quantization), from the network that `before` left: a shrink
/// trial, or an earlier quantize trial of the same widths.
[[nodiscard]] TrialSpec quantize_trial(const TrialSpec& before, const Plan& plan, const TrialEffort& effort,
                                       std::uint64_t seed);

/// Runs one: the metrics are the task's first measure by its key (`top1`, `mse`, ...; of the validation samples: of the
/// float network after a shrink trial, of the integer network after a quantize trial), `epochs` and `samples` that were
/// trained on. A quantize trial leaves
/// FOLDER/quantized.network.
[[nodiscard]] nlohmann::json run_fit_trial(const FitTrialData& data, const TrialSpec& spec,
                                           const std::filesystem::path& folder);

/// The float network that a trial left, or makes again where its files are not there: the pruned one, or the one behind
/// the grids. `folder` is the trial's.
[[nodiscard]] Graph network_after(const FitTrialData& data, const TrialSpec& spec, const std::filesystem::path& folder);

/// Likewise the integer network of a quantize trial.
[[nodiscard]] QuantizedNetwork quantized_after(const FitTrialData& data, const TrialSpec& spec,
                                               const std::filesystem::path& folder);

}  // namespace trimtab
