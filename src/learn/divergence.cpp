#include "learn/divergence.h"

#include "learn/task_loss.h"

namespace trimtab {
namespace {

/// {samples, outputs}, which shares the memory.
torch::Tensor rows_of(const Task& task, std::span<const float> outputs) {
  auto* numbers = const_cast<float*>(outputs.data());
  return torch::from_blob(numbers, {std::ssize(outputs) / task.outputs(), task.outputs()}, torch::kFloat32);
}

}  // namespace

double mean_divergence(const Task& task, std::span<const float> reference, std::span<const float> outputs) {
  const torch::NoGradGuard no_gradients;
  const torch::Tensor rows = rows_of(task, outputs);
  return task_divergence(task, rows, rows_of(task, reference)).item<double>() / static_cast<double>(rows.size(0));
}

}  // namespace trimtab
