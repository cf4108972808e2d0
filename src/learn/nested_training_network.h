#pragma once

// Internal to src/learn: it includes libtorch. Include it only from src/learn/*.cpp.

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "data/dataset.h"
#include "learn/batches.h"
#include "learn/executor.h"
#include "plan/layers.h"
#include "plan/nested_network.h"

namespace trimtab {

/// A network that is trained at changing precisions: an executor with the hooks that quantize, and the scales and steps
/// of its grids, which are trained, too.
class NestedTrainingNetwork {
 public:
  /// `start` holds the grids at which training begins; `prepared` is not folded; `leading`: the precision whose
  /// variances all use.
  NestedTrainingNetwork(const Graph& prepared, const NestedNetwork& start, const Precision& leading);
  NestedTrainingNetwork(const NestedTrainingNetwork&) = delete;  // the hooks refer to it
  NestedTrainingNetwork& operator=(const NestedTrainingNetwork&) = delete;

  /// Sets the precision of the batches to come, by layer or for all layers.
  void run_at(const std::vector<Precision>& precision);
  void run_at(const Precision& precision);
  /// Likewise the leading precision; training batches set the variances that all precisions use.
  void lead();
  [[nodiscard]] Executor& executor() { return executor_; }
  /// By layer: the group of layers whose outputs have the same bits (activation_groups).
  [[nodiscard]] const std::vector<int>& groups() const { return groups_; }

  /// The executor's parameters, the scales and the steps. Inputs of the first layer may be far from 1 (raw pixels):
  /// dividing them by d and multiplying its weights by d would be the same network, whose learning rate for these
  /// weights is d^2 times as large. Scales and steps learn as their logarithms would, with the gradient of a relative
  /// change, which is the same at all precisions that use them: with LSQ's rule, made for one precision, the scales of
  /// ResNet-8 ran away within ten steps.
  [[nodiscard]] std::vector<TrainedTensor> trained(double input_size) const;

  /// Keeps scales and steps from falling below a part of their first values.
  void keep_steps_up();

  /// Puts the means over the samples at a precision into BatchNormalization and, at the leading one, which has to come
  /// first, the variances. Samples are augmented as in training: the borders that shifts bring in are part of the
  /// statistics that the network was trained with. Leaves the precision set.
  void measure_statistics(const Precision& precision, const Dataset& samples, const BatchOptions& as_trained);

  /// The trained network, folded with the statistics that were measured last, with the stored digits exactly those it
  /// was trained with.
  [[nodiscard]] NestedNetwork finish() const;

 private:
  /// Sums over batches of a channel's mean and mean square.
  struct Statistics {
    torch::Tensor mean;
    torch::Tensor square;
    void add(const torch::Tensor& batch_mean, const torch::Tensor& batch_square);
  };

  [[nodiscard]] bool is_first(const std::string& parameter) const;
  torch::Tensor normalize(std::size_t node, const torch::Tensor& x, bool training);
  [[nodiscard]] torch::Tensor activate(std::size_t l, const torch::Tensor& x) const;
  [[nodiscard]] StoredWeights stored(std::size_t l, const Graph& trained) const;

  Graph prepared_;
  std::vector<Layer> layers_;
  Executor executor_;
  std::vector<int> groups_;
  std::vector<int> layer_of_node_;
  std::vector<int> layer_of_value_;
  std::vector<torch::Tensor> scales_;  ///< by layer: of the unfolded weights, {channels, 1, ...}
  std::vector<torch::Tensor> steps_;   ///< by layer: of the output's grid at 8 bits; shared within a set
  std::vector<std::optional<NestedActivationGrid>> grids_;            ///< by ValueId of `prepared_`, at the start
  std::vector<std::pair<torch::Tensor, torch::Tensor>> least_steps_;  ///< scales and steps with their lower bounds
  std::vector<Precision> precision_;
  Precision leading_;
  bool leads_ = false;
  std::vector<torch::Tensor> variances_;  ///< by node: of the last batch that led
  bool tracks_ = false;
  std::vector<Statistics> statistics_;  ///< by node
};

}  // namespace trimtab
