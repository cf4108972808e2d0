#include "learn/optimizer.h"

#include <algorithm>
#include <utility>

namespace trimtab {

Sgd::Sgd(std::vector<TrainedTensor> tensors, double momentum, double weight_decay)
    : tensors_(std::move(tensors)), momentum_(momentum), weight_decay_(weight_decay) {
  for (const TrainedTensor& trained : tensors_) velocities_.push_back(torch::zeros_like(trained.tensor.detach()));
}

void Sgd::step(double learning_rate) {
  const torch::NoGradGuard no_gradients;
  for (std::size_t i = 0; i < tensors_.size(); ++i) {
    torch::Tensor& tensor = tensors_[i].tensor;
    torch::Tensor gradient = tensor.grad();
    if (!gradient.defined()) continue;
    if (tensors_[i].decays && weight_decay_ != 0) gradient.add_(tensor, weight_decay_);
    torch::Tensor& velocity = velocities_[i];
    velocity.mul_(momentum_).add_(gradient);
    tensor.add_(gradient.add_(velocity, momentum_), -learning_rate * tensors_[i].learning_rate_scale);
    tensor.mutable_grad().reset();
  }
}

MovingAverage::MovingAverage(std::vector<torch::Tensor> tensors, double decay)
    : tensors_(std::move(tensors)), decay_(decay) {
  if (decay_ <= 0) return;
  for (const torch::Tensor& tensor : tensors_) averages_.push_back(tensor.detach().clone());
}

void MovingAverage::update(std::int64_t step) {
  const torch::NoGradGuard no_gradients;
  const auto t = static_cast<double>(step);
  const double decay = std::min(decay_, (1 + t) / (10 + t));
  for (std::size_t i = 0; i < averages_.size(); ++i) averages_[i].lerp_(tensors_[i], 1 - decay);
}

void MovingAverage::swap() {
  const torch::NoGradGuard no_gradients;
  for (std::size_t i = 0; i < averages_.size(); ++i) {
    const torch::Tensor kept = tensors_[i].detach().clone();
    tensors_[i].copy_(averages_[i]);
    averages_[i].copy_(kept);
  }
}

}  // namespace trimtab
