#include <gtest/gtest.h>

#include <cmath>

#include "base/error.h"
#include "learn/evaluate.h"
#include "learn/importance.h"
#include "learn/network_warnings.h"
#include "learn/quantized_simulation.h"
#include "learn/sensitivity.h"
#include "learn/train.h"
#include "plan/layers.h"
#include "plan/plan.h"
#include "support/graphs.h"

// Tasks other than classification, from the float network to the integers.
namespace trimtab {
namespace {

using test::GraphMaker;

/// y = W x + b of two inputs.
Graph linear_network(std::vector<float> weight, std::vector<float> bias, bool sigmoid = false) {
  GraphMaker maker({2});
  const auto outputs = static_cast<std::int64_t>(bias.size());
  maker.add(Linear{{{outputs, 2}, std::move(weight)}, {{outputs}, std::move(bias)}}, {0});
  if (sigmoid) maker.add(Sigmoid{}, {1});
  return maker.graph();
}

Dataset points(std::int64_t count, std::uint64_t seed) {
  Random random(seed);
  std::vector<float> numbers;
  for (std::int64_t i = 0; i < 2 * count; ++i) numbers.push_back(static_cast<float>(random.uniform(-1, 1)));
  Dataset data;
  data.shape = {2};
  data.features = {std::move(numbers), 2};
  return data;
}

/// 3 a - b + 1/2 of every point (a, b), for regression.
Dataset planes(std::int64_t count, std::uint64_t seed) {
  Dataset data = points(count, seed);
  std::vector<float> targets;
  for (std::int64_t i = 0; i < count; ++i) targets.push_back(3 * data.features[i][0] - data.features[i][1] + 0.5F);
  data.targets = {std::move(targets), 1};
  data.target_shape = {1};
  return data;
}

/// Whether a > b, for one output.
Dataset sides(std::int64_t count, std::uint64_t seed) {
  Dataset data = points(count, seed);
  for (std::int64_t i = 0; i < count; ++i) data.labels.push_back(data.features[i][0] > data.features[i][1] ? 1 : 0);
  data.classes = {"below", "above"};
  return data;
}

TEST(EvaluateTasks, MeasuresNumbersInFloat) {
  const Dataset data = planes(50, 1);
  const Score exact = evaluate(linear_network({3, -1}, {0.5F}), data, {}, {16, 1, "cpu"});
  EXPECT_NEAR(exact.at(Measure::mse), 0, 1e-10);
  EXPECT_NEAR(exact.at(Measure::r2), 1, 1e-9);
  const Score moved = evaluate(linear_network({3, -1}, {0.75F}), data, {}, {16, 1, "cpu"});
  EXPECT_NEAR(moved.at(Measure::mse), 0.0625, 1e-6);
  EXPECT_NEAR(moved.at(Measure::mae), 0.25, 1e-6);
  EXPECT_FALSE(moved.find(Measure::top1).has_value());
}

TEST(EvaluateTasks, MeasuresSidesBehindASigmoid) {
  const Dataset data = sides(80, 2);
  const Score right = evaluate(linear_network({4, -4}, {0}, true), data, {}, {16, 1, "cpu"});
  EXPECT_EQ(right.at(Measure::auc), 1);
  EXPECT_EQ(right.at(Measure::accuracy), 100);
  // a bias moves answers over the threshold, and leaves their order
  const Score moved = evaluate(linear_network({4, -4}, {100}, true), data, {}, {16, 1, "cpu"});
  EXPECT_LT(moved.at(Measure::accuracy), 60);
}

TEST(EvaluateTasks, MeasuresPixelsChannelsFirst) {
  GraphMaker maker({1, 2, 3});  // class 1 where the pixel is positive
  Conv conv;
  conv.weight = {{2, 1, 1, 1}, {-1, 1}};
  maker.add(conv, {0});
  Dataset data;
  data.shape = {1, 2, 3};
  data.features = {{-1, 2, 3, -4, 5, -6}, 6};
  data.class_maps = {{0, 1, 1, 0, 1, 1}, 6};  // the last is answered wrongly
  data.target_shape = {2, 3};
  data.classes = {"0", "1"};
  const Score score = evaluate(maker.graph(), data, {}, {16, 1, "cpu"});
  EXPECT_NEAR(score.at(Measure::pixel_accuracy), 100 * 5.0 / 6, 1e-9);
  EXPECT_NEAR(score.at(Measure::mean_iou), 100 * (2.0 / 3 + 3.0 / 4) / 2, 1e-9);
}

TrainOptions short_training(std::int64_t epochs) {
  TrainOptions options;
  options.epochs = epochs;
  options.batch_size = 16;
  options.learning_rate = 0.2;
  options.weight_decay = 0;
  options.average_decay = 0;
  options.threads = 1;
  options.device = "cpu";
  return options;
}

TEST(TrainTasks, LearnsNumbers) {
  const TrainResult result = train(linear_network({0, 0}, {0}), planes(256, 3), planes(64, 4), {}, short_training(20));
  EXPECT_LT(result.history.back().tests.at(0).at(Measure::mse), 1e-4);
  const auto& linear = std::get<Linear>(result.graph.nodes[0].op);
  EXPECT_NEAR(linear.weight.data[0], 3, 0.05);
  EXPECT_NEAR(linear.bias.data[0], 0.5, 0.05);
}

TEST(TrainTasks, LearnsSides) {
  const TrainResult result =
      train(linear_network({0, 0}, {1}, true), sides(256, 5), sides(64, 6), {}, short_training(20));
  EXPECT_GT(result.history.back().tests.at(0).at(Measure::auc), 0.99);
  EXPECT_GT(result.history.back().tests.at(0).at(Measure::accuracy), 90);
}

TEST(TrainTasks, NeedsAnswers) {
  EXPECT_THROW((void)train(linear_network({0, 0}, {0}), points(32, 1), {}, {}, short_training(1)), Error);
}

TEST(SensitivityTasks, GrowsAsBitsGetFewer) {
  // not on a grid of few bits already, which would lose nothing
  const Graph prepared = prepare_for_deployment(linear_network({3.1F, -1.234F}, {0.5F}), {});
  SensitivityOptions options;
  options.threads = 1;
  for (const SensitivityMeasure measure : {SensitivityMeasure::kl, SensitivityMeasure::fisher}) {
    options.measure = measure;
    const auto layers = measure_sensitivities(prepared, planes(64, 7), options);
    EXPECT_GT(layers.at(0).weights.at(2), layers.at(0).weights.at(4));
    EXPECT_GT(layers.at(0).weights.at(4), layers.at(0).weights.at(8));
  }
}

TEST(ImportanceTasks, NeedsAnswersToTheTask) {
  GraphMaker maker({2});
  maker.add(Linear{{{3, 2}, {1, 0, 0, 1, 1, 1}}, {{3}, {0, 0, 0}}}, {0});
  maker.add(Relu{}, {1});
  maker.add(Linear{{{1, 3}, {1, 1, 0}}, {{1}, {0}}}, {2});
  const Graph prepared = prepare_for_deployment(maker.graph(), {});
  const ChannelGroups groups = find_channel_groups(prepared);
  const std::vector<double> worth = unit_importance(prepared, groups, planes(64, 8), {});
  ASSERT_EQ(groups.groups.size(), 1U);
  const std::vector<UnitId>& units = groups.groups[0].units;
  ASSERT_EQ(units.size(), 3U);
  EXPECT_GT(worth.at(static_cast<std::size_t>(units[0])), 0);
  EXPECT_NEAR(worth.at(static_cast<std::size_t>(units[2])), 0, 1e-12) << "nobody reads the third unit";
  EXPECT_THROW((void)unit_importance(prepared, groups, points(64, 8), {}), Error);
}

TEST(SimulationTasks, ScoresTheIntegersAsRealNumbers) {
  const Graph prepared = prepare_for_deployment(linear_network({3, -1}, {0.5F}), {});
  const Dataset data = planes(128, 9);
  CalibrationOptions calibration;
  calibration.threads = 1;
  const QuantizedNetwork network = quantize_post_training(prepared, uniform_plan(prepared, 8, 8), data, calibration);
  const Score score = QuantizedSimulation(network).score(data);
  EXPECT_GT(score.at(Measure::r2), 0.999);
  EXPECT_LT(score.at(Measure::mse), 0.01);
}

/// Two classes that a threshold of 100 tells apart, if pixels come as they are.
Graph bright_or_dark() {
  GraphMaker maker({1, 1, 1});
  Conv conv;
  conv.weight = {{2, 1, 1, 1}, {-1, 1}};
  conv.bias = {{2}, {100, -100}};
  maker.add(conv, {0});
  maker.add(Reshape{{2}}, {1});
  return maker.graph();
}

Dataset brightness(std::int64_t count) {
  Random random(1);
  std::vector<std::uint8_t> pixels;
  Dataset data;
  for (std::int64_t i = 0; i < count; ++i) {
    pixels.push_back(static_cast<std::uint8_t>(random.integer(0, 255)));
    data.labels.push_back(pixels.back() > 100 ? 1 : 0);
  }
  data.shape = {1, 1, 1};
  data.pixels = {std::move(pixels), 1};
  data.classes = {"dark", "bright"};
  return data;
}

TEST(PreprocessingWarning, NamesTheOneThatWasForgotten) {
  const Dataset data = brightness(200);
  const Task task = choose_task({}, output_of(bright_or_dark()), data, {});
  const Preprocessing unit = parse_preprocessing("unit", 1);
  const auto warning = preprocessing_warning(bright_or_dark(), data, unit, task, 1);
  ASSERT_TRUE(warning.has_value());
  EXPECT_NE(warning->find("100.00 % with --preprocessing none"), std::string::npos) << *warning;
  EXPECT_FALSE(preprocessing_warning(bright_or_dark(), data, {}, task, 1).has_value());
  EXPECT_FALSE(preprocessing_warning(bright_or_dark(), brightness(50), unit, task, 1).has_value()) << "too few to tell";
}

}  // namespace
}  // namespace trimtab
