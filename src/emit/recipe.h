#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "program/kernels.h"
#include "target/target.h"

namespace trimtab {

/// How a program's sources are compiled. The measured image and every build file that is handed over are made from the
/// same recipe, so that a product gets the sizes and the instructions that were measured.
struct BuildRecipe {
  std::string target;                   ///< name of the target
  Core core = Core::generic;            ///< whose kernels the program runs
  std::vector<std::string> core_flags;  ///< -mcpu, -mthumb and the floating-point ones: those of the whole firmware
  std::vector<std::string> flags;       ///< of the program's own file: language, optimization, sections
};

[[nodiscard]] BuildRecipe recipe_of(const Target& target, Optimize optimize);

/// Which kernels a target's core runs.
[[nodiscard]] Core core_of(const Target& target);

/// A condition of the preprocessor that holds where an Arm compiler is set to another core than the recipe's; empty
/// where the kernels suit every core. It may be joined to another by "&&" in parentheses.
[[nodiscard]] std::string wrong_core_condition(Core core);

/// Whether a kernel's header defines it for other cores, too. Those of vectors hold intrinsics of their core alone.
[[nodiscard]] bool has_portable_form(std::string_view header);

}  // namespace trimtab
