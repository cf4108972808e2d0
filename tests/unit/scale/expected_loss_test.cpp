#include "scale/expected_loss.h"

#include <gtest/gtest.h>

#include <cmath>

#include "base/random.h"

namespace trimtab {
namespace {

TEST(PairedDifference, IsOverThePairs) {
  // 3 of 10 lost, 1 won: the mean is 2/10, the variance over the pairs (4 - 10 * 0.04) / 9.
  const std::vector<bool> before{true, true, true, true, true, false, false, false, false, false};
  const std::vector<bool> after{false, false, false, true, true, true, false, false, false, false};
  const MeanDifference difference = paired_difference(before, after);
  EXPECT_NEAR(difference.mean, 20, 1e-9);
  EXPECT_NEAR(difference.half_width, 100 * 1.96 * std::sqrt(3.6 / 9 / 10), 1e-9);
  EXPECT_EQ(paired_difference(before, before).half_width, 0);
}

/// Rows of softmax over normal logits of this deviation.
std::vector<float> random_probabilities(std::size_t samples, std::size_t classes, double deviation, Random& random) {
  std::vector<float> result;
  for (std::size_t i = 0; i < samples; ++i) {
    double sum = 0;
    for (std::size_t c = 0; c < classes; ++c) {
      result.push_back(static_cast<float>(std::exp(deviation * random.normal())));
      sum += static_cast<double>(result.back());
    }
    for (std::size_t c = 0; c < classes; ++c) result[i * classes + c] /= static_cast<float>(sum);
  }
  return result;
}

std::vector<std::int64_t> drawn_labels(const std::vector<float>& probabilities, std::size_t classes, Random& random) {
  std::vector<std::int64_t> labels;
  for (std::size_t first = 0; first < probabilities.size(); first += classes) {
    double left = random.uniform();
    std::size_t label = 0;
    while (label + 1 < classes && (left -= static_cast<double>(probabilities[first + label])) > 0) ++label;
    labels.push_back(static_cast<std::int64_t>(label));
  }
  return labels;
}

Level level_of(std::vector<std::int64_t> class_of, std::size_t classes) {
  return {"level", std::vector<std::string>(classes, "c"), std::move(class_of)};
}

TEST(Temperature, IsThatOfTheLabels) {
  Random random(1);
  const std::vector<float> probabilities = random_probabilities(20000, 5, 2, random);
  for (const double temperature : {0.6, 1.0, 1.7}) {
    const std::vector<float> truth = at_temperature(probabilities, 5, temperature);
    EXPECT_NEAR(fit_temperature(probabilities, drawn_labels(truth, 5, random)), temperature, 0.03 * temperature);
  }
}

TEST(Temperature, DividesTheLogits) {
  const std::vector<float> probabilities{0.64F, 0.32F, 0.04F};
  const std::vector<float> halved = at_temperature(probabilities, 3, 2);  // square roots: 0.8, 0.5657, 0.2
  const double sum = 0.8 + std::sqrt(0.32) + 0.2;
  EXPECT_NEAR(halved[0], 0.8 / sum, 1e-6);
  EXPECT_NEAR(halved[1], std::sqrt(0.32) / sum, 1e-6);
  EXPECT_NEAR(halved[2], 0.2 / sum, 1e-6);
}

TEST(ExpectedLoss, IsTheDifferenceOfTheAnswersProbabilities) {
  const std::vector<float> truth{0.5F, 0.3F, 0.2F, 0.1F, 0.6F, 0.3F};
  const std::vector<float> other{0.2F, 0.7F, 0.1F, 0.1F, 0.6F, 0.3F};
  const Level leaves = level_of({0, 1, 2}, 3);
  EXPECT_EQ(expected_loss(leaves, truth, truth, truth).mean, 0);
  // the first answer changes from 0 to 1: 0.5 - 0.3; the second does not change
  EXPECT_NEAR(expected_loss(leaves, truth, truth, other).mean, 100 * 0.2 / 2, 1e-5);
  EXPECT_NEAR(expected_loss(leaves, truth, truth, other).half_width, 100 * 1.96 * 0.1, 1e-4);
  // 0 and 1 together: no answer changes
  EXPECT_EQ(expected_loss(level_of({0, 0, 1}, 2), truth, truth, other).mean, 0);
}

/// Where labels follow the probabilities, it estimates what the hits estimate, more closely.
TEST(ExpectedLoss, AgreesWithTheHitsOfManyLabels) {
  Random random(2);
  constexpr std::size_t samples = 40000;
  const std::vector<float> truth = random_probabilities(samples, 6, 1, random);
  std::vector<float> noisy = truth;
  for (float& p : noisy) p *= static_cast<float>(std::exp(0.3 * random.normal()));
  const Level level = level_of({0, 0, 1, 2, 2, 3}, 4);
  const MeanDifference expected = expected_loss(level, truth, truth, noisy);
  const std::vector<std::int64_t> labels = drawn_labels(truth, 6, random);
  const auto hits = [&](const std::vector<float>& probabilities) {
    const std::vector<float> sums = aggregate(level, probabilities);
    std::vector<bool> right;
    for (std::size_t i = 0; i < samples; ++i) {
      std::size_t answer = 0;
      for (std::size_t c = 1; c < 4; ++c) {
        if (sums[i * 4 + c] > sums[i * 4 + answer]) answer = c;
      }
      right.push_back(static_cast<std::int64_t>(answer) == level.class_of[static_cast<std::size_t>(labels[i])]);
    }
    return right;
  };
  const MeanDifference counted = paired_difference(hits(truth), hits(noisy));
  EXPECT_GT(expected.mean, 0.5);
  EXPECT_NEAR(expected.mean, counted.mean, 1.5 * counted.half_width);
  EXPECT_LT(expected.half_width, counted.half_width / 3);
}

}  // namespace
}  // namespace trimtab
