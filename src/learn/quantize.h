#pragma once

#include <cstdint>
#include <memory>

#include "data/dataset.h"
#include "graph/graph.h"
#include "learn/range_method.h"
#include "plan/plan.h"
#include "plan/quantized_network.h"

namespace trimtab {

struct CalibrationOptions {
  RangeMethod activations = RangeMethod::mse;
  RangeMethod weights = RangeMethod::mse;
  double percentile = 0.9999;  ///< share of an activation's numbers that may not saturate (percentile only)
  std::int64_t samples = 512;  ///< of the data set that are looked at, spread evenly over it; 0: all
  /// Give signed activations a zero point where their numbers lie so unevenly about 0 that it serves them better.
  bool zero_points = true;
  bool bias_correction = true;  ///< add the mean that quantization takes from a channel to its bias
  int threads = 0;              ///< 0: all cores
};

/// The samples that a calibration looks at: `options.samples`, spread evenly over the data set, or all.
[[nodiscard]] Dataset calibration_samples(const Dataset& data, const CalibrationOptions& options);

/// Post-training quantization. Folds the BatchNormalizations that are left. Finds every grid from the float network's
/// activations on raw samples of `calibration` (labels are not used). Rounds the weights. Corrects the biases layer
/// after layer, so that every output channel of a Conv or Linear keeps its mean over the samples (the empirical form of
/// Nagel et al., ICCV 2019). `prepared` comes from prepare_for_deployment; `plan` has an entry for every layer of it.
/// Throws Error (bad input) where the samples do not fit the network, there are none, or the plan lacks a layer.
[[nodiscard]] QuantizedNetwork quantize_post_training(const Graph& prepared, const Plan& plan,
                                                      const Dataset& calibration, const CalibrationOptions& options);

/// Quantizes a network for many plans where only the sizes matter. Grids hold the whole range, and biases are not
/// corrected. The samples go through the float network once.
class QuickQuantizer {
 public:
  /// Throws Error as quantize_post_training().
  QuickQuantizer(const Graph& prepared, const Dataset& samples);

  [[nodiscard]] QuantizedNetwork quantize(const Plan& plan) const;

 private:
  struct Known;
  std::shared_ptr<const Known> known_;
};

}  // namespace trimtab
