// Post-training quantization and its simulation in integers, on small networks, against the float network and a naive
// evaluation; networks as files.

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <sstream>

#include "base/error.h"
#include "base/file.h"
#include "base/random.h"
#include "graph/passes.h"
#include "learn/inference.h"
#include "learn/quantization_aware.h"
#include "learn/quantize.h"
#include "learn/quantized_simulation.h"
#include "plan/quantized_network_file.h"
#include "support/graphs.h"

namespace trimtab {
namespace {

/// Conv with BatchNormalization and ReLU6, a residual block, a Concat, both pools, a Linear: what a device runs.
Graph small_network(std::uint64_t seed) {
  Random random(seed);
  test::GraphMaker maker({3, 8, 8});
  const auto conv = [&](ValueId input, std::int64_t from, std::int64_t to, std::int64_t size) {
    Conv op = test::random_conv(from, to, size, size, 1, random);
    for (float& weight : op.weight.data) {
      weight /= 0.577F * std::sqrt(static_cast<float>(from * size * size));  // unit gain
    }
    op.padding = {size / 2, size / 2, size / 2, size / 2};
    if (input == 0) {
      for (float& weight : op.weight.data) {
        weight /= 100;
      }
      op.padding_value = {{3}, {124.2F, 116.7F, 103.9F}};
    }
    BatchNormalization norm = test::random_normalization(to, random);
    norm.scale.data[0] = -norm.scale.data[0];  // folds to a negative scale
    return maker.add(norm, {maker.add(op, {input})});
  };
  const ValueId first = maker.add(Clip{0, 3}, {conv(0, 3, 8, 3)});
  const ValueId second = maker.add(Relu{}, {maker.add(Add{}, {conv(first, 8, 8, 3), first})});
  const ValueId pooled = maker.add(Pool{}, {second});
  const ValueId both = maker.add(Concat{}, {maker.add(Relu{}, {conv(pooled, 8, 4, 1)}), conv(pooled, 8, 4, 3)});
  const ValueId mean = maker.add(GlobalAveragePool{false}, {both});
  maker.add(Linear{test::random_tensor({5, 8}, random), test::random_tensor({5}, random)}, {mean});
  return maker.graph();
}

Dataset random_pixels(std::int64_t count, std::uint64_t seed) {
  Random random(seed);
  Dataset data;
  std::vector<std::uint8_t> values;
  data.shape = {3, 8, 8};
  data.classes = {"a", "b", "c", "d", "e"};
  for (std::int64_t i = 0; i < count; ++i) {
    data.labels.push_back(i % 5);
    const std::int64_t tone = 30 + 40 * (i % 5);  // something to learn
    for (int k = 0; k < 3 * 64; ++k) {
      values.push_back(static_cast<std::uint8_t>(random.integer(tone - 30, tone + 60) + (k < 64 ? i % 2 : 0)));
    }
  }
  data.pixels = {std::move(values), element_count(data.shape)};
  return data;
}

std::vector<float> float_outputs(const Graph& graph, const Dataset& data) {
  const std::vector<std::uint8_t> pixels = data.pixels.values();
  return FloatNetwork(graph, "cpu", 1).run(std::vector<float>(pixels.begin(), pixels.end()), data.size());
}

/// Signal to noise of the quantized network's outputs, in dB.
double fidelity(const Graph& graph, const QuantizedNetwork& network, const Dataset& data) {
  const std::vector<float> wanted = float_outputs(graph, data);
  const std::vector<std::int32_t> got = QuantizedSimulation(network).run(data, 0, data.size());
  const float scale = network.values.at(static_cast<std::size_t>(network.graph.output))->scale;
  std::vector<double> mean(5, 0.0);  // what an output always is, is no signal
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    mean[i % 5] += static_cast<double>(wanted[i]) / static_cast<double>(data.size());
  }
  double signal = 0;
  double noise = 0;
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    signal += std::pow(wanted[i] - mean[i % 5], 2);
    noise += std::pow(static_cast<double>(got.at(i)) * scale - wanted[i], 2);
  }
  return 10 * std::log10(signal / noise);
}

void expect_weights_on_grids(const QuantizedNetwork& network) {
  for (std::size_t i = 0; i < network.graph.nodes.size(); ++i) {
    const Operator& op = network.graph.nodes[i].op;
    const Tensor* weight = std::holds_alternative<Conv>(op)     ? &std::get<Conv>(op).weight
                           : std::holds_alternative<Linear>(op) ? &std::get<Linear>(op).weight
                                                                : nullptr;
    ASSERT_EQ(weight != nullptr, network.weights.at(i).has_value());
    if (weight == nullptr) {
      continue;
    }
    const WeightGrid& grid = *network.weights[i];
    const std::size_t per_channel = weight->data.size() / grid.scale.size();
    for (std::size_t k = 0; k < weight->data.size(); ++k) {
      const float scale = grid.scale[k / per_channel];
      const float integer = std::round(weight->data[k] / scale);
      EXPECT_EQ(integer * scale, weight->data[k]);  // exactly
      EXPECT_GE(integer, -std::exp2(static_cast<float>(grid.bits) - 1));
      EXPECT_LE(integer, std::exp2(static_cast<float>(grid.bits) - 1) - 1);
    }
  }
}

CalibrationOptions one_thread() {
  CalibrationOptions options;
  options.threads = 1;
  return options;
}

TEST(QuantizePostTraining, IsCloserToTheFloatNetworkTheMoreBitsItHas) {
  const Graph graph = small_network(1);
  const Dataset data = random_pixels(64, 2);
  double before = -100;
  for (const int bits : {3, 4, 6, 8}) {
    const QuantizedNetwork network = quantize_post_training(graph, uniform_plan(graph, bits, 8), data, one_thread());
    expect_weights_on_grids(network);
    const double now = fidelity(graph, network, data);
    // beyond 6 bits the activations limit it, which keep their 8
    EXPECT_GT(now, before + (bits > 6 ? 1 : 3)) << bits;
    before = now;
  }
  EXPECT_GT(before, 25);
}

TEST(QuantizePostTraining, BiasCorrectionKeepsTheMeanOfTheOutputs) {
  const Graph graph = small_network(3);
  const Dataset data = random_pixels(64, 4);
  const std::vector<float> wanted = float_outputs(graph, data);
  const auto mean_error = [&](bool correct) {
    CalibrationOptions options = one_thread();
    options.bias_correction = correct;
    const QuantizedNetwork network = quantize_post_training(graph, uniform_plan(graph, 4, 8), data, options);
    const float scale = network.values.at(static_cast<std::size_t>(network.graph.output))->scale;
    const std::vector<std::int32_t> got = QuantizedSimulation(network).run(data, 0, data.size());
    std::vector<double> error(5, 0.0);
    for (std::size_t i = 0; i < got.size(); ++i) {
      error[i % 5] += (static_cast<double>(got[i]) * scale - wanted[i]) / 64;
    }
    double sum = 0;
    for (const double one : error) {
      sum += std::abs(one);
    }
    return sum;
  };
  EXPECT_LT(mean_error(true), 0.01);
  EXPECT_LT(mean_error(true), mean_error(false) / 5);
}

TEST(QuantizePostTraining, EveryRangeMethodWorks) {
  const Graph graph = small_network(5);
  const Dataset data = random_pixels(32, 6);
  for (const RangeMethod method : {RangeMethod::min_max, RangeMethod::percentile, RangeMethod::mse}) {
    CalibrationOptions options = one_thread();
    options.activations = options.weights = method;
    EXPECT_GT(fidelity(graph, quantize_post_training(graph, uniform_plan(graph, 8, 8), data, options), data), 20);
  }
}

TEST(QuantizePostTraining, SaysWhatIsWrong) {
  const Graph graph = small_network(1);
  Dataset none = random_pixels(5, 1);
  Dataset other = none;
  none.labels.clear();
  none.pixels = {};
  EXPECT_THROW((void)quantize_post_training(graph, uniform_plan(graph, 8, 8), none, one_thread()), Error);
  other.shape = {3, 4, 16};
  other.shape[0] = 1;
  EXPECT_THROW((void)quantize_post_training(graph, uniform_plan(graph, 8, 8), other, one_thread()), Error);
  EXPECT_THROW((void)quantize_post_training(graph, {}, random_pixels(5, 1), one_thread()), Error);
}

TEST(QuantizedSimulation, ComputesOneLayerAsArithmeticSays) {
  // one 1x1 convolution, negative scale, bias, ReLU: by hand
  QuantizedNetwork network;
  test::GraphMaker maker({1, 1, 1});
  Conv conv;
  conv.weight = {{1, 1, 1, 1}, {-0.25F}};  // integer 1 times -0.25
  conv.bias = {{1}, {20.0F}};
  maker.add(Relu{}, {maker.add(conv, {0})});
  network.graph = maker.graph();
  network.values = {ActivationGrid{1, 8, false}, std::nullopt, ActivationGrid{0.5F, 4, false}};
  network.weights = {WeightGrid{3, {-0.25F}}, std::nullopt};
  Dataset data;
  data.shape = {1, 1, 1};
  data.pixels = {{0, 73, 74, 75, 80, 255}, 1};
  data.labels.assign(6, 0);
  data.classes = {"one"};
  // (20 - x / 4) / 0.5, halves upward, in 0..15
  EXPECT_EQ(QuantizedSimulation(network).run(data, 0, 6), (std::vector<std::int32_t>{15, 4, 3, 3, 0, 0}));
}

TEST(TrainQuantized, RecoversWhatFewBitsCostAndContinuesItself) {
  const Graph graph = small_network(7);
  const Dataset data = random_pixels(640, 8);
  const Plan plan = uniform_plan(graph, 2, 4);
  const TemporaryDirectory folder;
  QatOptions options;
  options.training.epochs = 6;
  options.training.batch_size = 32;
  options.training.learning_rate = 0.05;
  options.training.threads = 1;
  options.training.augmentation = {};
  options.distill = false;
  options.directory = folder.path();
  const QuantizedNetwork trained = train_quantized(graph, plan, data, {}, options);
  expect_weights_on_grids(trained);
  const double before =
      QuantizedSimulation(quantize_post_training(graph, plan, data, one_thread())).score(data).at(Measure::top1) / 100;
  const double after = QuantizedSimulation(trained).score(data).at(Measure::top1) / 100;
  EXPECT_GT(after, before);
  EXPECT_GT(after, 0.7);
  // finished work is not repeated
  const QuantizedNetwork again = train_quantized(graph, plan, data, {}, options);
  EXPECT_EQ(serialize(again), serialize(trained));
  // and belongs to its settings
  options.training.seed = 99;
  EXPECT_THROW((void)train_quantized(graph, plan, data, {}, options), Error);
  // in bfloat16 it learns as well
  options.directory.clear();
  options.training.bfloat16 = true;
  EXPECT_NEAR(QuantizedSimulation(train_quantized(graph, plan, data, {}, options)).score(data).at(Measure::top1) / 100,
              after, 0.05);
}

TEST(TrainQuantized, IsDeployedAsItWasTrained) {
  // The log's last line is measured with fake quantization; the finished network computes in integers.
  const Graph graph = small_network(9);
  const Dataset data = random_pixels(320, 10);
  const TemporaryDirectory folder;
  QatOptions options;
  options.training.epochs = 8;
  options.training.average_decay = 0.9;
  options.training.batch_size = 32;
  options.training.threads = 1;
  options.directory = folder.path();
  const QuantizedNetwork network = train_quantized(graph, uniform_plan(graph, 4, 8), data, data, options);
  const std::string log = read_text(folder.path() / "training.csv");
  const std::string last = log.substr(log.rfind('\n', log.size() - 2) + 1);
  const auto cells = [](const std::string& line) {
    std::vector<std::string> result;
    std::istringstream text(line);
    for (std::string cell; std::getline(text, cell, ',');) result.push_back(cell);
    return result;
  };
  const std::vector<std::string> columns = cells(log.substr(0, log.find('\n')));
  const auto column = std::ranges::find(columns, "test_top1") - columns.begin();
  ASSERT_LT(column, std::ssize(columns)) << log;
  const double top1 = std::stod(cells(last).at(static_cast<std::size_t>(column)));
  EXPECT_NEAR(QuantizedSimulation(network).score(data).at(Measure::top1), top1, 3.0);
}

TEST(QuantizedNetworkFile, KeepsEveryBitAndRefusesDamage) {
  const Graph graph = small_network(11);
  const QuantizedNetwork network =
      quantize_post_training(graph, uniform_plan(graph, 4, 8), random_pixels(16, 1), one_thread());
  const std::vector<std::uint8_t> bytes = serialize(network);
  const QuantizedNetwork back = parse_quantized_network(bytes, "memory");
  EXPECT_EQ(serialize(back), bytes);
  EXPECT_EQ(back.plan, network.plan);
  const Dataset data = random_pixels(8, 2);
  EXPECT_EQ(QuantizedSimulation(back).run(data, 0, 8), QuantizedSimulation(network).run(data, 0, 8));
  for (const std::size_t size : {std::size_t{0}, std::size_t{15}, std::size_t{100}, bytes.size() - 4}) {
    EXPECT_THROW((void)parse_quantized_network(std::span(bytes).first(size), "memory"), Error) << size;
  }
}

}  // namespace
}  // namespace trimtab
