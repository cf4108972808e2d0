#include "report/lanes.h"

#include <fmt/format.h>

#include <algorithm>

#include "report/svg.h"

namespace trimtab {
namespace {

constexpr double lane_width = 11;
constexpr double first_lane = 9;
constexpr double cell_height = 100;  // stretched to the height of the row
constexpr std::size_t most_lanes = 12;

double lane_x(std::size_t lane) { return first_lane + static_cast<double>(lane) * lane_width; }

/// A connection past at least one row.
struct Bypass {
  std::size_t from;
  std::size_t to;
  std::size_t lane;
};

/// The connections past other rows, each in the first lane that is free all the way.
std::vector<Bypass> bypasses_of(const std::vector<std::vector<std::size_t>>& inputs) {
  std::vector<Bypass> bypasses;
  std::vector<std::size_t> free_from(most_lanes + 1, 0);  // by lane: the first row at which it is free
  std::vector<std::pair<std::size_t, std::size_t>> edges;
  for (std::size_t row = 0; row < inputs.size(); ++row) {
    for (const std::size_t from : inputs[row]) {
      if (from < row && from + 1 != row) edges.emplace_back(from, row);
    }
  }
  std::sort(edges.begin(), edges.end());
  edges.erase(std::unique(edges.begin(), edges.end()), edges.end());
  for (const auto& [from, to] : edges) {
    std::size_t lane = 1;
    while (lane < most_lanes && free_from[lane] > from) ++lane;
    free_from[lane] = to;
    bypasses.push_back({from, to, lane});
  }
  return bypasses;
}

std::string curve(double x1, double y1, double x2, double y2) {
  const double middle = (y1 + y2) / 2;
  return fmt::format("M{} {}C{} {} {} {} {} {}", coordinate(x1), coordinate(y1), coordinate(x1), coordinate(middle),
                     coordinate(x2), coordinate(middle), coordinate(x2), coordinate(y2));
}

}  // namespace

std::vector<Markup> network_lanes(const std::vector<std::vector<std::size_t>>& inputs) {
  const std::vector<Bypass> bypasses = bypasses_of(inputs);
  std::size_t lanes = 0;
  for (const Bypass& bypass : bypasses) lanes = std::max(lanes, bypass.lane);
  const double width = lane_x(lanes) + first_lane;
  std::vector<Markup> cells;
  const auto reads = [&](std::size_t row, std::size_t from) {
    return row < inputs.size() && std::ranges::find(inputs[row], from) != inputs[row].end();
  };
  for (std::size_t row = 0; row < inputs.size(); ++row) {
    std::string commands;
    const double x = lane_x(0);
    if (row > 0 && reads(row, row - 1)) commands += fmt::format("M{} 0V50", coordinate(x));
    if (reads(row + 1, row)) commands += fmt::format("M{} 50V100", coordinate(x));
    for (const Bypass& bypass : bypasses) {
      const double lane = lane_x(bypass.lane);
      if (bypass.from == row) commands += curve(x, cell_height / 2, lane, cell_height);
      if (bypass.to == row) commands += curve(lane, 0, x, cell_height / 2);
      if (bypass.from < row && row < bypass.to) commands += fmt::format("M{} 0V100", coordinate(lane));
    }
    const Markup drawn =
        empty_element("path", {{"d", commands}, {"class", "lane"}, {"vector-effect", "non-scaling-stroke"}});
    cells.push_back(
        element("div", {{"class", "lane-room"}, {"style", fmt::format("width:{}px", coordinate(width))}}, "") +
        element("svg",
                {{"viewBox", fmt::format("0 0 {} 100", coordinate(width))},
                 {"preserveAspectRatio", "none"},
                 {"style", fmt::format("width:{}px", coordinate(width))},
                 {"aria-hidden", "true"}},
                drawn) +
        element("i", {{"class", "node"}}, ""));
  }
  return cells;
}

}  // namespace trimtab
