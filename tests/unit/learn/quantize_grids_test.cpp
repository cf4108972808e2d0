// Grids of weights and activations, against exhaustive searches and closed forms.

#include <gtest/gtest.h>

#include <cmath>

#include "base/random.h"
#include "learn/grid_plan.h"
#include "learn/histogram.h"
#include "learn/weight_grid.h"
#include "support/graphs.h"

namespace trimtab {
namespace {

std::vector<float> normal_numbers(std::size_t count, std::uint64_t seed) {
  Random random(seed);
  std::vector<float> numbers(count);
  for (float& number : numbers) {
    number = static_cast<float>(random.normal());
  }
  return numbers;
}

double error_of(const std::vector<float>& weights, double scale, int bits) {
  double sum = 0;
  for (const float weight : weights) {
    const double back = quantize_weight(weight, static_cast<float>(scale), bits) * scale;
    sum += (weight - back) * (weight - back);
  }
  return sum;
}

TEST(WeightScale, MinMaxSaturatesNothingAndUsesTheWholeGrid) {
  for (const int bits : {2, 3, 4, 8}) {
    const std::vector<float> weights = normal_numbers(100, 7);
    const float scale = weight_scale(weights, bits, RangeMethod::min_max);
    int low = 0;
    int high = 0;
    for (const float weight : weights) {
      const int level = quantize_weight(weight, scale, bits);
      EXPECT_LE(std::abs(static_cast<float>(level) * scale - weight), std::abs(scale) * 0.5001F) << bits;
      low = std::min(low, level);
      high = std::max(high, level);
    }
    EXPECT_TRUE(low == -(1 << (bits - 1)) || high == (1 << (bits - 1)) - 1) << bits;
  }
}

TEST(WeightScale, LeastErrorIsNearTheBestOfAThousandScales) {
  for (const int bits : {2, 3, 4}) {
    const std::vector<float> weights = normal_numbers(200, static_cast<std::uint64_t>(bits));
    const float scale = weight_scale(weights, bits, RangeMethod::mse);
    double best = 1e30;
    for (int i = 1; i <= 1000; ++i) {
      best = std::min({best, error_of(weights, 0.003 * i, bits), error_of(weights, -0.003 * i, bits)});
    }
    EXPECT_LE(error_of(weights, scale, bits), best * 1.02) << bits;
    EXPECT_LE(error_of(weights, scale, bits),
              error_of(weights, weight_scale(weights, bits, RangeMethod::min_max), bits));
  }
}

TEST(WeightScale, MirrorsTheGridForALargePositiveWeight) {
  // 2 bits: -2, -1, 0, 1; only the mirrored grid holds all three exactly
  EXPECT_FLOAT_EQ(weight_scale(std::vector<float>{2, 1, -1}, 2, RangeMethod::mse), -1.0F);
  EXPECT_FLOAT_EQ(weight_scale(std::vector<float>{-2, -1, 1}, 2, RangeMethod::mse), 1.0F);
}

TEST(WeightGrid, NeverHasAZeroScaleAndLeavesRoomForTheBias) {
  const Tensor weight{{3, 2}, {0.5F, -0.25F, 0, 0, 1e-20F, 0}};
  const Tensor bias{{3}, {0, 3, -4}};
  const WeightGrid grid = make_weight_grid(weight, bias, 0.01F, 8, RangeMethod::mse);
  for (std::size_t c = 0; c < 3; ++c) {
    ASSERT_NE(grid.scale[c], 0);
    EXPECT_LE(std::abs(bias.data[c] / (0.01F * grid.scale[c])), std::exp2(24.0F) * 1.001F);
  }
  Tensor rounded = weight;
  round_to_grid(rounded, grid);
  EXPECT_EQ(rounded.data[2], 0);
  EXPECT_EQ(rounded.data[4], 0);
  EXPECT_NEAR(rounded.data[0], 0.5, 0.005);
}

TEST(Histogram, MinMaxReachesBothEnds) {
  Histogram histogram(-1, 3);
  histogram.add(std::vector<float>{-1, 0, 3});
  EXPECT_FLOAT_EQ(histogram.scale(8, true, RangeMethod::min_max, 1), 3.0F / 127);
  EXPECT_FLOAT_EQ(Histogram(0, 3).scale(8, false, RangeMethod::min_max, 1), 3.0F / 255);
  EXPECT_FLOAT_EQ(Histogram(0, 0).scale(8, false, RangeMethod::mse, 1), 1.0F);
}

TEST(Histogram, LeastErrorIsThatOfTheNormalDistribution) {
  // Optimal uniform quantizer of a standard normal variable with 4 and 3 bits: step 0.3352 and 0.5860 (Max, "Quantizing
  // for minimum distortion", 1960, table II). His grid has no level at zero, so the steps agree only roughly.
  const std::vector<float> numbers = normal_numbers(200000, 3);
  Histogram histogram(-5, 5);
  histogram.add(numbers);
  EXPECT_NEAR(histogram.scale(4, true, RangeMethod::mse, 1), 0.3352, 0.03);
  EXPECT_NEAR(histogram.scale(3, true, RangeMethod::mse, 1), 0.5860, 0.09);
  // and the error it promises is that of the numbers themselves
  const ActivationGrid grid{0.3F, 4, true};
  double sum = 0;
  for (const float number : numbers) {
    const double error = number - quantize(number, grid) * 0.3;
    sum += error * error;
  }
  EXPECT_NEAR(histogram.squared_error(grid), sum / 200000, 1e-4);
}

TEST(Histogram, PercentileLetsTheShareSaturate) {
  Histogram histogram(0, 100);
  std::vector<float> numbers;
  for (int i = 0; i < 10000; ++i) {
    numbers.push_back(static_cast<float>(i) * 0.01F);
  }
  histogram.add(numbers);
  EXPECT_NEAR(histogram.scale(8, false, RangeMethod::percentile, 0.9) * 255, 90, 0.2);
  EXPECT_NEAR(histogram.scale(8, false, RangeMethod::percentile, 1) * 255, 100, 0.2);
}

TEST(GridPlan, ConcatenationSharesItsWidestGridAndItsSign) {
  Random random(1);
  test::GraphMaker maker({3, 8, 8});
  const ValueId left = maker.add(test::random_conv(3, 4, 1, 1, 1, random), {0});
  const ValueId right = maker.add(Relu{}, {maker.add(test::random_conv(3, 4, 1, 1, 1, random), {0})});
  const ValueId both = maker.add(Concat{}, {left, right});
  const ValueId pooled = maker.add(Pool{}, {both});
  maker.add(test::random_conv(8, 2, 1, 1, 1, random), {pooled});
  const std::vector<Layer> layers = fuse_layers(maker.graph());
  Plan plan = uniform_plan(maker.graph(), 8, 8);
  plan.layers.at(0).activation_bits = 4;
  const auto grids = plan_grids(maker.graph(), layers, plan, true);
  EXPECT_EQ(grids.at(0), (ActivationGrid{1, 8, false}));
  for (const ValueId value : {left, right, both, pooled}) {
    EXPECT_EQ(grids.at(static_cast<std::size_t>(value)), (ActivationGrid{0, 8, true})) << value;
  }
  EXPECT_EQ(grids.back()->bits, 16);
  const Saturation saturation = saturation_of(maker.graph(), layers.at(1));
  EXPECT_EQ(integer_range(saturation, {0.1F, 8, true}).low, 0);
  EXPECT_EQ(integer_range(saturation, {0.1F, 8, true}).high, 127);
  EXPECT_EQ(integer_range({0, 6}, {0.1F, 8, false}).high, 60);
}

TEST(GridPlan, HalvesGoUpward) {
  const ActivationGrid grid{1, 8, true};
  EXPECT_EQ(quantize(0.5F, grid), 1);
  EXPECT_EQ(quantize(-0.5F, grid), 0);
  EXPECT_EQ(quantize(-1.5F, grid), -1);
  EXPECT_EQ(quantize(1000, grid), 127);
  EXPECT_EQ(quantize(-1000, grid), -128);
}

}  // namespace
}  // namespace trimtab
