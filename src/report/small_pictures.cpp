#include "report/small_pictures.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "report/svg.h"
#include "report/widgets.h"

namespace trimtab {
namespace {

/// The text, cut to so many letters.
std::string shortened(const std::string& text, std::size_t letters) {
  if (text.size() <= letters) return text;
  std::size_t end = letters - 1;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0U) == 0x80) --end;  // not within a character
  return text.substr(0, end) + "…";
}

}  // namespace

Markup share_strip(const std::vector<SharePart>& parts, const std::string& title) {
  constexpr double width = 1040;
  constexpr double height = 34;
  const double sum = std::accumulate(parts.begin(), parts.end(), 0.0,
                                     [](double total, const SharePart& part) { return total + part.value; });
  if (!(sum > 0)) return {};
  Markup drawn;
  double x = 0;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    const SharePart& part = parts[i];
    const double length = width * part.value / sum;
    if (!(length > 0)) continue;
    drawn += rectangle(x, 0, length, height, colour('f', i) + " part",
                       fmt::format("{}: {}, {}", part.name, part.text, percent_text(part.value / sum)), part.layer);
    if (length > 7.4 * static_cast<double>(part.name.size()) + 8)
      drawn += label(x + length / 2, height / 2 + 4, part.name, "middle", "onfill");
    x += length;
  }
  return svg(width, height, title, drawn);
}

Markup histogram_picture(const GridHistogram& histogram, double width, double height) {
  if (histogram.counts.empty() || !(histogram.high > histogram.low)) return {};
  const double reach = std::max(histogram.high, histogram.grid_high) - std::min(histogram.low, histogram.grid_low);
  const Scale across{std::min(histogram.low, histogram.grid_low) - 0.02 * reach,
                     std::max(histogram.high, histogram.grid_high) + 0.02 * reach, 0, width};
  const double most = *std::max_element(histogram.counts.begin(), histogram.counts.end());
  const Scale up{0, std::log1p(std::max(most, 1.0)), height - 1, 3};
  Markup drawn = rectangle(0, 0, std::max(across(histogram.grid_low), 0.0), height, "beyond");
  drawn +=
      rectangle(across(histogram.grid_high), 0, std::max(width - across(histogram.grid_high), 0.0), height, "beyond");
  const double bin = (histogram.high - histogram.low) / static_cast<double>(histogram.counts.size());
  std::string bars;
  for (std::size_t i = 0; i < histogram.counts.size(); ++i) {
    if (!(histogram.counts[i] > 0)) continue;
    const double x = across(histogram.low + bin * static_cast<double>(i));
    const double end = across(histogram.low + bin * static_cast<double>(i + 1));
    const double y = std::min(up(std::log1p(histogram.counts[i])), height - 2);
    bars += fmt::format("M{} {}H{}V{}H{}Z", coordinate(x), coordinate(height - 1), coordinate(end), coordinate(y),
                        coordinate(x));
  }
  drawn += path(bars, "f0");
  const double spacing = across(histogram.grid_low + histogram.grid_step) - across(histogram.grid_low);
  if (histogram.grid_step > 0 && spacing >= 3) {
    for (double value = histogram.grid_low; value <= histogram.grid_high + histogram.grid_step / 2;
         value += histogram.grid_step)
      drawn += line(across(value), 0, across(value), height, "step");
  } else {
    drawn += line(across(histogram.grid_low), 0, across(histogram.grid_low), height, "step");
    drawn += line(across(histogram.grid_high), 0, across(histogram.grid_high), height, "step");
  }
  return element("svg",
                 {{"viewBox", fmt::format("0 0 {} {}", coordinate(width), coordinate(height))},
                  {"width", coordinate(width)},
                  {"height", coordinate(height)},
                  {"role", "img"},
                  {"aria-label", "histogram of the layer's numbers with its grid"}},
                 drawn);
}

Markup confusion_picture(const std::vector<std::string>& classes, const std::vector<std::vector<double>>& counts) {
  const std::size_t size = counts.size();
  if (size < 2 || size > 40) return {};
  const double cell = size <= 12 ? 40 : size <= 20 ? 26 : 15;
  const double left = 118;
  const double top = 92;
  const double side = cell * static_cast<double>(size);
  const auto name_of_class = [&](std::size_t i) { return i < classes.size() ? classes[i] : fmt::format("{}", i); };
  Markup drawn;
  for (std::size_t row = 0; row < size; ++row) {
    const double all = std::accumulate(counts[row].begin(), counts[row].end(), 0.0);
    const double y = top + cell * static_cast<double>(row);
    drawn += label(left - 8, y + cell / 2 + 4, shortened(name_of_class(row), 15), "end");
    const double x_of_name = left + cell * (static_cast<double>(row) + 0.5) + 4;
    drawn += element("text",
                     {{"x", coordinate(x_of_name)},
                      {"y", coordinate(top - 8)},
                      {"transform", fmt::format("rotate(-55 {} {})", coordinate(x_of_name), coordinate(top - 8))}},
                     shortened(name_of_class(row), 13));
    for (std::size_t column = 0; column < size && column < counts[row].size(); ++column) {
      const double count = counts[row][column];
      const double share = all > 0 ? count / all : 0;
      const double x = left + cell * static_cast<double>(column);
      drawn += element("rect",
                       {{"x", coordinate(x + 1)},
                        {"y", coordinate(y + 1)},
                        {"width", coordinate(cell - 2)},
                        {"height", coordinate(cell - 2)},
                        {"rx", "3"},
                        {"class", row == column ? "heat" : "heat wrong"},
                        {"opacity", fmt::format("{:.3f}", share > 0 ? 0.10 + 0.90 * std::sqrt(share) : 0.03)}},
                       element("title", {},
                               fmt::format("{} answered as {}: {}, {}", name_of_class(row), name_of_class(column),
                                           number_text(count), percent_text(share))));
      if (cell >= 26 && count > 0)
        drawn +=
            label(x + cell / 2, y + cell / 2 + 4, number_text(count), "middle", share > 0.35 ? "onfill" : "strong");
    }
  }
  return svg(left + side + 60, top + side + 4, "confusion matrix", drawn);
}

}  // namespace trimtab
