#pragma once

// Internal to src/learn: it includes libtorch. Include it only from src/learn/*.cpp.

#include "data/dataset.h"
#include "learn/batches.h"
#include "learn/evaluate.h"
#include "learn/executor.h"

namespace trimtab {

/// The batch as a tensor {count, shape...} that shares its memory, images channels last.
[[nodiscard]] torch::Tensor input_tensor(const Batch& batch, const Shape& shape);

/// The value that a task's measures and losses are taken of: the logits of classes, otherwise the output.
[[nodiscard]] ValueId measured_value(const Task& task, const Graph& graph);

/// Measures an executor as it is, with its hooks. Uses the options' batch size and task.
[[nodiscard]] Score evaluate(Executor& executor, const Dataset& data, const Preprocessing& preprocessing,
                             const EvaluateOptions& options);

}  // namespace trimtab
