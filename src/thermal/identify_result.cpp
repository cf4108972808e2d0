#include "thermal/identify_result.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <map>
#include <set>

#include "base/error.h"
#include "base/random.h"
#include "report/plot.h"
#include "thermal/workload.h"

namespace trimtab::thermal {
namespace {

using nlohmann::ordered_json;

ordered_json to_json(const std::vector<Estimate>& estimates) {
  ordered_json list = ordered_json::array();
  for (const Estimate& e : estimates) {
    ordered_json item{{"name", e.name}, {"value", e.value}};
    if (std::isfinite(e.deviation)) {
      item["standard_deviation"] = e.deviation;
    } else {
      item["undetermined"] = true;
    }
    list.push_back(item);
  }
  return list;
}

std::string to_text(const std::vector<Estimate>& estimates) {
  std::string text;
  for (const Estimate& e : estimates) {
    text += std::isfinite(e.deviation) ? fmt::format("    {:22} {:10.4g} +- {:.2g}\n", e.name, e.value, e.deviation)
                                       : fmt::format("    {:22} {:10.4g} undetermined\n", e.name, e.value);
  }
  return text;
}

void identify_latency(const IdentifyRequest& request, ordered_json& result, std::string& text) {
  const std::vector<Timing> timings =
      read_timings({request.latency.begin(), request.latency.end()}, request.power_columns.prefix);
  ordered_json programs = ordered_json::array();
  text += "latency t = a/f + b\n";
  for (const LatencyFit& fit : fit_latency(timings)) {
    programs.push_back({{"program", fit.program}, {"gcycles", fit.gcycles}, {"fixed_s", fit.fixed_s}});
    if (std::isfinite(fit.gcycles_deviation)) {
      programs.back()["gcycles_deviation"] = fit.gcycles_deviation;
      programs.back()["fixed_s_deviation"] = fit.fixed_deviation;
    }
    text += fmt::format("    {:26} a {:9.4f} 1e9 cycles   b {:8.4f} s   {} runs{}\n", fit.program, fit.gcycles,
                        fit.fixed_s, fit.samples, fit.gcycles <= 0 ? "   does not become faster with the clock" : "");
  }
  ordered_json latency{{"programs", programs}};
  std::map<double, int> frequencies;
  for (const Timing& timing : timings) ++frequencies[timing.mhz];
  if (frequencies.size() >= 3) {
    std::vector<double> errors;
    std::vector<double> pure;
    std::vector<double> measured;
    std::vector<double> predicted;
    for (const LatencyCheck& check : check_latency(timings)) {
      errors.push_back(100 * std::abs(check.predicted_s / check.measured_s - 1));
      pure.push_back(100 * std::abs(check.pure_s / check.measured_s - 1));
    }
    // The prediction of pure 1/f, fitted at the lowest frequency, for the highest.
    std::map<std::string, std::map<double, std::vector<double>>> by_program;
    for (const Timing& t : timings) by_program[t.program][t.mhz].push_back(t.seconds);
    std::vector<double> pure_top;
    for (const auto& [name, by_mhz] : by_program) {
      const double low = median(by_mhz.begin()->second) * by_mhz.begin()->first;
      pure_top.push_back(100 * std::abs(low / by_mhz.rbegin()->first / median(by_mhz.rbegin()->second) - 1));
    }
    const Errors e = summarize(errors);
    const Errors p = summarize(pure);
    const Errors top = summarize(pure_top);
    latency["held_out"] = {{"programs", e.samples},
                           {"mean_error_percent", e.mean},
                           {"p95_error_percent", e.p95},
                           {"worst_error_percent", e.worst},
                           {"pure_1_over_f_middle_percent", p.mean},
                           {"pure_1_over_f_highest_percent", top.mean}};
    text += fmt::format(
        "  fitted on the lowest and highest frequency, tested between: mean error {:.2f} % (worst {:.2f} %, {} "
        "programs); "
        "pure 1/f from the lowest: {:.2f} % there, {:.2f} % at the highest\n",
        e.mean, e.worst, e.samples, p.mean, top.mean);
  }
  result["latency"] = latency;
}

PowerFit identify_power(const IdentifyRequest& request, ordered_json& result, std::string& text) {
  const std::vector<PowerRow> rows = read_power(request.power, request.power_columns);
  PowerFit fit = fit_power(rows, true);
  ordered_json power{{"rows", rows.size()},
                     {"parameters", to_json(fit.estimates)},
                     {"training_mean_error_percent", fit.training.mean}};
  text += fmt::format("power, {} rows, each workload with its own switching\n{}", rows.size(), to_text(fit.estimates));
  for (const bool calibrated : {true, false}) {
    for (const bool second : {false, true}) {
      const PowerCheck check = check_power(rows, calibrated, second);
      ordered_json workloads;
      for (const auto& [name, error] : check.by_workload) workloads[name] = error;
      power["held_out"].push_back({{"calibrated_at_lowest_and_highest_frequency", calibrated},
                                   {"half", second ? 2 : 1},
                                   {"rows", check.errors.samples},
                                   {"mean_error_percent", check.errors.mean},
                                   {"p95_error_percent", check.errors.p95},
                                   {"worst_error_percent", check.errors.worst},
                                   {"by_workload_percent", workloads}});
      text += fmt::format(
          "  half {} held out, {}: mean error {:.2f} %, 95th percentile {:.2f} %, worst {:.1f} % ({} rows)\n",
          second ? 2 : 1,
          calibrated ? "its switching per work calibrated at the lowest and highest frequency"
                     : "nothing known but its counters",
          check.errors.mean, check.errors.p95, check.errors.worst, check.errors.samples);
    }
  }
  // Two halves may be lucky: others, drawn at random.
  constexpr int splits = 10;
  Random random(request.seed);
  std::vector<std::string> names;
  for (const auto& [name, value] : fit.first_work) names.push_back(name);
  for (const bool calibrated : {true, false}) {
    double mean = 0;
    double p95 = 0;
    std::vector<double> means;
    for (int split = 0; split < splits; ++split) {
      random.shuffle(names);
      const std::set<std::string> held(names.begin(), names.begin() + static_cast<std::ptrdiff_t>(names.size() / 2));
      const PowerCheck check = check_power(rows, calibrated, held);
      mean += check.errors.mean / splits;
      p95 += check.errors.p95 / splits;
      means.push_back(check.errors.mean);
    }
    std::sort(means.begin(), means.end());
    power["random_halves"].push_back({{"calibrated_at_lowest_and_highest_frequency", calibrated},
                                      {"splits", splits},
                                      {"mean_error_percent", mean},
                                      {"lowest_mean_error_percent", means.front()},
                                      {"highest_mean_error_percent", means.back()},
                                      {"p95_error_percent", p95}});
    text += fmt::format("  {} random halves, {}: mean error {:.2f} % ({:.2f} to {:.2f}), 95th percentile {:.2f} %\n",
                        splits, calibrated ? "calibrated" : "counters only", mean, means.front(), means.back(), p95);
  }
  for (const double share : {0.1, 0.25}) {
    const Twins twins = counter_twins(rows, share);
    power["counter_twins"].push_back({{"share_of_rows", share},
                                      {"largest_distance", twins.largest_distance},
                                      {"mean_difference_percent", twins.errors.mean},
                                      {"p95_difference_percent", twins.errors.p95}});
    text += fmt::format(
        "  twins: the {:.0f} % of the rows whose counters are nearest those of another workload (within {:.2f} "
        "standard "
        "deviations) differ in power by {:.2f} %, 95th percentile {:.2f} %\n",
        100 * share, twins.largest_distance, twins.errors.mean, twins.errors.p95);
  }
  ordered_json works;
  for (const auto& [name, value] : fit.first_work) works[name] = value;
  power["work_w_per_v2_ghz"] = works;
  result["power"] = power;
  return fit;
}

ThermalFit identify_thermal(const IdentifyRequest& request, ordered_json& result, std::string& text) {
  std::vector<ThermalRun> runs;
  ordered_json names = ordered_json::array();
  for (const std::string& path : request.thermal) {
    runs.push_back(read_thermal(path, request.thermal_columns));
    names.push_back(runs.back().name);
  }
  ThermalFit fit = fit_thermal(runs, request.nodes);
  ordered_json json{{"identified_on", names},
                    {"sensor", request.thermal_columns.sensor},
                    {"nodes", request.nodes},
                    {"parameters", to_json(fit.estimates)},
                    {"training_rmse_k", fit.training_rmse_k}};
  text +=
      fmt::format("thermal network of {} nodes, sensor {}, identified on {} runs (RMSE {:.2f} K)\n{}", request.nodes,
                  request.thermal_columns.sensor, runs.size(), fit.training_rmse_k, to_text(fit.estimates));
  double squares = 0;
  double worst = 0;
  std::vector<Plot> plots;
  for (const std::string& path : request.test) {
    const ThermalRun run = read_thermal(path, request.thermal_columns);
    const ThermalCheck check = check_thermal(fit, run, request.known_s);
    json["held_out"].push_back({{"run", check.name},
                                {"effective_ambient_c", check.ambient_c},
                                {"rmse_k", check.rmse_k},
                                {"bias_k", check.bias_k}});
    text += fmt::format("    {:26} ambient {:5.1f}   RMSE {:5.2f} K   bias {:+5.2f} K\n", check.name, check.ambient_c,
                        check.rmse_k, check.bias_k);
    squares += check.rmse_k * check.rmse_k;
    worst = std::max(worst, check.rmse_k);
    if (plots.size() < 6) {
      plots.push_back(
          {check.name,
           "time, s",
           "degrees Celsius",
           "",
           {{"measured", run.seconds, run.celsius, false, true}, {"predicted", run.seconds, check.predicted}},
           {},
           false});
    }
  }
  if (!request.test.empty()) {
    const double all = std::sqrt(squares / static_cast<double>(request.test.size()));
    json["held_out_rmse_k"] = all;
    json["held_out_worst_rmse_k"] = worst;
    text += fmt::format(
        "  held out, knowing the temperature of the first {:g} s and the powers: RMSE {:.3f} K, worst run {:.3f} K\n",
        request.known_s, all, worst);
  }
  if (!request.plot.empty() && !plots.empty()) draw(request.plot, plots, 900, 260);
  result["thermal"] = json;
  return fit;
}

/// The network is identified with one or two cores at work; with all of them the hottest sensor rises more. That rest
/// becomes a node of its own before the die, whose small capacity (milliseconds to tenths of a second) is assumed.
void add_hot_spot(const IdentifyRequest& request, Soc& soc, ordered_json& result, std::string& text) {
  constexpr double capacity = 0.05;
  const HotRise rise = fit_hot_rise(read_power(request.power, request.power_columns));
  const double rest = rise.resistance - total_resistance(soc.network);
  text += fmt::format(
      "hottest sensor, all cores: {:.2f} +- {:.2f} K/W over {} rows (residual {:.2f} K); hot spot before the die "
      "{:.2f} K/W\n",
      rise.resistance, rise.deviation, rise.rows, rise.residual_k, rest);
  result["hot_spot"] = {{"total_k_per_w", rise.resistance},
                        {"standard_deviation", rise.deviation},
                        {"rows", rise.rows},
                        {"residual_k", rise.residual_k},
                        {"hot_spot_k_per_w", rest},
                        {"assumed_capacity_j_per_k", capacity}};
  if (rest <= 0.05) return;
  soc.network.nodes.insert(soc.network.nodes.begin(), "hot spot");
  soc.network.resistance.insert(soc.network.resistance.begin(), rest);
  soc.network.capacity.insert(soc.network.capacity.begin(), capacity);
  soc.origin["thermal.hot_spot"] = fmt::format(
      "identified: rise of the hottest sensor with all cores at work, {} rows of {}; its capacity of {} J/K is assumed",
      rise.rows, std::filesystem::path(request.power).filename().string(), capacity);
  soc.uncertainty["thermal.R_total"] = rise.deviation / rise.resistance;
}

void fixed_points(const IdentifyRequest& request, const Soc& soc, ordered_json& result, std::string& text) {
  const Cluster& cluster = request.cluster.empty() ? soc.clusters.front() : find_cluster(soc, request.cluster);
  const std::vector<Variant> variants = read_variants(request.variants);
  const std::vector<ThermalPoint> points = thermal_points(cluster, variants.front());
  text += fmt::format("steady temperature (simulated) of {} on {} of {}; '-' runs away\n    MHz     ",
                      variants.front().name, cluster.name, soc.name);
  for (const double ambient : request.ambients) text += fmt::format("{:>8.0f}", ambient);
  text += "\n";
  ordered_json table = ordered_json::array();
  for (const ThermalPoint& point : points) {
    text += fmt::format("    {:<8.0f}", point.opp.mhz);
    for (const double ambient : request.ambients) {
      const Equilibrium at = equilibrium(soc.network, cluster.power, soc.other_w, ambient, point.load);
      const bool stable = at.stability == Stability::stable;
      table.push_back({{"mhz", point.opp.mhz}, {"ambient_c", ambient}, {"runaway", !stable}});
      if (stable) {
        table.back()["celsius"] = at.celsius;
        table.back()["within_limit"] = at.celsius <= soc.limit_c;
        if (std::isfinite(at.critical_c)) table.back()["critical_c"] = at.critical_c;
      }
      text += stable ? fmt::format("{:>8.1f}", at.celsius) : fmt::format("{:>8}", "-");
    }
    text += "\n";
  }
  result["fixed_points"] = {{"simulated", true}, {"points", table}};
}

}  // namespace

Identification identify(const IdentifyRequest& request) {
  if (request.latency.empty() && request.power.empty() && request.thermal.empty() && request.ambients.empty()) {
    throw bad_input("there is nothing to identify from; give --latency, --power or --thermal with measurements");
  }
  ordered_json result{{"version", TRIMTAB_VERSION}};
  std::string text;
  Soc soc;
  if (!request.base.empty()) soc = read_soc(request.base);
  if (!request.latency.empty()) identify_latency(request, result, text);
  if (!request.power.empty()) {
    const PowerFit fit = identify_power(request, result, text);
    for (Cluster& cluster : soc.clusters) {
      if (cluster.name != request.power_columns.prefix) continue;
      cluster.power = fit.model;
      soc.origin[cluster.name + ".power"] =
          fmt::format("identified: from {}", std::filesystem::path(request.power).filename().string());
      for (const Estimate& e : fit.estimates) {
        if (std::isfinite(e.deviation) && e.value != 0) {
          soc.uncertainty[cluster.name + "." + e.name] = std::abs(e.deviation / e.value);
        }
      }
    }
  }
  if (!request.thermal.empty()) {
    const ThermalFit fit = identify_thermal(request, result, text);
    soc.network = fit.network;
    std::string from;
    for (const std::string& path : request.thermal)
      from += (from.empty() ? "" : ", ") + std::filesystem::path(path).stem().string();
    soc.origin["thermal"] = fmt::format("identified: sensor {}, from {}", request.thermal_columns.sensor, from);
    for (const Estimate& e : fit.estimates) soc.uncertainty["thermal." + e.name] = std::abs(e.deviation / e.value);
  }
  if (!request.power.empty() && !request.thermal.empty()) add_hot_spot(request, soc, result, text);
  if (!request.ambients.empty()) {
    if (request.base.empty() || request.variants.empty()) {
      throw bad_input("--fixed-points needs --base with a SoC and --variants with the network's latency and energy");
    }
    fixed_points(request, soc, result, text);
  }
  return {{result, text}, soc};
}

}  // namespace trimtab::thermal
