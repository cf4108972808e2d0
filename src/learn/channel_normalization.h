#pragma once

// Internal to src/learn: it includes libtorch. Include it only from src/learn/*.cpp.

#include <torch/utils.h>

namespace trimtab {

/// The result of `normalize_channels`.
struct NormalizedChannels {
  torch::Tensor output;    ///< as x, channels last
  torch::Tensor mean;      ///< {C}, of the batch; without gradient
  torch::Tensor variance;  ///< {C}, by which was divided; lets gradients through
};

/// (x - mean) / sqrt(variance + epsilon) * weight + bias with the mean of the batch, for x {N, C, H, W} or {N, C} in
/// single precision or bfloat16. `weight` and `bias` are {C}. `variance` is {C}, of another batch. Where it is
/// undefined, the (biased) variance of this batch is taken. Gradients reach x, weight, bias and the given variance.
/// Through the returned variance they also reach the x on which it was measured. Two passes over the numbers forward,
/// two backward.
[[nodiscard]] NormalizedChannels normalize_channels(const torch::Tensor& x, const torch::Tensor& weight,
                                                    const torch::Tensor& bias, const torch::Tensor& variance,
                                                    double epsilon);

}  // namespace trimtab
