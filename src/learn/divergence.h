#pragma once

#include <span>

#include "measure/task.h"

namespace trimtab {

/// How far outputs are from a reference, by the task (task_divergence in task_loss.h), mean over the samples. Both are
/// real numbers, channels first: the logits of classes, otherwise the outputs.
[[nodiscard]] double mean_divergence(const Task& task, std::span<const float> reference,
                                     std::span<const float> outputs);

}  // namespace trimtab
