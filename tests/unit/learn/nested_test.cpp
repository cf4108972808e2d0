#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <filesystem>
#include <memory>
#include <sstream>
#include <string>

#include "base/error.h"
#include "base/file.h"
#include "learn/nested_grid.h"
#include "learn/nested_simulation.h"
#include "learn/nested_training.h"
#include "learn/quantized_simulation.h"
#include "learn/train.h"
#include "plan/layers.h"
#include "support/graphs.h"

// Scalable precision: grids, simulation with bias correction, and training for all precisions.
namespace trimtab {
namespace {

using test::GraphMaker;

/// Dark pixels and bright ones, a little mixed.
Dataset pixels(std::int64_t count, std::uint64_t seed) {
  Random random(seed);
  Dataset data;
  std::vector<std::uint8_t> values;
  data.shape = {1, 8, 8};
  data.classes = {"a", "b"};
  for (std::int64_t i = 0; i < count; ++i) {
    const std::int64_t label = i % 2;
    for (int p = 0; p < 64; ++p) {
      values.push_back(static_cast<std::uint8_t>(random.integer(label == 1 ? 90 : 0, label == 1 ? 255 : 160)));
    }
    data.labels.push_back(label);
  }
  data.pixels = {std::move(values), element_count(data.shape)};
  return data;
}

/// conv, normalization (with negative factors), Relu, conv, Relu, mean, linear; takes raw pixels.
Graph network(std::uint64_t seed) {
  Random random(seed);
  GraphMaker maker({1, 8, 8});
  Conv first = test::random_conv(1, 6, 3, 3, 1, random);
  first.bias = {};
  for (float& w : first.weight.data) w /= 100;
  first.padding = {1, 1, 1, 1};
  ValueId x = maker.add(first, {0});
  x = maker.add(BatchNormalization{test::random_tensor({6}, random, -2, 2), test::random_tensor({6}, random),
                                   test::random_tensor({6}, random), test::random_tensor({6}, random, 0.2, 2), 1e-3F},
                {x});
  x = maker.add(Relu{}, {x});
  x = maker.add(test::random_conv(6, 8, 3, 3, 1, random), {x});
  x = maker.add(Relu{}, {x});
  x = maker.add(GlobalAveragePool{false}, {x});
  maker.add(Linear{test::random_tensor({2, 8}, random), test::random_tensor({2}, random)}, {x});
  return maker.graph();
}

double largest_difference(const std::vector<float>& a, const std::vector<float>& b) {
  double largest = 0;
  for (std::size_t i = 0; i < a.size(); ++i) largest = std::max<double>(largest, std::abs(a[i] - b[i]));
  return largest;
}

NestedNetwork scalable(std::uint64_t seed) { return make_nested(network(seed), pixels(64, 1), {}); }

TEST(NestedGrid, BalancedScaleLosesLittleAtAnyPrecision) {
  Random random(3);
  std::vector<float> weights(400);
  for (float& w : weights) w = static_cast<float>(std::pow(random.normal(), 3));  // few are large
  const auto error = [&](float scale, int bits) {
    StoredWeights stored{StoredWeights::Grid::nested, {}, {scale}};
    for (const float w : weights) stored.digits.push_back(quantize_nested(w, scale));
    double sum = 0;
    for (std::size_t i = 0; i < weights.size(); ++i) sum += std::pow(stored.weight(i, bits) - weights[i], 2);
    return sum;
  };
  const float scale = nested_scale(weights, NestedRange::balanced);
  const float whole = nested_scale(weights, NestedRange::whole);
  EXPECT_LT(error(scale, 4), error(whole, 4));
  const auto product = [&](float s) { return error(s, 8) * error(s, 6) * error(s, 5) * error(s, 4); };
  EXPECT_LE(product(scale), product(whole) * 1.01);
}

/// By sample: the probability of the first of two classes.
std::vector<float> first_shares(const std::vector<float>& logits) {
  std::vector<float> result;
  for (std::size_t i = 0; i < logits.size(); i += 2) result.push_back(1 / (1 + std::exp(logits[i + 1] - logits[i])));
  return result;
}

TEST(NestedSimulation, AllBitsAreNearlyTheFloatNetwork) {
  const NestedNetwork network = scalable(5);
  NestedSimulation simulation(network, pixels(64, 2), true, 1);
  const std::vector<Precision> full(fuse_layers(network.graph).size());
  EXPECT_LT(largest_difference(first_shares(simulation.outputs(full)), first_shares(simulation.float_outputs())), 0.05);
}

TEST(NestedSimulation, WhatItKeepsChangesNothing) {
  const NestedNetwork network = scalable(6);
  const Dataset data = pixels(64, 2);
  NestedSimulation keeps(network, data, true, 1);
  std::vector<Precision> precision(fuse_layers(network.graph).size());
  (void)keeps.keep(precision);
  precision[1].weights = 4;
  (void)keeps.keep(precision);
  for (const int bits : {6, 4}) {
    for (std::size_t layer = 0; layer < precision.size(); ++layer) {
      std::vector<Precision> candidate = precision;
      candidate[layer] = {bits, bits};
      NestedSimulation fresh(network, data, true, 1);
      EXPECT_EQ(largest_difference(keeps.outputs(candidate), fresh.outputs(candidate)), 0) << "layer " << layer;
    }
  }
}

TEST(NestedSimulation, CorrectedBiasesKeepTheMeansInTheIntegerNetwork) {
  const NestedNetwork network = scalable(7);
  const Dataset data = pixels(64, 2);
  const std::vector<Precision> precision(fuse_layers(network.graph).size(), {3, 8});
  const auto mean_error = [&](bool corrected) {
    NestedSimulation simulation(network, data, corrected, 1);
    const QuantizedNetwork at = at_point(network, simulation.point(precision));
    const QuantizedSimulation integers(at);
    const std::vector<std::int32_t> outputs = integers.run(data, 0, data.size());
    // against the network with all its bits
    const std::vector<Precision> full(precision.size());
    const QuantizedNetwork whole = at_point(network, simulation.point(full));
    const std::vector<std::int32_t> wanted = QuantizedSimulation(whole).run(data, 0, data.size());
    double error = 0;
    for (std::size_t c = 0; c < 2; ++c) {
      double sum = 0;
      for (std::size_t i = c; i < outputs.size(); i += 2) sum += outputs[i] - wanted[i];
      error += std::abs(sum) / static_cast<double>(data.size());
    }
    return error;
  };
  EXPECT_LT(mean_error(true), mean_error(false) * 0.5);
}

/// The network, trained in float as far as this little data goes, for raw pixels.
Graph trained_network(std::uint64_t seed, const Dataset& data) {
  const Preprocessing preprocessing{{127}, {64}};
  TrainOptions options;
  options.epochs = 6;
  options.batch_size = 32;
  options.learning_rate = 0.05;
  options.average_decay = 0;
  options.threads = 1;
  return prepare_for_deployment(train(network(seed), data, {}, preprocessing, options).graph, preprocessing);
}

/// The last weights are the result, of samples as they are.
NestedTrainOptions plain_training(std::int64_t epochs, std::int64_t batch_size) {
  NestedTrainOptions options;
  options.training.epochs = epochs;
  options.training.batch_size = batch_size;
  options.training.average_decay = 0;
  options.training.augmentation = {};
  options.training.threads = 1;
  return options;
}

void check_learns_for_all_precisions(const NestedTrainOptions& options) {
  const Dataset data = pixels(128, 1);
  const NestedNetwork trained = train_nested(trained_network(8, data), data, {}, options);
  // Digits are those of the folded weights, negative factors of the normalization included.
  for (std::size_t n = 0; n < trained.weights.size(); ++n) {
    if (!trained.weights[n]) continue;
    const Tensor& weight = *weight_of(trained.graph.nodes[n].op);
    const StoredWeights& stored = *trained.weights[n];
    const std::size_t size = stored.digits.size() / stored.scale.size();
    for (std::size_t i = 0; i < weight.data.size(); ++i) {
      const float scale = stored.scale[i / size];
      if (std::abs(weight.data[i]) < 127 * scale) {
        EXPECT_LE(std::abs(stored.weight(i, 8) - weight.data[i]), scale * 0.501F);
      }
    }
  }
  NestedSimulation simulation(trained, data, true, 1);
  for (const int bits : {8, 4}) {
    const std::vector<Precision> precision(fuse_layers(trained.graph).size(), {bits, bits});
    EXPECT_GT(
        QuantizedSimulation(at_point(trained, simulation.point(precision))).score(pixels(128, 9)).at(Measure::top1) /
            100,
        0.9)
        << bits;
  }
}

TEST(NestedTraining, LearnsForAllPrecisionsAndStoresWhatItLearned) {
  check_learns_for_all_precisions(plain_training(3, 32));
}

TEST(NestedTraining, LearnsInBfloat16) {
  NestedTrainOptions options = plain_training(3, 32);
  options.training.bfloat16 = true;
  check_learns_for_all_precisions(options);
}

// All precisions pull at the same scales, low ones with gradients that are larger by the square of what their steps are
// larger by: the rule of one precision alone lets the scales run away.
TEST(NestedTraining, ScalesStayWhereAllPrecisionsNeedThem) {
  const Dataset data = pixels(128, 1);
  const Graph graph = trained_network(8, data);
  const NestedTrainOptions options = plain_training(4, 16);
  const NestedNetwork before = make_nested(graph, data, options.calibration);
  const NestedNetwork after = train_nested(graph, data, {}, options);
  // relative to the weights, which normalization rescales
  const auto relative_scale = [](const NestedNetwork& network, std::size_t n, std::size_t channel) {
    const StoredWeights& stored = *network.weights[n];
    const std::size_t size = stored.digits.size() / stored.scale.size();
    double squares = 0;
    for (std::size_t i = channel * size; i < (channel + 1) * size; ++i) squares += std::pow(stored.weight(i, 8), 2);
    return stored.scale[channel] / std::sqrt(squares / static_cast<double>(size));
  };
  int compared = 0;
  for (std::size_t n = 0; n < before.weights.size(); ++n) {
    if (!before.weights[n]) continue;
    for (std::size_t c = 0; c < before.weights[n]->scale.size(); ++c) {
      const double ratio = relative_scale(after, n, c) / relative_scale(before, n, c);
      EXPECT_GT(ratio, 0.7) << n << " " << c;
      EXPECT_LT(ratio, 1.4) << n << " " << c;
      ++compared;
    }
  }
  EXPECT_GT(compared, 10);
}

/// With an average, shifts, and a teacher: all of it has to continue.
NestedTrainOptions small_training() {
  NestedTrainOptions options;
  options.training.epochs = 3;
  options.training.batch_size = 16;
  options.training.threads = 1;
  return options;
}

void expect_equal(const NestedNetwork& a, const NestedNetwork& b) {
  ASSERT_EQ(a.weights.size(), b.weights.size());
  for (std::size_t n = 0; n < a.weights.size(); ++n) {
    if (!a.weights[n]) continue;
    EXPECT_EQ(a.weights[n]->digits, b.weights[n]->digits) << n;
    EXPECT_EQ(a.weights[n]->scale, b.weights[n]->scale) << n;
    const auto* conv = std::get_if<Conv>(&a.graph.nodes[n].op);
    if (conv == nullptr) continue;
    EXPECT_EQ(conv->bias.data, std::get<Conv>(b.graph.nodes[n].op).bias.data) << n;
  }
  for (std::size_t v = 0; v < a.values.size(); ++v) {
    if (!a.values[v]) continue;
    EXPECT_EQ(a.values[v]->grid.scale, b.values[v]->grid.scale) << v;
  }
}

/// The lines of a log without the columns of time, which are the last two.
std::vector<std::string> log_of(const std::filesystem::path& folder) {
  std::istringstream text(read_text(folder / "training.csv"));
  std::vector<std::string> lines;
  for (std::string line; std::getline(text, line);) {
    for (int i = 0; i < 2; ++i) line.resize(line.rfind(','));
    lines.push_back(line);
  }
  return lines;
}

/// 4 steps in an epoch, interrupted in the middle of the second.
TEST(NestedTraining, ContinuesAfterAnInterruptionAsIfThereHadBeenNone) {
  const TemporaryDirectory whole_folder;
  const TemporaryDirectory folder;
  const Dataset data = pixels(64, 1);
  const Dataset test_data = pixels(32, 2);
  NestedTrainOptions options = small_training();
  options.directory = whole_folder.path();
  const NestedNetwork whole = train_nested(network(9), data, test_data, options);

  std::atomic<bool> interrupted{false};
  options.directory = folder.path();
  options.training.interrupted = &interrupted;
  options.training.after_step = [&](std::int64_t step) { interrupted = step == 5; };
  try {
    (void)train_nested(network(9), data, test_data, options);
    FAIL() << "it was not interrupted";
  } catch (const Error& error) {
    EXPECT_STREQ(error.what(), "training was interrupted after 6 of 12 steps; the same command continues it");
  }
  EXPECT_EQ(log_of(folder.path()).size(), 2U);  // the first epoch's line
  std::int64_t first = 0;
  interrupted = false;
  options.training.after_step = [&](std::int64_t step) { first = first == 0 ? step : first; };
  const NestedNetwork continued = train_nested(network(9), data, test_data, options);
  EXPECT_EQ(first, 7);
  expect_equal(continued, whole);
  EXPECT_EQ(log_of(folder.path()), log_of(whole_folder.path()));
  EXPECT_EQ(log_of(folder.path()).front(),
            "epoch,learning_rate,train_loss,train_top1,test_top1_8x8,test_loss_8x8,test_top1_6x6,test_loss_6x6,"
            "test_top1_4x4,test_loss_4x4");
}

TEST(NestedTraining, ReadsWhatIsFinishedAndRefusesOtherSettings) {
  const TemporaryDirectory folder;
  NestedTrainOptions options = small_training();
  options.training.epochs = 1;
  options.directory = folder.path();
  const NestedNetwork once = train_nested(network(9), pixels(64, 1), {}, options);
  options.training.after_step = [](std::int64_t step) { FAIL() << "it trains again, step " << step; };
  expect_equal(once, train_nested(network(9), pixels(64, 1), {}, options));
  const auto refuses = [&](auto change) {
    NestedTrainOptions other = options;
    change(other);
    EXPECT_THROW((void)train_nested(network(9), pixels(64, 1), {}, other), Error);
  };
  refuses([](NestedTrainOptions& o) { o.training.learning_rate = 0.5; });
  refuses([](NestedTrainOptions& o) { o.training.teacher = std::make_shared<const Graph>(network(10)); });
  refuses([](NestedTrainOptions& o) { o.least = {3, 4}; });
  refuses([](NestedTrainOptions& o) { o.only = Precision{4, 4}; });
  refuses([](NestedTrainOptions& o) { o.calibration.samples = 8; });
}

/// The labels say nothing, and count for nothing; all precisions learn from the teacher, most of them through all bits.
TEST(NestedTraining, FollowsATeacher) {
  const Dataset data = pixels(128, 1);
  Dataset mislabelled = data;
  std::fill(mislabelled.labels.begin(), mislabelled.labels.end(), 0);
  NestedTrainOptions options = plain_training(6, 16);
  options.training.teacher = std::make_shared<const Graph>(trained_network(8, data));
  options.training.distillation_weight = 1;
  const NestedNetwork trained = train_nested(network(9), mislabelled, {}, options);
  NestedSimulation simulation(trained, data, true, 1);
  for (const int bits : {8, 4}) {
    const std::vector<Precision> precision(fuse_layers(trained.graph).size(), {bits, bits});
    EXPECT_GT(
        QuantizedSimulation(at_point(trained, simulation.point(precision))).score(pixels(128, 9)).at(Measure::top1) /
            100,
        0.9)
        << bits;
  }
}

TEST(MakeNested, NamesWhatItCannotDo) {
  GraphMaker maker({1, 8, 8});
  Random random(1);
  const ValueId x = maker.add(test::random_conv(1, 2, 3, 3, 1, random), {0});
  maker.add(HardSwish{}, {x});
  try {
    (void)make_nested(maker.graph(), pixels(8, 1), {});
    FAIL();
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("'node1' (HardSwish)"), std::string::npos) << error.what();
  }
}

}  // namespace
}  // namespace trimtab
