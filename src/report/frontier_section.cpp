#include "report/frontier_section.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/units.h"
#include "report/chart.h"
#include "report/widgets.h"

namespace trimtab {
namespace {

constexpr double bytes_per_kilobyte = 1024;

/// What the time of a point is: estimated milliseconds, or instructions where the core has no model of cycles.
struct TimeAxis {
  std::string key;
  std::string label;
};

TimeAxis time_axis(const Facts& points) {
  const bool estimated =
      std::ranges::all_of(points, [](const Facts& point) { return number(point, "latency_expected_ms").has_value(); });
  if (estimated) return {"latency_expected_ms", "estimated time of an inference, ms"};
  return {"instructions", "instructions of an inference"};
}

std::string strips(const Facts& point) {
  const auto rows = whole(point, "strip_rows");
  if (!rows) return "";
  return *rows == 0 ? "whole maps" : fmt::format("strips of at most {} rows", *rows);
}

void add_point(Series& series, const Facts& point, const TimeAxis& time, const std::string& note) {
  const double ram = number_or(point, "ram_bytes", std::nan("")) / bytes_per_kilobyte;
  const double value = number_or(point, time.key, std::nan(""));
  series.x.push_back(ram);
  series.y.push_back(value);
  series.notes.push_back(fmt::format("{:.1f} KB, {}{}", ram, number_text(value), note.empty() ? "" : ": " + note));
}

}  // namespace

Markup frontier_section(const Facts& result) {
  const Facts& points = list(result, "frontier");
  if (points.empty()) return {};
  const TimeAxis time = time_axis(points);
  Series front{"a program of the same numbers", {}, {}, SeriesForm::steps, {}, {}, {}};
  Table table({{"RAM", true}, {"arena", true}, {"flash", true}, {"instructions", true}, {time.label, true}, {"rows"}});
  for (const Facts& point : points) {
    add_point(front, point, time, strips(point));
    const auto bytes = [&](const char* key) {
      return Cell{format_bytes(whole(point, key).value_or(0)), number(point, key)};
    };
    table.add({bytes("ram_bytes"),
               bytes("arena_bytes"),
               bytes("flash_bytes"),
               {number_text(number_or(point, "instructions", std::nan(""))), number(point, "instructions")},
               {number_text(number_or(point, time.key, std::nan(""))), number(point, time.key)},
               {strips(point)}});
  }
  Chart chart{"RAM, KB", time.label, {front}};
  if (number(result, time.key)) {
    Series own{"this program", {}, {}, SeriesForm::points, {}, {}, {}};
    add_point(own, result, time, "this program");
    chart.series.push_back(own);
  }
  return paragraph("All of these programs give the same numbers. A bound on RAM (--ram) chooses among them.") +
         figure(chart_picture(chart), "The line falls where a bound on RAM lets a faster program fit.") + table.html();
}

}  // namespace trimtab
