#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "data/dataset.h"
#include "data/taxonomy.h"
#include "measure/score.h"
#include "scale/expected_loss.h"

namespace trimtab {

/// How good answers are at one level of abstraction.
struct AnswerScore {
  Score
      score;  ///< at a level of classes top-1; of other tasks all measures; without the right answers agreement or SQNR
  std::optional<LevelScore> classes{};  ///< labelled classes: beside top-1 what it is worth there
};

/// What the points of a task are compared by: its first measure, or, without the right answers, the agreement with the
/// float network where answers are classes, else the SQNR against it.
[[nodiscard]] Measure point_measure(const Task& task);

/// How much worse a value is than the reference's, on scales of about the same size: rates in points, areas under a
/// curve in hundredths, errors in percent of the reference's, SQNR as the error's power in percent of the signal's
/// (whatever the reference). Infinite where the reference has no error and the value has one.
[[nodiscard]] double measure_lost(Measure measure, double reference, double value);

/// A loss behind which nobody would take a point: 12 points of a rate, 100 % more error, 10 % of the signal's power.
[[nodiscard]] double usual_most_lost(Measure measure);

/// "points", or "percent" where measure_lost() is a share of something.
[[nodiscard]] const char* lost_unit(Measure measure);

/// Kullback-Leibler divergence between rows of `classes` probabilities, mean over the rows, nats.
[[nodiscard]] double mean_divergence(const std::vector<float>& from, const std::vector<float>& to, std::size_t classes);

/// Judges answers to the samples of a data set by the task's measure, at every level of abstraction. Only
/// classification has levels; for other tasks there is one, which has the name of the task. All outputs are real
/// numbers, channels first, of all samples; those of classes are logits.
class LevelMeter {
 public:
  /// `data` must outlive the meter; features are preprocessed. `reference` are the float network's outputs. `levels` is
  /// empty but for classification, and not empty there.
  LevelMeter(Task task, std::vector<Level> levels, const Dataset& data, std::vector<float> reference);

  [[nodiscard]] std::size_t levels() const { return names_.size(); }
  [[nodiscard]] const std::string& name(std::size_t level) const { return names_.at(level); }
  [[nodiscard]] Measure measure() const { return point_measure(task_); }
  [[nodiscard]] const std::vector<float>& reference() const { return reference_; }

  /// By level. Throws Error (bad input) where the first measure is not defined on the samples.
  [[nodiscard]] std::vector<AnswerScore> scores(const std::vector<float>& outputs) const;

  /// By level: how far outputs are from others, mean over the samples: nats of classes, relative squared error of
  /// numbers (task_divergence).
  [[nodiscard]] std::vector<double> divergences(const std::vector<float>& from, const std::vector<float>& to) const;

  /// At a level: measure_lost() of outputs against the reference.
  [[nodiscard]] double lost_at(std::size_t level, const std::vector<float>& outputs) const;

  /// By level: the same with its interval, from the pairs of samples. Of classes it is that of the mean difference; of
  /// other measures it is estimated by leaving out a twentieth of the recordings at a time (jackknife, Quenouille
  /// 1956); not a number where that leaves the measure undefined.
  [[nodiscard]] std::vector<MeanDifference> lost(const std::vector<float>& outputs) const;

  /// Labelled classes, by level: expected_loss() by the reference's probabilities at a temperature.
  [[nodiscard]] std::vector<MeanDifference> expected_losses(const std::vector<float>& outputs,
                                                            double temperature) const;
  /// Labelled classes: the temperature that explains the labels best, by the reference.
  [[nodiscard]] double temperature() const;

 private:
  [[nodiscard]] bool has_classes() const { return task_.kind == TaskKind::classification; }
  [[nodiscard]] std::vector<float> probabilities(const std::vector<float>& outputs) const;
  [[nodiscard]] std::vector<bool> hits(const Level& level, const std::vector<float>& probabilities) const;
  [[nodiscard]] Score score(const std::vector<float>& outputs, const std::vector<bool>& left_out) const;

  Task task_;
  std::vector<Level> levels_;
  const Dataset& data_;
  std::vector<float> reference_;
  std::vector<float> reference_probabilities_;  ///< classification
  std::vector<std::string> names_;
};

}  // namespace trimtab
