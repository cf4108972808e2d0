#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "data/dataset.h"
#include "measure/task.h"

namespace trimtab {

/// A sample that was answered wrongly.
struct WrongAnswer {
  std::int64_t sample = 0;
  std::int64_t label = 0;
  std::int64_t answer = 0;
  std::int64_t reference_answer = 0;  ///< of the network that the answers are compared with
  double probability = 0;             ///< of the right class, by the answers
};

/// Which classes a network confuses, and which samples it answers worst. Of tasks with a class per sample
/// (classification, binary); of others, and without labels, there is nothing to review.
class AnswerReview {
 public:
  /// `data` must outlive the review.
  AnswerReview(Task task, const Dataset& data);

  /// The outputs of the samples from `first` on and those of a reference, real numbers, channels first.
  void add(std::int64_t first, std::span<const float> outputs, std::span<const float> reference);

  /// Counts {label, answer}; empty where there is nothing to review.
  [[nodiscard]] const std::vector<std::vector<std::int64_t>>& confusion() const { return confusion_; }
  /// The worst `most` of the wrong answers: first those that the reference answers rightly, each by the probability of
  /// the right class, the least first.
  [[nodiscard]] std::vector<WrongAnswer> worst(std::size_t most) const;

 private:
  [[nodiscard]] double probability_of(std::int64_t label, std::span<const float> outputs) const;

  Task task_;
  const Dataset& data_;
  std::vector<std::vector<std::int64_t>> confusion_;
  std::vector<WrongAnswer> wrong_;
};

}  // namespace trimtab
