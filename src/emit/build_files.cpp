#include "emit/build_files.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <iterator>

#include "emit/c_text.h"

namespace trimtab {

std::string make_file(const std::string& name, const BuildRecipe& recipe) {
  return fmt::format(
      R"(# SPDX-License-Identifier: Apache-2.0
# Compiles {0} as it was measured on {2}. Include this file from your Makefile, link $({1}_OBJECT), and add
# -I$({1}_FOLDER) where you include {0}.h. Compile your whole firmware with $({1}_CORE_FLAGS).
{1}_FOLDER := $(patsubst %/,%,$(dir $(lastword $(MAKEFILE_LIST))))
{1}_OBJECT := $({1}_FOLDER)/{0}.o
{1}_SELFTEST_OBJECT := $({1}_FOLDER)/{0}_selftest.o
{1}_CORE_FLAGS := {3}
{1}_DEFAULT_GOAL := $(.DEFAULT_GOAL)

$({1}_OBJECT) $({1}_SELFTEST_OBJECT): %.o: %.cpp $({1}_FOLDER)/{0}.h $(wildcard $({1}_FOLDER)/trimtab/*.h)
	$(CXX) -I$({1}_FOLDER) $(CPPFLAGS) $(CXXFLAGS) {4} -c $< -o $@

# The first goal of your Makefile stays the default one.
.DEFAULT_GOAL := $({1}_DEFAULT_GOAL)
)",
      name, upper(name), recipe.target, fmt::join(recipe.core_flags, " "), fmt::join(recipe.flags, " "));
}

std::string cmake_file(const std::string& name, const BuildRecipe& recipe) {
  std::vector<std::string> options;  // CMake has its own words for the language
  std::ranges::copy_if(recipe.flags, std::back_inserter(options),
                       [](const std::string& flag) { return !flag.starts_with("-std="); });
  return fmt::format(
      R"(# SPDX-License-Identifier: Apache-2.0
# Compiles {0} as it was measured on {1}. Call add_subdirectory() on this folder and link your firmware with {0}.
# Compile your whole firmware with {2}.
add_library({0} STATIC {0}.cpp)
target_include_directories({0} BEFORE PUBLIC ${{CMAKE_CURRENT_SOURCE_DIR}})
target_compile_features({0} PRIVATE cxx_std_17)
set_target_properties({0} PROPERTIES CXX_EXTENSIONS OFF)
target_compile_options({0} PRIVATE {3})

# {0}_selftest(), for a test of the firmware.
if(EXISTS ${{CMAKE_CURRENT_SOURCE_DIR}}/{0}_selftest.cpp)
  add_library({0}_selftest STATIC EXCLUDE_FROM_ALL {0}_selftest.cpp)
  target_link_libraries({0}_selftest PUBLIC {0})
  target_compile_features({0}_selftest PRIVATE cxx_std_17)
  target_compile_options({0}_selftest PRIVATE {3})
endif()
)",
      name, recipe.target, fmt::join(recipe.core_flags, " "), fmt::join(options, " "));
}

}  // namespace trimtab
