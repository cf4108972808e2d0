#pragma once

#include <vector>

#include "thermal/plan.h"

namespace trimtab::thermal {

struct GovernOptions {
  double limit_c = 85;
  double margin_k = 2;  ///< peaks stay this far below the limit: noise, delay, model
  double accuracy_floor = 0;
  double period_s = 0.5;
  double replan_s = 5;
  double lowest_ambient_c = -10;  ///< a lower estimate is a lying sensor, not a cold room
  double highest_ambient_c = 65;
  double fallback_mhz = 0;  ///< held wherever nothing can be known; 0: sustainable_mhz()
};

/// Throws Error (bad input) for a number that is not finite or that no board has, with the right unit in its text.
void check_options(const GovernOptions& options);

/// The highest frequency whose steady temperature stays `fallback_reserve_k` below the limit at the highest ambient,
/// whichever variant runs. The lowest frequency where none does.
[[nodiscard]] double sustainable_mhz(const Soc& soc, const Cluster& cluster, const std::vector<ThermalPoint>& points,
                                     const GovernOptions& options);
inline constexpr double fallback_reserve_k = 3;

/// The fallback as it is used: options.fallback_mhz on the cluster's OPP that is not higher, or sustainable_mhz().
/// Throws Error (bad input) where the cluster has no such OPP.
[[nodiscard]] double fallback_mhz(const Soc& soc, const Cluster& cluster, const std::vector<ThermalPoint>& points,
                                  const GovernOptions& options);

}  // namespace trimtab::thermal
