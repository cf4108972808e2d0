#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <memory>

#include "base/error.h"
#include "base/file.h"
#include "base/progress.h"
#include "cli/sustain.h"
#include "report/plot.h"
#include "thermal/compare.h"

namespace trimtab::cli {
namespace {

using nlohmann::ordered_json;

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

ordered_json to_json(const thermal::PolicyResult& result) {
  const thermal::Simulation& s = result.simulation;
  return {{"policy", result.policy}, {"parameters", result.parameters},
          {"rate_per_s", s.rate},    {"latency_ms", s.latency_s * 1e3},
          {"accuracy", s.accuracy},  {"peak_c", s.peak_c},
          {"mean_c", s.mean_c},      {"above_limit_s", s.above_limit_s},
          {"power_w", s.power_w},    {"energy_mj", s.energy_j * 1e3},
          {"mean_mhz", s.mean_mhz},  {"changes", s.changes}};
}

std::string to_row(const thermal::PolicyResult& result, double reference) {
  const thermal::Simulation& s = result.simulation;
  return fmt::format("  {:22} {:7.2f} {:+7.1f} % {:8.2f} {:7.2f} {:7.1f} {:8.1f} {:8.0f}   {}\n", result.policy, s.rate,
                     100 * (s.rate / reference - 1), s.latency_s * 1e3, s.peak_c, s.above_limit_s, s.energy_j * 1e3,
                     s.mean_mhz, result.parameters);
}

void replay(const SustainSimulateOptions& options) {
  const thermal::Replay replay = thermal::replay_kernel_trace(options.replay, options.load_percent);
  const double percent = 100.0 * static_cast<double>(replay.equal) / static_cast<double>(replay.decisions);
  ordered_json json{{"governor", replay.governor},
                    {"decisions", replay.decisions},
                    {"equal", replay.equal},
                    {"equal_percent", percent},
                    {"largest_difference_opps", replay.largest_difference_opps},
                    {"differences", ordered_json::array()}};
  std::string text =
      fmt::format("{}: {} of {} decisions equal ({:.2f} %), largest difference {:g} OPP\n", replay.governor,
                  replay.equal, replay.decisions, percent, replay.largest_difference_opps);
  for (const thermal::Replay::Row& row : replay.rows) {
    if (row.kernel_mhz == row.model_mhz) continue;
    json["differences"].push_back(
        {{"time_s", row.time_s}, {"kernel_mhz", row.kernel_mhz}, {"model_mhz", row.model_mhz}});
    text += fmt::format("  at {:.3f} s, {} mC: kernel {} MHz, model {} MHz\n", row.time_s, row.reported_mC,
                        row.kernel_mhz, row.model_mhz);
  }
  print_result(json, text, options.common.json, options.output);
}

/// Reactive policies of every drop and hysteresis against the best single OPP: where a published gain lands.
void reactive_grid(const SustainSimulateOptions& options, const thermal::Soc& soc, const thermal::Cluster& cluster,
                   const std::vector<thermal::ThermalPoint>& points, double proactive, double dither,
                   ordered_json& json, std::string& text) {
  text +=
      "gain of the best single OPP (and of the dither) over the reactive policy that drops to ... and returns ... "
      "below "
      "its trip (simulated)\n      MHz      2 K             5 K             10 K            20 K\n";
  for (const double mhz : {200.0, 600.0, 900.0, 1200.0, 1400.0, 1600.0, 1800.0}) {
    if (mhz < points.front().opp.mhz || mhz >= points.back().opp.mhz) continue;
    text += fmt::format("  {:>7.0f}", mhz);
    for (const double hysteresis : {2.0, 5.0, 10.0, 20.0}) {
      thermal::CompareOptions compare = options.compare;
      compare.drop_mhz = mhz;
      compare.hysteresis_k = hysteresis;
      const thermal::PolicyResult result = run_policy("hysteresis", soc, cluster, points, compare);
      if (result.simulation.peak_c > options.compare.simulation.limit_c + 0.1) {
        text += "  hotter than limit ";  // the lower of the two is too hot for ever
        json.push_back({{"drop_mhz", mhz}, {"hysteresis_k", hysteresis}, {"peak_c", result.simulation.peak_c}});
        continue;
      }
      const double gain = 100 * (proactive / result.simulation.rate - 1);
      const double more = 100 * (dither / result.simulation.rate - 1);
      json.push_back({{"drop_mhz", mhz},
                      {"hysteresis_k", hysteresis},
                      {"rate_per_s", result.simulation.rate},
                      {"peak_c", result.simulation.peak_c},
                      {"gain_fixed_percent", gain},
                      {"gain_dither_percent", more}});
      text += fmt::format("  {:+5.1f} ({:+5.1f}) %", gain, more);
    }
    text += "\n";
  }
}

/// What the proactive policies gain over each of the others.
void gains(const std::vector<thermal::PolicyResult>& results, ordered_json& json, std::string& text) {
  for (const char* proactive : {"fixed", "dither"}) {
    const auto found = std::find_if(results.begin(), results.end(),
                                    [&](const thermal::PolicyResult& r) { return r.policy == proactive; });
    if (found == results.end()) continue;
    text += fmt::format("  {} over", found->policy);
    for (const thermal::PolicyResult& result : results) {
      if (result.policy == proactive || result.policy.starts_with("joint")) continue;
      const double gain = 100 * (found->simulation.rate / result.simulation.rate - 1);
      json["gain_percent"][proactive][result.policy] = gain;
      text += fmt::format("  {} {:+.1f} %", result.policy, gain);
    }
    text += "\n";
  }
}

/// Temperature (mean, and the range in which it swings) and mean frequency of a few policies over windows of time.
void draw_policies(const std::filesystem::path& path, const std::vector<thermal::PolicyResult>& results, double limit_c,
                   double duration_s) {
  constexpr std::size_t most = 5;
  duration_s = std::min(duration_s, 300.0);  // afterwards nothing new happens
  const double window = std::max(2.0, duration_s / 120);
  Plot temperature{fmt::format("simulated: mean temperature of {:g} s, and its range", window),
                   "",
                   "degrees Celsius",
                   "",
                   {},
                   {limit_c},
                   false};
  Plot frequency{fmt::format("simulated: mean frequency of {:g} s", window), "time, s", "MHz", "", {}, {}, false};
  int colour = 0;
  for (const thermal::PolicyResult& result : results) {
    if (temperature.curves.size() == 2 * most) break;
    const std::string title = fmt::format("{}, {:.2f}/s", result.policy, result.simulation.rate);
    Curve celsius{title, {}, {}};
    Curve range{"", {}, {}};
    Curve mhz{title, {}, {}};
    double start = 0;
    int count = 0;
    const std::vector<thermal::Sample>& samples = result.simulation.samples;
    for (std::size_t i = 0; i < samples.size(); ++i) {
      const thermal::Sample& s = samples[i];
      if (s.time_s >= duration_s) break;
      if (count == 0) {
        start = s.time_s;
        for (Curve* curve : {&celsius, &range, &mhz}) curve->x.push_back(s.time_s + window / 2);
        celsius.y.push_back(0);
        mhz.y.push_back(0);
        range.y.push_back(s.lowest_c);
        range.high.push_back(s.highest_c);
      }
      celsius.y.back() += s.celsius;
      mhz.y.back() += s.mhz;
      range.y.back() = std::min(range.y.back(), s.lowest_c);
      range.high.back() = std::max(range.high.back(), s.highest_c);
      ++count;
      if (i + 1 == samples.size() || samples[i + 1].time_s >= start + window - 1e-6) {
        celsius.y.back() /= count;
        mhz.y.back() /= count;
        count = 0;
      }
    }
    celsius.colour = range.colour = mhz.colour = colour++;
    temperature.curves.push_back(std::move(range));
    temperature.curves.push_back(std::move(celsius));
    frequency.curves.push_back(std::move(mhz));
  }
  draw(path, {temperature, frequency}, 1000, 380);
}

/// Those that a person wants to see first: the reactive ones, the kernel's, the proactive ones.
std::vector<thermal::PolicyResult> for_the_plot(const std::vector<thermal::PolicyResult>& results) {
  std::vector<thermal::PolicyResult> few;
  for (const char* name : {"hysteresis", "step_wise-dt", "power_allocator", "fixed", "dither"}) {
    for (const thermal::PolicyResult& result : results) {
      if (result.policy == name) few.push_back(result);
    }
  }
  return few.size() >= 2 && results.size() > 5 ? few : results;
}

void run(const SustainSimulateOptions& options) {
  if (!options.replay.empty()) {
    replay(options);
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
  double reference = 0;
  double proactive = 0;
  double dither = 0;
  for (const thermal::PolicyResult& result : results) {
    if (result.policy == "fixed") proactive = result.simulation.rate;
    if (result.policy == "dither") dither = result.simulation.rate;
  }
  reference = proactive > 0 ? proactive : results.front().simulation.rate;
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

  ordered_json json{{"simulated", true},
                    {"soc", soc.name},
                    {"cluster", cluster.name},
                    {"variant", variant.name},
                    {"ambient_c", options.compare.simulation.ambient_c},
                    {"limit_c", options.compare.simulation.limit_c},
                    {"policies", ordered_json::array()}};
  std::string text = fmt::format(
      "simulated: {} on {} of {}, ambient {:g}, limit {:g} degrees, every policy at the same peak; gain over the best "
      "single "
      "OPP\n  policy                    rate/s     gain  latency ms  peak C  above s  mJ/inf      MHz\n",
      variant.name, cluster.name, soc.name, options.compare.simulation.ambient_c, options.compare.simulation.limit_c);
  for (const thermal::PolicyResult& result : results) {
    json["policies"].push_back(to_json(result));
    text += to_row(result, reference);
  }
  gains(results, json, text);
  if (options.reactive_grid) {
    reactive_grid(options, soc, cluster, points, reference, dither, json["reactive_grid"], text);
  }
  if (!options.output.empty()) {
    make_directory(options.output);
    std::string csv = "policy,time_s,celsius,lowest_c,highest_c,mhz,rate_per_s\n";
    for (const thermal::PolicyResult& result : results) {
      for (const thermal::Sample& sample : result.simulation.samples) {
        csv += fmt::format("\"{}\",{:.2f},{:.3f},{:.3f},{:.3f},{:.1f},{:.4f}\n", result.policy, sample.time_s,
                           sample.celsius, sample.lowest_c, sample.highest_c, sample.mhz, sample.rate);
      }
    }
    write_file(std::filesystem::path(options.output) / "trace.csv", csv);
    draw_policies(std::filesystem::path(options.output) / "policies.svg", for_the_plot(results),
                  options.compare.simulation.limit_c, options.compare.simulation.duration_s);
    text += fmt::format("  traces and plot in {}\n", options.output);
  }
  if (!options.plot.empty()) {
    draw_policies(options.plot, for_the_plot(results), options.compare.simulation.limit_c,
                  options.compare.simulation.duration_s);
    text += fmt::format("  plot in {}\n", options.plot);
  }
  print_result(json, text, options.common.json, options.output);
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
