#include "learn/task_loss.h"

#include <gtest/gtest.h>

#include <cmath>

namespace trimtab {
namespace {

Task task_of(TaskKind kind, Shape output, bool probability = false) {
  Task task;
  task.kind = kind;
  task.output = std::move(output);
  task.probability = probability;
  task.threshold = probability ? 0.5 : 0.0;
  return task;
}

double sigmoid(double x) { return 1 / (1 + std::exp(-x)); }

Dataset dataset(const Shape& shape, std::vector<float> features) {
  Dataset data;
  data.shape = shape;
  data.features = {std::move(features), element_count(shape)};
  return data;
}

TEST(TaskLoss, OfClassesIsCrossEntropy) {
  Dataset data = dataset({1}, {0, 0, 0});
  data.labels = {2, 0, 1};
  const Task task = task_of(TaskKind::classification, {3});
  const std::vector<std::int64_t> samples{2, 0};  // labels 1 and 2
  const torch::Tensor targets = target_tensor(task, data, samples, torch::zeros({2, 1}), {});
  const torch::Tensor logits = torch::tensor({{1.0F, 2.0F, 3.0F}, {0.0F, 0.0F, 1.0F}});
  const double expected = std::log(std::exp(1) + std::exp(2) + std::exp(3)) - 2 + std::log(2 + std::exp(1)) - 1;
  EXPECT_NEAR(task_loss(task, logits, targets).item<double>(), expected, 1e-5);
}

TEST(TaskLoss, OfTwoSidesIsTheSameForLogitsAndShares) {
  Dataset data = dataset({1}, {0, 0});
  data.labels = {1, 0};
  const torch::Tensor logits = torch::tensor({{0.5F}, {2.0F}});
  const double expected = -std::log(sigmoid(0.5)) - std::log(1 - sigmoid(2));
  for (const bool share : {false, true}) {
    const Task task = task_of(TaskKind::binary, {1}, share);
    const torch::Tensor targets = target_tensor(task, data, numbers_from(0, 2), torch::zeros({2, 1}), {});
    EXPECT_NEAR(task_loss(task, share ? logits.sigmoid() : logits, targets).item<double>(), expected, 1e-5) << share;
  }
}

TEST(TaskLoss, OfPixelsIsTheirMeanWithoutThoseOfNoClass) {
  Dataset data = dataset({1, 1, 2}, {0, 0, 0, 0});
  data.class_maps = {{0, 1, -1, 1}, 2};
  data.target_shape = {1, 2};
  const Task task = task_of(TaskKind::segmentation, {2, 1, 2});
  const torch::Tensor targets = target_tensor(task, data, numbers_from(0, 2), torch::zeros({2, 1, 1, 2}), {});
  // channels first: channel 0 is {0, 0}, channel 1 is {1, 3}
  const torch::Tensor logits = torch::tensor({0.0F, 0.0F, 1.0F, 3.0F, 0.0F, 0.0F, 1.0F, 3.0F}).reshape({2, 2, 1, 2});
  const double first = std::log(1 + std::exp(1));       // class 0 of logits 0, 1
  const double second = std::log(1 + std::exp(3)) - 3;  // class 1 of logits 0, 3
  EXPECT_NEAR(task_loss(task, logits, targets).item<double>(), (first + second + second) / 2, 1e-5);
  const Task mask = task_of(TaskKind::segmentation, {1, 1, 2});
  const torch::Tensor one = torch::tensor({0.5F, -1.0F, 4.0F, 2.0F}).reshape({2, 1, 1, 2});
  const double sides = -std::log(1 - sigmoid(0.5)) - std::log(sigmoid(-1)) - std::log(sigmoid(2));
  EXPECT_NEAR(task_loss(mask, one, targets).item<double>(), sides / 2, 1e-5);
}

TEST(TaskLoss, OfNumbersIsHalfTheMeanSquare) {
  Dataset data = dataset({1}, {0, 0});
  data.targets = {{1, 2, 3, 4}, 2};
  data.target_shape = {2};
  const Task task = task_of(TaskKind::regression, {2});
  const torch::Tensor targets = target_tensor(task, data, numbers_from(0, 2), torch::zeros({2, 1}), {});
  EXPECT_NEAR(task_loss(task, torch::tensor({{1.0F, 4.0F}, {3.0F, 3.0F}}), targets).item<double>(), (2 + 0.5) / 2,
              1e-6);
}

TEST(TaskLoss, OfAReconstructionHasTheTasksOwnPreprocessing) {
  Dataset data;
  data.shape = {2, 1, 1};
  data.pixels = {{10, 20}, 2};
  Task task = task_of(TaskKind::reconstruction, {2, 1, 1});
  task.pixels = {{5, 10}, {5, 2}};
  const torch::Tensor wanted = torch::tensor({{1.0F, 5.0F}});
  // whichever way the network gets the same pixels
  for (const Preprocessing& done : {Preprocessing{}, task.pixels, Preprocessing{{}, {255, 255}}}) {
    std::vector<float> input(2);
    data.read(0, done, input);
    const torch::Tensor targets =
        target_tensor(task, data, numbers_from(0, 1), torch::tensor(input).reshape({1, 2, 1, 1}), done);
    EXPECT_TRUE(torch::allclose(targets, wanted, 1e-5)) << targets;
  }
}

TEST(TaskDivergence, IsZeroOfEqualAndPositiveOfOtherOutputs) {
  torch::manual_seed(1);
  for (const Task& task : {task_of(TaskKind::classification, {6}), task_of(TaskKind::binary, {1}),
                           task_of(TaskKind::segmentation, {3, 2, 1}), task_of(TaskKind::segmentation, {1, 3, 2}),
                           task_of(TaskKind::regression, {6}), task_of(TaskKind::outputs, {2, 3, 1})}) {
    std::vector<std::int64_t> shape{4};
    shape.insert(shape.end(), task.output.begin(), task.output.end());
    const torch::Tensor reference = torch::randn(shape);
    EXPECT_NEAR(task_divergence(task, reference, reference).item<double>(), 0, 1e-5) << name_of(task.kind);
    EXPECT_GT(task_divergence(task, reference + torch::randn(shape), reference).item<double>(), 1e-3)
        << name_of(task.kind);
  }
}

TEST(TaskDivergence, EqualsItsDefinitions) {
  const torch::Tensor reference = torch::tensor({{1.0F, 0.0F}});
  const torch::Tensor other = torch::tensor({{0.0F, 2.0F}});
  const double p = sigmoid(1);  // of two classes
  const double q = sigmoid(-2);
  EXPECT_NEAR(task_divergence(task_of(TaskKind::classification, {2}), other, reference).item<double>(),
              p * std::log(p / q) + (1 - p) * std::log((1 - p) / (1 - q)), 1e-5);
  EXPECT_NEAR(
      task_divergence(task_of(TaskKind::binary, {1}), other.slice(1, 1, 2), reference.slice(1, 0, 1)).item<double>(),
      p * std::log(p / sigmoid(2)) + (1 - p) * std::log((1 - p) / (1 - sigmoid(2))), 1e-5);
  EXPECT_NEAR(task_divergence(task_of(TaskKind::regression, {2}), other, reference).item<double>(),
              (1 + 4) / 2.0 / (2 * 0.5), 1e-5)
      << "mean squared error over the reference's mean square, halved";
}

}  // namespace
}  // namespace trimtab
