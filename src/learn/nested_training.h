#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <vector>

#include "data/dataset.h"
#include "graph/graph.h"
#include "learn/quantize.h"
#include "learn/train.h"
#include "plan/nested_network.h"

namespace trimtab {

/// How one set of weights learns to serve all precisions.
struct NestedTrainOptions {
  /// Its teacher is a prepared graph that takes the same raw samples (null: the float network itself); its checkpoint
  /// and log are not used (see `directory`).
  TrainOptions training = fine_tuning(10, 0.2, 0.998);
  Precision least{4, 4};  ///< the lower end of the sandwich
  /// Where given, all training is at this precision alone: what a network of its own would reach, for comparison.
  std::optional<Precision> only;
  CalibrationOptions calibration;
  /// Folder for the checkpoint and the log (a line for every epoch): the same call continues what is there. Empty:
  /// none.
  std::filesystem::path directory;
};

/// Fine-tunes a trained network on the nested grid. Every step goes through a sandwich of precisions (Yu and Huang,
/// ICCV 2019): all bits, which learns from the labels and from the teacher; the least, and a random one (uniform, or by
/// layer), which learn from the labels and from what the network says with all bits. Gradients pass the quantizers
/// straight through; steps of the grids learn, too, at the rate of their logarithms. Every precision has means of its
/// own: BatchNormalization takes the mean of the batch at the precision it runs at, and the variance of the same batch
/// at all bits, so that in the end only biases differ. `prepared` comes from prepare_for_deployment; data sets are raw.
/// Throws Error as make_nested and train do.
[[nodiscard]] NestedNetwork train_nested(const Graph& prepared, const Dataset& train_data, const Dataset& test_data,
                                         const NestedTrainOptions& options);

}  // namespace trimtab
