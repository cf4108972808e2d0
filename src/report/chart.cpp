#include "report/chart.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/index.h"
#include "report/svg.h"
#include "report/widgets.h"

namespace trimtab {
namespace {

constexpr double chart_width = 1040;

struct Range {
  double least = std::numeric_limits<double>::infinity();
  double greatest = -std::numeric_limits<double>::infinity();
  void add(double value) {
    if (!std::isfinite(value)) return;
    least = std::min(least, value);
    greatest = std::max(greatest, value);
  }
  [[nodiscard]] bool empty() const { return least > greatest; }
  /// Both ends moved outwards by a share of the distance.
  void widen(double share) {
    const double room = greatest > least ? (greatest - least) * share : std::max(std::abs(least) * 0.05, 1e-9);
    least -= room;
    greatest += room;
  }
};

bool is_shown(const Chart& chart, const Series& series, std::size_t i) {
  return i < series.y.size() && std::isfinite(series.x[i]) && std::isfinite(series.y[i]) &&
         (!chart.x_logarithmic || series.x[i] > 0);
}

bool has_interval(const Series& series, std::size_t i) {
  return i < series.low.size() && i < series.high.size() && std::isfinite(series.low[i]) &&
         std::isfinite(series.high[i]);
}

class Drawing {
 public:
  Drawing(const Chart& chart, const Scale& x, const Scale& y) : chart_(chart), x_(x), y_(y) {}

  [[nodiscard]] Markup axes() const {
    Markup drawn;
    for (const double tick : y_.ticks(5)) {
      drawn += line(x_.begin, y_(tick), x_.end, y_(tick), "rule");
      drawn += label(x_.begin - 7, y_(tick) + 4, tick_text(tick), "end");
    }
    for (const double tick : x_.ticks(8)) {
      drawn += line(x_(tick), y_.begin, x_(tick), y_.begin + 4, "axis");
      drawn += label(x_(tick), y_.begin + 18, tick_text(tick), "middle");
    }
    drawn += line(x_.begin, y_.begin, x_.end, y_.begin, "axis");
    drawn += label((x_.begin + x_.end) / 2, y_.begin + 37, chart_.x_label, "middle");
    drawn += label(0, 12, chart_.y_label);
    for (const auto& [value, name] : chart_.limits) {
      drawn += line(x_.begin, y_(value), x_.end, y_(value), "limit");
      drawn += label(x_.end, y_(value) - 5, name, "end", "bad");
    }
    return drawn;
  }

  [[nodiscard]] Markup series(const Series& series, std::size_t index) const {
    Markup drawn;
    const bool points = series.form == SeriesForm::points || series.form == SeriesForm::points_and_line;
    if (!points) drawn += area(series, index);
    if (series.form != SeriesForm::points)
      drawn += path(curve(series), "curve " + colour('s', index), points ? "" : series.name);
    for (std::size_t i = 0; points && i < series.x.size(); ++i) {
      if (!is_shown(chart_, series, i)) continue;
      if (has_interval(series, i))
        drawn += line(x_(series.x[i]), y_(series.low[i]), x_(series.x[i]), y_(series.high[i]),
                      "interval " + colour('s', index));
      drawn += disc(x_(series.x[i]), y_(series.y[i]), 3.4, colour('f', index),
                    i < series.notes.size() ? series.notes[i] : series.name);
    }
    return drawn;
  }

 private:
  [[nodiscard]] std::string curve(const Series& series) const {
    std::string commands;
    bool pen_down = false;
    for (std::size_t i = 0; i < series.x.size(); ++i) {
      if (!is_shown(chart_, series, i)) {
        pen_down = false;
        continue;
      }
      const std::string x = coordinate(x_(series.x[i]));
      const std::string y = coordinate(y_(series.y[i]));
      if (!pen_down) {
        commands += fmt::format("M{} {}", x, y);
      } else if (series.form == SeriesForm::steps) {
        commands += fmt::format("H{}V{}", x, y);
      } else {
        commands += fmt::format("L{} {}", x, y);
      }
      pen_down = true;
    }
    return commands;
  }

  [[nodiscard]] Markup area(const Series& series, std::size_t index) const {
    std::string there;
    std::string back;
    for (std::size_t i = 0; i < series.x.size(); ++i) {
      if (!is_shown(chart_, series, i) || !has_interval(series, i)) continue;
      const std::string x = coordinate(x_(series.x[i]));
      there += fmt::format("{}{} {}", there.empty() ? "M" : "L", x, coordinate(y_(series.high[i])));
      back = fmt::format("L{} {}", x, coordinate(y_(series.low[i]))) + back;
    }
    return there.empty() ? Markup() : path(there + back + "Z", "area " + colour('f', index));
  }

  const Chart& chart_;
  const Scale& x_;
  const Scale& y_;
};

}  // namespace

Markup chart_picture(const Chart& chart) {
  Range x;
  Range y;
  for (const Series& series : chart.series) {
    for (std::size_t i = 0; i < series.x.size(); ++i) {
      if (!is_shown(chart, series, i)) continue;
      x.add(series.x[i]);
      y.add(series.y[i]);
      if (!has_interval(series, i)) continue;
      y.add(series.low[i]);
      y.add(series.high[i]);
    }
  }
  if (x.empty()) return {};
  for (const auto& [value, name] : chart.limits) y.add(value);
  y.widen(0.06);
  if (chart.y_from_zero) y.least = 0;
  if (chart.x_logarithmic) {
    x.least /= 1.1;
    x.greatest *= 1.1;
  } else {
    x.widen(0.02);
  }
  const Scale across{x.least, x.greatest, 58, chart_width - 12, chart.x_logarithmic};
  const Scale up{y.least, y.greatest, chart.height - 44, 22};
  const Drawing drawing(chart, across, up);
  Markup drawn = drawing.axes();
  std::vector<std::string> names;
  for (std::size_t s = 0; s < chart.series.size(); ++s) {
    drawn += drawing.series(chart.series[s], s);
    names.push_back(chart.series[s].name);
  }
  const Markup picture = svg(chart_width, chart.height, chart.y_label + " over " + chart.x_label, drawn);
  return names.size() > 1 ? legend(names) + picture : picture;
}

}  // namespace trimtab
