#include "measure/measures.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "base/index.h"

namespace trimtab {

std::int64_t largest(std::span<const float> numbers) {
  if (numbers.empty() || std::ranges::any_of(numbers, [](float x) { return std::isnan(x); })) return -1;
  return std::ranges::max_element(numbers) - numbers.begin();
}

std::int64_t rank_of(std::span<const float> numbers, std::int64_t index) {
  const float own = nth(numbers, index);
  std::int64_t rank = 0;
  for (std::int64_t i = 0; i < std::ssize(numbers); ++i) {
    const float other = nth(numbers, i);
    if (std::isnan(other)) return std::numeric_limits<std::int64_t>::max();
    rank += other > own || (other == own && i < index) ? 1 : 0;
  }
  return rank;
}

double cross_entropy(std::span<const float> logits, std::int64_t index) {
  const double most = *std::ranges::max_element(logits);
  double sum = 0;
  for (const double logit : logits) sum += std::exp(logit - most);
  return most + std::log(sum) - static_cast<double>(nth(logits, index));
}

std::optional<double> roc_auc(std::span<const double> scores, const std::vector<bool>& positive) {
  const auto positives = static_cast<double>(std::ranges::count(positive, true));
  const double negatives = static_cast<double>(positive.size()) - positives;
  if (positives == 0 || negatives == 0) return std::nullopt;
  if (std::ranges::any_of(scores, [](double score) { return std::isnan(score); })) return std::nullopt;
  std::vector<std::size_t> order(scores.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::ranges::sort(order, [&](std::size_t a, std::size_t b) { return scores[a] < scores[b]; });
  double won = 0;    // pairs
  double below = 0;  // negatives with a smaller score
  for (std::size_t first = 0; first < order.size();) {
    double ties = 0;
    double equal_positives = 0;
    std::size_t end = first;
    for (; end < order.size() && scores[order[end]] == scores[order[first]]; ++end)
      (positive[order[end]] ? equal_positives : ties) += 1;
    won += equal_positives * (below + ties / 2);
    below += ties;
    first = end;
  }
  return won / (positives * negatives);
}

void ErrorMeasures::add(std::span<const float> answers, std::span<const float> targets) {
  for (std::size_t i = 0; i < own_.size(); ++i) {
    const double answer = answers[i];
    const double target = targets[i];
    const double error = answer - target;
    Output& own = own_[i];
    if (samples_ == 0) own.shift = target;
    own.sum += target - own.shift;
    own.squares += (target - own.shift) * (target - own.shift);
    own.squared_error += error * error;
    squared_error_ += error * error;
    absolute_error_ += std::abs(error);
    target_power_ += target * target;
    answer_power_ += answer * answer;
    product_ += answer * target;
  }
  ++samples_;
}

double ErrorMeasures::mean_squared_error() const {
  return squared_error_ / (static_cast<double>(samples_) * static_cast<double>(own_.size()));
}

double ErrorMeasures::mean_absolute_error() const {
  return absolute_error_ / (static_cast<double>(samples_) * static_cast<double>(own_.size()));
}

std::optional<double> ErrorMeasures::r2() const {
  double sum = 0;
  std::int64_t count = 0;
  for (const Output& own : own_) {
    const double deviation = own.squares - own.sum * own.sum / static_cast<double>(samples_);
    if (!(deviation > 0)) continue;
    sum += 1 - own.squared_error / deviation;
    ++count;
  }
  if (count == 0) return std::nullopt;
  return sum / static_cast<double>(count);
}

std::optional<double> ErrorMeasures::sqnr_db() const {
  if (!(target_power_ > 0)) return std::nullopt;
  return 10 * std::log10(target_power_ / squared_error_);
}

std::optional<double> ErrorMeasures::cosine() const {
  if (!(target_power_ > 0 && answer_power_ > 0)) return std::nullopt;
  return product_ / std::sqrt(target_power_ * answer_power_);
}

void ConfusionMatrix::add(std::int64_t label, std::int64_t answer) {
  if (label < 0) return;
  const bool known = answer >= 0 && answer < classes_;
  ++nth(counts_, label * (classes_ + 1) + (known ? answer : classes_));
}

std::int64_t ConfusionMatrix::count(std::int64_t label, std::int64_t answer) const {
  return nth(counts_, label * (classes_ + 1) + answer);
}

std::optional<double> ConfusionMatrix::accuracy() const {
  std::int64_t right = 0;
  for (std::int64_t c = 0; c < classes_; ++c) right += count(c, c);
  const std::int64_t all = std::accumulate(counts_.begin(), counts_.end(), std::int64_t{0});
  if (all == 0) return std::nullopt;
  return 100 * static_cast<double>(right) / static_cast<double>(all);
}

std::optional<double> ConfusionMatrix::mean_iou() const {
  double sum = 0;
  std::int64_t occurring = 0;
  for (std::int64_t c = 0; c < classes_; ++c) {
    std::int64_t together = -count(c, c);  // is in both sums
    for (std::int64_t answer = 0; answer <= classes_; ++answer) together += count(c, answer);
    for (std::int64_t label = 0; label < classes_; ++label) together += count(label, c);
    if (together == 0) continue;
    sum += static_cast<double>(count(c, c)) / static_cast<double>(together);
    ++occurring;
  }
  if (occurring == 0) return std::nullopt;
  return 100 * sum / static_cast<double>(occurring);
}

}  // namespace trimtab
