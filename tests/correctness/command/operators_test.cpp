#include <gtest/gtest.h>

#include <string>

#include "base/file.h"
#include "base/process.h"

namespace trimtab {
namespace {

TEST(Operators, AreThoseOfTheDocumentation) {
  EXPECT_EQ(run_process({TRIMTAB_COMMAND, "operator-table"}, "").output,
            read_text(std::string(TRIMTAB_SOURCE_DIR) + "/docs/operators.md"))
      << "make it again: trimtab operator-table > docs/operators.md";
}

}  // namespace
}  // namespace trimtab
