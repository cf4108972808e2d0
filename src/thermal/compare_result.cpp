#include "thermal/compare_result.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "report/plot.h"

namespace trimtab::thermal {
namespace {

using nlohmann::ordered_json;

ordered_json to_json(const PolicyResult& result) {
  const Simulation& s = result.simulation;
  return {{"policy", result.policy}, {"parameters", result.parameters},
          {"rate_per_s", s.rate},    {"latency_ms", s.latency_s * 1e3},
          {"accuracy", s.accuracy},  {"peak_c", s.peak_c},
          {"mean_c", s.mean_c},      {"above_limit_s", s.above_limit_s},
          {"power_w", s.power_w},    {"energy_mj", s.energy_j * 1e3},
          {"mean_mhz", s.mean_mhz},  {"changes", s.changes}};
}

std::string to_row(const PolicyResult& result, double reference) {
  const Simulation& s = result.simulation;
  return fmt::format("  {:22} {:7.2f} {:+7.1f} % {:8.2f} {:7.2f} {:7.1f} {:8.1f} {:8.0f}   {}\n", result.policy, s.rate,
                     100 * (s.rate / reference - 1), s.latency_s * 1e3, s.peak_c, s.above_limit_s, s.energy_j * 1e3,
                     s.mean_mhz, result.parameters);
}

/// The gain of the proactive policies over each of the others.
void gains(const std::vector<PolicyResult>& results, ordered_json& json, std::string& text) {
  for (const char* proactive : {"fixed", "dither"}) {
    const auto found =
        std::find_if(results.begin(), results.end(), [&](const PolicyResult& r) { return r.policy == proactive; });
    if (found == results.end()) continue;
    text += fmt::format("  {} over", found->policy);
    for (const PolicyResult& result : results) {
      if (result.policy == proactive || result.policy.starts_with("joint")) continue;
      const double gain = 100 * (found->simulation.rate / result.simulation.rate - 1);
      json["gain_percent"][proactive][result.policy] = gain;
      text += fmt::format("  {} {:+.1f} %", result.policy, gain);
    }
    text += "\n";
  }
}

/// The policies that a person wants to see first: the reactive ones, the kernel's, the proactive ones.
std::vector<PolicyResult> for_the_plot(const std::vector<PolicyResult>& results) {
  std::vector<PolicyResult> few;
  for (const char* name : {"hysteresis", "step_wise-dt", "power_allocator", "fixed", "dither"}) {
    for (const PolicyResult& result : results) {
      if (result.policy == name) few.push_back(result);
    }
  }
  return few.size() >= 2 && results.size() > 5 ? few : results;
}

/// Inferences per second of a policy; 0 where it was not run.
double rate_of(const std::string& policy, const std::vector<PolicyResult>& results) {
  for (const PolicyResult& result : results) {
    if (result.policy == policy) return result.simulation.rate;
  }
  return 0;
}

/// Others are compared with the best single OPP, or with the first policy where that was not run.
double reference_rate(const std::vector<PolicyResult>& results) {
  const double fixed = rate_of("fixed", results);
  return fixed > 0 ? fixed : results.front().simulation.rate;
}

}  // namespace

Result describe(const std::vector<PolicyResult>& results, const Soc& soc, const Cluster& cluster,
                const Variant& variant, const CompareOptions& options) {
  const double reference = reference_rate(results);
  ordered_json json{{"command", "sustain simulate"},
                    {"simulated", true},
                    {"soc", soc.name},
                    {"cluster", cluster.name},
                    {"variant", variant.name},
                    {"ambient_c", options.simulation.ambient_c},
                    {"limit_c", options.simulation.limit_c},
                    {"policies", ordered_json::array()}};
  std::string text = fmt::format(
      "simulated: {} on {} of {}, ambient {:g}, limit {:g} degrees, every policy at the same peak; gain over the best "
      "single "
      "OPP\n  policy                    rate/s     gain  latency ms  peak C  above s  mJ/inf      MHz\n",
      variant.name, cluster.name, soc.name, options.simulation.ambient_c, options.simulation.limit_c);
  for (const PolicyResult& result : results) {
    json["policies"].push_back(to_json(result));
    text += to_row(result, reference);
  }
  gains(results, json, text);
  return {json, text};
}

void add_reactive_grid(Result& result, const Soc& soc, const Cluster& cluster, const std::vector<ThermalPoint>& points,
                       const std::vector<PolicyResult>& results, const CompareOptions& options) {
  ordered_json& json = result.json["reactive_grid"];
  std::string& text = result.text;
  // the grid is about these two, whether or not they are among the governors that were asked for
  const auto rate = [&](const std::string& policy) {
    const double known = rate_of(policy, results);
    return known > 0 ? known : run_policy(policy, soc, cluster, points, options).simulation.rate;
  };
  const double proactive = rate("fixed");
  const double dither = rate("dither");
  text +=
      "gain of the best single OPP (and of the dither) over the reactive policy that drops to ... and returns ... "
      "below "
      "its trip (simulated)\n      MHz      2 K             5 K             10 K            20 K\n";
  for (const double mhz : {200.0, 600.0, 900.0, 1200.0, 1400.0, 1600.0, 1800.0}) {
    if (mhz < points.front().opp.mhz || mhz >= points.back().opp.mhz) continue;
    text += fmt::format("  {:>7.0f}", mhz);
    for (const double hysteresis : {2.0, 5.0, 10.0, 20.0}) {
      CompareOptions compare = options;
      compare.drop_mhz = mhz;
      compare.hysteresis_k = hysteresis;
      const PolicyResult policy = run_policy("hysteresis", soc, cluster, points, compare);
      if (policy.simulation.peak_c > options.simulation.limit_c + 0.1) {
        text += "  hotter than limit ";  // the lower of the two is too hot for ever
        json.push_back({{"drop_mhz", mhz}, {"hysteresis_k", hysteresis}, {"peak_c", policy.simulation.peak_c}});
        continue;
      }
      const double gain = 100 * (proactive / policy.simulation.rate - 1);
      const double more = 100 * (dither / policy.simulation.rate - 1);
      json.push_back({{"drop_mhz", mhz},
                      {"hysteresis_k", hysteresis},
                      {"rate_per_s", policy.simulation.rate},
                      {"peak_c", policy.simulation.peak_c},
                      {"gain_fixed_percent", gain},
                      {"gain_dither_percent", more}});
      text += fmt::format("  {:+5.1f} ({:+5.1f}) %", gain, more);
    }
    text += "\n";
  }
}

Result describe(const Replay& replay) {
  const double percent = 100.0 * static_cast<double>(replay.equal) / static_cast<double>(replay.decisions);
  ordered_json json{{"command", "sustain simulate"},
                    {"governor", replay.governor},
                    {"decisions", replay.decisions},
                    {"equal", replay.equal},
                    {"equal_percent", percent},
                    {"largest_difference_opps", replay.largest_difference_opps},
                    {"differences", ordered_json::array()}};
  std::string text =
      fmt::format("{}: {} of {} decisions equal ({:.2f} %), largest difference {:g} OPP\n", replay.governor,
                  replay.equal, replay.decisions, percent, replay.largest_difference_opps);
  for (const Replay::Row& row : replay.rows) {
    if (row.kernel_mhz == row.model_mhz) continue;
    json["differences"].push_back(
        {{"time_s", row.time_s}, {"kernel_mhz", row.kernel_mhz}, {"model_mhz", row.model_mhz}});
    text += fmt::format("  at {:.3f} s, {} mC: kernel {} MHz, model {} MHz\n", row.time_s, row.reported_mC,
                        row.kernel_mhz, row.model_mhz);
  }
  return {json, text};
}

std::string trace_csv(const std::vector<PolicyResult>& results) {
  std::string csv = "policy,time_s,celsius,lowest_c,highest_c,mhz,rate_per_s\n";
  for (const PolicyResult& result : results) {
    for (const Sample& sample : result.simulation.samples) {
      csv += fmt::format("\"{}\",{:.2f},{:.3f},{:.3f},{:.3f},{:.1f},{:.4f}\n", result.policy, sample.time_s,
                         sample.celsius, sample.lowest_c, sample.highest_c, sample.mhz, sample.rate);
    }
  }
  return csv;
}

void draw_policies(const std::filesystem::path& path, const std::vector<PolicyResult>& all,
                   const SimulationOptions& options) {
  const std::vector<PolicyResult> results = for_the_plot(all);
  constexpr std::size_t most = 5;
  const double duration_s = std::min(options.duration_s, 300.0);  // afterwards nothing new happens
  const double window = std::max(2.0, duration_s / 120);
  Plot temperature{fmt::format("simulated: mean temperature of {:g} s, and its range", window),
                   "",
                   "degrees Celsius",
                   "",
                   {},
                   {options.limit_c},
                   false};
  Plot frequency{fmt::format("simulated: mean frequency of {:g} s", window), "time, s", "MHz", "", {}, {}, false};
  int colour = 0;
  for (const PolicyResult& result : results) {
    if (temperature.curves.size() == 2 * most) break;
    const std::string title = fmt::format("{}, {:.2f}/s", result.policy, result.simulation.rate);
    Curve celsius{title, {}, {}};
    Curve range{"", {}, {}};
    Curve mhz{title, {}, {}};
    double start = 0;
    int count = 0;
    const std::vector<Sample>& samples = result.simulation.samples;
    for (std::size_t i = 0; i < samples.size(); ++i) {
      const Sample& s = samples[i];
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

}  // namespace trimtab::thermal
