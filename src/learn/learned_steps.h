#pragma once

// Internal to src/learn: it includes libtorch. Include it only from src/learn/*.cpp.

#include <torch/utils.h>

#include <optional>
#include <vector>

#include "learn/executor.h"
#include "learn/fake_quantize.h"
#include "plan/quantized_network.h"

namespace trimtab {

/// The steps of a network's grids as tensors that are trained, and the hooks that quantize an executor with them.
class LearnedSteps {
 public:
  /// `network` takes raw samples and is not folded; `executor` runs the same nodes less the fused activation functions
  /// (without_fused_activations) and outlives this object. Weight steps start where their error is least, activation
  /// steps at the scales of `grids` (by ValueId of `network`). Values of more than 8 bits and fixed ones stay as they
  /// are.
  LearnedSteps(const Graph& network, const std::vector<Layer>& layers, const Plan& plan,
               const std::vector<std::optional<ActivationGrid>>& grids, Executor& executor);
  ~LearnedSteps();
  LearnedSteps(const LearnedSteps&) = delete;
  LearnedSteps& operator=(const LearnedSteps&) = delete;

  /// The tensors that are trained. `scale` multiplies their learning rate.
  [[nodiscard]] std::vector<TrainedTensor> tensors(double scale) const;

  /// Keeps every step from falling below a hundredth of its first value, or changing its sign.
  void keep_apart_from_zero();

  /// The grids as they are now, by ValueId. Grids of more than 8 bits are still the first ones.
  [[nodiscard]] std::vector<std::optional<ActivationGrid>> grids() const;

  /// The step per output channel of the weights of a node of the executor's graph, and its bits.
  struct WeightStep {
    torch::Tensor step;
    torch::Tensor least;  ///< its least magnitude, with its sign
    int bits = 8;
    double gradient_scale = 1;
  };
  [[nodiscard]] const WeightStep& weight_step(std::size_t node) const { return *weights_.at(node); }

 private:
  struct ValueStep {
    torch::Tensor step;  ///< shared by all values of a set
    float least = 0;
    FakeQuantizeRange range{};
    double gradient_scale = 1;
    bool leads = false;  ///< it stands for its set in tensors()
  };

  Executor& executor_;
  std::vector<std::optional<ActivationGrid>> grids_;
  std::vector<ValueId> set_;
  std::vector<std::optional<WeightStep>> weights_;  ///< by node of the executor's graph
  std::vector<std::optional<ValueStep>> values_;    ///< by ValueId, of values that are quantized when they are made
};

}  // namespace trimtab
