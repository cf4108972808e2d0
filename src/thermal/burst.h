#pragma once

#include <vector>

#include "thermal/plan.h"

namespace trimtab::thermal {

/// Shares of time that hold for a part of a burst.
struct BurstSlot {
  double from_s = 0;
  double to_s = 0;
  std::vector<PlanShare> shares;
  double rate = 0;     ///< inferences per second, of all clusters
  double celsius = 0;  ///< of node 0 at its end
};

/// Work of limited time on a cool board. Simulated.
struct Burst {
  std::vector<BurstSlot> slots;
  double inferences = 0;
  double accuracy = 0;  ///< mean over inferences
  double energy_j = 0;  ///< of the clusters
  double peak_c = 0;    ///< of node 0, when the shares are dithered over steps of `step_s`
  /// What the plan for ever does in the same time.
  double sustained_inferences = 0;
};

/// Chooses shares of time for each of `slots` parts of the duration, so that most inferences are done within it: one
/// linear program over all parts. The board starts in the steady state in which every cluster idles at its lowest OPP.
/// The temperature of node 0 at the end of every part is linear in the shares, since the leakage is taken at the limit.
/// It is an upper bound: the network is monotone, and no leakage below the limit is larger. The dithered shares are
/// then simulated, and the limit of the program is lowered until no ripple passes the real one. Every cluster needs
/// idle points. Throws Error as make_plan().
[[nodiscard]] Burst make_burst(const Soc& soc, const std::vector<ClusterPoints>& clusters, const PlanRequest& request,
                               double duration_s, int slots = 40, double step_s = 0.05);

}  // namespace trimtab::thermal
