#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "base/process.h"

namespace trimtab {

/// Runs the built command and expects it to refuse: the exit code given, nothing on standard output, and on standard
/// error one line that begins with the command's name and contains `words`. Skips where the command is not built.
inline void expect_refused([[maybe_unused]] std::vector<std::string> arguments,
                           [[maybe_unused]] const std::string& words, [[maybe_unused]] int exit_code = 2) {
#ifdef TRIMTAB_COMMAND
  arguments.insert(arguments.begin(), TRIMTAB_COMMAND);
  const ProcessResult result = run_process(arguments, "");
  EXPECT_EQ(result.exit_code, exit_code) << result.errors;
  EXPECT_EQ(result.output, "");
  EXPECT_EQ(std::count(result.errors.begin(), result.errors.end(), '\n'), 1) << result.errors;
  EXPECT_TRUE(result.errors.starts_with("trimtab: ")) << result.errors;
  EXPECT_NE(result.errors.find(words), std::string::npos) << result.errors;
#else
  GTEST_SKIP() << "the command is not built";
#endif
}

}  // namespace trimtab
