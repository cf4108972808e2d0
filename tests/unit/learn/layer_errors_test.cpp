#include "learn/layer_errors.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <ranges>

#include "learn/quantize.h"
#include "plan/layers.h"
#include "support/graphs.h"

namespace trimtab {
namespace {

constexpr std::int64_t features = 6;
constexpr std::int64_t hidden = 5;
constexpr std::int64_t output_channels = 4;
constexpr std::int64_t samples = 24;

/// Two layers, the first with a ReLU, on vectors.
Graph two_layers() {
  Random random(3);
  test::GraphMaker maker({features});
  Linear first{test::random_tensor({hidden, features}, random), test::random_tensor({hidden}, random)};
  const ValueId sum = maker.add(first, {0});
  const ValueId positive = maker.add(Relu{}, {sum});
  maker.add(
      Linear{test::random_tensor({output_channels, hidden}, random), test::random_tensor({output_channels}, random)},
      {positive});
  return maker.graph();
}

Dataset random_features() {
  Random random(4);
  Dataset data;
  data.shape = {features};
  std::vector<float> values;
  for (std::int64_t i = 0; i < samples * features; ++i) values.push_back(static_cast<float>(random.uniform(-2, 2)));
  data.features = Samples<float>(std::move(values), features);
  return data;
}

using Vector = std::vector<double>;

Vector multiply(const Operator& op, const Vector& x) {
  const Linear& linear = std::get<Linear>(op);
  Vector y;
  for (std::int64_t row = 0; row < linear.weight.shape[0]; ++row) {
    double sum = linear.bias.data[static_cast<std::size_t>(row)];
    for (std::size_t i = 0; i < x.size(); ++i)
      sum += static_cast<double>(linear.weight.data[row * x.size() + i]) * x[i];
    y.push_back(sum);
  }
  return y;
}

/// The operator with the weights of another.
Operator with_weights(Operator op, const Operator& other) {
  *weight_of(op) = *weight_of(other);
  return op;
}

Vector positive(Vector x) {
  for (double& value : x) value = std::max(value, 0.0);
  return x;
}

Vector rounded(Vector x, const ActivationGrid& grid) {
  for (double& value : x) value = dequantize(quantize(static_cast<float>(value), grid), grid);
  return x;
}

double sqnr_db(const std::vector<Vector>& reference, const std::vector<Vector>& other) {
  double signal = 0;
  double error = 0;
  for (std::size_t s = 0; s < reference.size(); ++s) {
    for (std::size_t i = 0; i < reference[s].size(); ++i) {
      signal += reference[s][i] * reference[s][i];
      error += (other[s][i] - reference[s][i]) * (other[s][i] - reference[s][i]);
    }
  }
  return 10 * std::log10(signal / error);
}

TEST(LayerErrors, AreThoseOfPlainLoops) {
  const Graph graph = two_layers();
  const Dataset data = random_features();
  Plan plan = uniform_plan(graph, 4, 4);
  plan.layers.front().weight_bits = 2;
  const QuantizedNetwork network = quantize_post_training(graph, plan, data, {});
  const LayerErrors errors = measure_layer_errors(graph, network, data, {});
  ASSERT_EQ(errors.samples, samples);
  ASSERT_EQ(errors.layers.size(), 2U);
  const LayerError& first = errors.layers[0];
  const LayerError& second = errors.layers[1];
  EXPECT_EQ(first.layer, "node0");
  EXPECT_EQ(second.layer, "node2");

  const Operator first_rounded = with_weights(graph.nodes[0].op, network.graph.nodes[0].op);
  const Operator second_rounded = with_weights(graph.nodes[2].op, network.graph.nodes[2].op);
  std::vector<Vector> middle;
  std::vector<Vector> exact;
  std::vector<Vector> by_weights;
  std::vector<Vector> by_rounding;
  std::vector<Vector> by_second;
  std::int64_t beyond = 0;
  std::vector<float> sample(features);
  for (std::int64_t s = 0; s < samples; ++s) {
    data.read(s, {}, sample);
    const Vector x(sample.begin(), sample.end());
    const Vector y = positive(multiply(graph.nodes[0].op, x));
    middle.push_back(y);
    exact.push_back(multiply(graph.nodes[2].op, y));
    by_weights.push_back(multiply(graph.nodes[2].op, positive(multiply(first_rounded, x))));
    by_rounding.push_back(multiply(graph.nodes[2].op, rounded(y, first.grid)));
    by_second.push_back(rounded(multiply(second_rounded, y), second.grid));
    for (const double value : y)
      beyond += value > (first.grid.highest_step() + 0.5) * static_cast<double>(first.grid.scale) ? 1 : 0;
  }
  EXPECT_NEAR(first.weights_alone_sqnr_db.value(), sqnr_db(exact, by_weights), 1e-3);
  EXPECT_NEAR(first.activations_alone_sqnr_db.value(), sqnr_db(exact, by_rounding), 1e-3);
  EXPECT_NEAR(second.alone_sqnr_db.value(), sqnr_db(exact, by_second), 1e-3);
  EXPECT_NEAR(first.saturated_percent, 100.0 * static_cast<double>(beyond) / (samples * hidden), 1e-9);
  // 2 bits of weights are the worst here
  EXPECT_LT(first.alone_sqnr_db.value(), second.alone_sqnr_db.value());
  EXPECT_LT(first.weights_alone_sqnr_db.value(), first.activations_alone_sqnr_db.value());
  std::int64_t counted = 0;
  for (const std::int64_t count : first.counts) counted += count;
  EXPECT_EQ(counted, samples * hidden);
  EXPECT_NEAR(first.high,
              std::ranges::max(middle | std::views::transform([](const Vector& y) { return std::ranges::max(y); })),
              1e-5);
}

TEST(LayerErrors, GatherOverTheLayers) {
  const Graph graph = two_layers();
  const Dataset data = random_features();
  Plan plan = uniform_plan(graph, 8, 8);
  const QuantizedNetwork fine = quantize_post_training(graph, plan, data, {});
  plan.layers.front().weight_bits = 2;
  const QuantizedNetwork coarse = quantize_post_training(graph, plan, data, {});
  const LayerErrors small = measure_layer_errors(graph, fine, data, {});
  const LayerErrors large = measure_layer_errors(graph, coarse, data, {});
  // the second layer is the same in both, and yet what reaches it is not
  EXPECT_GT(small.layers[1].sqnr_db.value(), large.layers[1].sqnr_db.value() + 10);
  EXPECT_NEAR(small.layers[1].weights_alone_sqnr_db.value(), large.layers[1].weights_alone_sqnr_db.value(), 1e-6);
}

TEST(LayerErrors, TrainedWeightsAreNoError) {
  const Graph graph = two_layers();
  const Dataset data = random_features();
  const QuantizedNetwork network = quantize_post_training(graph, uniform_plan(graph, 2, 8), data, {});
  LayerErrorOptions options;
  options.trained = true;
  for (const LayerError& layer : measure_layer_errors(graph, network, data, options).layers) {
    EXPECT_FALSE(layer.weights_alone_sqnr_db.has_value());
    EXPECT_GT(layer.sqnr_db.value(), 20);
  }
}

}  // namespace
}  // namespace trimtab
