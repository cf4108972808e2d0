#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "data/dataset.h"
#include "graph/graph.h"
#include "plan/quantized_network.h"

namespace trimtab {

/// Where a layer's integers leave the float network. Powers of signal over powers of error are in dB; nothing where
/// there is no error, or no signal.
struct LayerError {
  std::string layer;
  ActivationGrid grid;  ///< of its output

  // The layer's output with everything quantized: the errors of all layers before it are in it.
  std::optional<double> sqnr_db;
  std::optional<double> cosine;
  double largest_error = 0;  ///< of a number, as real numbers
  // The network's outputs with this layer quantized alone.
  std::optional<double> weights_alone_sqnr_db;      ///< its weights
  std::optional<double> activations_alone_sqnr_db;  ///< its output
  std::optional<double> alone_sqnr_db;              ///< both

  // The float numbers of its output.
  double low = 0;
  double high = 0;
  std::vector<std::int64_t> counts;  ///< in equal bins from `low` to `high`
  double saturated_percent = 0;      ///< beyond the ends of the grid by more than half a step
  double unused_percent = 0;         ///< of the grid: its part beyond `low` and `high`
};

struct LayerErrors {
  std::int64_t samples = 0;
  std::vector<LayerError> layers;  ///< in the order of execution
};

struct LayerErrorOptions {
  /// The weights learned on their grids: they are taken as they are, and only what rounds activations is an error.
  bool trained = false;
  std::int64_t most_samples = 128;
  /// Fewer samples are taken where the passes would cost more; never fewer than 8.
  double most_multiply_accumulates = 4e10;
  std::size_t bins = 64;
  int threads = 0;  ///< 0: all cores
};

/// Compares a quantized network with the float network that it was made of, layer by layer, on raw samples (features:
/// preprocessed). `before` is the prepared graph with the filters of the plan. Layers that have no grid of their own
/// (those that join outputs, or cut inputs apart) are left out. Costs about two passes per layer.
[[nodiscard]] LayerErrors measure_layer_errors(const Graph& before, const QuantizedNetwork& network,
                                               const Dataset& data, const LayerErrorOptions& options);

}  // namespace trimtab
