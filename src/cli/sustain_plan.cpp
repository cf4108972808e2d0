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
  publish(describe(plan, soc, cluster, points, request), options.common.json, options.output);
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
