#include "thermal/govern.h"

#include <gtest/gtest.h>

#include "base/error.h"
#include "support/fake_board.h"
#include "support/independent_plant.h"

namespace trimtab::thermal {
namespace {

// The controller alone, in this process; tests/correctness/daemon drives the built command through a day.
TEST(Govern, IsFastWhereNothingFails) {
  const Soc soc = read_soc(source("targets/socs/exynos5422.toml"));
  const Cluster& cluster = find_cluster(soc, "a15");
  const std::vector<ThermalPoint> points =
      thermal_points(cluster, read_variants(source("targets/socs/mobilenet_v1-exynos5422.csv")).front());
  FakeBoard::Faults none;
  none.noise_k = 0.2;
  none.delay_steps = 0;
  none.dropouts = none.lies = none.ambients = none.stuck_fan = false;
  FakeBoard board(soc, cluster, points, 1, none);
  GovernOptions options;
  Controller controller(soc, cluster, points, options);
  BoardFiles files;
  files.root = board.root();
  SysfsDevice device(files, options.limit_c);
  govern(controller, device, board, options.period_s, {});
  device.restore(device.found_khz());
  EXPECT_LE(board.worst(), 86.0);
  EXPECT_EQ(read_attribute(board.frequency()), "2000000");
  const double ideal = make_plan(board.true_soc(), board.true_cluster(), points, {}).rate;
  // Without faults the daemon must not be slower than what its margin costs.
  EXPECT_GE(board.mean_rate(), 0.93 * ideal);
  RecordProperty("peak_c", fmt::format("{:.2f}", board.worst()));
  RecordProperty("share_of_ideal_rate", fmt::format("{:.4f}", board.mean_rate() / ideal));
  fmt::print("one calm hour: peak {:.2f} degrees, {:.2f} of {:.2f} inferences/s\n", board.worst(), board.mean_rate(),
             ideal);
}

TEST(Govern, HoldsTheFallbackWithoutASensor) {
  const Soc soc = read_soc(source("targets/socs/exynos5422.toml"));
  const Cluster& cluster = find_cluster(soc, "a15");
  const std::vector<ThermalPoint> points =
      thermal_points(cluster, read_variants(source("targets/socs/mobilenet_v1-exynos5422.csv")).front());
  Controller controller(soc, cluster, points, {});
  IndependentPlant plant(plant_of(soc, cluster), 25);
  for (int i = 0; i < 100; ++i) {
    plant.advance(0.5, points[controller.step(i * 0.5, {{plant.celsius()}, 0})].load);
    EXPECT_EQ(controller.trouble(), "");
  }
  for (int i = 100; i < 110; ++i) {
    EXPECT_EQ(controller.step(i * 0.5, {{std::nullopt}, 0}), controller.fallback());
    EXPECT_NE(controller.trouble(), "");
  }
  for (const double lie : {-41.0, 200.0, 0.045}) EXPECT_EQ(controller.step(60, {{lie}, 0}), controller.fallback());
}

}  // namespace
}  // namespace trimtab::thermal
