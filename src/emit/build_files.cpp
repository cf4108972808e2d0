#include "emit/build_files.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <iterator>

#include "emit/c_text.h"

namespace trimtab {

std::string make_file(const std::string& name, const BuildRecipe& recipe) {
  return fmt::format(
      R"mk(# SPDX-License-Identifier: Apache-2.0
# Compiles {0} as it was measured on {2}. Include this file from your Makefile, link $({1}_OBJECT), and add
# -I$({1}_FOLDER) where you include {0}.h. Compile your whole firmware with $({1}_CORE_FLAGS).
{1}_FOLDER := $(patsubst %/,%,$(dir $(lastword $(MAKEFILE_LIST))))
{1}_OBJECT := $({1}_FOLDER)/{0}.o
{1}_SELFTEST_OBJECT := $({1}_FOLDER)/{0}_selftest.o
{1}_CORE_FLAGS := {3}
{1}_DEFAULT_GOAL := $(.DEFAULT_GOAL)

# Set {1}_HOT_SECTION to a name such as .itcm, and all code of {0} lies in sections of that name: .itcm.text.*
{1}_TOOLS = $(patsubst %g++,%,$(CXX))
{1}_RENAMES = awk '$$2 ~ /^\.text/ {{ print "--rename-section " $$2 "=$({1}_HOT_SECTION)" $$2 }}'
{1}_PLACE_CODE = $({1}_TOOLS)objcopy $$($({1}_TOOLS)objdump -h -w $@ | $({1}_RENAMES)) $@

$({1}_OBJECT) $({1}_SELFTEST_OBJECT): %.o: %.cpp $({1}_FOLDER)/{0}.h $(wildcard $({1}_FOLDER)/trimtab/*.h)
	$(CXX) -I$({1}_FOLDER) $(CPPFLAGS) $(CXXFLAGS) {4} -c $< -o $@
	$(if $(and $({1}_HOT_SECTION),$(filter-out %_selftest.o,$@)),$({1}_PLACE_CODE))

# The first goal of your Makefile stays the default one.
.DEFAULT_GOAL := $({1}_DEFAULT_GOAL)
)mk",
      name, upper(name), recipe.target, fmt::join(recipe.core_flags, " "), fmt::join(recipe.flags, " "));
}

std::string cmake_file(const std::string& name, const BuildRecipe& recipe) {
  std::vector<std::string> options;  // CMake has its own words for the language
  std::ranges::copy_if(recipe.flags, std::back_inserter(options),
                       [](const std::string& flag) { return !flag.starts_with("-std="); });
  return fmt::format(
      R"cmake(# SPDX-License-Identifier: Apache-2.0
# Compiles {0} as it was measured on {1}. Call add_subdirectory() on this folder and link your firmware with {0}.
# Compile your whole firmware with {2}.
if(CMAKE_SCRIPT_MODE_FILE)  # renames the sections of code in an archive, see below
  execute_process(COMMAND ${{OBJDUMP}} -h -w ${{ARCHIVE}} OUTPUT_VARIABLE sections COMMAND_ERROR_IS_FATAL ANY)
  string(REGEX MATCHALL " \\.text[^ ]*" names "${{sections}}")
  list(REMOVE_DUPLICATES names)
  foreach(name ${{names}})
    string(STRIP ${{name}} name)
    list(APPEND renames --rename-section ${{name}}=${{SECTION}}${{name}})
  endforeach()
  execute_process(COMMAND ${{OBJCOPY}} ${{renames}} ${{ARCHIVE}} COMMAND_ERROR_IS_FATAL ANY)
  return()
endif()

add_library({0} STATIC {0}.cpp)
target_include_directories({0} BEFORE PUBLIC ${{CMAKE_CURRENT_SOURCE_DIR}})
target_compile_features({0} PRIVATE cxx_std_17)
set_target_properties({0} PROPERTIES CXX_STANDARD 17 CXX_EXTENSIONS OFF)
target_compile_options({0} PRIVATE {3})

# Set {4}_HOT_SECTION to a name such as .itcm, and all code of {0} lies in sections of that name: .itcm.text.*
if({4}_HOT_SECTION)
  add_custom_command(TARGET {0} POST_BUILD COMMAND ${{CMAKE_COMMAND}} -DARCHIVE=$<TARGET_FILE:{0}>
                     -DSECTION=${{{4}_HOT_SECTION}} -DOBJDUMP=${{CMAKE_OBJDUMP}} -DOBJCOPY=${{CMAKE_OBJCOPY}}
                     -P ${{CMAKE_CURRENT_LIST_FILE}})
endif()

# {0}_selftest(), for a test of the firmware.
if(EXISTS ${{CMAKE_CURRENT_SOURCE_DIR}}/{0}_selftest.cpp)
  add_library({0}_selftest STATIC EXCLUDE_FROM_ALL {0}_selftest.cpp)
  target_link_libraries({0}_selftest PUBLIC {0})
  target_compile_features({0}_selftest PRIVATE cxx_std_17)
  target_compile_options({0}_selftest PRIVATE {3})
endif()
)cmake",
      name, recipe.target, fmt::join(recipe.core_flags, " "), fmt::join(options, " "), upper(name));
}

}  // namespace trimtab
