#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "emit/board/validate.h"
#include "emit/explain.h"
#include "measure/task.h"
#include "target/target.h"

namespace trimtab {

/// What was validated, beside the numbers.
struct ValidationRun {
  std::string out;
  std::string port;
  std::int64_t baud = 0;
  std::string data;
  std::size_t point = 0;
  Task task;
  std::optional<Target> target;  ///< nothing where the folder names none that is known
  std::vector<StepCost> costs;   ///< estimates by step; empty where there are none
  std::vector<std::string> warnings;
};

/// validation.json, and the same for people: the board's cycles stand beside the estimate of them.
[[nodiscard]] Result describe(const Validation& validation, const ValidationRun& run, const Program& program);

}  // namespace trimtab
