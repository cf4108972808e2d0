#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

#include "emit/interface_header.h"
#include "emit/recipe.h"
#include "program/program.h"
#include "program/schedule.h"

namespace trimtab {

/// NAME.h with what a run was measured to take; write_sources() writes it without.
void write_header(const Program& program, const Schedule& schedule, const BuildRecipe& recipe, const std::string& name,
                  const std::optional<MeasuredRun>& run, const std::filesystem::path& folder);

/// Writes the scheduled program as C++17 for the device into `folder`:
///   NAME.h          the firmware's interface in C and C++, with its documentation
///   NAME.cpp        constants and the sequence of kernel calls
///   trimtab/        the kernels it uses and what they include
///   CMakeLists.txt  a library target, and NAME.mk, the same for make; both compile as the recipe says
/// `share` is the folder that holds the runtime's headers as trimtab/*.h.
void write_sources(const Program& program, const Schedule& schedule, const BuildRecipe& recipe, const std::string& name,
                   const std::filesystem::path& share, const std::filesystem::path& folder);

/// Copies a header of the runtime, and what it includes, into the sources' folder.
void copy_runtime_header(const std::string& header, const std::filesystem::path& share,
                         const std::filesystem::path& folder);

}  // namespace trimtab
