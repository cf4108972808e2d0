#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "emit/recipe.h"
#include "program/program.h"
#include "program/schedule.h"

namespace trimtab {

/// NAME.h: the firmware's interface to the program in C99 and C++, and its only documentation. `stack_bytes`: what a
/// run was measured to use, where it was.
[[nodiscard]] std::string interface_header(const Program& program, const Schedule& schedule, const BuildRecipe& recipe,
                                           const std::string& name, std::optional<std::int64_t> stack_bytes);

}  // namespace trimtab
