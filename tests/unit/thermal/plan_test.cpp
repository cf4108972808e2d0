// Plans over several clusters, with deadlines and bounds on power, and bursts of limited time.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <numeric>

#include "base/error.h"
#include "base/file.h"
#include "support/fake_board.h"
#include "thermal/burst.h"
#include "thermal/plan.h"

namespace trimtab::thermal {
namespace {

using testing::HasSubstr;

Soc exynos() { return read_soc(source("targets/socs/exynos5422.toml")); }

std::vector<ClusterPoints> both_clusters(const Soc& soc) {
  std::vector<ClusterPoints> clusters;
  for (const auto& [name, variants] : std::vector<std::pair<std::string, std::vector<Variant>>>{
           {"a15", {{"exact", 4, 0.14, 0.008, 0.16, 71}, {"fast", 4, 0.08, 0.005, 0.09, 68}}},
           {"a7", {{"exact", 4, 0.28, 0.008, 0.08, 71}, {"fast", 4, 0.17, 0.005, 0.05, 68}}}}) {
    ClusterPoints own{find_cluster(soc, name), thermal_points(find_cluster(soc, name), variants)};
    for (const Opp& opp : own.cluster.opps) own.points.push_back(idle_point(own.cluster, opp));
    clusters.push_back(own);
  }
  return clusters;
}

/// One explicit Euler step of `h` seconds of the chain under the mean power of the shares, with the leakage of now.
void step(const Soc& soc, const std::vector<ClusterPoints>& clusters, const std::vector<PlanShare>& shares,
          double ambient_c, double h, std::vector<double>& celsius) {
  const std::size_t nodes = celsius.size();
  std::vector<double> flow(nodes, 0.0);
  flow.back() += soc.other_w;
  for (const PlanShare& share : shares) {
    const Cluster& cluster = clusters[share.cluster].cluster;
    flow[cluster.node] +=
        share.fraction * point_power(cluster, clusters[share.cluster].points[share.point], celsius[cluster.node]);
  }
  for (std::size_t n = 0; n < nodes; ++n) {
    const double next = n + 1 < nodes ? celsius[n + 1] : ambient_c;
    const double out = (celsius[n] - next) / soc.network.resistance[n];
    flow[n] -= out;
    if (n + 1 < nodes) flow[n + 1] += out;
  }
  for (std::size_t n = 0; n < nodes; ++n) celsius[n] += h * flow[n] / soc.network.capacity[n];
}

/// Steady temperatures of the nodes.
std::vector<double> settled(const Soc& soc, const std::vector<ClusterPoints>& clusters,
                            const std::vector<PlanShare>& shares, double ambient_c) {
  std::vector<double> celsius(soc.network.capacity.size(), ambient_c);
  for (int i = 0; i < 30000; ++i) step(soc, clusters, shares, ambient_c, 0.02, celsius);
  return celsius;
}

TEST(JointPlan, SettlesWhereTheBoardSettles) {
  const Soc soc = exynos();
  const std::vector<ClusterPoints> clusters = both_clusters(soc);
  PlanRequest request;
  request.ambient_c = 35;
  request.accuracy_floor = 70;
  const SustainedPlan plan = make_plan(soc, clusters, request);
  EXPECT_NEAR(plan.steady_c, settled(soc, clusters, plan.shares, 35).front(), 0.02);
  EXPECT_LE(plan.steady_c, request.limit_c + 1e-6);
  EXPECT_GT(plan.steady_c, request.limit_c - 0.5);  // the A7's leakage is taken at the A15's limit
  EXPECT_GE(plan.accuracy, 70 - 1e-6);
  for (std::size_t c = 0; c < clusters.size(); ++c) {
    double time = 0;
    for (const PlanShare& share : plan.shares) time += share.cluster == c ? share.fraction : 0;
    EXPECT_NEAR(time, 1, 1e-9);
  }
}

TEST(JointPlan, TwoClustersDoMoreThanOne) {
  const Soc soc = exynos();
  const std::vector<ClusterPoints> clusters = both_clusters(soc);
  const double both = make_plan(soc, clusters, {}).rate;
  EXPECT_GT(both, 1.1 * make_plan(soc, {clusters[0]}, {}).rate);
  EXPECT_GT(both, make_plan(soc, {clusters[1]}, {}).rate);
}

// Every mixture of two points per cluster in steps of a hundredth, for a board small enough to try them all.
TEST(JointPlan, NoMixtureIsBetter) {
  const Soc soc = exynos();
  std::vector<ClusterPoints> clusters = both_clusters(soc);
  for (ClusterPoints& cluster : clusters) {
    const std::vector<ThermalPoint> all = cluster.points;
    const std::size_t opps = cluster.cluster.opps.size();
    cluster.points = {all[opps - 1], all[opps + opps / 2], all[2 * opps]};  // exact at most, fast at half, idle
  }
  PlanRequest request;
  request.ambient_c = 35;
  request.accuracy_floor = 69.5;
  const SustainedPlan plan = make_plan(soc, clusters, request);
  double best = 0;
  const auto watts = [&](std::size_t c, std::size_t p) {
    return point_power(clusters[c].cluster, clusters[c].points[p], request.limit_c);
  };
  const double headroom = request.limit_c - request.ambient_c - soc.network.resistance.back() * soc.other_w;
  constexpr int parts = 50;
  for (int a = 0; a <= parts; ++a) {
    for (int b = 0; a + b <= parts; ++b) {
      for (int c = 0; c <= parts; ++c) {
        for (int d = 0; c + d <= parts; ++d) {
          const int shares[2][3] = {{a, b, parts - a - b}, {c, d, parts - c - d}};
          double rise = 0;
          double rate = 0;
          double correct = 0;
          for (std::size_t k = 0; k < 2; ++k) {
            const double r = total_resistance(soc.network, false, clusters[k].cluster.node);
            for (std::size_t p = 0; p < 3; ++p) {
              const double share = static_cast<double>(shares[k][p]) / parts;
              const ThermalPoint& point = clusters[k].points[p];
              rise += share * r * watts(k, p);
              rate += share * point.rate;
              correct += share * point.rate * point.accuracy;
            }
          }
          if (rise <= headroom && correct >= rate * request.accuracy_floor) best = std::max(best, rate);
        }
      }
    }
  }
  EXPECT_GE(plan.rate, best);
  EXPECT_LT(plan.rate, best * 1.05);  // the grid comes near
}

TEST(JointPlan, AnswersInTimeButForTheShareThatMayBeLate) {
  const Soc soc = exynos();
  const std::vector<ClusterPoints> clusters = both_clusters(soc);
  PlanRequest request;
  request.ambient_c = 35;
  const double free = make_plan(soc, clusters, request).rate;
  request.deadline_s = 0.06;
  const SustainedPlan strict = make_plan(soc, clusters, request);
  EXPECT_EQ(strict.late_share, 0);
  for (const PlanShare& share : strict.shares)
    EXPECT_LE(clusters[share.cluster].points[share.point].latency_s, request.deadline_s);
  request.miss_share = 0.1;
  const SustainedPlan lenient = make_plan(soc, clusters, request);
  EXPECT_NEAR(lenient.late_share, 0.1, 1e-6);
  EXPECT_GT(lenient.rate, strict.rate);
  EXPECT_LT(lenient.rate, free);
  request.miss_share = 0;
  request.deadline_s = 0.01;
  try {
    (void)make_plan(soc, clusters, request);
    ADD_FAILURE();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::bound_not_met);
    EXPECT_THAT(error.what(), HasSubstr("within 10 ms at any OPP; the fastest takes 45 ms"));
  }
}

TEST(JointPlan, KeepsTheMeanPowerAndUsesIt) {
  const Soc soc = exynos();
  const std::vector<ClusterPoints> clusters = both_clusters(soc);
  PlanRequest request;
  for (const double watts : {0.5, 1.0, 2.0, 4.0}) {
    request.mean_w = watts;
    const SustainedPlan plan = make_plan(soc, clusters, request);
    EXPECT_LE(plan.power_w, watts + 1e-9);
    EXPECT_GT(plan.power_w, 0.995 * watts);
  }
  request.mean_w = 0.001;
  EXPECT_THROW((void)make_plan(soc, clusters, request), Error);
}

TEST(JointPlan, LeastEnergyNeedsNoMoreThanAnyOtherPlanOfTheRate) {
  const Soc soc = exynos();
  const std::vector<ClusterPoints> clusters = both_clusters(soc);
  PlanRequest request;
  request.objective = Objective::energy;
  request.rate = 8;
  const SustainedPlan plan = make_plan(soc, clusters, request);
  EXPECT_NEAR(plan.rate, 8, 1e-6);
  // A plan of most inferences under a little less power must stay below the rate.
  PlanRequest fastest;
  fastest.mean_w = 0.99 * plan.power_w;
  EXPECT_LT(make_plan(soc, clusters, fastest).rate, 8);
}

TEST(JointPlan, ChangesOfFrequencyCostWhatTheyCost) {
  Cluster cluster;
  cluster.transition_s = 0.001;
  SustainedPlan plan;
  plan.shares = {{0, 0.9}, {1, 0.1}};
  // One step in ten is another point: two changes of 1 ms in ten steps of 0.5 s.
  EXPECT_NEAR(switching_loss({{cluster, {}}}, plan, 0.5), 2 * 0.001 / 5, 1e-12);
  plan.shares = {{0, 1.0}};
  EXPECT_EQ(switching_loss({{cluster, {}}}, plan, 0.5), 0);
}

TEST(Burst, UsesTheColdBoardAndStaysBelowTheLimit) {
  const Soc soc = exynos();
  const std::vector<ClusterPoints> clusters = both_clusters(soc);
  PlanRequest request;
  request.ambient_c = 35;
  request.accuracy_floor = 70;
  double last_gain = 1e9;
  for (const double duration : {10.0, 60.0, 600.0}) {
    const Burst burst = make_burst(soc, clusters, request, duration, 20);
    EXPECT_LE(burst.peak_c, request.limit_c + 0.01);
    EXPECT_GE(burst.accuracy, 70 - 1e-6);
    const double gain = burst.inferences / burst.sustained_inferences - 1;
    EXPECT_GT(gain, 0) << duration;
    EXPECT_LT(gain, last_gain) << duration;
    last_gain = gain;
    double inferences = 0;
    for (const BurstSlot& slot : burst.slots) inferences += slot.rate * (slot.to_s - slot.from_s);
    EXPECT_NEAR(inferences, burst.inferences, 1e-6 * inferences);
    EXPECT_NEAR(burst.slots.back().to_s, duration, 1e-9);
  }
  EXPECT_LT(last_gain, 0.02);  // in the long run there is no cold left
}

// The temperature along a burst, by Euler steps of its mean power.
TEST(Burst, HeatsTheBoardAsPhysicsSays) {
  const Soc soc = exynos();
  const std::vector<ClusterPoints> clusters = both_clusters(soc);
  PlanRequest request;
  request.ambient_c = 35;
  const Burst burst = make_burst(soc, clusters, request, 30, 15);
  std::vector<PlanShare> idle;
  for (std::size_t c = 0; c < clusters.size(); ++c) {
    const std::size_t idle_at_lowest = clusters[c].points.size() - clusters[c].cluster.opps.size();
    idle.push_back({idle_at_lowest, 1, c});
  }
  std::vector<double> celsius = settled(soc, clusters, idle, 35);
  constexpr double h = 0.002;
  for (const BurstSlot& slot : burst.slots) {
    const auto steps = std::llround((slot.to_s - slot.from_s) / h);
    for (std::int64_t i = 0; i < steps; ++i) step(soc, clusters, slot.shares, request.ambient_c, h, celsius);
    EXPECT_NEAR(slot.celsius, celsius.front(), 1.5);  // dithering ends a slot above or below its mean
    EXPECT_LE(celsius.front(), request.limit_c + 0.01);
  }
}

TEST(JointPlan, ClustersHeatTheNodesThatTheyName) {
  const TemporaryDirectory folder;
  const Soc soc = exynos();
  EXPECT_EQ(find_cluster(soc, "a15").node, 0U);
  EXPECT_EQ(find_cluster(soc, "a7").node, 1U);
  const auto file = folder.path() / "soc.toml";
  write_file(file, format_soc(soc));
  EXPECT_EQ(find_cluster(read_soc(file), "a7").node, 1U);
  std::string text = format_soc(soc);
  text.replace(text.find("heats = \"die\""), 13, "heats = \"sun\"");
  write_file(file, text);
  try {
    (void)read_soc(file);
    ADD_FAILURE();
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("'a7' heats 'sun'; the nodes are hot spot, die, board"));
  }
}

TEST(JointPlan, VariantsBelongToTheirClusters) {
  const TemporaryDirectory folder;
  const auto file = folder.path() / "net.csv";
  write_file(file,
             "cluster,variant,cores,gcycles,fixed_ms,mj_per_v2,accuracy\na15,v,4,0.1,1,1,70\na7,v,4,0.2,1,1,70\n");
  const std::vector<Variant> variants = read_variants(file);
  const Soc soc = exynos();
  const std::vector<Variant> own = variants_of(variants, find_cluster(soc, "a7"));
  ASSERT_EQ(own.size(), 1U);
  EXPECT_EQ(own.front().gcycles, 0.2);
  Cluster other = soc.clusters.front();
  other.name = "m4";
  EXPECT_THROW((void)variants_of(variants, other), Error);
}

}  // namespace
}  // namespace trimtab::thermal
