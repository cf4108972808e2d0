#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "data/taxonomy.h"
#include "learn/nested_simulation.h"
#include "scale/network_energy.h"

namespace trimtab {

struct ScaleSearchOptions {
  std::vector<int> weight_bits{8, 6, 5, 4, 3, 2};  ///< from 8 downward
  std::vector<int> activation_bits{8, 6, 4};       ///< from 8 downward
  double most_lost_percent = 12;  ///< the search ends where so much top-1 at the level is lost on its samples
  std::int64_t polish = 0;        ///< at most so many more measurements for every level, by NSGA-II; 0: none
  std::uint64_t seed = 1;         ///< of the polish
  std::function<void(std::int64_t done, const std::string&)> progress;  ///< may be empty
};

/// Throws Error (bad input) where the bits do not go down from 8, or polishing has too few measurements.
void check(const ScaleSearchOptions& options);

/// One step of the way down, or a point that polishing found beside it.
struct ScaleStep {
  std::vector<Precision> precision;
  double energy_nj = 0;
  double divergence = 0;  ///< mean over the samples, nats, at the level
};

/// For every level, the way from all bits down, greedily: each step takes from one layer's weights, or from the outputs
/// of one group of layers (activation_groups), the bits whose loss costs least divergence per energy saved. The
/// divergence is that of Kullback and Leibler from the full network's probabilities to the reduced one's, both added up
/// to the classes of the level. First every step is measured alone; afterwards a candidate is measured again, on top of
/// what has been taken, before it is taken (gains that were measured earlier are only a first guess). Bits never rise
/// along the way, so the points of a level are nested in every layer. `labels` are those of the simulation's samples,
/// used only to know when to end.
///
/// With options.polish, NSGA-II goes on from the steps of the way, with energy and divergence as its objectives, and
/// what it measures is added; these points are not nested. Greedy descent cannot take a step back; this can. All are in
/// the order of falling energy.
[[nodiscard]] std::vector<std::vector<ScaleStep>> search_scale(
    const NestedNetwork& network, NestedSimulation& simulation, const std::vector<std::int64_t>& labels,
    const std::vector<Level>& levels, const NetworkEnergy& energy, const ScaleSearchOptions& options);

/// Kullback-Leibler divergence between rows of `classes` probabilities, mean over the rows, nats.
[[nodiscard]] double mean_divergence(const std::vector<float>& from, const std::vector<float>& to, std::size_t classes);

}  // namespace trimtab
