#pragma once

#include <memory>

#include "data/dataset.h"
#include "graph/graph.h"
#include "learn/train.h"

namespace trimtab {

/// Options that suit a few epochs after channels were removed: a moderate learning rate, shifts and mirrors of pixels,
/// half of the loss from the teacher. Seed, threads, device and arithmetic come from `training`, which follows.
[[nodiscard]] TrainOptions recovery_options(const TrainOptions& training);

/// Trains a prepared graph (prepare_for_deployment, perhaps pruned) in float on raw samples, distilling from `teacher`
/// (prepared, too; null: labels only), and returns it. options.teacher is not used. Everything else is as in `train`.
/// It throws the errors of `train`.
[[nodiscard]] TrainResult recover(const Graph& prepared, const std::shared_ptr<const Graph>& teacher,
                                  const Dataset& train_data, const Dataset& test_data, const TrainOptions& options);

}  // namespace trimtab
