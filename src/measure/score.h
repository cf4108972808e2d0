#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "measure/measures.h"
#include "measure/task.h"

namespace trimtab {

enum class Measure : std::uint8_t {
  top1,
  top5,
  loss,
  auc,
  accuracy,
  mse,
  mae,
  r2,
  mean_iou,
  pixel_accuracy,
  agreement,
  sqnr_db,
  cosine
};

/// How a measure is written and compared.
struct MeasureInfo {
  const char* key;   ///< in result.json
  const char* name;  ///< for people
  const char* unit;  ///< "%", "nats", "dB", or nothing: a pure number, or one in units of the data
  int digits;        ///< behind the point, for people; negative: significant digits
  bool larger_is_better;
};
[[nodiscard]] const MeasureInfo& info_of(Measure measure);
/// Nothing for another word.
[[nodiscard]] std::optional<Measure> measure_of_key(const std::string& key);
/// "86.58 %", "0.01234", "43.2 dB".
[[nodiscard]] std::string format_value(Measure measure, double value);
/// Whether a value is better than another. What is not a number is worse than all.
[[nodiscard]] bool is_better(Measure measure, double value, double than);
/// By how much `value` is worse than `reference`: positive where it is.
[[nodiscard]] double loss_against(Measure measure, double reference, double value);

/// The measures of a task, the one that networks are compared by first. Empty where the data hold no answers. Top-5 of
/// up to five classes is no measure.
[[nodiscard]] std::vector<Measure> measures_of(const Task& task);

/// How good a network is at a task on a data set.
struct Score {
  std::int64_t samples = 0;
  std::vector<std::pair<Measure, double>> values;  ///< as measures_of orders them, without those that are not defined

  [[nodiscard]] std::optional<double> find(Measure measure) const;
  /// Throws Error (failure) where it was not measured.
  [[nodiscard]] double at(Measure measure) const;
};

/// The value that a search maximizes or minimizes: the task's first measure. Throws Error (bad input) where the data
/// leave it undefined, as one class alone leaves the area under the curve.
[[nodiscard]] double primary(const Task& task, const Score& score);

/// "top-1 86.58 %": the first measure that is there, or "nothing measured".
[[nodiscard]] std::string headline(const Score& score);
/// "top-1 86.58 %, top-5 99.30 %, loss 0.4274".
[[nodiscard]] std::string summary(const Score& score);

/// Scores the answers of a network, batch after batch, so that not all of them need be held.
class Scorer {
 public:
  /// `data` must outlive the scorer; `preprocessing` is applied to features where they are the target. Throws Error
  /// (bad input) where the task needs other answers.
  Scorer(Task task, const Dataset& data, Preprocessing preprocessing);

  /// The outputs of the samples [first, first + count), count x outputs real numbers, channels first. Classification
  /// and segmentation need logits for their loss.
  void add(std::int64_t first, std::span<const float> outputs);

  /// Throws Error (failure) where outputs were not numbers, or a measure is not finite.
  [[nodiscard]] Score score() const;

 private:
  void add_sample(std::int64_t index, std::span<const float> outputs);
  [[nodiscard]] std::optional<double> value_of(Measure measure) const;
  [[nodiscard]] std::optional<double> anomaly_auc() const;

  Task task_;
  const Dataset& data_;
  Preprocessing preprocessing_;
  std::int64_t samples_ = 0;
  std::int64_t without_numbers_ = 0;
  std::int64_t first_places_ = 0;
  std::int64_t among_five_ = 0;
  double loss_ = 0;
  std::vector<double> scores_;  ///< binary: the output; anomaly: the error
  std::vector<bool> positive_;
  std::vector<std::int64_t> group_;  ///< anomaly: of every score
  ErrorMeasures errors_;
  ConfusionMatrix pixels_;
  std::vector<float> target_;
  std::vector<std::int64_t> classes_;
};

}  // namespace trimtab
