#pragma once

#include <optional>
#include <string>

#include "report/facts.h"
#include "report/markup.h"

namespace trimtab {

// What every report says of the run that made it.

/// "resnet8" of "models/resnet8.onnx".
[[nodiscard]] std::string model_name(const Facts& result);
/// The first measure of the task: its key, its name for people and its unit (docs/tasks.md).
struct FirstMeasure {
  std::string key = "top1";
  std::string name = "top-1";
  std::string unit = "%";
  bool larger_is_better = true;
};
[[nodiscard]] FirstMeasure first_measure(const Facts& result);
/// "86.56 %", or an empty text.
[[nodiscard]] std::string measure_text(const std::optional<double>& value, const FirstMeasure& measure);

/// Warnings of the run, each a note.
[[nodiscard]] Markup warnings_of(const Facts& result);
/// The command line, to run it again, and what it was run on.
[[nodiscard]] Markup repeat_section(const Facts& result, const Facts& details);
/// "trimtab 0.8.0, 12.3 s, seed 1".
[[nodiscard]] std::string foot_of(const Facts& result);

}  // namespace trimtab
