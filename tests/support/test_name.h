#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <string>

namespace trimtab::test {

/// A name such as "cortex-m3" as a part of a test's name.
inline std::string test_name(std::string name) {
  std::replace(name.begin(), name.end(), '-', '_');
  return name;
}

/// For INSTANTIATE_TEST_SUITE_P over names.
inline constexpr auto by_name = [](const auto& instance) { return test_name(instance.param); };

}  // namespace trimtab::test
