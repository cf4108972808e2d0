#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <memory>

#include "base/error.h"
#include "base/file.h"
#include "base/progress.h"
#include "cli/sustain.h"
#include "thermal/compare_result.h"

namespace trimtab::cli {
namespace {

struct SustainSimulateOptions {
  CommonOptions common;
  std::string soc;
  std::string cluster;
  std::string variants;
  std::string variant;
  std::vector<std::string> governors{"all"};
  std::vector<double> accuracy_loss;
  thermal::CompareOptions compare;
  std::string out;
  std::string replay;
  int load_percent = 99;
  bool reactive_grid = false;
  std::string plot;
};

void run(const SustainSimulateOptions& options, const Surroundings& around) {
  if (!options.replay.empty()) {
    const thermal::Replay replay = thermal::replay_kernel_trace(options.replay, options.load_percent);
    publish(around, describe(replay), options.common.json, options.out);
    return;
  }
  if (options.soc.empty() || options.variants.empty()) {
    throw bad_input("simulate needs a SoC file and --variants, or --replay with a recorded trace of a kernel");
  }
  const thermal::Soc soc = thermal::read_soc(options.soc);
  const thermal::Cluster& cluster = options.cluster.empty() ? soc.clusters.front() : find_cluster(soc, options.cluster);
  const std::vector<thermal::Variant> variants = variants_of(thermal::read_variants(options.variants), cluster);
  const thermal::Variant& variant =
      options.variant.empty() ? variants.front() : find_variant(variants, options.variant);
  const std::vector<thermal::ThermalPoint> points = thermal_points(cluster, variant);
  std::vector<std::string> policies = options.governors;
  if (policies.size() == 1 && policies[0] == "all") policies = thermal::policy_names();

  std::vector<thermal::PolicyResult> results;
  Progress progress("policies", static_cast<std::int64_t>(policies.size()));
  for (const std::string& policy : policies) {
    results.push_back(run_policy(policy, soc, cluster, points, options.compare));
    progress.update(static_cast<std::int64_t>(results.size()), policy);
  }
  if (!options.accuracy_loss.empty()) {
    const std::vector<thermal::ThermalPoint> all = thermal_points(cluster, variants);
    const double best = std::ranges::max(variants, {}, &thermal::Variant::accuracy).accuracy;
    for (const double loss : options.accuracy_loss) {
      results.push_back(run_joint(soc, cluster, all, best - loss, options.compare));
      results.back().policy = fmt::format("joint, {:g} points", loss);
    }
  }

  Result result = describe(results, soc, cluster, variant, options.compare);
  if (options.reactive_grid) add_reactive_grid(result, soc, cluster, points, results, options.compare);
  if (!options.out.empty()) result.text += fmt::format("  traces and plot in {}\n", options.out);
  if (!options.plot.empty()) {
    draw_policies(options.plot, results, options.compare.simulation);
    result.text += fmt::format("  plot in {}\n", options.plot);
  }
  publish(around, result, options.common.json, options.out, [&](const std::filesystem::path& folder) {
    write_file(folder / "trace.csv", trace_csv(results));
    draw_policies(folder / "policies.svg", results, options.compare.simulation);
  });
}

}  // namespace

void add_sustain_simulate(CLI::App& sustain, const Surroundings& around) {
  const auto options = std::make_shared<SustainSimulateOptions>();
  CLI::App* command = sustain.add_subcommand(
      "simulate", "simulate governors on the model of a board, or compare one with a kernel's trace");
  add_soc(*command, options->soc);
  add_cluster_option(*command, options->cluster);
  add_variants_option(*command, options->variants);
  command->add_option("--variant", options->variant, "variant to run")->default_str("the first");
  command
      ->add_option("--governors", options->governors,
                   "governors to simulate: all, or some of hysteresis, hysteresis-dt, bang_bang, step_wise, "
                   "step_wise-dt, power_allocator, power_allocator-tuned, fixed, dither, pi")
      ->capture_default_str();
  command->add_option("--joint", options->accuracy_loss,
                      "also simulate the joint plan that gives up these points of accuracy");
  thermal::SimulationOptions& s = options->compare.simulation;
  add_ambient_option(*command, s.ambient_c);
  add_temperature_limit_option(*command, s.limit_c);
  add_duration_option(*command, s.duration_s)->check(CLI::Range(10.0, 1e6));
  command
      ->add_option("--sensor-step", s.sensor_step_k,
                   "kelvins between the temperatures that the sensor can report; 0 reports exactly")
      ->check(CLI::Range(0.0, 10.0))
      ->capture_default_str();
  add_fan_flag(*command, s.fan);
  command->add_option("--drop", options->compare.drop_mhz, "megahertz that the hysteresis governor drops to")
      ->capture_default_str();
  command
      ->add_option("--hysteresis", options->compare.hysteresis_k,
                   "kelvins below its trip at which the hysteresis governor returns")
      ->check(CLI::Range(0.1, 60.0))
      ->capture_default_str();
  command->add_flag("--reactive-grid", options->reactive_grid,
                    "also compare with hysteresis governors of every --drop and --hysteresis");
  command->add_option("--replay", options->replay,
                      "recorded trace of a kernel's governor whose decisions are compared with the model's");
  command->add_option("--load", options->load_percent, "replay: load in percent that the scheduler reports")
      ->check(CLI::Range(1, 100))
      ->capture_default_str();
  add_plot_option(*command, options->plot);
  add_out_option(*command, options->out);
  add_common_options(
      *command, options->common,
      "trimtab sustain simulate targets/socs/exynos5422.toml --variants "
      "targets/socs/mobilenet_v1-exynos5422.csv --ambient 25 --temperature-limit 85 --joint 0 1 2 -o OUT/");
  command->callback([options, &around] {
    options->compare.simulation.measure_from_s = options->compare.simulation.duration_s / 2;
    run(*options, around);
  });
}

}  // namespace trimtab::cli
