#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "data/dataset.h"
#include "graph/graph.h"
#include "measure/task.h"

namespace trimtab {

enum class SensitivityMeasure {
  kl,     ///< divergence of the outputs from the float network's, per sample, with this one layer quantized: nats of
          ///< classes, relative squared error of numbers (task_divergence)
  fisher  ///< half the squared error of the weights times the diagonal of Fisher's matrix: the loss to second order
};

struct SensitivityOptions {
  SensitivityMeasure measure = SensitivityMeasure::kl;  ///< of weights; activations are always measured by kl
  std::vector<int> weight_bits{2, 3, 4, 5, 6, 7, 8};
  std::vector<int> activation_bits{2, 4, 8};
  std::int64_t samples = 512;  ///< of the data, spread evenly over the classes
  std::optional<Task> task{};  ///< nothing: see choose_task()
  int threads = 0;
};

/// The loss of a layer whose weights, or whose output, have so many bits while all others are float.
struct LayerSensitivity {
  std::string layer;
  std::int64_t weight_count = 0;      ///< 0: no weights
  std::map<int, double> weights;      ///< by bits; empty without weights
  std::map<int, double> activations;  ///< by bits; empty where the layer makes no new numbers
};

/// The sensitivities of a prepared graph's layers, in the order of fuse_layers. Weights get the grids of post-training
/// quantization, activations its calibrated scales. `data` is raw and labelled.
[[nodiscard]] std::vector<LayerSensitivity> measure_sensitivities(const Graph& prepared, const Dataset& data,
                                                                  const SensitivityOptions& options);

}  // namespace trimtab
