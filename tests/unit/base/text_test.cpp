#include "base/text.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "base/base64.h"
#include "base/process.h"

namespace trimtab {
namespace {

TEST(Printable, LetsTextThrough) {
  EXPECT_EQ(printable("conv1/Größe 70 °C 网络"), "conv1/Größe 70 °C 网络");
  EXPECT_EQ(printable("two\nlines\tx", true), "two\nlines\tx");
}

TEST(Printable, ShowsWhatATerminalWouldObey) {
  EXPECT_EQ(printable("\x1b]0;title\x07"), "\\x1b]0;title\\x07");
  EXPECT_EQ(printable("a\nb\r"), "a\\x0ab\\x0d");
  EXPECT_EQ(printable("a\r\x7f", true), "a\\x0d\\x7f");
  EXPECT_EQ(printable("\xc2\x9b"), "\\xc2\\x9b");           // CSI in one character
  EXPECT_EQ(printable("\xe2\x80\xae"), "\\xe2\\x80\\xae");  // right-to-left override
  EXPECT_EQ(printable(std::string_view("a\0b", 3)), "a\\x00b");
}

TEST(Csv, QuotesWhatNeedsIt) {
  EXPECT_EQ(csv_field("net 8x8"), "net 8x8");
  EXPECT_EQ(csv_field("a, b"), "\"a, b\"");
  EXPECT_EQ(csv_field("the \"small\" one"), "\"the \"\"small\"\" one\"");
  EXPECT_EQ(csv_field("two\nlines"), "two lines");
}

TEST(Csv, ReadsFieldsAsTheyWereWritten) {
  const std::vector<std::string> fields = {"", "a,b", "\"", "\"\",", "plain", " "};
  std::string line;
  for (const std::string& field : fields) line += (line.empty() ? "x," : ",") + csv_field(field);
  std::vector<std::string> expected = {"x"};
  expected.insert(expected.end(), fields.begin(), fields.end());
  EXPECT_EQ(csv_fields(line), expected);
}

TEST(Printable, ShowsBytesThatAreNoUtf8) {
  EXPECT_EQ(printable("\xff\xc3"), "\\xff\\xc3");
  EXPECT_EQ(printable("\xc0\xaf"), "\\xc0\\xaf");           // an overlong slash
  EXPECT_EQ(printable("\xed\xa0\x80"), "\\xed\\xa0\\x80");  // half of a surrogate pair
  EXPECT_EQ(printable("\xf4\x90\x80\x80x"), "\\xf4\\x90\\x80\\x80x");
}

TEST(ShellText, ComesBackFromAShell) {
  const std::vector<std::string> words{"trimtab", "plain-1.5=x", "two words", "it's", "$HOME `id` \"x\"", "", "a\nb"};
  const std::string script = "for word in " + shell_text(words) + "; do printf '%s|' \"$word\"; done";
  EXPECT_EQ(run_process({"sh", "-c", script}, "").output, "trimtab|plain-1.5=x|two words|it's|$HOME `id` \"x\"||a\nb|");
}

TEST(Base64, EncodesTheVectorsOfRfc4648) {
  const auto encoded = [](std::string_view text) {
    return base64({reinterpret_cast<const std::uint8_t*>(text.data()), text.size()});
  };
  EXPECT_EQ(encoded(""), "");
  EXPECT_EQ(encoded("f"), "Zg==");
  EXPECT_EQ(encoded("fo"), "Zm8=");
  EXPECT_EQ(encoded("foo"), "Zm9v");
  EXPECT_EQ(encoded("foobar"), "Zm9vYmFy");
  EXPECT_EQ(encoded("\xfb\xff\xfe"), "+//+");
}

}  // namespace
}  // namespace trimtab
