#pragma once

#include <string>
#include <vector>

#include "report/markup.h"

namespace trimtab {

// What the pictures of a report are drawn with. Coordinates are pixels from the upper left corner; colours are classes
// of page.css, so that a picture follows light and dark.

/// The picture; `label` is what a reader hears who does not see it.
[[nodiscard]] Markup svg(double width, double height, const std::string& label, const Markup& content);
/// `note` appears where the pointer rests.
[[nodiscard]] Markup rectangle(double x, double y, double width, double height, const std::string& style,
                               const std::string& note = "", const std::string& layer = "");
[[nodiscard]] Markup line(double x1, double y1, double x2, double y2, const std::string& style);
/// The commands of an SVG path.
[[nodiscard]] Markup path(const std::string& commands, const std::string& style, const std::string& note = "",
                          const std::string& layer = "");
/// `anchor`: "start", "middle" or "end".
[[nodiscard]] Markup label(double x, double y, const std::string& text, const std::string& anchor = "start",
                           const std::string& style = "");
[[nodiscard]] Markup disc(double x, double y, double radius, const std::string& style, const std::string& note = "");

/// "12.5": a coordinate.
[[nodiscard]] std::string coordinate(double value);

/// An axis from `from` to `to`, which becomes `begin` to `end` on the picture; logarithmic where it says so.
struct Scale {
  double from = 0;
  double to = 1;
  double begin = 0;
  double end = 1;
  bool logarithmic = false;

  [[nodiscard]] double operator()(double value) const;
  /// About `count` round numbers within.
  [[nodiscard]] std::vector<double> ticks(int count) const;
};

/// A tick's number: "1,500", "0.25", "2e-05".
[[nodiscard]] std::string tick_text(double value);

}  // namespace trimtab
