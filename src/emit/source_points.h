#pragma once

// The parts of an emitted program that only programs with several operating points or levels of abstraction have.
// Internal to src/emit.

#include <string>

#include "program/program.h"

namespace trimtab {

/// C declarations for NAME.h: the choice of operating points, and the levels; empty where the program has neither.
[[nodiscard]] std::string point_declarations(const Program& program, const std::string& name);

/// Definitions within the anonymous namespace of NAME.cpp: the point that is wanted, and what the points are good for.
[[nodiscard]] std::string point_state(const Program& program);

/// Definitions within extern "C" of NAME.cpp; empty where there is one operating point, or no level.
[[nodiscard]] std::string point_functions(const Program& program, const std::string& name);
[[nodiscard]] std::string level_tables(const Program& program, const std::string& name);

}  // namespace trimtab
