#include "thermal/workload.h"

#include <algorithm>
#include <iterator>

#include "base/error.h"
#include "thermal/table.h"

namespace trimtab::thermal {

ThermalPoint thermal_point(const Cluster& cluster, const Variant& variant, const Opp& opp) {
  ThermalPoint point;
  point.variant = variant.name;
  point.cores = variant.cores;
  point.opp = opp;
  const double ghz = opp.mhz / 1000;
  point.latency_s = variant.gcycles / ghz + variant.fixed_s;
  point.rate = 1 / point.latency_s;
  point.accuracy = variant.accuracy;
  const PowerModel& p = cluster.power;
  point.load.volts = opp.volts;
  point.load.fixed_w =
      opp.volts * opp.volts * (p.clock * ghz + p.cycles * variant.cores * ghz + variant.joule_per_v2 * point.rate) +
      p.constant;
  return point;
}

std::vector<ThermalPoint> thermal_points(const Cluster& cluster, const Variant& variant) {
  if (variant.cores > cluster.cores) {
    throw bad_input("the variant '{}' runs on {} cores; the cluster '{}' has {}", variant.name, variant.cores,
                    cluster.name, cluster.cores);
  }
  std::vector<ThermalPoint> points;
  for (const Opp& opp : cluster.opps) {
    if (opp.volts <= 0) {
      throw bad_input(
          "the cluster '{}' has no voltages, which some boards (BCM2711) hide; identify a power per OPP, or "
          "give "
          "opps_v in its file",
          cluster.name);
    }
    points.push_back(thermal_point(cluster, variant, opp));
  }
  return points;
}

std::vector<ThermalPoint> thermal_points(const Cluster& cluster, std::span<const Variant> variants) {
  std::vector<ThermalPoint> points;
  for (const Variant& variant : variants) {
    const std::vector<ThermalPoint> own = thermal_points(cluster, variant);
    points.insert(points.end(), own.begin(), own.end());
  }
  return points;
}

ThermalPoint idle_point(const Cluster& cluster, const Opp& opp) {
  ThermalPoint point;
  point.variant = "idle";
  point.opp = opp;
  point.load.volts = opp.volts;
  point.load.fixed_w = opp.volts * opp.volts * cluster.power.clock * opp.mhz / 1000 + cluster.power.constant;
  return point;
}

double point_power(const Cluster& cluster, const ThermalPoint& point, double celsius) {
  return point.load.fixed_w + leakage_w(cluster.power, point.load.volts, celsius);
}

std::vector<Variant> read_variants(const std::filesystem::path& path) {
  const Table table = read_table(path);
  const std::vector<std::string> names = table.text("variant");
  const std::vector<double> cores = table.numbers("cores");
  const std::vector<double> gcycles = table.numbers("gcycles");
  const std::vector<double> fixed_ms = table.numbers("fixed_ms");
  const std::vector<double> mj = table.numbers("mj_per_v2");
  const std::vector<double> accuracy = table.numbers("accuracy");
  const std::vector<std::string> clusters =
      table.has("cluster") ? table.text("cluster") : std::vector<std::string>(names.size());
  std::vector<Variant> variants;
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (!(cores[i] >= 1 && cores[i] <= 64) || !(gcycles[i] > 0 && gcycles[i] < 1e4) ||
        !(fixed_ms[i] >= 0 && fixed_ms[i] < 1e6) || !(mj[i] >= 0) || !(accuracy[i] >= 0 && accuracy[i] <= 100)) {
      throw bad_input(
          "{} has values out of range for '{}' in row {}; cores 1 to 64, gcycles above 0, fixed_ms and mj_per_v2 at "
          "least "
          "0, accuracy 0 to 100 percent are right",
          path.string(), names[i], i + 1);
    }
    variants.push_back(
        {names[i], static_cast<int>(cores[i]), gcycles[i], fixed_ms[i] * 1e-3, mj[i] * 1e-3, accuracy[i], clusters[i]});
  }
  return variants;
}

std::vector<Variant> variants_of(const std::vector<Variant>& variants, const Cluster& cluster) {
  std::vector<Variant> own;
  std::ranges::copy_if(variants, std::back_inserter(own), [&](const Variant& variant) {
    return variant.cluster.empty() || variant.cluster == cluster.name;
  });
  if (own.empty()) throw bad_input("no variant runs on the cluster '{}'", cluster.name);
  return own;
}

const Variant& find_variant(const std::vector<Variant>& variants, const std::string& name, int cores) {
  const Variant* best = nullptr;
  std::string names;
  for (const Variant& variant : variants) {
    names += (names.empty() ? "" : ", ") + variant.name;
    if (variant.name != name || (cores != 0 && variant.cores != cores)) continue;
    if (best == nullptr || variant.cores > best->cores) best = &variant;
  }
  if (best == nullptr) throw bad_input("there is no variant '{}' on that many cores; there are {}", name, names);
  return *best;
}

}  // namespace trimtab::thermal
