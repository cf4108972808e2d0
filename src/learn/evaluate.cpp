#include "learn/evaluate.h"

#include <fmt/format.h>

#include <cstdint>
#include <limits>

#include "base/error.h"
#include "base/progress.h"
#include "learn/evaluate_executor.h"

namespace trimtab {

torch::Tensor input_tensor(const Batch& batch, const Shape& shape) {
  auto* data = const_cast<float*>(batch.inputs.data());
  if (shape.size() == 3) {
    return torch::from_blob(data, {batch.size(), shape[1], shape[2], shape[0]}, torch::kFloat32).permute({0, 3, 1, 2});
  }
  return torch::from_blob(data, {batch.size(), element_count(shape)}, torch::kFloat32);
}

torch::Tensor label_tensor(const Batch& batch) {
  return torch::from_blob(const_cast<std::int64_t*>(batch.labels.data()), {batch.size()}, torch::kInt64);
}

Evaluation evaluate(Executor& executor, const Dataset& data, const Preprocessing& preprocessing,
                    const EvaluateOptions& options) {
  if (data.size() == 0) throw bad_input("the data set has no samples");
  check_fits(data, executor.graph().input_shape(), element_count(executor.graph().output_shape()));
  const torch::NoGradGuard no_gradients;
  const ValueId logits_value = logits_of(executor.graph());
  BatchOptions batches;
  batches.batch_size = options.batch_size;
  BatchLoader loader(data, preprocessing, batches);
  Progress progress("evaluating", data.size());
  Evaluation result;
  double correct = 0;
  double among_five = 0;
  double loss = 0;
  Batch batch;
  while (loader.next(batch)) {
    const torch::Tensor labels = label_tensor(batch).to(executor.device());
    const torch::Tensor logits =
        executor.forward(input_tensor(batch, data.shape), false, logits_value).reshape({batch.size(), -1});
    const torch::Tensor own = logits.gather(1, labels.unsqueeze(1));
    // The rank of the label: larger outputs, and equal ones of smaller number, stand before it.
    const torch::Tensor numbers = torch::arange(logits.size(1), labels.options()).unsqueeze(0);
    const torch::Tensor before = logits.gt(own).logical_or(logits.eq(own).logical_and(numbers.lt(labels.unsqueeze(1))));
    // An output that is not a number is never right.
    const torch::Tensor rank =
        before.sum(1).masked_fill(torch::isnan(logits).any(1), std::numeric_limits<std::int32_t>::max());
    correct += rank.lt(1).sum().item<double>();
    among_five += rank.lt(5).sum().item<double>();
    loss += torch::nll_loss(torch::log_softmax(logits, 1), labels, {}, at::Reduction::Sum).item<double>();
    result.samples += batch.size();
    progress.update(result.samples, fmt::format("top-1 {:.2f} %", 100 * correct / static_cast<double>(result.samples)));
  }
  const auto samples = static_cast<double>(result.samples);
  result.top1 = 100 * correct / samples;
  result.top5 = 100 * among_five / samples;
  result.loss = loss / samples;
  return result;
}

Evaluation evaluate(const Graph& graph, const Dataset& data, const Preprocessing& preprocessing,
                    const EvaluateOptions& options) {
  configure_threads(options.threads);
  Executor executor(graph, parse_device(options.device));
  return evaluate(executor, data, preprocessing, options);
}

}  // namespace trimtab
