#pragma once

#include <filesystem>
#include <string>

#include "emit/recipe.h"
#include "program/program.h"
#include "program/schedule.h"

namespace trimtab {

/// Turns any text into a C identifier in lower case.
[[nodiscard]] std::string to_identifier(const std::string& text);

/// The text in upper case, as macros are named.
[[nodiscard]] std::string upper(std::string text);

/// Writes the scheduled program as C++17 for the device into `folder`:
///   NAME.h          for a C or C++ firmware: sizes, scales, functions, and tables of the levels of abstraction
///   NAME.cpp        constants and the sequence of kernel calls
///   trimtab/        the kernels it uses and what they include
///   CMakeLists.txt  a library target, and NAME.mk, the same for make; both compile as the recipe says
/// `share` is the folder that holds the runtime's headers as trimtab/*.h.
void write_sources(const Program& program, const Schedule& schedule, const BuildRecipe& recipe, const std::string& name,
                   const std::filesystem::path& share, const std::filesystem::path& folder);

}  // namespace trimtab
