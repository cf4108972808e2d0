#pragma once

#include <optional>
#include <string>

#include "emit/emulator.h"
#include "program/program.h"
#include "program/schedule.h"

namespace trimtab {

// The parts of NAME.h and NAME.cpp that a program has whose input is pushed row by row (Schedule::pushes). They take
// the place of NAME_input() and NAME_run().

/// For the documentation: how a firmware pushes rows.
[[nodiscard]] std::string row_documentation(const std::string& name);

/// The constants of rows, and what pushes were measured to take.
[[nodiscard]] std::string row_constants(const Program& program, const std::string& name,
                                        const std::optional<PushInstructions>& pushes);

[[nodiscard]] std::string row_declarations(const Program& program, const std::string& name);

/// For the anonymous namespace, behind run_operation(): the table of pushes, and the functions that work in any arena.
[[nodiscard]] std::string row_state(const Program& program, const Schedule& schedule, const std::string& name);

/// The functions of the interface.
[[nodiscard]] std::string row_functions(const Program& program, const Schedule& schedule, const std::string& name);

}  // namespace trimtab
