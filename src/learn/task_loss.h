#pragma once

// Internal to src/learn: it includes libtorch. Include it only from src/learn/*.cpp.

#include <cstdint>
#include <span>
#include <vector>

#include "data/dataset.h"
#include "learn/executor.h"
#include "measure/task.h"

namespace trimtab {

// The losses and divergences of every task. Training minimizes them, importance and sensitivity differentiate them, and
// a teacher teaches by them. `outputs` is the tensor of measured_value() (evaluate_executor.h), {count, ...}.

/// The right answers of these samples, as task_loss takes them. `input` is the batch as the network gets it, made of
/// raw samples by `preprocessing`: a reconstruction is to be what the task's own preprocessing makes of the same
/// samples.
[[nodiscard]] torch::Tensor target_tensor(const Task& task, const Dataset& data, std::span<const std::int64_t> samples,
                                          const torch::Tensor& input, const Preprocessing& preprocessing);

/// The numbers first, first + 1, ..., so many.
[[nodiscard]] std::vector<std::int64_t> numbers_from(std::int64_t first, std::int64_t count);

/// The loss of every sample, added up: cross entropy of classes (of pixels: their mean over the sample), of the two
/// sides of a threshold, and half the mean squared error of numbers.
[[nodiscard]] torch::Tensor task_loss(const Task& task, const torch::Tensor& outputs, const torch::Tensor& targets,
                                      double label_smoothing = 0);

/// How far outputs are from a reference, added up over the samples: the Kullback-Leibler divergence of classes at a
/// temperature (of pixels: its mean over the sample), of the two sides of a threshold, and half the squared error of
/// numbers over the reference's mean square. Zero where they are equal.
[[nodiscard]] torch::Tensor task_divergence(const Task& task, const torch::Tensor& outputs,
                                            const torch::Tensor& reference, double temperature = 1);

}  // namespace trimtab
