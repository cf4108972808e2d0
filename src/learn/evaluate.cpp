#include "learn/evaluate.h"

#include <cstdint>

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

ValueId measured_value(const Task& task, const Graph& graph) {
  const bool of_logits = task.kind == TaskKind::classification || task.kind == TaskKind::segmentation;
  return of_logits ? logits_of(graph) : graph.output;
}

Score evaluate(Executor& executor, const Dataset& data, const Preprocessing& preprocessing,
               const EvaluateOptions& options) {
  const Graph& graph = executor.graph();
  check_fits(data, graph.input_shape());
  const Task task = options.task ? *options.task : choose_task({}, output_of(graph), data, preprocessing);
  const torch::NoGradGuard no_gradients;
  const ValueId value = measured_value(task, graph);
  BatchOptions batches;
  batches.batch_size = options.batch_size;
  BatchLoader loader(data, preprocessing, batches);
  Progress progress("evaluating", data.size());
  Scorer scorer(task, data, preprocessing);
  std::int64_t done = 0;
  Batch batch;
  while (loader.next(batch)) {
    const torch::Tensor outputs = executor.forward(input_tensor(batch, data.shape), false, value)
                                      .reshape({batch.size(), -1})
                                      .to(torch::kCPU)
                                      .contiguous();
    const std::span numbers(outputs.data_ptr<float>(), static_cast<std::size_t>(outputs.numel()));
    scorer.add(done, numbers);
    if (options.observe) options.observe(numbers);
    done += batch.size();
    progress.update(done);
  }
  return scorer.score();
}

Score evaluate(const Graph& graph, const Dataset& data, const Preprocessing& preprocessing,
               const EvaluateOptions& options) {
  configure_threads(options.threads);
  Executor executor(graph, parse_device(options.device));
  return evaluate(executor, data, preprocessing, options);
}

}  // namespace trimtab
