#pragma once

// How emitted sources write the quality of operating points. Internal to src/emit.

#include <string>

#include "measure/score.h"
#include "program/program.h"

namespace trimtab {

/// Whether every point says what it spends and how good it is at every level.
[[nodiscard]] bool has_summaries(const Program& program);

/// How the sources write a measure, by which they choose a point. Measures that grow with quality have a floor in whole
/// steps. Errors have a ceiling and stand in the tables as negative numbers.
class QualityText {
 public:
  explicit QualityText(Measure measure) : info_(info_of(measure)) {}

  [[nodiscard]] bool is_error() const { return !info_.larger_is_better; }
  [[nodiscard]] std::string type() const { return is_error() ? "float" : "int32_t"; }
  [[nodiscard]] std::string name() const { return info_.name; }
  [[nodiscard]] std::string limit() const { return is_error() ? "ceiling" : "floor"; }
  [[nodiscard]] std::string parameter() const;
  /// The declaration of the parameter.
  [[nodiscard]] std::string declared() const;
  /// The parameter in the unit of the tables.
  [[nodiscard]] std::string floor() const;
  /// The unit of the parameter, for people.
  [[nodiscard]] std::string unit() const;
  [[nodiscard]] std::string literal(double quality) const;

 private:
  const MeasureInfo& info_;
};

}  // namespace trimtab
