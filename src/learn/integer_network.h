#pragma once

// Internal to src/learn: it includes libtorch. Include it only from src/learn/*.cpp.

#include <functional>
#include <vector>

#include "data/dataset.h"
#include "learn/executor.h"
#include "learn/grid_plan.h"
#include "plan/quantized_network.h"

namespace trimtab {

/// A quantized network as an executor on float tensors that hold integers, counted from the zero points of their grids.
/// QuantizedSimulation runs it, and bias
/// correction walks through it.
class IntegerNetwork {
 public:
  /// Throws Error (failure) where a layer has no grid or its weights do not lie on theirs.
  explicit IntegerNetwork(const QuantizedNetwork& network);
  IntegerNetwork(const IntegerNetwork&) = delete;
  IntegerNetwork& operator=(const IntegerNetwork&) = delete;
  ~IntegerNetwork() = default;

  /// Integers, counted from the zero point of the output's grid, for a batch of raw samples.
  [[nodiscard]] torch::Tensor forward(const torch::Tensor& raw);

  /// Called for every Conv and Linear before its accumulators {N, C, ...} are requantized. The accumulators include the
  /// bias, and the hook may change them. It also gets the index of the layer and the unit of each channel.
  std::function<void(std::size_t layer, torch::Tensor& accumulators, const std::vector<double>& unit)> accumulator_hook;

  /// Shown every value of the quantized network's graph, in integers counted from the zero point of its grid.
  std::function<void(ValueId value, const torch::Tensor& integers)> value_observer;

  [[nodiscard]] const std::vector<Layer>& layers() const { return layers_; }

 private:
  struct Requantization {
    std::size_t layer = 0;
    bool accumulates = false;        ///< Conv or Linear
    std::vector<double> unit;        ///< of the numbers before requantization, per channel; or one for all
    std::vector<double> multiplier;  ///< from there to the output's grid
    IntegerRange range{};            ///< counted from zero
    int zero_point = 0;              ///< what the numbers are counted from while they are rounded, in their units
  };

  void build(const QuantizedNetwork& network);
  [[nodiscard]] torch::Tensor requantize(torch::Tensor tensor, const Requantization& how) const;
  [[nodiscard]] torch::Tensor add(std::size_t node, const std::vector<torch::Tensor>& inputs) const;

  std::vector<Layer> layers_;
  ActivationGrid input_;
  bool quantizes_input_;  ///< pixels are integers already; several inputs are quantized one by one
  std::vector<std::optional<Requantization>> requantizations_;     ///< by ValueId
  std::vector<std::optional<std::array<double, 2>>> add_factors_;  ///< by node of the executor's graph
  std::unique_ptr<Executor> executor_;
};

/// The raw samples [first, first + count) as floats {count, C, H, W} or {count, features}.
[[nodiscard]] torch::Tensor raw_batch(const Dataset& data, std::int64_t first, std::int64_t count);

}  // namespace trimtab
