#include <fmt/format.h>

#include <cmath>
#include <memory>

#include "base/error.h"
#include "cli/sustain.h"
#include "thermal/plan.h"

namespace trimtab::cli {
namespace {

using nlohmann::ordered_json;

struct SustainPlanOptions {
  CommonOptions common;
  std::string soc;
  std::string cluster;
  std::string variants;
  thermal::PlanRequest request;
  double rate = 0;
  std::string output;
};

void run(SustainPlanOptions& options) {
  const thermal::Soc soc = thermal::read_soc(options.soc);
  const thermal::Cluster& cluster = options.cluster.empty() ? soc.clusters.front() : find_cluster(soc, options.cluster);
  std::vector<thermal::ThermalPoint> points;
  for (const thermal::Variant& variant : thermal::read_variants(options.variants)) {
    const std::vector<thermal::ThermalPoint> more = operating_points(cluster, variant);
    points.insert(points.end(), more.begin(), more.end());
  }
  thermal::PlanRequest& request = options.request;
  if (options.rate > 0) {
    request.objective = thermal::Objective::energy;
    request.rate = options.rate;
    for (const thermal::Opp& opp : cluster.opps) points.push_back(idle_point(cluster, opp));
  }
  const thermal::SustainedPlan plan = make_plan(soc, cluster, points, request);
  ordered_json json{{"simulated", true},
                    {"soc", soc.name},
                    {"cluster", cluster.name},
                    {"ambient_c", request.ambient_c},
                    {"limit_c", request.limit_c},
                    {"rate_per_s", plan.rate},
                    {"accuracy", plan.accuracy},
                    {"power_w", plan.power_w},
                    {"energy_mj", plan.power_w / plan.rate * 1e3},
                    {"steady_c", plan.steady_c},
                    {"rate_per_kelvin", plan.rate_per_kelvin},
                    {"rate_per_accuracy_point", plan.rate_per_point}};
  std::string text = fmt::format(
      "simulated: {:.2f} inferences/s at {:.1f} degrees, {:.2f} W, {:.1f} mJ each, mean accuracy {:.2f} %\n", plan.rate,
      plan.steady_c, plan.power_w, plan.power_w / plan.rate * 1e3, plan.accuracy);
  for (const thermal::PlanShare& share : plan.shares) {
    const thermal::ThermalPoint& p = points[share.point];
    json["shares"].push_back({{"variant", p.variant},
                              {"cores", p.cores},
                              {"mhz", p.opp.mhz},
                              {"time_fraction", share.fraction},
                              {"latency_ms", p.latency_s * 1e3}});
    text += fmt::format("  {:6.2f} % of the time {} on {} cores at {:g} MHz\n", 100 * share.fraction, p.variant,
                        p.cores, p.opp.mhz);
  }
  if (plan.rate_per_kelvin > 0)
    text += fmt::format("one kelvin more would give {:.3f} inferences/s\n", plan.rate_per_kelvin);
  text += "a cool, idle board may sprint (simulated):\n";
  for (const thermal::Sprint& sprint : sprint_times(soc, cluster, points, request.ambient_c, request.limit_c)) {
    const thermal::ThermalPoint& p = points[sprint.point];
    if (p.rate <= 0 || !std::isfinite(sprint.seconds)) continue;
    json["sprints"].push_back({{"variant", p.variant},
                               {"mhz", p.opp.mhz},
                               {"seconds", sprint.seconds},
                               {"inferences", sprint.seconds * p.rate}});
    text += fmt::format("  {} at {:g} MHz for {:.1f} s, {:.0f} inferences\n", p.variant, p.opp.mhz, sprint.seconds,
                        sprint.seconds * p.rate);
  }
  print_result(json, text, options.common.json, options.output);
}

}  // namespace

void add_sustain_plan(CLI::App& sustain) {
  const auto options = std::make_shared<SustainPlanOptions>();
  CLI::App* command = sustain.add_subcommand(
      "plan", "shares of time over variants and OPPs: most inferences, or least energy, below the limit");
  command->add_option("soc", options->soc, "SoC file")->required();
  command->add_option("--variants", options->variants, "CSV of the network's variants")->required();
  command->add_option("--cluster", options->cluster, "cluster; the first one by default");
  command->add_option("--ambient", options->request.ambient_c, "ambient, degrees Celsius")->capture_default_str();
  command->add_option("--limit", options->request.limit_c, "limit, degrees Celsius")->capture_default_str();
  command->add_option("--min-accuracy", options->request.accuracy_floor, "mean accuracy over inferences, percent");
  command->add_option("--rate", options->rate,
                      "inferences per second to reach with least energy; 0: as many as possible");
  command->add_flag("--fan", options->request.fan, "with the fan on");
  command->add_option("-o,--output", options->output, "folder for result.json");
  add_common_options(*command, options->common,
                     "trimtab sustain plan targets/socs/exynos5422.toml --variants "
                     "targets/socs/mobilenet_v1-exynos5422.csv --ambient 35 --limit 85 --min-accuracy 69.9");
  command->callback([options] { run(*options); });
}

}  // namespace trimtab::cli
