#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>
#include <string>

#include "base/error.h"
#include "finished_fit.h"
#include "report/explain_layer.h"
#include "report/report.h"
#include "support/html_reader.h"

namespace trimtab {
namespace {

using nlohmann::ordered_json;
using testing::HasSubstr;
using testing::StartsWith;

class FitReport : public testing::Test {
 protected:
  std::string html(const ordered_json& result, const ordered_json& details) {
    test::write_finished(folder_.path(), result, details);
    return report_html(folder_.path());
  }
  const TemporaryDirectory folder_;
};

/// Pointers to all members and to the first element of every list.
std::set<std::string> places_of(const ordered_json& whole) {
  std::set<std::string> places;
  const ordered_json flat = whole.flatten();
  for (const auto& [pointer, value] : flat.items()) {
    for (std::string place = pointer; !place.empty(); place.resize(place.rfind('/'))) {
      const std::string last = place.substr(place.rfind('/') + 1);
      if (last.find_first_not_of("0123456789") != std::string::npos || last == "0") places.insert(place);
    }
  }
  return places;
}

TEST_F(FitReport, ShowsTheNumbersOfTheResult) {
  const test::HtmlPage page = test::HtmlReader(html(test::fit_result(), test::fit_details())).read();
  EXPECT_EQ(page.fault, "");
  for (const char* shown : {"71.25",
                            "72.50 %",
                            "4,321 samples",
                            "30.0 KB",
                            "of 64.0 KB",
                            "10.0 KB",
                            "13.5",
                            "1,234,567",
                            "360.5",
                            "runs at this clock",
                            "371 µJ in 1000 ms",
                            "net on stm32f412",
                            "one class is absent",
                            "trimtab fit net.onnx -o out",
                            "convolution_u8",
                            "it is fast",
                            "147,456",
                            "cat",
                            "5 trials",
                            "1,654,321",
                            "17.25",
                            "strips of at most 2 rows",
                            "whole maps"}) {
    EXPECT_THAT(page.text, HasSubstr(shown));
  }
  for (const char* section :
       {"network", "accuracy", "memory", "flash", "frontier", "energy", "answers", "search", "repeat"})
    EXPECT_TRUE(page.ids.contains(section)) << section;
}

TEST_F(FitReport, LoadsNothing) {
  const std::string text = html(test::fit_result(), test::fit_details());
  for (const std::string& reference : test::HtmlReader(text).read().references) {
    EXPECT_TRUE(reference.starts_with("#") || reference.starts_with("data:image/png;base64,")) << reference;
  }
  for (const char* loader : {"@import", "url(", "fetch(", "XMLHttpRequest", "<link", "http://", "https://"})
    EXPECT_EQ(text.find(loader), std::string::npos) << loader;
  EXPECT_THAT(text, HasSubstr("default-src &#39;none&#39;"));
}

TEST_F(FitReport, SaysWhichStepDecidesTheArena) {
  // in use: 192 + 1024, then 1024 + 1024 + 700, then 1024 + 1024: the sum lies where the first layer's output lay
  EXPECT_THAT(test::HtmlReader(html(test::fit_result(), test::fit_details())).read().text,
              HasSubstr("The step that decides is second: 2.7 KB are in use there."));
}

TEST_F(FitReport, NamesTheSpoiltLayerFirst) {
  const std::string text = test::HtmlReader(html(test::fit_result(), test::fit_details())).read().text;
  EXPECT_THAT(text, HasSubstr("Most is lost in second : quantized alone, it leaves 7.2 dB"));
  EXPECT_THAT(text, HasSubstr("Its weights lose most. Give them 4 bits."));
  const Result worst = explain_layer(folder_.path(), "");
  EXPECT_EQ(worst.json.at("layer"), "second");
  EXPECT_EQ(worst.json.at("advice").at(0).at("plan"), "[[layer]]\nname = \"second\"\nweight_bits = 4\n");
  EXPECT_THAT(worst.text, HasSubstr("rank          1 of 3"));
}

TEST_F(FitReport, ShowsTheBoardBesideTheEstimate) {
  write_file(folder_.path() / "validation.json", test::validation().dump());
  const test::HtmlPage page = test::HtmlReader(html(test::fit_result(), test::fit_details())).read();
  EXPECT_EQ(page.fault, "");
  EXPECT_TRUE(page.ids.contains("board"));
  EXPECT_THAT(page.text, HasSubstr("✓ fits"));
  for (const char* shown :
       {"321 samples", "/dev/ttyACM7", "Every number is this machine's", "a top-1 of 69.47 %", "1,540,123",
        "1,539,001 to 1,541,999", "1,510,456", "1,400,007 to 1,600,008", "1.02", "41,234", "40,000", "1.03", "99,000",
        "110,000", "0.9", "1,001", "the board is warm", "3 requests were sent again"})
    EXPECT_THAT(page.text, HasSubstr(shown));
}

TEST_F(FitReport, BoardThatDiffersIsNoFit) {
  ordered_json validation = test::validation();
  validation["differing_samples"] = 12;
  validation["differing_numbers"] = 345;
  validation["first_differing_sample"] = 67;
  write_file(folder_.path() / "validation.json", validation.dump());
  const std::string text = test::HtmlReader(html(test::fit_result(), test::fit_details())).read().text;
  EXPECT_THAT(text, HasSubstr("✗ the board differs"));
  EXPECT_THAT(text, Not(HasSubstr("computes the host's numbers")));
  EXPECT_THAT(text, HasSubstr("12 samples differ from this machine's in 345 numbers; sample 67 is the first."));
}

TEST_F(FitReport, BoardWithoutCounterHasItsAnswers) {
  ordered_json validation = test::validation();
  for (const char* key : {"cycles", "cycles_least", "cycles_most"}) validation.erase(key);
  for (ordered_json& layer : validation["layers"]) layer.erase("cycles");
  write_file(folder_.path() / "validation.json", validation.dump());
  const std::string text = test::HtmlReader(html(test::fit_result(), test::fit_details())).read().text;
  EXPECT_THAT(text, HasSubstr("The board has no counter of cycles."));
  EXPECT_THAT(text, HasSubstr("a top-1 of 69.47 %"));
  EXPECT_THAT(text, HasSubstr("1,510,456"));
}

TEST_F(FitReport, MissedBoundIsNoFit) {
  ordered_json result = test::fit_result();
  result["bounds"]["latency_ms"] = 14.0;  // held against the upper end, 14.5
  EXPECT_THAT(test::HtmlReader(html(result, test::fit_details())).read().text, HasSubstr("✗ does not fit"));
}

TEST_F(FitReport, NeedsNoDetails) {
  const test::HtmlPage page = test::HtmlReader(html(test::fit_result(), nullptr)).read();
  EXPECT_EQ(page.fault, "");
  EXPECT_THAT(page.text, HasSubstr("71.25"));
  EXPECT_FALSE(page.ids.contains("memory"));
}

TEST_F(FitReport, TextFromOutsideIsNeverMarkup) {
  const std::string hostile = R"("><script>alert(1)</script><img src=x onerror='alert(2)'>&amp;)";
  // every text of both files
  const auto spoil = [&](auto& self, ordered_json& json) -> void {
    if (json.is_string() && json != "fit") json = hostile;
    if (!json.is_structured()) return;
    for (ordered_json& element : json) self(self, element);
  };
  ordered_json result = test::fit_result();
  ordered_json details = test::fit_details();
  ordered_json validation = test::validation();
  write_file(folder_.path() / "validation.json", validation.dump());
  const test::HtmlPage honest = test::HtmlReader(html(result, details)).read();
  spoil(spoil, result);
  spoil(spoil, details);
  spoil(spoil, validation);
  write_file(folder_.path() / "validation.json", validation.dump());
  result["task"]["measure"] = "top1";
  const test::HtmlPage page = test::HtmlReader(html(result, details)).read();
  EXPECT_EQ(page.fault, "");
  EXPECT_EQ(page.elements.at("script"), 1);
  EXPECT_EQ(page.elements.at("img"), honest.elements.at("img"));
  EXPECT_THAT(page.text, HasSubstr(hostile));
}

TEST_F(FitReport, AnyJsonMakesAPage) {
  const ordered_json wrong[] = {nullptr, -1e300, ordered_json::array({nullptr, "x", {{"a", 1}}}),
                                ordered_json::object({{"layers", 3}})};
  for (const bool of_details : {false, true}) {
    const ordered_json whole = of_details ? test::fit_details() : test::fit_result();
    for (const std::string& place : places_of(whole)) {
      if (place == "/command") continue;
      for (const ordered_json& instead : wrong) {
        ordered_json changed = whole;
        changed[ordered_json::json_pointer(place)] = instead;
        const std::string text = of_details ? html(test::fit_result(), changed) : html(changed, test::fit_details());
        ASSERT_EQ(test::HtmlReader(text).read().fault, "") << place << " is " << instead;
        try {
          (void)explain_layer(folder_.path(), "");
        } catch (const Error&) {  // a refusal is fine
        }
      }
    }
  }
}

TEST_F(FitReport, AnyValidationMakesAPage) {
  const ordered_json wrong[] = {nullptr, -1e300, ordered_json::array({nullptr, "x", {{"a", 1}}})};
  const auto expect_page = [&](const std::string& text, const std::string& what) {
    write_file(folder_.path() / "validation.json", text);
    EXPECT_EQ(test::HtmlReader(html(test::fit_result(), test::fit_details())).read().fault, "") << what;
  };
  for (const std::string& place : places_of(test::validation())) {
    for (const ordered_json& instead : wrong) {
      ordered_json changed = test::validation();
      changed[ordered_json::json_pointer(place)] = instead;
      expect_page(changed.dump(), place);
    }
  }
  for (const std::string text : {"", "[1]", "{\"samples\": "}) expect_page(text, text);
}

TEST_F(FitReport, RefusesWhatIsNoResult) {
  EXPECT_THROW((void)report_html(folder_.path()), Error);
  write_file(folder_.path() / "result.json", "[1]");
  EXPECT_THROW((void)report_html(folder_.path()), Error);
  write_file(folder_.path() / "result.json", R"({"command": "no such command"})");
  EXPECT_THROW((void)report_html(folder_.path()), Error);
  test::write_finished(folder_.path(), test::fit_result(), test::fit_details());
  EXPECT_THROW((void)explain_layer(folder_.path(), "no such layer"), Error);
}

TEST_F(FitReport, SeveralFoldersAreCompared) {
  const TemporaryDirectory other;
  ordered_json second = test::fit_result();
  second["flash_bytes"] = 20480;
  second["top1"] = 69.75;
  test::write_finished(folder_.path(), test::fit_result(), test::fit_details());
  test::write_finished(other.path(), second, nullptr);
  const test::HtmlPage page = test::HtmlReader(comparison_html({folder_.path(), other.path()})).read();
  EXPECT_EQ(page.fault, "");
  for (const char* shown : {"71.25 %", "69.75 %", "30.0 KB", "20.0 KB", "Quality over flash"})
    EXPECT_THAT(page.text, HasSubstr(shown));
}

}  // namespace
}  // namespace trimtab
