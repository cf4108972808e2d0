#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "base/error.h"
#include "scale/level_meter.h"
#include "scale/network_energy.h"
#include "scale/point_choice.h"

namespace trimtab {
namespace {

/// A point of so much energy that loses so many percent points at the only level.
ScalePoint point_of(double energy, double lost) {
  ScalePoint point;
  point.energy.macs = energy;
  point.measured.resize(1);
  point.measured[0].tune_lost.mean = lost;
  return point;
}

TEST(ChoosePoint, SmoothsLossesSoThatTheyNeverFallWithTheEnergy) {
  ScaleResult result;
  // by energy: 0, 1.2, 0.4, 2, 0.8, 3; smoothed: 0, 0.8, 0.8, 1.4, 1.4, 3
  result.points = {point_of(60, 0),   point_of(40, 0.4), point_of(50, 1.2),
                   point_of(20, 0.8), point_of(10, 3),   point_of(30, 2)};
  EXPECT_EQ(choose_point(result, 0, 0.5), 0U);
  EXPECT_EQ(choose_point(result, 0, 0.8), 1U);
  EXPECT_EQ(choose_point(result, 0, 1.3), 1U);
  EXPECT_EQ(choose_point(result, 0, 1.4), 3U);
  EXPECT_EQ(choose_point(result, 0, 3), 4U);
  result.points[4].uniform = true;
  EXPECT_EQ(choose_point(result, 0, 3), 3U);
  result.points[0] = point_of(60, 0.7);
  EXPECT_EQ(choose_point(result, 0, 0.5), 0U);  // none is good enough: all bits
}

TEST(MeasureLost, IsInPointsOfRatesAndPercentOfErrors) {
  EXPECT_NEAR(measure_lost(Measure::top1, 90, 88.5), 1.5, 1e-12);
  EXPECT_NEAR(measure_lost(Measure::mean_iou, 60, 61), -1, 1e-12);
  EXPECT_NEAR(measure_lost(Measure::auc, 0.95, 0.92), 3, 1e-12);
  EXPECT_NEAR(measure_lost(Measure::mse, 0.02, 0.021), 5, 1e-12);
  EXPECT_EQ(measure_lost(Measure::mse, 0, 0), 0);
  EXPECT_EQ(measure_lost(Measure::mse, 0, 0.1), std::numeric_limits<double>::infinity());
  EXPECT_NEAR(measure_lost(Measure::sqnr_db, std::numeric_limits<double>::infinity(), 30), 0.1, 1e-12);
}

TEST(Jackknife, OfOneSamplePerBlockIsTheStandardError) {
  const std::vector<double> samples{1, 4, 2, 8, 5, 7};
  const double sum = 27;
  std::vector<double> without;
  for (const double one : samples) without.push_back((sum - one) / 5);
  double squares = 0;
  for (const double one : samples) squares += std::pow(one - sum / 6, 2);
  EXPECT_NEAR(jackknife_half_width(without), 1.96 * std::sqrt(squares / 5 / 6), 1e-12);
}

TEST(ChooseSavingPoint, LosesLeastOfThoseThatSaveEnough) {
  ScaleResult result;
  result.points = {point_of(100, 0), point_of(60, 0.3), point_of(50, 0.2), point_of(40, 0.9), point_of(30, 0.1)};
  for (ScalePoint& point : result.points) point.saved_percent = 100 - point.energy.total();
  result.points[4].uniform = true;
  EXPECT_EQ(choose_saving_point(result, 0, 0), 0U);
  EXPECT_EQ(choose_saving_point(result, 0, 40), 2U);
  EXPECT_EQ(choose_saving_point(result, 0, 55), 3U);
  EXPECT_EQ(choose_saving_point(result, 0, 65), std::nullopt);
}

TEST(MeanDivergence, IsThatOfKullbackAndLeibler) {
  const std::vector<float> p{0.5F, 0.5F, 1, 0};
  const std::vector<float> q{0.25F, 0.75F, 0.5F, 0.5F};
  const double first = 0.5 * std::log(2.0) + 0.5 * std::log(0.5 / 0.75);
  EXPECT_NEAR(mean_divergence(p, q, 2), (first + std::log(2.0)) / 2, 1e-6);
  EXPECT_EQ(mean_divergence(p, p, 2), 0);
}

/// conv (3 -> 4, 3x3, padded, 8x8 pixels) with Relu, then a linear layer to 5.
Graph small_network() {
  Graph graph;
  graph.name = "net";
  graph.values = {{"in", {3, 8, 8}}, {"c", {4, 8, 8}}, {"r", {4, 8, 8}}, {"flat", {256}}, {"out", {5}}};
  graph.input = 0;
  graph.output = 4;
  Conv conv;
  conv.weight = {{4, 3, 3, 3}, std::vector<float>(108, 0.1F)};
  conv.padding = {1, 1, 1, 1};
  graph.nodes.push_back({"conv", conv, {0}, 1});
  graph.nodes.push_back({"relu", Relu{}, {1}, 2});
  graph.nodes.push_back({"flat", Reshape{{256}}, {2}, 3});
  graph.nodes.push_back({"fc", Linear{{{5, 256}, std::vector<float>(1280, 0.1F)}, {}}, {3}, 4});
  return graph;
}

TEST(NetworkEnergy, IsMultiplyAccumulatesByWidthsAndTheBitsOfTheWeights) {
  const EnergyTable table = load_energy_table("bitblade");
  const NetworkEnergy energy(small_network(), table, false);
  const double memory = table.weights.fj_per_bit;
  EXPECT_NEAR(energy.full().total(), 1e-6 * ((108 * 64 + 1280) * 873 + 8 * (108 + 1280) * memory), 1e-9);
  EXPECT_FALSE(energy.full().interpolated);
  // The convolution's output at 4 bits is the linear layer's input; its own input stays at 8.
  const std::vector<Precision> precision{{4, 4}, {8, 4}, {8, 8}};
  const InferenceEnergy mixed = energy.at(precision);
  EXPECT_NEAR(mixed.macs, 1e-6 * (108 * 64 * 430 + 1280 * 430), 1e-9);
  EXPECT_NEAR(mixed.weights, 1e-6 * (4 * 108 + 8 * 1280) * memory, 1e-9);
  EXPECT_EQ(mixed.activations, 0);
  EXPECT_TRUE(energy.at({{6, 8}, {8, 8}, {8, 8}}).interpolated);
}

TEST(NetworkEnergy, RefusesPairsThatTheTableLacks) {
  const NetworkEnergy energy(small_network(), load_energy_table("horowitz"), false);
  EXPECT_GT(energy.full().total(), 0);
  EXPECT_THROW((void)energy.at({{4, 8}, {8, 8}, {8, 8}}), Error);
}

}  // namespace
}  // namespace trimtab
