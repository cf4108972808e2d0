#pragma once

#include <string>
#include <vector>

namespace trimtab::test {

/// Warnings under which a careful firmware compiles all that it is given, as errors.
inline const std::vector<std::string> strict_warnings{
    "-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Wsign-conversion", "-Wshadow", "-Werror"};

}  // namespace trimtab::test
