// `trimtab sustain ...`, the built command, on a small sysfs tree and on the measured data.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "base/file.h"
#include "base/process.h"
#include "support/fake_board.h"

#ifdef TRIMTAB_COMMAND
namespace trimtab::thermal {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;

ProcessResult sustain(std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), {TRIMTAB_COMMAND, "sustain"});
  return run_process(arguments, "");
}

json json_of(std::vector<std::string> arguments) {
  arguments.insert(arguments.begin() + 1, "--json");
  const ProcessResult result = sustain(std::move(arguments));
  EXPECT_EQ(result.exit_code, 0) << result.errors;
  return json::parse(result.output, nullptr, false);
}

void expect_refused(const std::vector<std::string>& arguments, const std::string& words, int code = 2) {
  const ProcessResult result = sustain(arguments);
  EXPECT_EQ(result.exit_code, code) << result.errors;
  EXPECT_EQ(result.output, "");
  EXPECT_THAT(result.errors, HasSubstr(words));
  EXPECT_EQ(std::count(result.errors.begin(), result.errors.end(), '\n'), 1) << result.errors;
}

/// A board with one policy, one zone that is misconfigured in three ways, and a power sensor.
class Command : public ::testing::Test {
 protected:
  Command() {
    const std::string cpu = "devices/system/cpu/cpufreq/policy4/";
    const std::string zone = "class/thermal/thermal_zone0/";
    for (const auto& [path, text] : std::vector<std::pair<std::string, std::string>>{
             {cpu + "scaling_available_frequencies", "200000 1000000 2000000"},
             {cpu + "cpuinfo_min_freq", "200000"},
             {cpu + "cpuinfo_max_freq", "2000000"},
             {cpu + "scaling_min_freq", "200000"},
             {cpu + "scaling_max_freq", "1800000"},
             {cpu + "scaling_governor", "performance"},
             {cpu + "related_cpus", "4 5 6 7"},
             {zone + "type", "cpu-thermal"},
             {zone + "temp", "41000"},
             {zone + "mode", "enabled"},
             {zone + "policy", "power_allocator"},
             {zone + "trip_point_0_type", "passive"},
             {zone + "trip_point_0_temp", "70000"},
             {zone + "trip_point_1_type", "critical"},
             {zone + "trip_point_1_temp", "60000"},
             {zone + "cdev0/type", "cpufreq-cpu4"},
             {"class/thermal/cooling_device0/type", "cpufreq-cpu4"},
             {"class/thermal/cooling_device0/max_state", "3"},
             {"class/thermal/cooling_device0/cur_state", "0"},
             {"class/hwmon/hwmon0/name", "ina231"},
             {"class/hwmon/hwmon0/power1_input", "2500000"},
             {"kernel/debug/sched/features", "0"},
         }) {
      std::filesystem::create_directories((root / path).parent_path());
      std::ofstream(root / path) << text << "\n";
    }
  }
  [[nodiscard]] std::string attribute(const std::string& path) const {
    return read_attribute(root / path).value_or("(none)");
  }

  TemporaryDirectory folder;
  std::filesystem::path root = folder.path() / "sys";
  std::string out = folder.path() / "out";
  std::string soc = source("targets/socs/exynos5422.toml");
  std::string net = source("targets/socs/mobilenet_v1-exynos5422.csv");
  std::string data = source("../shared/data/thermal");
};

TEST_F(Command, DoctorTellsWhatIsMisconfigured) {
  const ProcessResult result = sustain({"doctor", "--sysfs-root", root});
  EXPECT_EQ(result.exit_code, 0);
  EXPECT_THAT(result.output, HasSubstr("already limited to 1800 of 2000 MHz"));
  EXPECT_THAT(result.output, HasSubstr("power_allocator never throttles"));
  EXPECT_THAT(result.output, HasSubstr("not below its critical trip at 60"));
  EXPECT_THAT(result.output, HasSubstr("profile and govern"));
  const json board = json_of({"doctor", "--sysfs-root", root});
  EXPECT_EQ(board["policies"][0]["mhz"], (std::vector<double>{200, 1000, 2000}));
  expect_refused({"doctor", "--sysfs-root", root / "absent"}, "is no folder");
}

TEST_F(Command, ProfileWritesWhatIdentifyReads) {
  const json result = json_of({"profile",   "--sysfs-root",
                               root,        "--policy",
                               "policy4",   "--prefix",
                               "a15",       "--mhz",
                               "1000",      "2000",
                               "--seconds", "0.4",
                               "--sample",  "0.1",
                               "--ambient", "24",
                               "-o",        out,
                               "--",        "sh",
                               "-c",        "while :; do echo done; sleep 0.02; done"});
  EXPECT_GE(result["inferences"], 4);
  EXPECT_EQ(attribute("devices/system/cpu/cpufreq/policy4/scaling_max_freq"), "1800000");
  EXPECT_EQ(attribute("devices/system/cpu/cpufreq/policy4/scaling_min_freq"), "200000");
  const json latency = json_of({"identify", "--latency", out + "/latency.csv"});
  EXPECT_GT(latency["latency"]["programs"][0]["fixed_s"], 0.015);
  std::ifstream series(out + "/a15-1000MHz.csv");
  std::string names;
  std::getline(series, names);
  EXPECT_EQ(names, "time_s,a15_MHz,thermal_zone0_C,ina231_power1_W,ambient_C");
  // The temperature of this board never moves.
  expect_refused({"identify", "--thermal", out + "/a15-1000MHz.csv", "--sensor", "thermal_zone0_C", "--cluster-power",
                  "ina231_power1_W", "--other-power", "none"},
                 "undetermined");
  const std::vector<std::string> profile{"profile", "--sysfs-root",   root, "--seconds", "0.2", "-o", out,
                                         "--",      "no-such-program"};
  expect_refused(profile, "policy0 is no cpufreq policy");
  std::vector<std::string> other = profile;
  other.insert(other.begin() + 1, {"--policy", "policy4"});
  expect_refused(other, "no-such-program cannot be started");
  other.back() = "true";
  expect_refused(other, "without printing a line");
  // Something holds another frequency than the one asked for.
  std::ofstream(root / "devices/system/cpu/cpufreq/policy4/scaling_cur_freq") << "600000\n";
  other.back() = "yes";
  expect_refused(other, "runs at 600 MHz where 200 were asked for");
  EXPECT_EQ(attribute("devices/system/cpu/cpufreq/policy4/scaling_max_freq"), "1800000");
}

TEST_F(Command, IdentifyWritesTheFileThatTheOthersRead) {
  if (!std::filesystem::exists(data)) GTEST_SKIP() << "../shared/data/thermal is absent";
  const std::string file = folder.path() / "again.toml";
  const std::string xu3 = data + "/odroid-xu3/";
  const json result = json_of({"identify", "--power", data + "/power-a15.csv", "--thermal",
                               xu3 + "parsec1-1000MHz-e1r1.csv", xu3 + "parsec2-1800MHz-e1r1.csv", "--test",
                               xu3 + "parsec2-1400MHz-e1r1.csv", "--base", soc, "-o", file});
  EXPECT_LE(result["thermal"]["held_out_rmse_k"], 0.7);
  EXPECT_EQ(result["power"]["rows"], 1080);
  // The shipped model is the one that the command identifies.
  const Soc shipped = read_soc(soc);
  const Soc again = read_soc(file);
  EXPECT_NEAR(find_cluster(again, "a15").power.leakage / find_cluster(shipped, "a15").power.leakage, 1, 0.01);
  EXPECT_NEAR(total_resistance(again.network) / total_resistance(shipped.network), 1, 0.01);
  EXPECT_EQ(again.network.nodes.size(), 3U);
}

TEST_F(Command, SimulateComparesAndDraws) {
  const json result = json_of({"simulate", soc, "--variants", net, "--governors", "hysteresis", "fixed", "dither",
                               "--duration", "200", "--joint", "1", "-o", out});
  EXPECT_EQ(result["simulated"], true);
  ASSERT_EQ(result["policies"].size(), 4U);
  for (const json& policy : result["policies"]) EXPECT_LE(policy["peak_c"], 85.05) << policy["policy"];
  EXPECT_GT(result["gain_percent"]["dither"]["hysteresis"], 0);
  for (const char* name : {"result.json", "trace.csv", "policies.svg"}) {
    EXPECT_GT(std::filesystem::file_size(std::filesystem::path(out) / name), 1000U) << name;
  }
  expect_refused({"simulate", soc, "--variants", net, "--ambient", "90"}, "not above the ambient");
  expect_refused({"simulate", soc, "--variants", net, "--governors", "magic"}, "there is no policy 'magic'");
  expect_refused({"simulate", source("targets/socs/bcm2711.toml"), "--variants", net}, "no voltages");
}

TEST_F(Command, PlanSharesTheTime) {
  const json result = json_of({"plan", soc, "--variants", net, "--ambient", "35", "--min-accuracy", "69.9"});
  double sum = 0;
  for (const json& share : result["shares"]) sum += share["time_fraction"].get<double>();
  EXPECT_NEAR(sum, 1, 1e-6);
  EXPECT_GE(result["accuracy"], 69.9 - 1e-6);
  EXPECT_LE(result["steady_c"], 85.01);
  expect_refused({"plan", soc, "--variants", net, "--rate", "1000"}, "the most is", 3);
  expect_refused({"plan", soc, "--variants", net, "--min-accuracy", "99"}, "the best has 70.9", 3);
  expect_refused({"plan", soc, "--variants", net, "--deadline", "20"}, "the fastest takes 45.15 ms", 3);
  expect_refused({"plan", soc, "--variants", net, "--max-power", "0.001"}, "take at least", 3);
  expect_refused({"plan", soc, "--variants", net, "--rate", "5", "--duration", "9"}, "--rate does not go with it");
  expect_refused({"plan", soc, "--variants", net, "--deadline", "-1"}, "--deadline");
  expect_refused({"plan", soc, "--variants", net, "--cluster", "m4"}, "has no cluster 'm4'");
}

TEST_F(Command, PlanOfLimitedTime) {
  const json result = json_of({"plan", soc, "--variants", net, "--ambient", "35", "--duration", "20"});
  const json& burst = result["burst"];
  EXPECT_GT(burst["inferences"], burst["sustained_inferences"]);
  EXPECT_LE(burst["peak_c"], 85.01);
  EXPECT_EQ(burst["slots"].back()["to_s"], 20);
}

TEST_F(Command, GovernLeavesAReport) {
  const std::filesystem::path governed = folder.path() / "governed";
  const json result = json_of({"govern",
                               soc,
                               "--variants",
                               net,
                               "--sysfs-root",
                               root,
                               "--policy",
                               "policy4",
                               "--zone",
                               "thermal_zone0",
                               "--operating-point",
                               folder.path() / "variant",
                               "--interval",
                               "0.02",
                               "--duration",
                               "0.3",
                               "--temperature-limit",
                               "55",
                               "--out",
                               governed});
  double sum = 0;
  for (const json& share : result["shares"]) sum += share["time_fraction"].get<double>();
  EXPECT_NEAR(sum, 1, 1e-6);
  EXPECT_FALSE(result["trace"].empty());
  EXPECT_EQ(json::parse(read_text(governed / "result.json")), result);
  EXPECT_THAT(read_text(governed / "report.html"), testing::HasSubstr("What the daemon did on exynos5422"));
}

TEST_F(Command, GovernRestores) {
  const std::string variant = folder.path() / "variant";
  const json result =
      json_of({"govern", soc, "--variants", net, "--sysfs-root", root, "--policy", "policy4", "--zone", "thermal_zone0",
               "--operating-point", variant, "--interval", "0.02", "--duration", "0.2", "--temperature-limit", "55"});
  EXPECT_GE(result["steps"], 2);
  EXPECT_EQ(attribute("devices/system/cpu/cpufreq/policy4/scaling_max_freq"), "1800000");
  EXPECT_FALSE(std::filesystem::exists(variant));
  expect_refused({"govern", soc, "--variants", net, "--sysfs-root", root, "--policy", "policy0"}, "--policy must name");
  expect_refused({"govern", soc, "--variants", net, "--sysfs-root", root, "--policy", "policy4", "--zone", "zone9"},
                 "--zone must name");
  expect_refused(
      {"govern", soc, "--variants", net, "--sysfs-root", root, "--policy", "policy4", "--temperature-limit", "-20"},
      "30 to 115 degrees");
  const std::vector<std::string> settings{"govern", soc,        "--variants", net,      "--sysfs-root",
                                          root,     "--policy", "policy4",    "--zone", "thermal_zone0"};
  std::vector<std::string> checked = settings;
  checked.insert(checked.end(), {"--check", "--temperature-limit", "55"});
  const json check = json_of(checked);
  EXPECT_GE(check["fallback_mhz"], 200);
  EXPECT_THAT(check["settings"].dump(), HasSubstr("limit: 55 degrees"));
  EXPECT_EQ(attribute("devices/system/cpu/cpufreq/policy4/scaling_max_freq"), "1800000");
  for (const char* limit : {"nan", "500", "85000"}) {
    std::vector<std::string> wrong = settings;
    wrong.insert(wrong.end(), {"--temperature-limit", limit});
    expect_refused(wrong, "30 to 115");
  }
  EXPECT_EQ(json_of({"release", "--sysfs-root", root, "--policy", "policy4"})["limit_khz"], "");
}

}  // namespace
}  // namespace trimtab::thermal
#endif
