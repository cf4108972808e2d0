#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "graph/graph.h"
#include "plan/nested_network.h"
#include "target/energy.h"

namespace trimtab {

/// Nanojoules of one inference.
struct InferenceEnergy {
  double macs = 0;
  double weights = 0;         ///< every weight is read once
  double activations = 0;     ///< every layer's inputs are read and its output written once; 0 where they do not count
  bool interpolated = false;  ///< some energy per multiply-accumulate is between those of the table

  [[nodiscard]] double total() const { return macs + weights + activations; }
};

/// The energy that a network spends on an accelerator, by the bits of its layers.
class NetworkEnergy {
 public:
  /// The table is copied. Activations count only if `count_activations`.
  NetworkEnergy(const Graph& graph, EnergyTable table, bool count_activations);

  /// Throws Error (bad input) where the table lacks a pair of bits.
  [[nodiscard]] InferenceEnergy at(const std::vector<Precision>& precision) const;

  /// All layers at 8 x 8 bits: what savings are measured against.
  [[nodiscard]] InferenceEnergy full() const;

  [[nodiscard]] const EnergyTable& table() const { return table_; }

 private:
  struct Work {
    std::int64_t macs = 0;
    std::int64_t weights = 0;
    std::int64_t outputs = 0;
    std::vector<std::pair<int, std::int64_t>> inputs;  ///< layer that makes it (-1: the network's input), numbers
  };

  EnergyTable table_;
  bool count_activations_;
  std::vector<Work> layers_;
};

}  // namespace trimtab
