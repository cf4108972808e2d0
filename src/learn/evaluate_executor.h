#pragma once

// Internal to src/learn: it includes libtorch. Include it only from src/learn/*.cpp.

#include "data/dataset.h"
#include "learn/batches.h"
#include "learn/evaluate.h"
#include "learn/executor.h"

namespace trimtab {

/// Throws Error (bad input) unless the data set has samples of the graph's input shape and labels that its output has,
/// the first class being output `first_class`.
void check_data_fits(const Graph& graph, const Dataset& data, std::int64_t first_class = 0);

/// The batch as a tensor {count, shape...} that shares its memory, images channels last.
[[nodiscard]] torch::Tensor input_tensor(const Batch& batch, const Shape& shape);
/// Likewise its labels {count}.
[[nodiscard]] torch::Tensor label_tensor(const Batch& batch);

/// Measures an executor as it is, with its hooks. Uses batch_size and first_class of the options.
[[nodiscard]] Evaluation evaluate(Executor& executor, const Dataset& data, const Preprocessing& preprocessing,
                                  const EvaluateOptions& options);

}  // namespace trimtab
