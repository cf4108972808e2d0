#include "measure/answer_review.h"

#include <gtest/gtest.h>

#include <cmath>

namespace trimtab {
namespace {

Dataset labelled_samples(std::vector<std::int64_t> labels) {
  Dataset data;
  data.shape = {1};
  data.features = {std::vector<float>(labels.size(), 0.0F), 1};
  data.labels = std::move(labels);
  return data;
}

Task task_of(TaskKind kind, std::int64_t outputs) {
  Task task;
  task.kind = kind;
  task.output = {outputs};
  return task;
}

TEST(AnswerReview, CountsAndSortsWrongAnswers) {
  const Dataset data = labelled_samples({0, 1, 2, 1, 0});
  AnswerReview review(task_of(TaskKind::classification, 3), data);
  // sample 0 right; 1 wrong in both; 2 wrong, the reference right; 3 right; 4 wrong, the reference right, more sure
  const std::vector<float> outputs{2, 1, 0, 3, 0, 0, 1, 0, 0.5F, 0, 1, 0, 0, 5, 0};
  const std::vector<float> reference{2, 1, 0, 3, 0, 0, 0, 0, 1, 0, 1, 0, 1, 0, 0};
  review.add(0, std::span(outputs).first(6), std::span(reference).first(6));
  review.add(2, std::span(outputs).subspan(6), std::span(reference).subspan(6));
  EXPECT_EQ(review.confusion(), (std::vector<std::vector<std::int64_t>>{{1, 1, 0}, {1, 1, 0}, {1, 0, 0}}));
  const std::vector<WrongAnswer> worst = review.worst(10);
  ASSERT_EQ(worst.size(), 3U);
  EXPECT_EQ(worst[0].sample, 4);
  EXPECT_EQ(worst[1].sample, 2);
  EXPECT_EQ(worst[2].sample, 1);
  EXPECT_EQ(worst[2].reference_answer, 0);
  EXPECT_NEAR(worst[0].probability, 1 / (2 + std::exp(5.0)), 1e-9);
  EXPECT_EQ(review.worst(2).size(), 2U);
}

TEST(AnswerReview, BinaryHasTwoClasses) {
  const Dataset data = labelled_samples({1, 0});
  Task task = task_of(TaskKind::binary, 1);
  task.probability = true;
  AnswerReview review(task, data);
  const std::vector<float> outputs{0.25F, 0.125F};
  review.add(0, outputs, outputs);
  EXPECT_EQ(review.confusion(), (std::vector<std::vector<std::int64_t>>{{1, 0}, {1, 0}}));
  EXPECT_NEAR(review.worst(1).at(0).probability, 0.25, 1e-9);
}

TEST(AnswerReview, HasNothingToSayOfNumbers) {
  const Dataset data = labelled_samples({});
  AnswerReview review(task_of(TaskKind::regression, 1), data);
  const std::vector<float> outputs{1};
  review.add(0, outputs, outputs);
  EXPECT_TRUE(review.confusion().empty());
  EXPECT_TRUE(review.worst(3).empty());
}

}  // namespace
}  // namespace trimtab
