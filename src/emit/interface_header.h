#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "emit/emulator.h"
#include "emit/recipe.h"
#include "program/program.h"
#include "program/schedule.h"

namespace trimtab {

/// What runs were measured to take at most.
struct MeasuredRun {
  std::int64_t stack_bytes = 0;
  PushInstructions pushes{};  ///< where rows are pushed
};

/// NAME.h: the firmware's interface to the program in C99 and C++, and its only documentation. `run`: where it was
/// measured.
[[nodiscard]] std::string interface_header(const Program& program, const Schedule& schedule, const BuildRecipe& recipe,
                                           const std::string& name, const std::optional<MeasuredRun>& run);

}  // namespace trimtab
