#pragma once

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "data/dataset.h"
#include "graph/graph.h"
#include "learn/batches.h"
#include "learn/evaluate.h"

namespace trimtab {

/// How a network is trained: stochastic gradient descent with Nesterov's momentum. The learning rate rises linearly and
/// then falls as half a cosine (Loshchilov and Hutter 2017).
struct TrainOptions {
  std::int64_t epochs = 30;
  std::int64_t batch_size = 128;
  double learning_rate = 0.1;  ///< at its highest
  double warmup_epochs = 1;
  double momentum = 0.9;
  double weight_decay = 5e-4;  ///< on weights, not on biases and not on BatchNormalization
  double label_smoothing = 0;  ///< share of the target spread evenly over the classes
  double average_decay =
      0.999;         ///< of the moving average of the weights that becomes the result, statistics included; 0: none
  double mixup = 0;  ///< parameter of its beta distribution (Zhang et al. 2018); 0: none
  Augmentation augmentation;

  std::optional<Task> task;  ///< what the loss and the tests follow from; nothing: see choose_task()

  std::shared_ptr<const Graph> teacher;  ///< same inputs and classes; null: none
  double distillation_weight = 0.5;      ///< of the teacher's answer against the labels (Hinton et al. 2015)
  double temperature = 4;

  /// Values and their gradients are in bfloat16; parameters, statistics and tests are in single precision. This is
  /// faster where the processor multiplies in bfloat16 (AMX, AVX-512 BF16, GPUs), and slower elsewhere.
  bool bfloat16 = false;

  std::uint64_t seed = 1;
  int threads = 0;  ///< 0: all cores
  std::string device = "auto";

  std::filesystem::path checkpoint;                   ///< file to continue from and to save to; empty: none
  double checkpoint_seconds = 30;                     ///< between saves; it is saved at every epoch's end, too
  std::filesystem::path log;                          ///< CSV, a line for every epoch; empty: none
  const std::atomic<bool>* interrupted = nullptr;     ///< where it becomes true, training saves and ends with an Error
  std::function<void(std::int64_t step)> after_step;  ///< called after every step with the number of steps done
};

/// Options that suit the fine-tuning of a trained network on raw samples: shifts by up to 4 and mirrors, and a teacher
/// that is heeded.
inline TrainOptions fine_tuning(std::int64_t epochs, double warmup_epochs, double average_decay) {
  TrainOptions options;
  options.epochs = epochs;
  options.learning_rate = 0.01;
  options.warmup_epochs = warmup_epochs;
  options.weight_decay = 1e-4;
  options.average_decay = average_decay;
  options.distillation_weight = 0.7;
  options.temperature = 2;
  options.augmentation = {4, 4, true};
  return options;
}

/// The record of one epoch.
struct EpochRecord {
  std::int64_t epoch = 0;    ///< from 1
  double learning_rate = 0;  ///< at its end
  double train_loss = 0;     ///< of the augmented samples, as minimised
  double train_top1 = 0;     ///< percent, of the augmented samples as the weights were at each step; of classes
  std::vector<Score> tests;  ///< of the averaged weights; one, or (train_nested) one for each of some precisions,
                             ///< or none without a test set
  double seconds = 0;        ///< of training, without the test
  double samples_per_second = 0;
};

struct TrainResult {
  Graph graph;
  std::vector<EpochRecord> history;
};

/// Trains the network on preprocessed samples and returns it. The loss is that of the task: the cross entropy of the
/// logits (the input of a final Softmax) for classes, squared error for numbers. Progress goes to standard error. Where
/// options.checkpoint exists, training continues from there. It ends with the very same numbers as uninterrupted
/// training (with the same threads, on a CPU). Throws Error (bad input) where data and network do not fit, options are
/// out of range, or the checkpoint is damaged or belongs to other settings, which the message names. Throws Error
/// (failure) where the loss is no longer a number.
[[nodiscard]] TrainResult train(const Graph& graph, const Dataset& train_data, const Dataset& test_data,
                                const Preprocessing& preprocessing, const TrainOptions& options);

/// Everything that the result of training depends on. It must be equal for a run to be continued. Network and data go
/// in as fingerprints of their content.
[[nodiscard]] nlohmann::json training_settings(const Graph& graph, const Dataset& train_data,
                                               const Preprocessing& preprocessing, const TrainOptions& options);

/// Mean and deviation of every channel over the data set, as preprocessing. A channel without variation gets
/// deviation 1.
[[nodiscard]] Preprocessing measure_preprocessing(const Dataset& data);

/// Whether there is a GPU, or the processor multiplies in bfloat16 rather than widening every number first. Only then
/// is training in bfloat16 faster.
[[nodiscard]] bool multiplies_bfloat16();

}  // namespace trimtab
