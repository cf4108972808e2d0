#include "scale/expected_loss.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "base/index.h"

namespace trimtab {
namespace {

double cross_entropy(std::span<const float> probabilities, std::span<const std::int64_t> labels, double temperature) {
  const std::size_t classes = probabilities.size() / labels.size();
  const std::vector<float> tempered = at_temperature(probabilities, classes, temperature);
  double sum = 0;
  for (std::size_t i = 0; i < labels.size(); ++i) {
    const auto right = static_cast<double>(tempered[i * classes + static_cast<std::size_t>(labels[i])]);
    sum -= std::log(std::max(right, 1e-30));
  }
  return sum;
}

}  // namespace

MeanDifference mean_difference(std::span<const double> differences) {
  const auto count = static_cast<double>(differences.size());
  const double mean = std::accumulate(differences.begin(), differences.end(), 0.0) / count;
  double squares = 0;
  for (const double difference : differences) squares += (difference - mean) * (difference - mean);
  const double variance = count > 1 ? squares / (count - 1) : 0;
  return {100 * mean, 100 * 1.96 * std::sqrt(variance / count)};
}

MeanDifference paired_difference(const std::vector<bool>& before, const std::vector<bool>& after) {
  std::vector<double> differences;
  for (std::size_t i = 0; i < before.size(); ++i) {
    differences.push_back((before[i] ? 1.0 : 0.0) - (after.at(i) ? 1.0 : 0.0));
  }
  return mean_difference(differences);
}

double jackknife_half_width(std::span<const double> without_block) {
  const auto blocks = static_cast<double>(without_block.size());
  const double mean = std::accumulate(without_block.begin(), without_block.end(), 0.0) / blocks;
  double squares = 0;
  for (const double value : without_block) squares += (value - mean) * (value - mean);
  return 1.96 * std::sqrt(squares * (blocks - 1) / blocks);
}

double fit_temperature(std::span<const float> probabilities, std::span<const std::int64_t> labels) {
  // The cross-entropy is convex in 1 / T, so one minimum: golden section, over the logarithm of T.
  double low = std::log(0.25);
  double high = std::log(4.0);
  const double ratio = (std::sqrt(5.0) - 1) / 2;
  const auto at = [&](double logarithm) { return cross_entropy(probabilities, labels, std::exp(logarithm)); };
  double left = high - ratio * (high - low);
  double right = low + ratio * (high - low);
  double at_left = at(left);
  double at_right = at(right);
  while (high - low > 1e-3) {
    if (at_left <= at_right) {
      high = right;
      right = left;
      at_right = at_left;
      left = high - ratio * (high - low);
      at_left = at(left);
    } else {
      low = left;
      left = right;
      at_left = at_right;
      right = low + ratio * (high - low);
      at_right = at(right);
    }
  }
  return std::exp((low + high) / 2);
}

std::vector<float> at_temperature(std::span<const float> probabilities, std::size_t classes, double temperature) {
  std::vector<float> result(probabilities.begin(), probabilities.end());
  for (std::size_t first = 0; first < result.size(); first += classes) {
    const auto row = std::span(result).subspan(first, classes);
    for (float& p : row) p = static_cast<float>(std::pow(static_cast<double>(p), 1 / temperature));
    const double sum = std::accumulate(row.begin(), row.end(), 0.0);
    for (float& p : row) p = static_cast<float>(static_cast<double>(p) / sum);
  }
  return result;
}

MeanDifference expected_loss(const Level& level, std::span<const float> truth, std::span<const float> before,
                             std::span<const float> after) {
  const std::size_t classes = level.classes.size();
  const std::vector<float> probable = aggregate(level, truth);
  const std::vector<std::int64_t> answers_before = answers(level, before);
  const std::vector<std::int64_t> answers_after = answers(level, after);
  std::vector<double> lost;
  for (std::size_t i = 0; i < answers_before.size(); ++i) {
    const auto row = std::span(probable).subspan(i * classes, classes);
    const auto of = [&](std::int64_t answer) { return static_cast<double>(nth(row, answer)); };
    lost.push_back(of(answers_before[i]) - of(answers_after[i]));
  }
  return mean_difference(lost);
}

}  // namespace trimtab
