#include "thermal/fallback.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"

namespace trimtab::thermal {
namespace {

void check_range(const char* name, double value, double lowest, double highest, const char* unit) {
  if (value >= lowest && value <= highest) return;
  throw bad_input("{} is {}; it must be {} to {} {}", name, value, lowest, highest, unit);
}

}  // namespace

void check_options(const GovernOptions& options) {
  if (options.limit_c > 1000) {
    throw bad_input("--temperature-limit is {}, which looks like millidegrees; degrees Celsius are needed, 30 to 115",
                    options.limit_c);
  }
  check_range("--temperature-limit", options.limit_c, 30, 115, "degrees Celsius");
  check_range("--margin", options.margin_k, 0, 30, "K");
  check_range("--min-accuracy", options.accuracy_floor, 0, 100, "percent");
  check_range("--interval", options.period_s, 0.02, 10, "s");
  check_range("the lower end of --ambient-range", options.lowest_ambient_c, -40, 80, "degrees Celsius");
  check_range("the upper end of --ambient-range", options.highest_ambient_c, -40, 90, "degrees Celsius");
  if (options.lowest_ambient_c >= options.highest_ambient_c) {
    throw bad_input("--ambient-range is {} to {}; the first must be the lower one", options.lowest_ambient_c,
                    options.highest_ambient_c);
  }
  if (options.limit_c - options.margin_k <= options.lowest_ambient_c) {
    throw bad_input("the limit of {} degrees is not above any ambient; give a higher one", options.limit_c);
  }
  if (options.fallback_mhz != 0) check_range("--fallback-mhz", options.fallback_mhz, 10, 10000, "MHz");
}

double sustainable_mhz(const Soc& soc, const Cluster& cluster, const std::vector<ThermalPoint>& points,
                       const GovernOptions& options) {
  double best = cluster.opps.front().mhz;
  for (const Opp& opp : cluster.opps) {
    const bool cool = std::all_of(points.begin(), points.end(), [&](const ThermalPoint& point) {
      if (point.opp.mhz != opp.mhz) return true;
      const Equilibrium end =
          equilibrium(soc.network, cluster.power, soc.other_w, options.highest_ambient_c, point.load);
      return end.stability == Stability::stable && end.celsius <= options.limit_c - fallback_reserve_k;
    });
    if (!cool) break;
    best = opp.mhz;
  }
  return best;
}

double fallback_mhz(const Soc& soc, const Cluster& cluster, const std::vector<ThermalPoint>& points,
                    const GovernOptions& options) {
  if (options.fallback_mhz == 0) return sustainable_mhz(soc, cluster, points, options);
  double best = 0;
  for (const Opp& opp : cluster.opps) {
    if (opp.mhz <= options.fallback_mhz + 0.5) best = opp.mhz;
  }
  if (best == 0) {
    throw bad_input("--fallback-mhz is {}; the lowest frequency of the cluster '{}' is {} MHz", options.fallback_mhz,
                    cluster.name, cluster.opps.front().mhz);
  }
  return best;
}

}  // namespace trimtab::thermal
