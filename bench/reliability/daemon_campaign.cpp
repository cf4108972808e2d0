// The daemon's controller on random plants under random faults, simulated days of it: bench_reliability SOC VARIANTS
// SEEDS HOURS [hidden-warming]. Prints JSON.

#include <fmt/format.h>

#include <atomic>
#include <cstdlib>
#include <mutex>
#include <nlohmann/json.hpp>
#include <string>
#include <thread>

#include "base/error.h"
#include "support/board_campaign.h"

namespace trimtab::thermal {
namespace {

int run(const std::string& soc_file, const std::string& variants_file, std::uint64_t seeds, double hours,
        bool hidden_warming) {
  const Soc soc = read_soc(soc_file);
  const Cluster& cluster = soc.clusters.front();
  const std::vector<ThermalPoint> points = thermal_points(cluster, read_variants(variants_file));
  GovernOptions options;
  options.accuracy_floor = 69.9;
  std::vector<CampaignDay> days(seeds);
  std::atomic<std::uint64_t> next{0};
  std::vector<std::jthread> threads;
  for (unsigned i = 0; i < std::max(1U, std::thread::hardware_concurrency()); ++i) {
    threads.emplace_back([&] {
      for (std::uint64_t seed = next++; seed < seeds; seed = next++) {
        days[seed] = campaign_day(soc, cluster, points, options, hours, seed + 1, hidden_warming);
      }
    });
  }
  threads.clear();
  nlohmann::ordered_json result{{"seeds", seeds}, {"hours", hours}, {"limit_c", options.limit_c}};
  double truthful = -1000;
  std::uint64_t truthful_seed = 0;
  double rate = 0;
  for (std::uint64_t seed = 0; seed < seeds; ++seed) {
    if (days[seed].truthful_k > truthful) truthful_seed = seed + 1;
    truthful = std::max(truthful, days[seed].truthful_k);
    rate += days[seed].rate / static_cast<double>(seeds);
  }
  result["truthful"] = {{"worst_above_limit_k", truthful}, {"seed", truthful_seed}};
  result["mean_rate_per_s"] = rate;
  for (int kind = 1; kind < static_cast<int>(Lie::count); ++kind) {
    double worst = -1000;
    std::uint64_t worst_seed = 0;
    int times = 0;
    for (std::uint64_t seed = 0; seed < seeds; ++seed) {
      if (days[seed].lying_k[kind] > worst) worst_seed = seed + 1;
      worst = std::max(worst, days[seed].lying_k[kind]);
      times += days[seed].lies[kind];
    }
    result["lies"].push_back({{"lie", name_of(static_cast<Lie>(kind))},
                              {"times", times},
                              {"worst_above_limit_k", worst},
                              {"seed", worst_seed}});
  }
  fmt::print("{}\n", result.dump(2));
  return 0;
}

}  // namespace
}  // namespace trimtab::thermal

int main(int argc, char** argv) {
  if (argc != 5 && argc != 6) {
    fmt::print(stderr, "usage: bench_reliability SOC.toml VARIANTS.csv SEEDS HOURS [hidden-warming]\n");
    return 2;
  }
  try {
    return trimtab::thermal::run(argv[1], argv[2], std::strtoull(argv[3], nullptr, 10), std::strtod(argv[4], nullptr),
                                 argc == 6);
  } catch (const trimtab::Error& error) {
    fmt::print(stderr, "{}\n", error.what());
    return static_cast<int>(error.code());
  }
}
