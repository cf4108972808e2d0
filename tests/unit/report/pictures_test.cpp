#include <gtest/gtest.h>

#include <cmath>
#include <set>

#include "report/arena_picture.h"
#include "report/chart.h"
#include "report/lanes.h"
#include "report/markup.h"
#include "report/small_pictures.h"
#include "report/svg.h"
#include "support/html_reader.h"

namespace trimtab {
namespace {

TEST(Markup, EscapesText) {
  EXPECT_EQ(escape("a<b & \"c\" 'd'>"), "a&lt;b &amp; &quot;c&quot; &#39;d&#39;&gt;");
  EXPECT_EQ(escape("ü ✓"), "ü ✓");
  EXPECT_EQ(escape(std::string_view("a\0b\xff", 4)), "a\\x00b\\xff");
  EXPECT_EQ(element("p", {{"title", "\"x\""}, {"class", ""}}, "<i>").html(),
            "<p title=\"&quot;x&quot;\">&lt;i&gt;</p>");
}

TEST(Scale, MapsEndsAndTicksRoundNumbers) {
  const Scale scale{0, 50, 100, 0};
  EXPECT_DOUBLE_EQ(scale(0), 100);
  EXPECT_DOUBLE_EQ(scale(50), 0);
  EXPECT_EQ(scale.ticks(5), (std::vector<double>{0, 10, 20, 30, 40, 50}));
  const Scale logarithmic{10, 1000, 0, 2, true};
  EXPECT_DOUBLE_EQ(logarithmic(100), 1);
}

/// Bytes of the arena that some value has at an operation, byte by byte.
double bytes_in_use(const ArenaMap& map, std::int64_t operation) {
  std::set<std::int64_t> bytes;
  for (const ArenaValue& value : map.values) {
    for (const ArenaValue::Use& use : value.uses) {
      if (use.first > operation || use.last < operation) continue;
      for (double byte = use.offset; byte < use.offset + use.bytes; ++byte) bytes.insert(std::llround(byte));
    }
  }
  return static_cast<double>(bytes.size());
}

TEST(ArenaPicture, FindsTheFullestOperation) {
  ArenaMap map{64, {"a", "b", "c", "c"}, {}};
  std::uint32_t state = 1;
  const auto random = [&](std::uint32_t below) { return (state = state * 1664525U + 1013904223U) / 65536U % below; };
  for (int v = 0; v < 12; ++v) {
    const std::int64_t first = static_cast<std::int64_t>(random(5)) - 1;
    map.values.push_back({"v" + std::to_string(v),
                          "a",
                          false,
                          {{static_cast<double>(random(48)), static_cast<double>(random(16) + 1), first,
                            first + static_cast<std::int64_t>(random(3))}}});
  }
  const FullestOperation fullest = fullest_operation(map);
  double most = 0;
  for (std::int64_t t = 0; t < 4; ++t) most = std::max(most, bytes_in_use(map, t));
  EXPECT_EQ(fullest.bytes, most);
  EXPECT_EQ(bytes_in_use(map, static_cast<std::int64_t>(fullest.operation)), most);
  const test::HtmlPage page = test::HtmlReader(arena_picture(map, fullest).html()).read();
  EXPECT_EQ(page.fault, "");
  EXPECT_EQ(page.elements.at("path"), 12);
}

TEST(Lanes, BypassTakesALaneOfItsOwn) {
  // 0 -> 1 -> 2 -> 3, and 0 -> 3 and 1 -> 3 past the rows between
  const std::vector<Markup> cells = network_lanes({{}, {0}, {1}, {0, 1, 2}});
  ASSERT_EQ(cells.size(), 4U);
  for (const Markup& cell : cells) EXPECT_EQ(test::HtmlReader(cell.html()).read().fault, "");
  // in row 2 two lanes pass, at 20 and at 31 pixels
  EXPECT_NE(cells[2].html().find("M20 0V100"), std::string::npos) << cells[2].html();
  EXPECT_NE(cells[2].html().find("M31 0V100"), std::string::npos) << cells[2].html();
}

TEST(Chart, LeavesOutWhatIsNoNumber) {
  const double nan = std::nan("");
  const Markup picture = chart_picture(
      {"x", "y", {{"a", {1, 2, 3}, {1, nan, 3}, SeriesForm::points, {0.5, 0.5, nan}, {1.5, 1.5, 4}, {}}}});
  const test::HtmlPage page = test::HtmlReader(picture.html()).read();
  EXPECT_EQ(page.fault, "");
  EXPECT_EQ(page.elements.at("circle"), 2);
  EXPECT_EQ(picture.html().find("nan"), std::string::npos);
  EXPECT_TRUE(chart_picture({"x", "y", {{"a", {nan}, {nan}}}}).empty());
}

TEST(ShareStrip, WidthsAreShares) {
  const std::string drawn = share_strip({{"one", 1, "1"}, {"three", 3, "3"}}, "shares").html();
  EXPECT_NE(drawn.find("width=\"260\""), std::string::npos) << drawn;
  EXPECT_NE(drawn.find("width=\"780\""), std::string::npos) << drawn;
}

TEST(Histogram, MarksTheNumbersOfACoarseGrid) {
  const test::HtmlPage page =
      test::HtmlReader(histogram_picture({-1, 1, {1, 5, 1}, -1, 1, 0.5}, 200, 40).html()).read();
  EXPECT_EQ(page.fault, "");
  EXPECT_EQ(page.elements.at("line"), 5);  // -1, -0.5, 0, 0.5, 1
}

}  // namespace
}  // namespace trimtab
