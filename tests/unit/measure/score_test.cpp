#include "measure/score.h"

#include <gtest/gtest.h>

#include <cmath>
#include <string>

#include "base/error.h"
#include "measure/fidelity.h"

namespace trimtab {
namespace {

Dataset samples(std::int64_t count, std::int64_t inputs = 1) {
  Dataset data;
  data.shape = {inputs};
  data.features = {std::vector<float>(static_cast<std::size_t>(count * inputs)), inputs};
  return data;
}

Dataset of_classes(std::vector<std::int64_t> labels, std::size_t classes) {
  Dataset data = samples(std::ssize(labels));
  data.labels = std::move(labels);
  data.classes.resize(classes);
  return data;
}

Score scored(const Task& task, const Dataset& data, const std::vector<float>& outputs) {
  Scorer scorer(task, data, {});
  const auto half = static_cast<std::size_t>(data.size() / 2 * task.outputs());  // in two batches
  scorer.add(0, std::span(outputs).first(half));
  scorer.add(data.size() / 2, std::span(outputs).subspan(half));
  return scorer.score();
}

TEST(Score, NumbersThatAreNoneAreAFailure) {
  const auto complaint = [](const Task& task, const Dataset& data, const std::vector<float>& outputs) {
    try {
      (void)scored(task, data, outputs);
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ExitCode::failure);
      return std::string(error.what());
    }
    return std::string("none");
  };
  const Dataset data = of_classes({2, 0}, 3);
  const Task classes = choose_task({}, {{3}, false}, data, {});
  EXPECT_EQ(complaint(classes, data, {0, 1, 2, 0, NAN, 2}),
            "the network's outputs are not numbers on 1 of 2 samples, which is no result");
  EXPECT_EQ(complaint(classes, data, {0, 1, -INFINITY, 0, 1, 2}),
            "the loss over 2 samples is inf, which is no result; the network's outputs are too large");
  EXPECT_EQ(complaint(classes, data, {0, -INFINITY, 2, 0, 1, 2}), "none") << "a class that is ruled out";
  EXPECT_EQ(complaint(choose_task({}, {{1}, false}, of_classes({1, 0}, 2), {}), of_classes({1, 0}, 2), {NAN, 1}),
            "the network's outputs are not numbers on 1 of 2 samples, which is no result");
}

TEST(Score, OfClassesHasTopFiveOnlyAmongMore) {
  const Dataset data = of_classes({2, 0}, 3);
  const Task task = choose_task({}, {{3}, false}, data, {});
  const Score score = scored(task, data, {0, 1, 2, 0, 1, 2});
  EXPECT_EQ(score.samples, 2);
  EXPECT_EQ(score.at(Measure::top1), 50);
  EXPECT_FALSE(score.find(Measure::top5).has_value());
  const double all = std::log(1 + std::exp(1.0) + std::exp(2.0));
  EXPECT_NEAR(score.at(Measure::loss), all - 1, 1e-12);
  EXPECT_EQ(primary(task, score), 50);
  const Dataset seven = of_classes({2, 6}, 7);
  const Score of_seven = scored(choose_task({}, {{7}, false}, seven, {}), seven,  // 2 is sixth, 6 is first
                                {6, 5, 1, 4, 3, 2, 0, 0, 1, 2, 3, 4, 5, 6});
  EXPECT_EQ(of_seven.at(Measure::top1), 50);
  EXPECT_EQ(of_seven.at(Measure::top5), 50);
}

TEST(Score, OfOneOutputHasAThresholdAndACurve) {
  const Dataset data = of_classes({0, 0, 1, 1}, 2);
  const Score score = scored(choose_task({{}, 0.5}, {{1}, true}, data, {}), data, {0.1F, 0.7F, 0.6F, 0.9F});
  EXPECT_EQ(score.at(Measure::accuracy), 75);
  EXPECT_EQ(score.at(Measure::auc), 0.75);
  EXPECT_FALSE(score.find(Measure::top1).has_value());
}

TEST(Score, IsRefusedWhereTheFirstMeasureIsUndefined) {
  const Dataset data = of_classes({1, 1}, 2);
  const Task task = choose_task({}, {{1}, true}, data, {});
  const Score score = scored(task, data, {0.1F, 0.7F});
  EXPECT_FALSE(score.find(Measure::auc).has_value());
  EXPECT_EQ(score.at(Measure::accuracy), 50);
  EXPECT_THROW((void)primary(task, score), Error);
}

TEST(Score, OfNumbersComparesWithTheTargets) {
  Dataset data = samples(2);
  data.targets = {{1, 10, 3, 30}, 2};
  data.target_shape = {2};
  const Score score = scored(choose_task({}, {{2}, false}, data, {}), data, {2, 10, 3, 26});
  EXPECT_EQ(score.at(Measure::mse), 17.0 / 4);
  EXPECT_EQ(score.at(Measure::mae), 5.0 / 4);
  EXPECT_NEAR(score.at(Measure::r2), (1 - 1.0 / 2 + 1 - 16.0 / 200) / 2, 1e-12);
}

TEST(Score, OfAnomaliesIsTheCurveOfTheReconstructionError) {
  Dataset data;
  data.shape = {3};
  data.features = {{0, 0, 0, 1, 1, 1, 2, 2, 2, 3, 3, 3}, 3};
  data.labels = {0, 0, 1, 1};
  data.classes = {"normal", "anomaly"};
  const Task task = choose_task({}, {{3}, false}, data, {});
  ASSERT_EQ(task.kind, TaskKind::anomaly);
  // mean squared errors 4, 1, 1/3, 9
  const std::vector<float> outputs{2, 2, 2, 1, 1 + std::sqrt(3.0F), 1, 2, 3, 2, 0, 0, 0};
  EXPECT_EQ(scored(task, data, outputs).at(Measure::auc), 0.5) << "9 is above 4 and 1, 1/3 above none";
  // recordings of two parts each: 0 and 1 (2.5), 2 and 3 (4.67)
  data.groups = {7, 7, 3, 3};
  EXPECT_EQ(scored(task, data, outputs).at(Measure::auc), 1.0);
}

TEST(Score, OfPixelsLeavesOutThoseWithoutAClass) {
  Dataset data = samples(2, 12);
  data.shape = {3, 2, 2};
  data.class_maps = {{0, 1, 1, -1, 0, 0, 0, 1}, 4};
  data.target_shape = {2, 2};
  data.classes = {"0", "1"};
  const Task task = choose_task({}, {{2, 2, 2}, false}, data, {});
  const Score score = scored(task, data,
                             {1, 0, 0, 0, 0, 1, 1, 1,    // 0 1 1 1
                              0, 1, 1, 1, 1, 0, 0, 0});  // 1 0 0 0
  EXPECT_NEAR(score.at(Measure::pixel_accuracy), 100 * 5.0 / 7, 1e-9);
  EXPECT_NEAR(score.at(Measure::mean_iou), 100 * (3.0 / 5 + 2.0 / 4) / 2, 1e-9);
}

TEST(Fidelity, HasAgreementOfDecisionsOnly) {
  Task task;
  task.output = {1};
  task.kind = TaskKind::regression;
  FidelityMeter numbers(task);
  numbers.add(std::vector<float>{1, 2}, std::vector<float>{1, 2.5F});
  EXPECT_FALSE(numbers.fidelity().agreement.has_value()) << "one number is no class";
  EXPECT_NEAR(numbers.fidelity().sqnr_db.value(), 10 * std::log10(7.25 / 0.25), 1e-9);
  task.kind = TaskKind::binary;
  task.threshold = 2.25;
  FidelityMeter sides(task);
  sides.add(std::vector<float>{1, 2}, std::vector<float>{1, 2.5F});
  EXPECT_EQ(sides.fidelity().agreement, 50);
  task.kind = TaskKind::classification;
  task.output = {2};
  FidelityMeter classes(task);
  classes.add(std::vector<float>{1, 2, 5, 4, NAN, 0}, std::vector<float>{0, 9, 1, 2, NAN, 0});
  EXPECT_NEAR(classes.fidelity().agreement.value(), 100.0 / 3, 1e-9) << "what is no number agrees with nothing";
}

TEST(Fidelity, IsOfEachOfSeveralOutputs) {
  const NetworkOutput output{{3}, false, {{"box", {2, 1, 1}}, {"score", {1}}}};
  const Task task = choose_task({}, output, samples(2), {});
  EXPECT_EQ(task.kind, TaskKind::outputs);
  FidelityMeter meter(task);
  meter.add(std::vector<float>{1, 2, 9, 3, 4, 0}, std::vector<float>{1, 2, 10, 3, 4, 0});
  const Fidelity fidelity = meter.fidelity();
  ASSERT_EQ(fidelity.parts.size(), 2U);
  EXPECT_EQ(fidelity.parts[0].name, "box");
  EXPECT_EQ(fidelity.parts[0].sqnr_db, INFINITY);
  EXPECT_NEAR(fidelity.parts[1].sqnr_db.value(), 20, 1e-9) << "1 of 10";
  EXPECT_NEAR(fidelity.sqnr_db.value(), 10 * std::log10((1 + 4 + 9 + 16 + 100) / 1.0), 1e-9);
  EXPECT_FALSE(fidelity.agreement.has_value());
}

TEST(Measures, KnowTheirDirectionAndTheirUnit) {
  EXPECT_TRUE(is_better(Measure::top1, 90, 80));
  EXPECT_TRUE(is_better(Measure::mse, 0.1, 0.2));
  EXPECT_FALSE(is_better(Measure::mse, NAN, 0.2));
  EXPECT_TRUE(is_better(Measure::mse, 0.2, NAN));
  EXPECT_EQ(loss_against(Measure::top1, 90, 88), 2);
  EXPECT_EQ(loss_against(Measure::mse, 1, 3), 2);
  EXPECT_EQ(format_value(Measure::top1, 86.584), "86.58 %");
  EXPECT_EQ(format_value(Measure::mse, 0.0123456), "0.01235");
  EXPECT_EQ(format_value(Measure::sqnr_db, INFINITY), "no difference");
}

}  // namespace
}  // namespace trimtab
