#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "measure/measures.h"
#include "measure/task.h"

namespace trimtab {

/// How near one network's answers are to another's on the same samples, whatever is right. Nothing where a measure
/// means nothing: two networks agree only in classes, and a silent output has no signal.
struct Fidelity {
  std::int64_t samples = 0;
  std::optional<double> agreement;  ///< percent of the samples (segmentation: of the pixels) with the same class
  std::optional<double> sqnr_db;    ///< over all outputs; infinite where they are equal
  std::optional<double> cosine;     ///< likewise
  struct Part {
    std::string name;
    std::optional<double> sqnr_db;
    std::optional<double> cosine;
  };
  std::vector<Part> parts;  ///< of a network whose outputs are joined: each by itself
};

/// Compares answers with those of a reference, batch after batch. Both are real numbers, channels first.
class FidelityMeter {
 public:
  explicit FidelityMeter(Task task);

  /// Any number of samples, as many of either.
  void add(std::span<const float> outputs, std::span<const float> reference);

  [[nodiscard]] Fidelity fidelity() const;

 private:
  Task task_;
  ErrorMeasures errors_;
  std::vector<ErrorMeasures> parts_;
  std::int64_t decisions_ = 0;
  std::int64_t same_ = 0;
};

}  // namespace trimtab
