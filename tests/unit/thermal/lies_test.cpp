// The daemon's controller on a board with physics of its own, one fault at a time.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "base/error.h"
#include "support/board_campaign.h"
#include "support/fake_board.h"
#include "thermal/log_limit.h"

namespace trimtab::thermal {
namespace {

using ::testing::HasSubstr;

constexpr double limit_c = 85;

struct LyingBoard : ::testing::Test {
  Soc soc = read_soc(source("targets/socs/exynos5422.toml"));
  Cluster cluster = find_cluster(soc, "a15");
  std::vector<ThermalPoint> points;
  GovernOptions options;
  std::set<std::string> said;
  double calm_rate = 0;
  double peak = 0;
  double rate = 0;

  LyingBoard() {
    points = thermal_points(cluster, read_variants(source("targets/socs/mobilenet_v1-exynos5422.csv")));
    options.accuracy_floor = 69.9;
  }
  [[nodiscard]] SteppedBoard board() const { return {soc, cluster, points, options, plant_of(soc, cluster), 25, 3}; }
  /// The truth for `calm_s`, then what `fault` does, until `end_s`; peak and rate are those of the second part.
  void live(SteppedBoard& board, double calm_s, double end_s, const std::function<void(SteppedBoard&)>& fault) {
    board.run(calm_s);
    calm_rate = board.inferences() / board.now_s();
    const double before = board.inferences();
    fault(board);
    board.run(end_s, [&](double highest) {
      peak = std::max(peak, highest);
      const std::string& trouble = board.controller().trouble();
      said.insert(trouble.substr(0, trouble.find_first_of("0123456789")));
    });
    rate = (board.inferences() - before) / (end_s - calm_s);
  }
  /// Two hours in which the sensor lies from the twentieth minute on, while the fan has failed.
  void lie_while_the_fan_fails(SteppedBoard& board, Lie lie) {
    live(board, 1200, 7200, [lie](SteppedBoard& one) {
      one.begin(lie, 0);
      one.plant().fail_fan(true);
    });
  }
  [[nodiscard]] bool was_said(const std::string& part) const {
    return std::any_of(said.begin(), said.end(),
                       [&](const std::string& one) { return one.find(part) != std::string::npos; });
  }
};

TEST_F(LyingBoard, StuckSensorBeforeTheFanFails) {
  SteppedBoard b = board();
  lie_while_the_fan_fails(b, Lie::stuck);
  EXPECT_LE(peak, limit_c + 1);
  EXPECT_TRUE(was_said("the sensor is stuck at"));
  EXPECT_LE(b.point().opp.mhz, fallback_mhz(soc, cluster, points, options));
}

TEST_F(LyingBoard, StuckSensorInARoomThatWarms) {
  SteppedBoard b = board();
  live(b, 1200, 7200, [](SteppedBoard& one) {
    one.begin(Lie::stuck, 0);
    one.plant().set_ambient(60);
  });
  EXPECT_LE(peak, limit_c + 1);
}

TEST_F(LyingBoard, ConstantWithNoise) {
  SteppedBoard b = board();
  lie_while_the_fan_fails(b, Lie::stuck_noisy);
  EXPECT_LE(peak, limit_c + 5);
  EXPECT_TRUE(was_said("does not follow the changes of power") || was_said("the sensor at"));
}

TEST_F(LyingBoard, WholeDegreesWithoutNoiseThatStick) {
  SteppedBoard b = board();
  b.noise_k = 0;
  b.quantum_k = 1;
  lie_while_the_fan_fails(b, Lie::stuck);
  EXPECT_LE(peak, limit_c + 1);
}

TEST_F(LyingBoard, DriftsDown) {
  for (const double k_per_minute : {0.5, 2.0, 5.0}) {
    SteppedBoard b = board();
    peak = 0;
    said.clear();
    live(b, 1200, 7200, [&](SteppedBoard& one) { one.begin(Lie::drift, k_per_minute); });
    EXPECT_LE(peak, limit_c + 5) << k_per_minute;
    // Slower drifts could be a room; their harm is bounded all the same.
    EXPECT_EQ(was_said("the sensor reads as if the room had cooled by"), k_per_minute > 1) << k_per_minute;
  }
}

TEST_F(LyingBoard, ReadsLowAtOnce) {
  for (const double k : {3.0, 5.0, 10.0, 20.0}) {
    SteppedBoard b = board();
    peak = 0;
    live(b, 1200, 7200, [&](SteppedBoard& one) { one.begin(Lie::low, k); });
    EXPECT_LE(peak, limit_c + 5) << k;
  }
}

// A sensor that has read low since before the start cannot be told from a colder room. The harm is bounded by its
// error.
TEST_F(LyingBoard, ReadsLowFromTheStart) {
  for (const double k : {4.0, 10.0}) {
    SteppedBoard b = board();
    b.begin(Lie::low, k);
    peak = 0;
    live(b, 1, 7200, [](SteppedBoard&) {});
    EXPECT_LE(peak, limit_c + k - options.margin_k + 1) << k;
  }
}

TEST_F(LyingBoard, DegreesInsteadOfMillidegreesWhileRunning) {
  SteppedBoard b = board();
  live(b, 1200, 3600, [](SteppedBoard& one) {
    one.begin(Lie::degrees, 0);
    one.plant().set_ambient(50);
  });
  EXPECT_LE(peak, limit_c + 1);
  EXPECT_TRUE(was_said("the sensor reads"));
}

TEST_F(LyingBoard, QuantizationIsNoFault) {
  SteppedBoard b = board();
  b.begin(Lie::coarse, 0);
  live(b, 300, 3600, [](SteppedBoard&) {});
  const double coarse = rate;
  EXPECT_EQ(said, std::set<std::string>{""});
  EXPECT_LE(peak, limit_c + 1);
  SteppedBoard fine = board();
  live(fine, 300, 3600, [](SteppedBoard&) {});
  EXPECT_GE(coarse, 0.9 * rate);  // of what a sensor of a thousandth of a degree gives
}

TEST_F(LyingBoard, NoiseOfSixKelvin) {
  SteppedBoard b = board();
  b.begin(Lie::noisy, 0);
  LogLimit log;
  int lines = 0;
  live(b, 300, 7200, [](SteppedBoard&) {});
  EXPECT_LE(peak, limit_c + 5);
  EXPECT_GE(rate, 14);
  SteppedBoard again = board();
  again.begin(Lie::noisy, 0);
  std::string trouble;
  again.run(7200, [&](double) {
    if (again.controller().trouble() == trouble) return;
    trouble = again.controller().trouble();
    if (log.pass(again.now_s(), trouble)) ++lines;
  });
  EXPECT_LE(lines, 60);
}

TEST_F(LyingBoard, HotterOfTwoSensorsCounts) {
  Controller controller(soc, cluster, points, options);
  IndependentPlant plant(plant_of(soc, cluster), 25);
  double highest = 0;
  std::size_t point = controller.fallback();
  for (int i = 0; i < 7200; ++i) {
    // The first sensor reads 20 K low from the start, the second one tells the truth.
    point = controller.step(i * 0.5, {{plant.celsius() - 20, plant.celsius()}, 0});
    plant.advance(0.5, points[point].load);
    highest = std::max(highest, plant.take_peak());
  }
  EXPECT_LE(highest, limit_c);
  EXPECT_EQ(controller.trouble(), "");
  EXPECT_GE(highest, limit_c - 12);  // and it is no slower for it
}

TEST_F(LyingBoard, ForeignWritesAreCorrectedAndReported) {
  SteppedBoard b = board();
  double seconds_too_fast = 0;
  live(b, 600, 1200, [](SteppedBoard& one) { one.begin(Lie::foreign, 5); });
  b.begin(Lie::truth, 0);
  EXPECT_TRUE(was_said("another process raised the limit"));
  b.run(1300);
  b.write_once(2000);
  for (int i = 0; i < 20; ++i) {
    (void)b.step();
    if (b.point().opp.mhz > fallback_mhz(soc, cluster, points, options)) seconds_too_fast += 0.5;
  }
  EXPECT_EQ(seconds_too_fast, 0);
}

TEST_F(LyingBoard, FallbackIsSustainableAtTheHottestAmbient) {
  const double mhz = fallback_mhz(soc, cluster, points, options);
  const auto hottest = [&](double at) {
    double celsius = 0;
    for (const ThermalPoint& point : points) {
      if (point.opp.mhz != at) continue;
      IndependentPlant plant(plant_of(soc, cluster), options.highest_ambient_c);
      plant.advance(2000, point.load);
      celsius = std::max(celsius, plant.celsius());
    }
    return celsius;
  };
  EXPECT_LE(hottest(mhz), limit_c - fallback_reserve_k + 0.2);
  EXPECT_GT(hottest(mhz + 100), limit_c - fallback_reserve_k);
  options.fallback_mhz = 650;
  EXPECT_EQ(fallback_mhz(soc, cluster, points, options), 600);
  options.fallback_mhz = 100;
  EXPECT_THROW((void)fallback_mhz(soc, cluster, points, options), Error);
}

TEST_F(LyingBoard, OptionsOutOfRangeAreRefused) {
  const auto refusal = [](const std::function<void(GovernOptions&)>& change) {
    GovernOptions changed;
    change(changed);
    try {
      check_options(changed);
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ExitCode::bad_input);
      return std::string(error.what());
    }
    return std::string("accepted");
  };
  EXPECT_THAT(refusal([](GovernOptions& o) { o.limit_c = NAN; }), HasSubstr("30 to 115 degrees"));
  EXPECT_THAT(refusal([](GovernOptions& o) { o.limit_c = 500; }), HasSubstr("30 to 115 degrees"));
  EXPECT_THAT(refusal([](GovernOptions& o) { o.limit_c = 85000; }), HasSubstr("millidegrees"));
  EXPECT_THAT(refusal([](GovernOptions& o) { o.margin_k = NAN; }), HasSubstr("--margin"));
  EXPECT_THAT(refusal([](GovernOptions& o) { o.period_s = 0; }), HasSubstr("--interval"));
  EXPECT_THAT(refusal([](GovernOptions& o) { o.lowest_ambient_c = 70; }), HasSubstr("the first must be the lower"));
  EXPECT_THAT(refusal([](GovernOptions& o) { o.fallback_mhz = 1e7; }), HasSubstr("--fallback-mhz"));
  EXPECT_EQ(refusal([](GovernOptions&) {}), "accepted");
}

// A short part of what bench_reliability runs: random plants, rooms, fans and lies, from a seed.
TEST_F(LyingBoard, ShortCampaign) {
  for (std::uint64_t seed = 1; seed <= 6; ++seed) {
    const CampaignDay day = campaign_day(soc, cluster, points, options, 6, seed);
    EXPECT_LE(day.truthful_k, 1) << seed;
    for (int kind = 1; kind < static_cast<int>(Lie::foreign); ++kind) {
      EXPECT_LE(day.lying_k[kind], 5) << "seed " << seed << ", " << name_of(static_cast<Lie>(kind));
    }
  }
}

TEST(LogLimit, LetsOneOfAKindThroughInTenMinutes) {
  LogLimit log;
  EXPECT_EQ(log.pass(0, "at 81.5 degrees"), "at 81.5 degrees");
  EXPECT_EQ(log.pass(1, "at -3 degrees"), std::nullopt);
  EXPECT_EQ(log.pass(2, "another"), "another");
  EXPECT_EQ(log.pass(601, "at 4 degrees"), "at 4 degrees (1 more of this kind since the last line)");
  EXPECT_EQ(log.pass(602, "at 5 degrees"), std::nullopt);
}

}  // namespace
}  // namespace trimtab::thermal
