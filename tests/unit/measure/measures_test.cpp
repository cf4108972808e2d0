#include "measure/measures.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <numeric>
#include <set>

#include "base/random.h"

namespace trimtab {
namespace {

constexpr float nan = std::numeric_limits<float>::quiet_NaN();

std::vector<float> random_numbers(Random& random, std::size_t count, double mean = 0) {
  std::vector<float> numbers(count);
  for (float& x : numbers) x = static_cast<float>(mean + random.normal());
  return numbers;
}

/// Over all pairs, by definition.
double auc_of_pairs(const std::vector<double>& scores, const std::vector<bool>& positive) {
  double won = 0;
  double pairs = 0;
  for (std::size_t p = 0; p < scores.size(); ++p) {
    for (std::size_t n = 0; n < scores.size(); ++n) {
      if (!positive[p] || positive[n]) continue;
      pairs += 1;
      won += scores[p] > scores[n] ? 1 : scores[p] == scores[n] ? 0.5 : 0;
    }
  }
  return won / pairs;
}

TEST(RocAuc, IsTheShareOfPairsInTheRightOrder) {
  Random random(1);
  for (const std::int64_t levels : {2, 5, 1000}) {  // few: many scores are equal
    std::vector<double> scores;
    std::vector<bool> positive;
    for (int i = 0; i < 200; ++i) {
      positive.push_back(random.integer(0, 3) == 0);
      scores.push_back(static_cast<double>(random.integer(0, levels - 1) + (positive.back() ? levels / 3 : 0)));
    }
    EXPECT_NEAR(roc_auc(scores, positive).value(), auc_of_pairs(scores, positive), 1e-12) << levels;
  }
}

TEST(RocAuc, HasClosedFormsAtItsEnds) {
  EXPECT_EQ(roc_auc(std::vector<double>{1, 2, 3, 4}, {false, false, true, true}), 1.0);
  EXPECT_EQ(roc_auc(std::vector<double>{1, 2, 3, 4}, {true, true, false, false}), 0.0);
  EXPECT_EQ(roc_auc(std::vector<double>{7, 7, 7, 7}, {true, false, true, false}), 0.5);
}

TEST(RocAuc, IsNothingWhereItMeansNothing) {
  EXPECT_EQ(roc_auc(std::vector<double>{1, 2}, {true, true}), std::nullopt);
  EXPECT_EQ(roc_auc(std::vector<double>{1, 2}, {false, false}), std::nullopt);
  EXPECT_EQ(roc_auc({}, {}), std::nullopt);
  EXPECT_EQ(roc_auc(std::vector<double>{1, nan}, {true, false}), std::nullopt);
}

TEST(Ranks, CountWhatStandsBefore) {
  const std::vector<float> numbers{2, 5, 5, 1, 2};
  EXPECT_EQ(largest(numbers), 1);
  std::vector<std::int64_t> ranks;
  for (std::int64_t i = 0; i < 5; ++i) ranks.push_back(rank_of(numbers, i));
  EXPECT_EQ(ranks, (std::vector<std::int64_t>{2, 0, 1, 4, 3}));
}

TEST(Ranks, AreNeverGoodWhereANumberIsNone) {
  EXPECT_EQ(largest(std::vector<float>{1, nan, 3}), -1);
  EXPECT_EQ(largest({}), -1);
  EXPECT_GT(rank_of(std::vector<float>{3, nan, 1}, 0), 1'000'000);
}

TEST(CrossEntropy, IsThatOfTheSoftmax) {
  EXPECT_NEAR(cross_entropy(std::vector<float>{0, 0, 0, 0}, 2), std::log(4.0), 1e-12);
  EXPECT_NEAR(cross_entropy(std::vector<float>{1000, 0}, 1), 1000, 1e-9) << "without overflow";
  EXPECT_NEAR(cross_entropy(std::vector<float>{1, 2, 3}, 0),
              std::log(std::exp(1.0) + std::exp(2.0) + std::exp(3.0)) - 1, 1e-12);
}

struct NaiveErrors {
  double mse = 0;
  double mae = 0;
  double r2 = 0;
  double sqnr_db = 0;
  double cosine = 0;
};

/// In two passes; R2 as the mean over the columns.
NaiveErrors naive_errors(const std::vector<float>& answers, const std::vector<float>& targets, std::size_t columns) {
  NaiveErrors naive;
  const auto count = static_cast<double>(answers.size());
  double power = 0;
  double answer_power = 0;
  double product = 0;
  for (std::size_t i = 0; i < answers.size(); ++i) {
    const double error = static_cast<double>(answers[i]) - targets[i];
    naive.mse += error * error / count;
    naive.mae += std::abs(error) / count;
    power += static_cast<double>(targets[i]) * targets[i];
    answer_power += static_cast<double>(answers[i]) * answers[i];
    product += static_cast<double>(answers[i]) * targets[i];
  }
  for (std::size_t c = 0; c < columns; ++c) {
    double mean = 0;
    for (std::size_t i = c; i < targets.size(); i += columns)
      mean += targets[i] / (count / static_cast<double>(columns));
    double error = 0;
    double deviation = 0;
    for (std::size_t i = c; i < targets.size(); i += columns) {
      error += std::pow(static_cast<double>(answers[i]) - targets[i], 2);
      deviation += std::pow(targets[i] - mean, 2);
    }
    naive.r2 += (1 - error / deviation) / static_cast<double>(columns);
  }
  naive.sqnr_db = 10 * std::log10(power / (naive.mse * count));
  naive.cosine = product / std::sqrt(power) / std::sqrt(answer_power);
  return naive;
}

TEST(ErrorMeasures, EqualTheirDefinitions) {
  Random random(2);
  for (const std::size_t columns : {1U, 3U}) {
    for (const double mean : {0.0, 1e4}) {  // of the targets: far larger than their deviation
      const std::vector<float> targets = random_numbers(random, 60 * columns, mean);
      std::vector<float> answers = targets;
      for (float& x : answers) x += static_cast<float>(0.5 * random.normal());
      ErrorMeasures errors(static_cast<std::int64_t>(columns));
      for (std::size_t i = 0; i < targets.size(); i += columns)
        errors.add(std::span(answers).subspan(i, columns), std::span(targets).subspan(i, columns));
      const NaiveErrors naive = naive_errors(answers, targets, columns);
      EXPECT_EQ(errors.samples(), 60);
      EXPECT_NEAR(errors.mean_squared_error(), naive.mse, 1e-9 * naive.mse);
      EXPECT_NEAR(errors.mean_absolute_error(), naive.mae, 1e-9 * naive.mae);
      EXPECT_NEAR(errors.r2().value(), naive.r2, 1e-9);
      EXPECT_NEAR(errors.sqnr_db().value(), naive.sqnr_db, 1e-9);
      EXPECT_NEAR(errors.cosine().value(), naive.cosine, 1e-9);
    }
  }
}

TEST(ErrorMeasures, HaveClosedForms) {
  ErrorMeasures tenth(2);  // an error of a tenth of the signal is 20 dB
  tenth.add(std::vector<float>{1.1F, -2.2F}, std::vector<float>{1, -2});
  EXPECT_NEAR(tenth.sqnr_db().value(), 20, 1e-5);
  EXPECT_NEAR(tenth.cosine().value(), 1, 1e-7);
  ErrorMeasures right_angle(2);
  right_angle.add(std::vector<float>{3, 0}, std::vector<float>{0, 4});
  EXPECT_EQ(right_angle.cosine(), 0.0);
  EXPECT_EQ(right_angle.mean_squared_error(), 12.5);
  EXPECT_EQ(right_angle.mean_absolute_error(), 3.5);
  ErrorMeasures mean(1);  // the mean of the targets as answer explains nothing
  mean.add(std::vector<float>{2}, std::vector<float>{1});
  mean.add(std::vector<float>{2}, std::vector<float>{3});
  EXPECT_EQ(mean.r2(), 0.0);
  ErrorMeasures exact(1);
  exact.add(std::vector<float>{2}, std::vector<float>{2});
  exact.add(std::vector<float>{3}, std::vector<float>{3});
  EXPECT_EQ(exact.r2(), 1.0);
  EXPECT_EQ(exact.sqnr_db(), std::numeric_limits<double>::infinity());
}

TEST(ErrorMeasures, AreNothingWhereTheyMeanNothing) {
  ErrorMeasures constant(1);
  constant.add(std::vector<float>{1}, std::vector<float>{0});
  constant.add(std::vector<float>{2}, std::vector<float>{0});
  EXPECT_EQ(constant.r2(), std::nullopt);
  EXPECT_EQ(constant.sqnr_db(), std::nullopt);
  EXPECT_EQ(constant.cosine(), std::nullopt);
}

TEST(ConfusionMatrix, EqualsTheSetsOfPixels) {
  Random random(3);
  constexpr std::int64_t classes = 4;
  ConfusionMatrix matrix(classes);
  std::vector<std::int64_t> labels;
  std::vector<std::int64_t> answers;
  for (int i = 0; i < 500; ++i) {
    labels.push_back(random.integer(-1, 2));   // class 3 is answered, but never right; -1 does not count
    answers.push_back(random.integer(-1, 3));  // -1: no class
    matrix.add(labels.back(), answers.back());
  }
  double right = 0;
  double counted = 0;
  double iou = 0;
  for (std::int64_t c = 0; c < classes; ++c) {
    std::set<std::size_t> of_label;
    std::set<std::size_t> of_answer;
    std::set<std::size_t> both;
    std::set<std::size_t> either;
    for (std::size_t i = 0; i < labels.size(); ++i) {
      if (labels[i] < 0) continue;
      if (labels[i] == c) of_label.insert(i);
      if (answers[i] == c) of_answer.insert(i);
    }
    std::set_intersection(of_label.begin(), of_label.end(), of_answer.begin(), of_answer.end(),
                          std::inserter(both, both.end()));
    std::set_union(of_label.begin(), of_label.end(), of_answer.begin(), of_answer.end(),
                   std::inserter(either, either.end()));
    right += static_cast<double>(both.size());
    counted += static_cast<double>(of_label.size());
    iou += static_cast<double>(both.size()) / static_cast<double>(either.size()) / classes;
  }
  EXPECT_NEAR(matrix.accuracy().value(), 100 * right / counted, 1e-9);
  EXPECT_NEAR(matrix.mean_iou().value(), 100 * iou, 1e-9);
}

TEST(ConfusionMatrix, LeavesOutClassesThatDoNotOccur) {
  ConfusionMatrix matrix(9);
  EXPECT_EQ(matrix.mean_iou(), std::nullopt);
  EXPECT_EQ(matrix.accuracy(), std::nullopt);
  matrix.add(-1, 3);
  EXPECT_EQ(matrix.mean_iou(), std::nullopt);
  matrix.add(2, 2);
  matrix.add(2, 5);
  EXPECT_EQ(matrix.mean_iou(), 25.0) << "half of class 2, nothing of class 5";
}

}  // namespace
}  // namespace trimtab
