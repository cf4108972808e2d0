#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <fstream>

#include "base/error.h"
#include "base/file.h"
#include "support/fake_board.h"
#include "thermal/compare.h"
#include "thermal/compare_result.h"
#include "thermal/identify.h"
#include "thermal/plan.h"
#include "thermal/simulate.h"

namespace trimtab::thermal {
namespace {

const std::filesystem::path data = source("../shared/data/thermal");

#define NEEDS_DATA()                                                                      \
  if (!std::filesystem::exists(data)) GTEST_SKIP() << "../shared/data/thermal is absent"; \
  static_assert(true)

template <typename Function>
std::string error_of(Function function) {
  try {
    function();
  } catch (const Error& error) {
    return error.what();
  }
  return "no error";
}

TEST(KernelGovernor, ReplaysWhatLinuxDecided) {
  NEEDS_DATA();
  const Replay step = replay_kernel_trace(data / "kernel-traces/step_wise.csv");
  EXPECT_EQ(step.equal, step.decisions);
  const Replay power = replay_kernel_trace(data / "kernel-traces/power_allocator.csv");
  EXPECT_GE(static_cast<double>(power.equal), 0.99 * static_cast<double>(power.decisions));
  EXPECT_LE(power.largest_difference_opps, 1);
}

// Independent of the matrix exponential: Runge-Kutta of the nonlinear equations at 1 ms.
TEST(Plant, AgreesWithFineRungeKutta) {
  const Soc soc = read_soc(source("targets/socs/exynos5422.toml"));
  const PowerModel& power = find_cluster(soc, "a15").power;
  const Network& n = soc.network;
  Plant plant(n, power, soc.other_w, 25, 25);
  double t[3] = {25, 25, 25};
  const auto slope = [&](const double* x, const Load& load, double* d) {
    const double p = load.fixed_w + leakage_w(power, load.volts, x[0]);
    const double f01 = (x[0] - x[1]) / n.resistance[0];
    const double f12 = (x[1] - x[2]) / n.resistance[1];
    d[0] = (p - f01) / n.capacity[0];
    d[1] = (f01 - f12) / n.capacity[1];
    d[2] = (f12 + soc.other_w - (x[2] - 25) / n.resistance[2]) / n.capacity[2];
  };
  for (int event = 0; event < 20; ++event) {
    const Load load = event % 2 == 0 ? Load{4.5, 1.24} : Load{1.0, 0.95};
    plant.advance(2.5, load);
    constexpr double h = 1e-3;
    for (int i = 0; i < 2500; ++i) {
      double k1[3], k2[3], k3[3], k4[3], x[3];
      slope(t, load, k1);
      for (int j = 0; j < 3; ++j) x[j] = t[j] + h / 2 * k1[j];
      slope(x, load, k2);
      for (int j = 0; j < 3; ++j) x[j] = t[j] + h / 2 * k2[j];
      slope(x, load, k3);
      for (int j = 0; j < 3; ++j) x[j] = t[j] + h * k3[j];
      slope(x, load, k4);
      for (int j = 0; j < 3; ++j) t[j] += h / 6 * (k1[j] + 2 * k2[j] + 2 * k3[j] + k4[j]);
    }
    EXPECT_NEAR(plant.celsius(), t[0], 0.03) << "after event " << event;
  }
}

TEST(Equilibrium, IsWhereThePlantSettlesOrRunsAway) {
  const Soc soc = read_soc(source("targets/socs/exynos5422.toml"));
  const PowerModel& power = find_cluster(soc, "a15").power;
  const Load mild{3, 1.1};
  const Equilibrium point = equilibrium(soc.network, power, soc.other_w, 25, mild);
  ASSERT_EQ(point.stability, Stability::stable);
  Plant plant(soc.network, power, soc.other_w, 25, 25);
  for (int i = 0; i < 600; ++i) plant.advance(1, mild);
  EXPECT_NEAR(plant.celsius(), point.celsius, 0.05);
  EXPECT_EQ(equilibrium(soc.network, power, soc.other_w, 45, {8, 1.3}).stability, Stability::runaway);
}

TEST(Latency, IsWithinTwoPercentBetweenTheFrequencies) {
  NEEDS_DATA();
  for (const char* campaign : {"cbench-1000MHz-e1r", "parsec1-1000MHz-e1r"}) {
    const std::string name = campaign;
    const std::vector<std::string> mhz = name[0] == 'c' ? std::vector<std::string>{"1000", "1500", "2000"}
                                                        : std::vector<std::string>{"1000", "1400", "1800"};
    std::vector<std::filesystem::path> paths;
    const std::string stem = name.substr(0, name.find('-'));
    for (const std::string& f : mhz) {
      for (const char* run : {"e1r1", "e1r2", "e2r1"}) {
        const auto path = data / "odroid-xu3" / (stem + "-" + f + "MHz-" + run + ".runs.csv");
        if (std::filesystem::exists(path)) paths.push_back(path);
      }
    }
    std::vector<double> errors;
    for (const LatencyCheck& check : check_latency(read_timings(paths, "a15"))) {
      errors.push_back(std::abs(check.predicted_s / check.measured_s - 1));
    }
    EXPECT_LE(summarize(errors).mean, 0.02) << stem;
  }
}

TEST(Power, HeldOutWorkloadsCalibratedAtTheEnds) {
  NEEDS_DATA();
  const std::vector<PowerRow> rows = read_power(data / "power-a15.csv", {});
  for (const bool second : {false, true}) {
    const PowerCheck check = check_power(rows, true, second);
    EXPECT_LE(check.errors.mean, 3);
    EXPECT_LE(check.errors.p95, 8);
  }
}

// Two workloads that count the same and differ by a tenth in power, a third that counts otherwise.
TEST(Power, RowsWithTheSameCountersShowWhatCountersCannotTell) {
  std::vector<PowerRow> rows;
  for (const double mhz : {500.0, 1000.0}) {
    rows.push_back({"a", "", mhz, 1, 1.0, 50, 50, mhz / 1000, {mhz / 1000}});
    rows.push_back({"b", "", mhz, 1, 1.1, 50, 50, mhz / 1000, {mhz / 1000}});
    rows.push_back({"c", "", mhz, 1, 5.0, 50, 50, mhz / 1000, {3 * mhz / 1000}});
  }
  const Twins twins = counter_twins(rows, 0.6);
  EXPECT_EQ(twins.errors.samples, 3);
  EXPECT_EQ(twins.largest_distance, 0);
  EXPECT_NEAR(twins.errors.mean, 10, 1);
}

TEST(Simulation, SamplesAreMeansOfFastSwitching) {
  const Soc soc = read_soc(source("targets/socs/exynos5422.toml"));
  const Cluster& cluster = find_cluster(soc, "a15");
  const std::vector<ThermalPoint> points = thermal_points(cluster, {"v", 4, 0.1, 0.01, 0.1, 70});
  std::vector<double> fractions(points.size(), 0.0);
  fractions[4] = 0.3;
  fractions[9] = 0.7;
  const auto governor = make_mix(fractions);
  const Simulation simulation = simulate(soc, cluster, points, *governor, {});
  ASSERT_GE(simulation.samples.size(), 1000U);
  for (const Sample& sample : simulation.samples) {
    EXPECT_NEAR(sample.mhz, 0.3 * points[4].opp.mhz + 0.7 * points[9].opp.mhz, 1);
    EXPECT_LE(sample.lowest_c, sample.celsius);
    EXPECT_GE(sample.highest_c, sample.celsius);
  }
}

// A policy's knob is found where its peak is the limit; a deeper drop is slower at the same peak.
TEST(Policies, DeeperDropsAreSlowerAtEqualPeak) {
  const Soc soc = read_soc(source("targets/socs/exynos5422.toml"));
  const Cluster& cluster = find_cluster(soc, "a15");
  const std::vector<ThermalPoint> points =
      thermal_points(cluster, read_variants(source("targets/socs/mobilenet_v1-exynos5422.csv")).front());
  CompareOptions options;
  options.simulation.duration_s = 300;
  options.simulation.measure_from_s = 150;
  double last = run_policy("dither", soc, cluster, points, options).simulation.rate;
  for (const char* policy : {"hysteresis", "hysteresis-dt", "bang_bang"}) {
    const Simulation simulation = run_policy(policy, soc, cluster, points, options).simulation;
    EXPECT_NEAR(simulation.peak_c, 85, 0.2) << policy;
    EXPECT_LT(simulation.rate, last) << policy;
    last = simulation.rate;
  }
}

TEST(Policies, TheReactiveGridNeedsNoOtherGovernors) {
  const Soc soc = read_soc(source("targets/socs/exynos5422.toml"));
  const Cluster& cluster = find_cluster(soc, "a15");
  std::vector<ThermalPoint> points =
      thermal_points(cluster, read_variants(source("targets/socs/mobilenet_v1-exynos5422.csv")).front());
  std::erase_if(points, [](const ThermalPoint& point) { return point.opp.mhz < 1500; });
  CompareOptions options;
  options.simulation.duration_s = 120;
  options.simulation.measure_from_s = 60;
  std::vector<PolicyResult> results = {run_policy("hysteresis", soc, cluster, points, options)};
  Result alone, together;
  add_reactive_grid(alone, soc, cluster, points, results, options);
  for (const char* policy : {"fixed", "dither"}) {
    results.push_back(run_policy(policy, soc, cluster, points, options));
  }
  add_reactive_grid(together, soc, cluster, points, results, options);
  EXPECT_EQ(alone.json, together.json);
  EXPECT_EQ(alone.json["reactive_grid"].size(), 8U);  // drops to 1600 and 1800 MHz
}

TEST(ThermalFit, PredictsOtherRuns) {
  NEEDS_DATA();
  const ThermalColumns columns;
  const auto read = [&](const char* name) { return read_thermal(data / "odroid-xu3" / name, columns); };
  const ThermalFit fit = fit_thermal({read("parsec1-1000MHz-e1r1.csv"), read("parsec2-1800MHz-e1r1.csv")}, 2);
  EXPECT_LE(check_thermal(fit, read("parsec2-1800MHz-e2r1.csv")).rmse_k, 0.7);
  EXPECT_LE(check_thermal(fit, read("parsec1-1400MHz-e1r1.csv")).rmse_k, 0.7);
}

TEST(SustainedPlan, BindsExactlyAndMixesAtMostAsManyPointsAsConstraints) {
  const Soc soc = read_soc(source("targets/socs/exynos5422.toml"));
  const Cluster& cluster = find_cluster(soc, "a15");
  const std::vector<ThermalPoint> points =
      thermal_points(cluster, read_variants(source("targets/socs/mobilenet_v1-exynos5422.csv")));
  PlanRequest request;
  request.ambient_c = 35;
  request.accuracy_floor = 69.9;
  const SustainedPlan plan = make_plan(soc, cluster, points, request);
  EXPECT_LE(plan.shares.size(), 3U);
  EXPECT_NEAR(plan.steady_c, 85, 0.1);
  EXPECT_GE(plan.accuracy, 69.9 - 1e-6);
}

TEST(BadInput, IsToldInOneSentence) {
  const TemporaryDirectory folder;
  const auto file = [&](const std::string& name, const std::string& header, const auto& row) {
    const auto path = folder.path() / name;
    std::ofstream out(path);
    out << header << "\n";
    for (int i = 0; i < 200; ++i) out << row(i) << "\n";
    return path;
  };
  const std::string header = "time_s,a15_C,a15_W";
  ThermalColumns columns;
  columns.other.clear();
  const auto thermal = [&](const std::filesystem::path& path) {
    return error_of([&] { (void)read_thermal(path, columns); });
  };
  using ::testing::HasSubstr;
  EXPECT_THAT(
      thermal(file("gap.csv", header, [](int i) { return fmt::format("{},{},1", i < 90 ? i : i + 60, 40 + i % 3); })),
      HasSubstr("gap of 61.0 s"));
  EXPECT_THAT(thermal(file("milli.csv", header, [](int i) { return fmt::format("{},{},1", i, 40000 + i); })),
              HasSubstr("millidegrees"));
  EXPECT_THAT(thermal(file("milliwatt.csv", header, [](int i) { return fmt::format("{},{},1500", i, 40 + i % 3); })),
              HasSubstr("look like mW"));
  EXPECT_THAT(thermal(file("constant.csv", header, [](int i) { return fmt::format("{},40,1", i); })),
              HasSubstr("every resistance and capacity undetermined"));
  EXPECT_THAT(thermal(file("short.csv", header, [](int i) { return fmt::format("{},{},1", i * 0.1, 40 + i % 3); })),
              HasSubstr("capacities stay undetermined"));
  EXPECT_THAT(error_of([] { (void)fit_latency({{"net", 1000, 0.1}, {"net", 1000, 0.1}}); }), HasSubstr("undetermined"));
  EXPECT_THAT(error_of([&] {
                (void)read_power(file("novolts.csv", "workload,a15_MHz,a15_W", [](int) { return "x,1000,1"; }), {});
              }),
              HasSubstr("BCM2711"));
  const Soc hidden = read_soc(source("targets/socs/bcm2711.toml"));
  EXPECT_THAT(error_of([&] {
                (void)thermal_points(hidden.clusters[0], {"v", 4, 0.1, 0.01, 0.1, 70});
              }),
              HasSubstr("no voltages"));
  const Soc soc = read_soc(source("targets/socs/exynos5422.toml"));
  const auto points = thermal_points(soc.clusters[0], {"v", 4, 0.1, 0.01, 0.1, 70});
  PlanRequest request;
  request.ambient_c = 90;
  EXPECT_THAT(error_of([&] { (void)make_plan(soc, soc.clusters[0], points, request); }),
              HasSubstr("not above the ambient"));
  request.ambient_c = 84.9;
  EXPECT_THAT(error_of([&] { (void)make_plan(soc, soc.clusters[0], points, request); }), HasSubstr("lowest limit"));
  BoardFiles files;
  files.root = folder.path();
  EXPECT_THAT(error_of([&] { (void)SysfsDevice(files, 85); }), HasSubstr("cannot be read"));
  EXPECT_THAT(error_of([&] { write_attribute(folder.path() / "absent", "1"); }), HasSubstr("cannot be written"));
  // Root may open this one, but the kernel takes nothing.
  EXPECT_THAT(error_of([] { write_attribute("/proc/version", "1"); }), HasSubstr("/proc/version"));
}

TEST(Doctor, FindsPowerAllocatorWithoutEnergyModel) {
  BoardView board;
  board.debugfs_visible = true;
  ThermalZone zone;
  zone.name = "thermal_zone0";
  zone.type = "cpu";
  zone.policy = "power_allocator";
  zone.celsius = 40;
  zone.trips = {{70, 0, "passive"}, {85, 0, "passive"}};
  zone.bound = {"cpufreq-cpu0"};
  board.zones.push_back(zone);
  std::string all;
  for (const Finding& finding : examine_board(board)) all += finding.text + "\n";
  EXPECT_THAT(all, ::testing::HasSubstr("power_allocator never throttles"));
}

TEST(SocFiles, SurviveWritingAndReading) {
  for (const char* name : {"exynos5422", "rk3399", "rk3588", "bcm2711"}) {
    const Soc soc = read_soc(source(fmt::format("targets/socs/{}.toml", name)));
    const TemporaryDirectory folder;
    write_file(folder.path() / "again.toml", format_soc(soc));
    EXPECT_EQ(format_soc(read_soc(folder.path() / "again.toml")), format_soc(soc)) << name;
  }
}

}  // namespace
}  // namespace trimtab::thermal
