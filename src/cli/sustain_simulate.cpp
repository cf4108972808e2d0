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
  std::vector<std::string> policies{"all"};
  std::vector<double> accuracy_loss;
  thermal::CompareOptions compare;
  std::string output;
  std::string replay;
  int load_percent = 99;
  bool reactive_grid = false;
  std::string plot;
};

void run(const SustainSimulateOptions& options) {
  if (!options.replay.empty()) {
    const thermal::Replay replay = thermal::replay_kernel_trace(options.replay, options.load_percent);
    publish(describe(replay), options.common.json, options.output);
    return;
  }
  if (options.soc.empty() || options.variants.empty()) {
    throw bad_input("simulate needs a SoC file and --variants, or --replay with a recorded trace of a kernel");
  }
  const thermal::Soc soc = thermal::read_soc(options.soc);
  const thermal::Cluster& cluster = options.cluster.empty() ? soc.clusters.front() : find_cluster(soc, options.cluster);
  const std::vector<thermal::Variant> variants = thermal::read_variants(options.variants);
  const thermal::Variant& variant =
      options.variant.empty() ? variants.front() : find_variant(variants, options.variant);
  const std::vector<thermal::ThermalPoint> points = operating_points(cluster, variant);
  std::vector<std::string> policies = options.policies;
  if (policies.size() == 1 && policies[0] == "all") policies = thermal::policy_names();

  std::vector<thermal::PolicyResult> results;
  Progress progress("policies", static_cast<std::int64_t>(policies.size()));
  for (const std::string& policy : policies) {
    results.push_back(run_policy(policy, soc, cluster, points, options.compare));
    progress.update(static_cast<std::int64_t>(results.size()), policy);
  }
  if (!options.accuracy_loss.empty()) {
    std::vector<thermal::ThermalPoint> all;
    double best = 0;
    for (const thermal::Variant& v : variants) {
      const std::vector<thermal::ThermalPoint> more = operating_points(cluster, v);
      all.insert(all.end(), more.begin(), more.end());
      best = std::max(best, v.accuracy);
    }
    for (const double loss : options.accuracy_loss) {
      results.push_back(run_joint(soc, cluster, all, best - loss, options.compare));
      results.back().policy = fmt::format("joint, {:g} points", loss);
    }
  }

  Result result = describe(results, soc, cluster, variant, options.compare);
  if (options.reactive_grid) add_reactive_grid(result, soc, cluster, points, results, options.compare);
  if (!options.output.empty()) result.text += fmt::format("  traces and plot in {}\n", options.output);
  if (!options.plot.empty()) {
    draw_policies(options.plot, results, options.compare.simulation);
    result.text += fmt::format("  plot in {}\n", options.plot);
  }
  publish(result, options.common.json, options.output, [&](const std::filesystem::path& folder) {
    write_file(folder / "trace.csv", trace_csv(results));
    draw_policies(folder / "policies.svg", results, options.compare.simulation);
  });
}

}  // namespace

void add_sustain_simulate(CLI::App& sustain) {
  const auto options = std::make_shared<SustainSimulateOptions>();
  CLI::App* command =
      sustain.add_subcommand("simulate", "governors on the model of a board, or against a kernel's trace");
  command->add_option("soc", options->soc, "SoC file, targets/socs/NAME.toml");
  command->add_option("--cluster", options->cluster, "cluster that runs the network; the first one by default");
  command->add_option("--variants", options->variants, "CSV of the network's variants");
  command->add_option("--variant", options->variant, "variant to run; the first one by default");
  command
      ->add_option("--policy", options->policies,
                   "all, or some of hysteresis, hysteresis-dt, bang_bang, step_wise, step_wise-dt, "
                   "power_allocator, power_allocator-tuned, fixed, dither, pi")
      ->capture_default_str();
  command->add_option("--joint", options->accuracy_loss,
                      "also the joint policy with this many points of accuracy given up");
  thermal::SimulationOptions& s = options->compare.simulation;
  command->add_option("--ambient", s.ambient_c, "ambient, degrees Celsius")->capture_default_str();
  command->add_option("--limit", s.limit_c, "temperature limit, degrees Celsius")->capture_default_str();
  command->add_option("--duration", s.duration_s, "simulated seconds; steady figures are from the second half")
      ->check(CLI::Range(10.0, 1e6))
      ->capture_default_str();
  command->add_option("--sensor-step", s.sensor_step_k, "the sensor reports multiples of this, K; 0: exact")
      ->check(CLI::Range(0.0, 10.0))
      ->capture_default_str();
  command->add_flag("--fan", s.fan, "with the fan on");
  command->add_option("--drop", options->compare.drop_mhz, "hysteresis: MHz to drop to")->capture_default_str();
  command->add_option("--hysteresis", options->compare.hysteresis_k, "hysteresis: K below the trip to return at")
      ->check(CLI::Range(0.1, 60.0))
      ->capture_default_str();
  command->add_flag("--reactive-grid", options->reactive_grid, "also the reactive policy over drops and hystereses");
  command->add_option("--replay", options->replay, "recorded trace of a kernel's governor to compare decisions with");
  command->add_option("--load", options->load_percent, "replay: load that the scheduler reports, percent")
      ->check(CLI::Range(1, 100))
      ->capture_default_str();
  command->add_option("--plot", options->plot,
                      "SVG or PNG with temperature and frequency over time of up to 5 policies");
  command->add_option("-o,--output", options->output, "folder for result.json, trace.csv and the plot");
  add_common_options(*command, options->common,
                     "trimtab sustain simulate targets/socs/exynos5422.toml --variants "
                     "targets/socs/mobilenet_v1-exynos5422.csv --ambient 25 --limit 85 --joint 0 1 2 -o OUT/");
  command->callback([options] {
    options->compare.simulation.measure_from_s = options->compare.simulation.duration_s / 2;
    run(*options);
  });
}

}  // namespace trimtab::cli
