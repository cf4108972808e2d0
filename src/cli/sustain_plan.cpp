#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/error.h"
#include "cli/sustain.h"
#include "thermal/plan_result.h"

namespace trimtab::cli {
namespace {

struct SustainPlanOptions {
  CommonOptions common;
  std::string soc;
  std::string cluster;
  std::vector<std::string> variants;
  thermal::PlanRequest request;
  double rate = 0;
  double deadline_ms = 0;
  double late_percent = 0;
  double mean_w = 0;
  double duration_s = 0;
  std::string out;
};

/// The clusters that the plan may use: the one of --cluster, else all that a variant names, else the first.
std::vector<thermal::ClusterPoints> clusters_of(const SustainPlanOptions& options, const thermal::Soc& soc) {
  std::vector<thermal::Variant> variants;
  for (const std::string& file : options.variants) {
    const std::vector<thermal::Variant> more = thermal::read_variants(file);
    variants.insert(variants.end(), more.begin(), more.end());
  }
  std::set<std::string> names;
  for (const thermal::Variant& variant : variants) {
    if (!variant.cluster.empty()) names.insert(find_cluster(soc, variant.cluster).name);
  }
  if (!options.cluster.empty()) names = {find_cluster(soc, options.cluster).name};
  if (names.empty()) names = {soc.clusters.front().name};
  std::vector<thermal::ClusterPoints> clusters;
  for (const thermal::Cluster& cluster : soc.clusters) {
    if (!names.contains(cluster.name)) continue;
    thermal::ClusterPoints own{cluster, thermal_points(cluster, variants_of(variants, cluster))};
    for (const thermal::Opp& opp : cluster.opps) own.points.push_back(idle_point(cluster, opp));
    clusters.push_back(std::move(own));
  }
  return clusters;
}

void run(SustainPlanOptions& options, const Surroundings& around) {
  const thermal::Soc soc = thermal::read_soc(options.soc);
  const std::vector<thermal::ClusterPoints> clusters = clusters_of(options, soc);
  thermal::PlanRequest& request = options.request;
  if (options.rate > 0) {
    request.objective = thermal::Objective::energy;
    request.rate = options.rate;
  }
  if (options.deadline_ms > 0) request.deadline_s = options.deadline_ms * 1e-3;
  request.miss_share = options.late_percent * 1e-2;
  if (options.mean_w > 0) request.mean_w = options.mean_w;
  const thermal::SustainedPlan plan = make_plan(soc, clusters, request);
  std::optional<thermal::Burst> burst;
  if (options.duration_s > 0) {
    if (options.rate > 0)
      throw bad_input("--duration asks for most inferences within a time; --rate does not go with it");
    burst = make_burst(soc, clusters, request, options.duration_s);
  }
  publish(around, describe(plan, soc, clusters, request, burst), options.common.json, options.out);
}

}  // namespace

void add_sustain_plan(CLI::App& sustain, const Surroundings& around) {
  const auto options = std::make_shared<SustainPlanOptions>();
  CLI::App* command = sustain.add_subcommand(
      "plan", "plan the time of each variant and OPP, for most inferences or least energy below the temperature limit");
  add_soc(*command, options->soc)->required();
  add_variants_option(*command, options->variants)->required();
  add_cluster_option(*command, options->cluster)->default_str("those of the variants, else the first");
  add_ambient_option(*command, options->request.ambient_c);
  add_temperature_limit_option(*command, options->request.limit_c);
  add_min_accuracy_option(*command, options->request.accuracy_floor);
  command
      ->add_option("--rate", options->rate,
                   "inferences per second to reach with least energy; 0 runs as many as possible")
      ->capture_default_str();
  add_deadline_option(*command, options->deadline_ms)->check(CLI::NonNegativeNumber);
  command
      ->add_option("--late", options->late_percent, "percent of the inferences that may take longer than the deadline")
      ->check(CLI::Range(0.0, 100.0))
      ->capture_default_str();
  command->add_option("--max-power", options->mean_w, "bound on the clusters' mean power in watts; 0 has no bound")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  add_duration_option(*command, options->duration_s);
  add_fan_flag(*command, options->request.fan);
  add_out_option(*command, options->out);
  add_common_options(
      *command, options->common,
      "trimtab sustain plan targets/socs/exynos5422.toml --variants "
      "targets/socs/mobilenet_v1-exynos5422.csv --ambient 35 --temperature-limit 85 --min-accuracy 69.9");
  command->callback([options, &around] { run(*options, around); });
}

}  // namespace trimtab::cli
