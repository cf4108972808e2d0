#pragma once

// Internal to src/learn: it includes libtorch. Include it only from src/learn/*.cpp.

#include "data/dataset.h"
#include "learn/batches.h"
#include "learn/evaluate.h"
#include "learn/executor.h"

namespace trimtab {

/// The batch as a tensor {count, shape...} that shares its memory, images channels last.
[[nodiscard]] torch::Tensor input_tensor(const Batch& batch, const Shape& shape);
/// Likewise its labels {count}.
[[nodiscard]] torch::Tensor label_tensor(const Batch& batch);

/// Measures an executor as it is, with its hooks. Uses the options' batch size.
[[nodiscard]] Evaluation evaluate(Executor& executor, const Dataset& data, const Preprocessing& preprocessing,
                                  const EvaluateOptions& options);

}  // namespace trimtab
