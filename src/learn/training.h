#pragma once

// Internal to src/learn: it includes libtorch. Include it only from src/learn/*.cpp.

#include <functional>
#include <nlohmann/json.hpp>
#include <vector>

#include "learn/executor.h"
#include "learn/optimizer.h"
#include "learn/train.h"

namespace trimtab {

/// One training of an executor, which may carry hooks (fake quantization, say).
struct TrainingTask {
  const Dataset& train_data;
  const Dataset& test_data;  ///< may be empty
  const Preprocessing& preprocessing;
  const TrainOptions& options;
  /// Must be equal for a checkpoint to be continued; see training_settings.
  nlohmann::json settings;
  /// What is trained beside the executor's parameters, for instance quantization steps. Saved, averaged and continued
  /// with them.
  std::vector<TrainedTensor> extra;
  /// Called before every step with its number, from 0, and the number of all steps.
  std::function<void(std::int64_t step, std::int64_t steps)> before_step;
  /// Called before the averaged weights are tested, which are then in the executor; what it does to their statistics
  /// stays. May be empty.
  std::function<void()> before_test;
};

/// Trains until the last epoch and leaves the result (the averaged weights and extra tensors, if they are averaged) in
/// the executor and in the extra tensors. Errors as `train`.
std::vector<EpochRecord> run_training(Executor& executor, const TrainingTask& task);

/// Learning rate of a step of `steps`: up linearly for `warmup` steps, then down along half a cosine to 0.
[[nodiscard]] double learning_rate_at(double highest, double warmup, std::int64_t step, std::int64_t steps);

}  // namespace trimtab
