#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <vector>

#include "emit/explain.h"
#include "program/schedule.h"
#include "target/target.h"

namespace trimtab {

/// The part of details.json (docs/report.md) that every program has: "input", "layers" as in `inspect --json`, and
/// "memory"; with a target also "target", and with `costs` (by step, or empty) what each layer takes there.
[[nodiscard]] nlohmann::ordered_json program_details(const Program& program, const Schedule& schedule,
                                                     const std::optional<Target>& target,
                                                     const std::vector<StepCost>& costs);

}  // namespace trimtab
