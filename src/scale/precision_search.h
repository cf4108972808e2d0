#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

#include "learn/nested_simulation.h"
#include "scale/level_meter.h"
#include "scale/network_energy.h"

namespace trimtab {

struct ScaleSearchOptions {
  std::vector<int> weight_bits{8, 6, 5, 4, 3, 2};  ///< from 8 downward
  std::vector<int> activation_bits{8, 6, 4};       ///< from 8 downward
  /// The search ends where so much of the measure (measure_lost) is lost at the level, on its samples, against all
  /// bits.
  std::optional<double> most_lost{};  ///< nothing: usual_most_lost()
  std::int64_t polish = 0;            ///< at most so many more measurements for every level, by NSGA-II; 0: none
  std::uint64_t seed = 1;             ///< of the polish
  std::function<void(std::int64_t done, const std::string&)> progress;  ///< may be empty
};

/// Throws Error (bad input) where the bits do not go down from 8, or polishing has too few measurements.
void check(const ScaleSearchOptions& options);

/// One step of the way down, or a point that polishing found beside it.
struct ScaleStep {
  std::vector<Precision> precision;
  double energy_nj = 0;
  double divergence = 0;  ///< at the level (LevelMeter::divergences)
};

/// For every level, the way from all bits down, greedily: each step takes from one layer's weights, or from the outputs
/// of one group of layers (activation_groups), the bits whose loss costs least divergence per energy saved. The
/// divergence is the meter's, from the answers at all bits to those at fewer. First every step is measured alone;
/// afterwards a candidate is measured again, on top of what has been taken, before it is taken (gains that were
/// measured earlier are only a first guess). Bits never rise along the way, so the points of a level are nested in
/// every layer. The meter's samples are those of the simulation; their right answers are used only to know when to end.
///
/// With options.polish, NSGA-II goes on from the steps of the way, with energy and divergence as its objectives, and
/// what it measures is added; these points are not nested. Greedy descent cannot take a step back; this can. All are in
/// the order of falling energy.
[[nodiscard]] std::vector<std::vector<ScaleStep>> search_scale(const NestedNetwork& network,
                                                               NestedSimulation& simulation, const LevelMeter& meter,
                                                               const NetworkEnergy& energy,
                                                               const ScaleSearchOptions& options);

}  // namespace trimtab
