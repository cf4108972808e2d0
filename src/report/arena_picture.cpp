#include "report/arena_picture.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/index.h"
#include "base/units.h"
#include "report/svg.h"
#include "report/widgets.h"

namespace trimtab {
namespace {

constexpr double arena_width = 1040;
constexpr double arena_height = 360;

std::string bytes_text(double bytes) { return format_bytes(std::llround(bytes)); }

/// Bytes that the intervals [offset, offset + bytes) cover.
double covered(std::vector<std::pair<double, double>> intervals) {
  std::sort(intervals.begin(), intervals.end());
  double sum = 0;
  double end = 0;
  for (const auto& [offset, bytes] : intervals) {
    const double begin = std::max(offset, end);
    end = std::max(end, offset + bytes);
    sum += std::max(0.0, end - begin);
  }
  return sum;
}

bool is_alive(const ArenaValue::Use& use, std::int64_t operation) {
  return use.first <= operation && operation <= use.last;
}

/// The layers below the picture: a name where there is room for it, else nothing.
Markup operation_axis(const ArenaMap& map, const Scale& across, double top) {
  Markup drawn;
  const std::vector<std::string>& layers = map.operations;
  for (std::size_t begin = 0; begin < layers.size();) {
    std::size_t end = begin + 1;
    while (end < layers.size() && layers[end] == layers[begin]) ++end;
    const double x = across(static_cast<double>(begin));
    const double room = across(static_cast<double>(end)) - x;
    drawn += line(x, top, x, top + 5, "axis");
    const auto letters = static_cast<std::size_t>(room / 6.6);
    if (layers[begin].size() <= letters) drawn += label(x + room / 2, top + 17, layers[begin], "middle");
    begin = end;
  }
  return drawn;
}

}  // namespace

FullestOperation fullest_operation(const ArenaMap& map) {
  FullestOperation fullest;
  for (std::size_t t = 0; t < map.operations.size(); ++t) {
    std::vector<std::pair<double, double>> intervals;
    for (const ArenaValue& value : map.values) {
      for (const ArenaValue::Use& use : value.uses) {
        if (is_alive(use, static_cast<std::int64_t>(t))) intervals.emplace_back(use.offset, use.bytes);
      }
    }
    const double bytes = covered(std::move(intervals));
    if (bytes <= fullest.bytes) continue;
    fullest.bytes = bytes;
    fullest.operation = t;
  }
  for (const ArenaValue& value : map.values) {
    std::vector<std::pair<double, double>> intervals;
    for (const ArenaValue::Use& use : value.uses) {
      if (is_alive(use, static_cast<std::int64_t>(fullest.operation))) intervals.emplace_back(use.offset, use.bytes);
    }
    if (!intervals.empty()) fullest.alive.emplace_back(value.name, covered(std::move(intervals)));
  }
  std::stable_sort(fullest.alive.begin(), fullest.alive.end(),
                   [](const auto& a, const auto& b) { return a.second > b.second; });
  return fullest;
}

Markup arena_picture(const ArenaMap& map, const FullestOperation& fullest) {
  if (map.operations.empty() || !(map.bytes > 0)) return {};
  const auto count = static_cast<double>(map.operations.size());
  const Scale across{0, count, 72, arena_width - 6};
  const Scale up{0, map.bytes, arena_height - 30, 26};
  Markup drawn = rectangle(across.begin, up.end, across.end - across.begin, up.begin - up.end, "plain");
  const Scale kilobytes{0, map.bytes / 1024, up.begin, up.end};
  for (const double tick : kilobytes.ticks(6)) {
    drawn += line(across.begin, kilobytes(tick), across.end, kilobytes(tick), "rule");
    drawn += label(across.begin - 7, kilobytes(tick) + 4, tick_text(tick) + " KB", "end");
  }
  Markup names;
  for (std::size_t v = 0; v < map.values.size(); ++v) {
    const ArenaValue& value = map.values[v];
    std::string commands;
    double bytes = 0;
    for (const ArenaValue::Use& use : value.uses) {
      const double x = across(static_cast<double>(std::max<std::int64_t>(use.first, 0)));
      const double end = across(std::min(static_cast<double>(use.last) + 1, count));
      const double y = up(use.offset + use.bytes);
      const double height = up(use.offset) - y;
      commands += fmt::format("M{} {}h{}v{}h{}z", coordinate(x), coordinate(y), coordinate(end - x), coordinate(height),
                              coordinate(x - end));
      bytes += use.bytes;
      if (value.uses.size() == 1 && height > 15 && end - x > 7.2 * static_cast<double>(value.name.size()))
        names += label((x + end) / 2, y + height / 2 + 4, value.name, "middle", "onfill");
    }
    if (commands.empty()) continue;
    drawn += path(commands, value.scratch ? "scratch" : colour('f', v) + " part",
                  value.uses.size() == 1 ? fmt::format("{}: {}", value.name, bytes_text(bytes))
                                         : fmt::format("{}: {} pieces", value.name, value.uses.size()),
                  value.layer);
  }
  const double x = across(static_cast<double>(fullest.operation));
  const double width = std::max(across(static_cast<double>(fullest.operation) + 1) - x, 2.0);
  drawn += names + rectangle(x, up.end, width, up.begin - up.end, "mark");
  const bool left = x > arena_width / 2;
  drawn += label(left ? x + width : x, 16,
                 fmt::format("{} in use in {}", bytes_text(fullest.bytes), nth(map.operations, fullest.operation)),
                 left ? "end" : "start", "strong");
  drawn += operation_axis(map, across, up.begin);
  return svg(arena_width, arena_height, "working memory over the operations of an inference", drawn);
}

}  // namespace trimtab
