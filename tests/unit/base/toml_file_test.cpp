#include "base/toml_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <string>
#include <string_view>

#include "base/error.h"

namespace trimtab {
namespace {

std::string refusal(std::string_view text) {
  try {
    static_cast<void>(parse_toml(text, "my.toml"));
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::bad_input);
    return error.what();
  }
  return "accepted";
}

TEST(TomlFile, ReadsATable) {
  const toml::table table = parse_toml("a = 3\n[b]\nc = 'd'\n", "my.toml");
  EXPECT_EQ(table["a"].value_or(0), 3);
  EXPECT_EQ(table["b"]["c"].value_or(std::string{}), "d");
}

TEST(TomlFile, NamesTheLineOfAMistake) {
  EXPECT_THAT(refusal("a = 3\nb = \n"), testing::StartsWith("my.toml, line 2, is not TOML: "));
}

// These texts break assertions of toml++'s parser.
TEST(TomlFile, RefusesKeysThatBeginWithNoKeyCharacter) {
  for (const std::string_view text :
       {"[,", "[,]", "[=]", "[[,]]", "[ #]", "[\x01]", "[a.,]", "a.,=1", ",=1", "a={,=1}"})
    EXPECT_THAT(refusal(text), testing::HasSubstr("is not TOML")) << text;
}

TEST(TomlFile, ReadsLettersOutsideAsciiInTextsAndRefusesThemElsewhere) {
  const toml::table table = parse_toml("a = \"\"\"\\\n  é ж\"\"\" # ü\n", "my.toml");
  EXPECT_EQ(table["a"].value_or(std::string{}), "é ж");
  for (const std::string_view text :
       {"a = 1é", "a = [1é]", "a = trueé", "é = 1", "a é = 1", "[aж]", "a = \"\"\"\\é\"\"\""})
    EXPECT_THAT(refusal(text), testing::HasSubstr("is not TOML")) << text;
}

// Every text of up to four characters that mean something to TOML is read or refused. Of those outside ASCII, one is a
// letter, one a blank, one ends a line, and one needs four bytes.
TEST(TomlFile, SurvivesEveryShortText) {
  constexpr std::array<std::string_view, 28> alphabet = {
      "[", "]", "{", "}", "=", ".", ",", "#", "\"", "'", "\n",     "\\",     " ",          "a",
      "1", "_", "+", "-", ":", "T", "i", "n", "f",  "é", "\u1680", "\u2028", "\U00010348", "\t"};
  std::string text;
  for (std::size_t number = 0; number < alphabet.size() * alphabet.size() * alphabet.size() * alphabet.size();
       ++number) {
    text.clear();
    for (std::size_t rest = number; rest > 0; rest /= alphabet.size()) text += alphabet[rest % alphabet.size()];
    try {
      static_cast<void>(parse_toml(text, "my.toml"));
    } catch (const Error&) {
    }
  }
}

}  // namespace
}  // namespace trimtab
