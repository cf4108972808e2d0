#include <gtest/gtest.h>

#include <map>
#include <sstream>
#include <string>
#include <vector>

#include "base/file.h"
#include "base/process.h"

namespace trimtab {
namespace {

/// The cells of the rows of a Markdown table, without its head.
std::vector<std::vector<std::string>> rows_of(const std::string& table) {
  std::vector<std::vector<std::string>> rows;
  std::istringstream lines(table);
  for (std::string line; std::getline(lines, line);) {
    if (!line.starts_with("| `")) continue;
    std::vector<std::string> cells;
    for (std::size_t begin = 2; begin < line.size();) {
      const std::size_t end = std::min(line.find(" |", begin), line.size());
      cells.push_back(line.substr(begin, end - begin));
      begin = end + 3;
    }
    rows.push_back(cells);
  }
  return rows;
}

class Options : public testing::Test {
 protected:
  const std::string table_ = run_process({TRIMTAB_COMMAND, "option-table"}, "").output;
};

TEST_F(Options, AreThoseOfTheDocumentation) {
  EXPECT_EQ(table_, read_text(std::string(TRIMTAB_SOURCE_DIR) + "/docs/options.md"))
      << "make it again: trimtab option-table > docs/options.md";
}

TEST_F(Options, HaveOneMeaningAndOneSpelling) {
  std::map<std::string, std::string> meaning_of;   // by every name of an option
  std::map<std::string, std::string> spelling_of;  // by meaning
  const std::vector<std::vector<std::string>> rows = rows_of(table_);
  ASSERT_GT(rows.size(), 100U);
  for (const std::vector<std::string>& row : rows) {
    ASSERT_GE(row.size(), 3U) << row[0];
    std::istringstream names(row[0].substr(1, row[0].size() - 2));
    for (std::string name; std::getline(names >> std::ws, name, ',');) {
      const auto [other, is_new] = meaning_of.emplace(name, row[2]);
      EXPECT_TRUE(is_new) << name << " has two meanings: '" << other->second << "' and '" << row[2] << "'";
    }
    const auto [other, is_new] = spelling_of.emplace(row[2], row[0]);
    EXPECT_TRUE(is_new) << other->second << " and " << row[0] << " both mean '" << row[2] << "'";
    EXPECT_FALSE(row[2].empty()) << row[0] << " has no help text";
  }
}

}  // namespace
}  // namespace trimtab
