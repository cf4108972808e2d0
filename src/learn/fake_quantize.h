#pragma once

// Internal to src/learn: it includes libtorch. Include it only from src/learn/*.cpp.

#include <torch/utils.h>

#include "learn/grid_plan.h"

namespace trimtab {

/// The bounds to which an activation's fake quantization saturates: the integers of its grid, and the real bounds of
/// the layer's activation function (Relu: low = 0; ReLU6: also high = 6).
struct FakeQuantizeRange {
  std::int32_t minimum;  ///< of the grid
  std::int32_t maximum;
  Saturation saturation;
};

/// Quantizes `x` to multiples of `step` {1}, as the program's requantization does (halves upward, saturating). The
/// activation function is included. Gradients reach x where it does not saturate. They reach the step as in LSQ (Esser
/// et al., ICLR 2020, eq. 3), times `gradient_scale`. One pass over the numbers forward, one backward. Any dense
/// layout.
[[nodiscard]] torch::Tensor fake_quantize_activation(const torch::Tensor& x, const torch::Tensor& step,
                                                     const FakeQuantizeRange& range, double gradient_scale);

/// Quantizes weights {output channels, ...} to multiples of `step` {output channels}, integers in
/// [-2^(bits-1), 2^(bits-1) - 1], with gradients as above. Steps may be negative.
[[nodiscard]] torch::Tensor fake_quantize_weight(const torch::Tensor& weight, const torch::Tensor& step, int bits,
                                                 double gradient_scale);

}  // namespace trimtab
