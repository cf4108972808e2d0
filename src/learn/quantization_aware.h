#pragma once

#include <filesystem>
#include <memory>

#include "data/dataset.h"
#include "graph/graph.h"
#include "learn/quantize.h"
#include "learn/train.h"
#include "plan/plan.h"
#include "plan/quantized_network.h"

namespace trimtab {

/// How a network learns to live with its grids. The defaults suit 10 to 20 epochs from a trained float network.
struct QatOptions {
  /// Epochs, learning rate, augmentation (of pixels only; shifts by up to 4 and mirrors), seed, threads, ... Its
  /// teacher is not used (see `teacher`), nor its checkpoint and log (see `directory`).
  TrainOptions training = fine_tuning(15, 0.5, 0.999);
  bool distill = true;  ///< from a float teacher, with training.distillation_weight
  /// That teacher: a prepared graph (of the network before it was pruned, or a larger one) that takes the same raw
  /// samples; null: the float network itself.
  std::shared_ptr<const Graph> teacher;
  double step_learning_rate_scale = 1;  ///< of the grids' steps
  CalibrationOptions calibration;       ///< where the grids start
  /// Folder for the checkpoint, the log (a line for every epoch) and the finished network: the same call continues what
  /// is there, and does not repeat what is finished. Empty: none.
  std::filesystem::path directory;
};

/// Quantization-aware training: the network computes with numbers on their grids, exactly as deployed but for the
/// rounding of biases and multipliers, while weights, BatchNormalization and the steps of the grids (per output channel
/// of weights, per value that is quantized to 8 bits or fewer) learn by gradient: LSQ (Esser et al., ICLR 2020), steps
/// starting from post-training calibration. BatchNormalization stays unfolded; its statistics are measured anew
/// at the end, on augmented samples, and it is folded into scales and biases exactly. `prepared` comes from
/// prepare_for_deployment and takes raw samples, as do the data sets (`test_data` may be empty: it is only watched).
/// Values of more than 8 bits are calibrated at the end. `latent`, where it is not null and the training was not
/// finished before, receives the float network behind the grids, prepared and not folded: training can go on from it.
/// Throws Error as `train` and quantize_post_training do.
[[nodiscard]] QuantizedNetwork train_quantized(const Graph& prepared, const Plan& plan, const Dataset& train_data,
                                               const Dataset& test_data, const QatOptions& options,
                                               Graph* latent = nullptr);

}  // namespace trimtab
