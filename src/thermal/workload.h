#pragma once

#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "thermal/network.h"
#include "thermal/soc.h"

namespace trimtab::thermal {

/// One way to run the network on a number of cores. Its latency is t = gcycles / f + fixed_s (f in GHz). The second
/// part is memory time that does not scale with the core's clock. Every inference switches joule_per_v2 V^2 joules
/// beyond the cost of its active cycles.
struct Variant {
  std::string name;
  int cores = 1;
  double gcycles = 0;       ///< 1e9 cycles on the critical path of one inference
  double fixed_s = 0;       ///< s
  double joule_per_v2 = 0;  ///< J/V^2
  double accuracy = 0;      ///< top-1, percent
  std::string cluster{};    ///< that it was made for; empty: any
};

/// A variant at one OPP. Policies choose from thermal points.
struct ThermalPoint {
  std::string variant;
  int cores = 0;
  Opp opp;
  double latency_s = 0;  ///< 0 for idling
  double rate = 0;       ///< inferences per second
  double accuracy = 0;
  Load load;  ///< all power but the leakage, and the voltage for that
};

[[nodiscard]] ThermalPoint thermal_point(const Cluster& cluster, const Variant& variant, const Opp& opp);

/// One thermal point per OPP, frequencies rising. Throws Error (bad input) where the cluster hides its voltages or has
/// too few cores.
[[nodiscard]] std::vector<ThermalPoint> thermal_points(const Cluster& cluster, const Variant& variant);

/// Those of all variants, one variant after another.
[[nodiscard]] std::vector<ThermalPoint> thermal_points(const Cluster& cluster, std::span<const Variant> variants);

/// The cluster clocked at the OPP and doing nothing.
[[nodiscard]] ThermalPoint idle_point(const Cluster& cluster, const Opp& opp);

/// W at this die temperature.
[[nodiscard]] double point_power(const Cluster& cluster, const ThermalPoint& point, double celsius);

/// CSV with the columns variant,cores,gcycles,fixed_ms,mj_per_v2,accuracy, and cluster, which may be left out.
[[nodiscard]] std::vector<Variant> read_variants(const std::filesystem::path& path);

/// The variants that run on the cluster. Throws Error (bad input) where there is none.
[[nodiscard]] std::vector<Variant> variants_of(const std::vector<Variant>& variants, const Cluster& cluster);

/// Throws Error (bad input) where there is none of this name and number of cores (cores 0: the most).
[[nodiscard]] const Variant& find_variant(const std::vector<Variant>& variants, const std::string& name, int cores = 0);

}  // namespace trimtab::thermal
