#include "thermal/govern.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <thread>

#include "base/error.h"
#include "fake_board.h"

namespace trimtab::thermal {
namespace {

struct Outcome {
  double peak = 0;
  double peak_at_s = 0;
  double worst = 0;
  double rate = 0;
  double lowest_s = 0;
  std::string limit_after;
  double sustainable_rate = 0;
};

Outcome govern_for(double hours, const FakeBoard::Faults& faults, double limit) {
  const Soc soc = read_soc(source("targets/socs/exynos5422.toml"));
  const Cluster& cluster = find_cluster(soc, "a15");
  const std::vector<OperatingPoint> points =
      operating_points(cluster, read_variants(source("targets/socs/mobilenet_v1-exynos5422.csv")).front());
  FakeBoard board(soc, cluster, points, hours, faults);
  GovernOptions options;
  options.limit_c = limit;
  Controller controller(soc, cluster, points, options);
  SysfsDevice device(board.root(), "policy0", "thermal_zone0", "");
  govern(controller, device, board, options.period_s, {});
  PlanRequest request;
  request.limit_c = limit;
  const double ideal = make_plan(board.true_soc(), board.true_cluster(), points, request).rate;
  return {board.peak(),
          board.peak_at_s(),
          board.worst(),
          board.mean_rate(),
          board.seconds_at_lowest(),
          read_attribute(board.frequency()).value_or(""),
          ideal};
}

// Noise, delay, a sensor that vanishes, sticks, reads zero or nonsense, ambient steps of 13 to 30 K, a fan that sticks,
// a plant that differs from the model: for a whole day.
TEST(Govern, HoldsTheLimitForADayOfFaults) {
  const Outcome outcome = govern_for(24, {}, 85);
  EXPECT_LE(outcome.peak, 86.0);
  EXPECT_EQ(outcome.limit_after, "2000000");
  RecordProperty("peak_c", fmt::format("{:.2f}", outcome.peak));
  RecordProperty("rate_per_s", fmt::format("{:.2f}", outcome.rate));
  fmt::print(
      "24 simulated hours: peak {:.2f} degrees (at {:.0f} s; {:.2f} while settling), {:.2f} inferences/s, {:.0f} s at "
      "the lowest OPP\n",
      outcome.peak, outcome.peak_at_s, outcome.worst, outcome.rate, outcome.lowest_s);
}

// Without faults the daemon must not be slower than what its margin costs.
TEST(Govern, IsFastWhereNothingFails) {
  FakeBoard::Faults none{0.2, 0, false, false, false, false};
  const Outcome outcome = govern_for(1, none, 85);
  EXPECT_LE(outcome.peak, 86.0);
  EXPECT_GE(outcome.rate, 0.93 * outcome.sustainable_rate);
  fmt::print("one calm hour: peak {:.2f} degrees, {:.2f} of {:.2f} inferences/s\n", outcome.peak, outcome.rate,
             outcome.sustainable_rate);
}

}  // namespace
}  // namespace trimtab::thermal
