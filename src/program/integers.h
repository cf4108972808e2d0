#pragma once

#include <nlohmann/json.hpp>

#include "program/program.h"

namespace trimtab {

/// All integers of a program at its one operating point, in the form that docs/integers.md defines: enough to run it.
/// `program` has one operating point (program_at).
[[nodiscard]] nlohmann::ordered_json integers_of(const Program& program);

}  // namespace trimtab
