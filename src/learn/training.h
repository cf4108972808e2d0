#pragma once

// Internal to src/learn: it includes libtorch. Include it only from src/learn/*.cpp.

#include <functional>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "base/random.h"
#include "learn/executor.h"
#include "learn/quantize.h"
#include "learn/train.h"

namespace trimtab {

/// One way of a batch through the network within a training step.
struct TrainingPass {
  std::function<void(Random& random)> prepare = {};  ///< sets the precision to run at; may be empty
  /// The earlier pass of the step whose outputs teach this one, beside the labels. Nothing: the options' teacher does,
  /// where there is one.
  std::optional<std::size_t> teacher = {};
  double weight = 1;  ///< of its loss in the loss of the step
};

/// A test of the averaged weights after every epoch.
struct TrainingTest {
  std::string name = {};               ///< ends the names of its columns in the log
  std::function<void()> prepare = {};  ///< sets statistics, which stay so, and precision; may be empty
};

/// One training of an executor, which may carry hooks (fake quantization, say).
struct TrainingTask {
  const Dataset& train_data;
  const Dataset& test_data;  ///< may be empty
  const Preprocessing& preprocessing;
  const TrainOptions& options;
  /// Must be equal for a checkpoint to be continued; see training_settings.
  nlohmann::json settings;
  /// The executor's parameters in their order, and behind them what else is trained, for instance quantization steps.
  /// All of it is saved, averaged and continued.
  std::vector<TrainedTensor> trained;
  std::vector<TrainingPass> passes = {{}};  ///< of every step; the log's train_top1 is that of the first
  std::vector<TrainingTest> tests = {{}};
  std::function<void()> constrain = {};  ///< called after every step, to keep tensors where they may be; may
                                         ///< be empty
};

/// Trains until the last epoch and leaves the result (the averaged tensors, if they are averaged) in the executor and
/// in the trained tensors. Errors as `train`.
std::vector<EpochRecord> run_training(Executor& executor, const TrainingTask& task);

/// As checkpoints hold it.
void to_json(nlohmann::json& json, const EpochRecord& record);
void from_json(const nlohmann::json& json, EpochRecord& record);

/// The training batches that the options ask for.
[[nodiscard]] BatchOptions batch_options(const TrainOptions& options);

/// The options for raw samples: only pixels are augmented. With a folder, which is made, checkpoint and log are its
/// training.checkpoint and training.csv.
[[nodiscard]] TrainOptions training_in(const std::filesystem::path& folder, const Dataset& data, TrainOptions options);

/// Of a network that learns on its grids: training_settings, and where the grids start.
[[nodiscard]] nlohmann::json grid_training_settings(const Graph& prepared, const Dataset& data,
                                                    const TrainOptions& training, const CalibrationOptions& start);

}  // namespace trimtab
