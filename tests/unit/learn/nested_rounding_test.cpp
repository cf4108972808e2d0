#include "learn/nested_rounding.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "learn/input_moments.h"
#include "learn/nested_grid.h"
#include "learn/nested_simulation.h"
#include "plan/layers.h"
#include "support/graphs.h"

namespace trimtab {
namespace {

using test::GraphMaker;

/// Sums of `rows` random vectors' outer products: symmetric, with correlated entries.
std::vector<float> random_moments(std::size_t n, std::size_t rows, Random& random) {
  std::vector<float> moments(n * n, 0);
  for (std::size_t r = 0; r < rows; ++r) {
    std::vector<double> x(n);
    const double common = random.normal();
    for (double& value : x) value = random.normal() + common;
    for (std::size_t i = 0; i < n * n; ++i) moments[i] += static_cast<float>(x[i / n] * x[i % n]);
  }
  return moments;
}

/// e' H e by the definition, in double precision.
ByRoundingBits naive_errors(const std::vector<float>& weights, float scale, const std::vector<float>& moments,
                            const std::vector<std::int8_t>& digits) {
  const StoredWeights stored{StoredWeights::Grid::nested, digits, {scale}};
  const std::size_t n = weights.size();
  ByRoundingBits errors{};
  for (std::size_t p = 0; p < errors.size(); ++p) {
    for (std::size_t i = 0; i < n * n; ++i) {
      const double a =
          static_cast<double>(stored.weight(i / n, rounding_bits[p])) - static_cast<double>(weights[i / n]);
      const double b =
          static_cast<double>(stored.weight(i % n, rounding_bits[p])) - static_cast<double>(weights[i % n]);
      errors[p] += a * static_cast<double>(moments[i]) * b;
    }
  }
  return errors;
}

double sum_of(const ByRoundingBits& errors, const ByRoundingBits& importance) {
  double sum = 0;
  for (std::size_t p = 0; p < errors.size(); ++p) sum += errors[p] * importance[p];
  return sum;
}

TEST(NestedRounding, NoSingleDigitCanBeBetter) {
  Random random(4);
  const std::size_t n = 6;
  const ByRoundingBits importance{64, 16, 8, 4, 1};
  double before = 0;
  double after = 0;
  for (int trial = 0; trial < 5; ++trial) {
    const std::vector<float> moments = random_moments(n, 12, random);
    std::vector<float> weights(n);
    for (float& w : weights) w = static_cast<float>(random.normal());
    const float scale = 0.02F;
    std::vector<std::int8_t> nearest;
    for (const float w : weights) nearest.push_back(quantize_nested(w, scale));
    const ByRoundingBits got = output_errors(weights, scale, moments, nearest);
    const ByRoundingBits wanted = naive_errors(weights, scale, moments, nearest);
    for (std::size_t p = 0; p < got.size(); ++p) EXPECT_NEAR(got[p], wanted[p], 1e-3 * wanted[p]);

    std::vector<std::int8_t> digits = nearest;
    round_channel(weights, scale, moments, importance, digits);
    const double reached = sum_of(naive_errors(weights, scale, moments, digits), importance);
    EXPECT_LE(reached, sum_of(wanted, importance));
    before += sum_of(wanted, importance);
    after += reached;
    for (std::size_t i = 0; i < n; ++i) {
      for (int digit = -128; digit < 128; ++digit) {
        std::vector<std::int8_t> other = digits;
        other[i] = static_cast<std::int8_t>(digit);
        EXPECT_GE(sum_of(naive_errors(weights, scale, moments, other), importance), reached * (1 - 1e-4));
      }
    }
  }
  EXPECT_LT(after, 0.8 * before);  // the nearest digits were often not the best
}

TEST(NestedRounding, WithInputsThatDoNotCorrelateTheNearestAtOnePrecisionIsBest) {
  Random random(5);
  const std::size_t n = 50;
  std::vector<float> moments(n * n, 0);
  for (std::size_t i = 0; i < n; ++i) moments[i * n + i] = static_cast<float>(random.uniform(0.1, 2));
  std::vector<float> weights(n);
  for (float& w : weights) w = static_cast<float>(random.uniform(-2, 2));
  std::vector<std::int8_t> digits(n, 0);
  round_channel(weights, 0.02F, moments, {1, 0, 0, 0, 0}, digits);
  for (std::size_t i = 0; i < n; ++i) EXPECT_EQ(digits[i], quantize_nested(weights[i], 0.02F));
}

/// Pixels of which neighbours are alike.
Dataset smooth_pixels(const Shape& shape, std::int64_t count, std::uint64_t seed) {
  Random random(seed);
  Dataset data;
  std::vector<std::uint8_t> values;
  data.shape = shape;
  data.classes = {"a", "b"};
  for (std::int64_t i = 0; i < count; ++i) {
    double value = 128;
    for (std::int64_t p = 0; p < element_count(shape); ++p) {
      value = std::clamp(value + random.uniform(-25, 25), 0.0, 255.0);
      values.push_back(static_cast<std::uint8_t>(value));
    }
    data.labels.push_back(i % 2);
  }
  data.pixels = {std::move(values), element_count(data.shape)};
  return data;
}

TEST(InputMoments, AreTheCovariancesOfThePatches) {
  Random random(6);
  GraphMaker maker({4, 7, 6});
  Conv conv = test::random_conv(4, 6, 3, 3, 2, random);
  conv.stride = {2, 1};
  conv.padding = {1, 0, 0, 2};
  conv.padding_value = {{4}, {10, 20, 30, 40}};
  maker.add(conv, {0});
  const Dataset data = smooth_pixels({4, 7, 6}, 5, 1);
  const Graph graph = maker.graph();
  const std::vector<InputMoments> moments = input_moments(graph, data, 1000, 1000);
  ASSERT_EQ(moments.size(), 1U);
  ASSERT_EQ(moments[0].groups, 2);
  ASSERT_EQ(moments[0].size, 18);
  // 3 x 6 positions: rows from -1 in steps of 2, columns from 0
  std::vector<std::vector<std::vector<double>>> patches(2);
  for (std::int64_t sample = 0; sample < 5; ++sample) {
    for (std::int64_t y = -1; y + 3 <= 7; y += 2) {
      for (std::int64_t x = 0; x + 3 <= 8; ++x) {
        for (std::int64_t group = 0; group < 2; ++group) {
          std::vector<double>& patch = patches[static_cast<std::size_t>(group)].emplace_back();
          for (std::int64_t i = 0; i < 18; ++i) {
            const std::int64_t c = 2 * group + i / 9;
            const std::int64_t row = y + i % 9 / 3;
            const std::int64_t column = x + i % 3;
            const bool inside = row >= 0 && row < 7 && column < 6;
            patch.push_back(inside ? data.pixels[sample][static_cast<std::size_t>((c * 7 + row) * 6 + column)]
                                   : 10.0 * static_cast<double>(c + 1));
          }
        }
      }
    }
  }
  for (std::size_t group = 0; group < 2; ++group) {
    const auto count = static_cast<double>(patches[group].size());
    for (std::size_t i = 0; i < 18; ++i) {
      for (std::size_t j = 0; j < 18; ++j) {
        double a = 0, b = 0, product = 0;
        for (const auto& patch : patches[group]) {
          a += patch[i];
          b += patch[j];
          product += patch[i] * patch[j];
        }
        const double wanted = product / count - a / count * b / count;
        EXPECT_NEAR(moments[0].moments[group * 324 + i * 18 + j], wanted, 1e-3 * (std::abs(wanted) + 100));
      }
    }
  }
}

TEST(InputMoments, LargeLayersAreLeftOut) {
  Random random(7);
  GraphMaker maker({2, 5, 5});
  maker.add(test::random_conv(2, 3, 3, 3, 1, random), {0});
  const std::vector<InputMoments> moments = input_moments(maker.graph(), smooth_pixels({2, 5, 5}, 2, 1), 17, 10);
  EXPECT_TRUE(moments[0].moments.empty());
}

TEST(LearnRounding, KeepsMoreOfTheNetworkAtFewBits) {
  Random random(8);
  GraphMaker maker({3, 10, 10});
  Conv first = test::random_conv(3, 12, 3, 3, 1, random);
  for (float& w : first.weight.data) w /= 100;
  ValueId x = maker.add(first, {0});
  x = maker.add(Relu{}, {x});
  x = maker.add(test::random_conv(12, 16, 3, 3, 1, random), {x});
  x = maker.add(Relu{}, {x});
  x = maker.add(GlobalAveragePool{false}, {x});
  maker.add(Linear{test::random_tensor({6, 16}, random), test::random_tensor({6}, random)}, {x});
  const Dataset data = smooth_pixels({3, 10, 10}, 64, 2);
  const Dataset held_back = smooth_pixels({3, 10, 10}, 64, 3);
  const NestedNetwork nearest = make_nested(maker.graph(), data, {});
  NestedNetwork learned = nearest;
  learn_rounding(learned, data);
  const std::size_t layers = fuse_layers(nearest.graph).size();
  const auto error = [&](const NestedNetwork& network, int bits) {
    NestedSimulation simulation(network, held_back, true, 1);
    const std::vector<float> got = simulation.outputs(std::vector<Precision>(layers, {bits, 8}));
    const std::vector<float>& wanted = simulation.float_outputs();
    double sum = 0;
    for (std::size_t i = 0; i < got.size(); ++i) sum += std::pow(static_cast<double>(got[i] - wanted[i]), 2);
    return sum;
  };
  for (const int bits : {6, 5, 4}) EXPECT_LT(error(learned, bits), 0.7 * error(nearest, bits)) << bits;
  // Digits that serve the fewer bits cost the most bits something, but not so that it would show.
  EXPECT_LT(error(learned, 8), error(nearest, 6));
}

}  // namespace
}  // namespace trimtab
