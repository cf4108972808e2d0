// The record of a daemon: means and shares of time, in bounded memory.

#include "thermal/govern_record.h"

#include <gtest/gtest.h>

#include <cmath>

#include "support/fake_board.h"

namespace trimtab::thermal {
namespace {

std::vector<ThermalPoint> points() {
  const Soc soc = read_soc(source("targets/socs/exynos5422.toml"));
  return thermal_points(soc.clusters.front(), {"v", 4, 0.1, 0.01, 0.1, 70});
}

TEST(GovernRecord, SharesTheTimeByPoint) {
  GovernRecord record(points());
  record.add(10, 40, 25, 3);  // the point holds from here on
  record.add(13, 50, 25, 5);
  record.add(14, 45, 25, 3);
  record.add(15, std::nullopt, 25, 3);
  const auto told = record.to_json();
  ASSERT_EQ(told["shares"].size(), 2U);
  EXPECT_NEAR(told["shares"][0]["time_fraction"], 0.8, 1e-12);
  EXPECT_EQ(told["shares"][1]["mhz"], points()[5].opp.mhz);
  EXPECT_EQ(told["peak_c"], 50);
  EXPECT_EQ(told["seconds"], 5);
  EXPECT_NEAR(told["accuracy"], 70, 1e-9);
}

TEST(GovernRecord, OfAMonthIsNoLarger) {
  GovernRecord record(points());
  double rate_sum = 0;
  double time = 0;
  constexpr int steps = 500000;
  for (int i = 0; i <= steps; ++i) {
    const std::size_t point = i / 1000 % 2 == 0 ? 2 : 9;
    if (i < steps) rate_sum += 5.0 * (point == 2 ? 1 : 2);
    record.add(time, 60 + 10 * std::sin(i * 0.001), 25, point);
    time += 5;
  }
  ASSERT_LE(record.windows().size(), 600U);
  double seconds = 0;
  double ones = 0;
  double highest = 0;
  double lowest = 1000;
  const double slow = points()[2].rate;
  const double fast = points()[9].rate;
  for (const RecordWindow& window : record.windows()) {
    seconds += window.seconds;
    ones += window.seconds * ((window.rate - slow) / (fast - slow) + 1);
    highest = std::max(highest, window.highest_c);
    lowest = std::min(lowest, window.lowest_c);
    EXPECT_GE(window.celsius, window.lowest_c);
    EXPECT_LE(window.celsius, window.highest_c);
  }
  EXPECT_NEAR(seconds, 5.0 * steps, 1e-3);
  EXPECT_NEAR(ones, rate_sum, 1e-6 * rate_sum);  // no second is lost when windows join
  EXPECT_NEAR(highest, 70, 1e-3);
  EXPECT_NEAR(lowest, 50, 1e-3);
}

}  // namespace
}  // namespace trimtab::thermal
