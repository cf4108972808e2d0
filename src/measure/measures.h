#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace trimtab {

// One function or accumulator per measure. Nothing here knows what a task is (task.h). A measure that is not defined
// for its data (the area under the curve where one class is absent) is nothing, never a number.

/// Number of the largest, the first of equal ones; -1 where there are none or one of them is not a number.
[[nodiscard]] std::int64_t largest(std::span<const float> numbers);

/// Position of number `index` from the largest down: larger ones, and equal ones of smaller index, stand before it. Far
/// behind all where one of them is not a number: such an answer is never right.
[[nodiscard]] std::int64_t rank_of(std::span<const float> numbers, std::int64_t index);

/// -log softmax(logits)[index], nats.
[[nodiscard]] double cross_entropy(std::span<const float> logits, std::int64_t index);

/// Area under the receiver operating characteristic: the share of the pairs of a positive and a negative whose positive
/// has the larger score; equal scores count half (Mann and Whitney 1947). Nothing without both kinds, or where a score
/// is not a number. O(n log n).
[[nodiscard]] std::optional<double> roc_auc(std::span<const double> scores, const std::vector<bool>& positive);

/// Measures of how far answers are from what they should be, over samples of the same number of outputs.
class ErrorMeasures {
 public:
  explicit ErrorMeasures(std::int64_t outputs) : own_(static_cast<std::size_t>(outputs)) {}

  /// Adds one sample: an answer and its target for every output.
  void add(std::span<const float> answers, std::span<const float> targets);

  [[nodiscard]] std::int64_t samples() const { return samples_; }
  /// Over all numbers.
  [[nodiscard]] double mean_squared_error() const;
  [[nodiscard]] double mean_absolute_error() const;
  /// 1 - (squared error / squared deviation from the mean), averaged over the outputs whose targets vary; nothing where
  /// none does.
  [[nodiscard]] std::optional<double> r2() const;
  /// 10 log10(power of the targets / power of the error); infinite where they are equal; nothing without power.
  [[nodiscard]] std::optional<double> sqnr_db() const;
  /// Of the angle between all answers and all targets; nothing where either is zero everywhere.
  [[nodiscard]] std::optional<double> cosine() const;

 private:
  struct Output {
    double shift = 0;  ///< the first target: keeps squares of a large mean from cancelling
    double sum = 0;
    double squares = 0;
    double squared_error = 0;
  };
  std::vector<Output> own_;
  std::int64_t samples_ = 0;
  double squared_error_ = 0;
  double absolute_error_ = 0;
  double target_power_ = 0;
  double answer_power_ = 0;
  double product_ = 0;
};

/// Counts how classes were answered, for measures of many decisions (the pixels of pictures).
class ConfusionMatrix {
 public:
  explicit ConfusionMatrix(std::int64_t classes)
      : classes_(classes), counts_(static_cast<std::size_t>(classes * (classes + 1))) {}

  /// A negative label does not count; an answer that is no class is wrong.
  void add(std::int64_t label, std::int64_t answer);

  /// Percent of the labels that were answered rightly; nothing without any.
  [[nodiscard]] std::optional<double> accuracy() const;
  /// Mean over the classes that occur, in labels or answers, of intersection over union, percent (Everingham et al.
  /// 2010, PASCAL VOC); nothing without any.
  [[nodiscard]] std::optional<double> mean_iou() const;

 private:
  [[nodiscard]] std::int64_t count(std::int64_t label, std::int64_t answer) const;

  std::int64_t classes_;
  std::vector<std::int64_t> counts_;  ///< {label, answer}; the last answer is that of no class
};

}  // namespace trimtab
