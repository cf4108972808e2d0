#pragma once

// Internal to src/learn: it includes libtorch. Include it only from src/learn/*.cpp.

#include <torch/utils.h>

#include <vector>

#include "learn/executor.h"

namespace trimtab {

/// Stochastic gradient descent with Nesterov's momentum, as Sutskever et al. 2013 write it and libtorch does it.
class Sgd {
 public:
  Sgd(std::vector<TrainedTensor> tensors, double momentum, double weight_decay);
  /// Changes the tensors by their gradients and drops these.
  void step(double learning_rate);
  /// The velocities that it remembers from step to step, in the order of the tensors.
  [[nodiscard]] const std::vector<torch::Tensor>& velocities() const { return velocities_; }

 private:
  std::vector<TrainedTensor> tensors_;
  std::vector<torch::Tensor> velocities_;
  double momentum_;
  double weight_decay_;
};

/// Exponential moving average of tensors over the steps.
class MovingAverage {
 public:
  /// The tensors are watched: they must be the storage that training changes. `decay` 0: the average is the last value.
  MovingAverage(std::vector<torch::Tensor> tensors, double decay);
  /// To be called after step number `step` (from 1). Early steps count more, so that the average forgets the start.
  void update(std::int64_t step);
  /// Exchanges the averages with the tensors; called again, exchanges them back.
  void swap();
  [[nodiscard]] const std::vector<torch::Tensor>& averages() const { return averages_; }

 private:
  std::vector<torch::Tensor> tensors_;
  std::vector<torch::Tensor> averages_;
  double decay_;
};

}  // namespace trimtab
