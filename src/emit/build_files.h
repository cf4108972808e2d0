#pragma once

#include <string>

#include "emit/recipe.h"

namespace trimtab {

/// The text that a firmware's makefile includes to compile the program `name` as the recipe says.
[[nodiscard]] std::string make_file(const std::string& name, const BuildRecipe& recipe);

/// A CMake project of one library, compiled as the recipe says.
[[nodiscard]] std::string cmake_file(const std::string& name, const BuildRecipe& recipe);

}  // namespace trimtab
