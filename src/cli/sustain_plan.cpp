#include <memory>

#include "cli/sustain.h"
#include "thermal/plan_result.h"

namespace trimtab::cli {
namespace {

struct SustainPlanOptions {
  CommonOptions common;
  std::string soc;
  std::string cluster;
  std::string variants;
  thermal::PlanRequest request;
  double rate = 0;
  std::string out;
};

void run(SustainPlanOptions& options, const Surroundings& around) {
  const thermal::Soc soc = thermal::read_soc(options.soc);
  const thermal::Cluster& cluster = options.cluster.empty() ? soc.clusters.front() : find_cluster(soc, options.cluster);
  std::vector<thermal::ThermalPoint> points;
  for (const thermal::Variant& variant : thermal::read_variants(options.variants)) {
    const std::vector<thermal::ThermalPoint> more = thermal_points(cluster, variant);
    points.insert(points.end(), more.begin(), more.end());
  }
  thermal::PlanRequest& request = options.request;
  if (options.rate > 0) {
    request.objective = thermal::Objective::energy;
    request.rate = options.rate;
    for (const thermal::Opp& opp : cluster.opps) points.push_back(idle_point(cluster, opp));
  }
  const thermal::SustainedPlan plan = make_plan(soc, cluster, points, request);
  publish(around, describe(plan, soc, cluster, points, request), options.common.json, options.out);
}

}  // namespace

void add_sustain_plan(CLI::App& sustain, const Surroundings& around) {
  const auto options = std::make_shared<SustainPlanOptions>();
  CLI::App* command = sustain.add_subcommand(
      "plan", "plan the time of each variant and OPP, for most inferences or least energy below the temperature limit");
  add_soc(*command, options->soc)->required();
  add_variants_option(*command, options->variants)->required();
  add_cluster_option(*command, options->cluster);
  add_ambient_option(*command, options->request.ambient_c);
  add_temperature_limit_option(*command, options->request.limit_c);
  add_min_accuracy_option(*command, options->request.accuracy_floor);
  command
      ->add_option("--rate", options->rate,
                   "inferences per second to reach with least energy; 0 runs as many as possible")
      ->capture_default_str();
  add_fan_flag(*command, options->request.fan);
  add_out_option(*command, options->out);
  add_common_options(
      *command, options->common,
      "trimtab sustain plan targets/socs/exynos5422.toml --variants "
      "targets/socs/mobilenet_v1-exynos5422.csv --ambient 35 --temperature-limit 85 --min-accuracy 69.9");
  command->callback([options, &around] { run(*options, around); });
}

}  // namespace trimtab::cli
