#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "measure/task.h"

namespace trimtab {

// Warnings that a colleague would give on seeing the data and the answers: not wrong, but surely not meant. Each is one
// sentence, or nothing.

/// The samples that set the ranges of the activations lie elsewhere than those that are measured: of the middle 99.8 %
/// of the numbers of either (up to 1,000 samples), one range is at least 3 times as wide as the other, or their centres
/// are further apart than the wider of them.
[[nodiscard]] std::optional<std::string> range_warning(const Dataset& calibration, const Dataset& test);

/// Classes of the network that no sample has, where there are at least five samples for every class.
[[nodiscard]] std::optional<std::string> absent_classes_warning(const Task& task, const Dataset& data,
                                                                const std::string& name);

/// Counts the classes that a network answers.
class AnswerCount {
 public:
  explicit AnswerCount(Task task);

  /// Real outputs of any number of samples, channels first.
  void add(std::span<const float> outputs);

  /// Nearly all answers (19 of 20) are one class, though most samples (of `data`, where their classes are known) are of
  /// others; nothing under 20 answers.
  [[nodiscard]] std::optional<std::string> warning(const std::string& network, const Dataset& data) const;

 private:
  Task task_;
  std::vector<std::int64_t> counts_;  ///< by class
  std::int64_t answers_ = 0;
  std::vector<std::int64_t> pixels_;
};

}  // namespace trimtab
