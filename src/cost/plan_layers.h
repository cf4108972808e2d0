#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>
#include <vector>

#include "graph/graph.h"
#include "plan/plan.h"

namespace trimtab {

/// A layer with weights.
struct WeightLayer {
  std::string name;
  std::int64_t count = 0;  ///< of weights
  std::int64_t filters = 0;
};

/// The layers with weights, in the order of the network.
[[nodiscard]] std::vector<WeightLayer> weight_layers(const Graph& network);

/// Bytes of all weights under a plan as the kernels want them packed.
[[nodiscard]] std::int64_t packed_bytes(const std::vector<WeightLayer>& layers, const Plan& plan);

/// Layers whose outputs share a grid have the same bits: their names, by set, but for the sets of the values `without`.
[[nodiscard]] std::vector<std::vector<std::string>> activation_sets(const Graph& network,
                                                                    std::initializer_list<ValueId> without);

}  // namespace trimtab
