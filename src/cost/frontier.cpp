#include "cost/frontier.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>
#include <utility>

#include "base/error.h"
#include "base/index.h"
#include "base/units.h"
#include "data/parallel.h"
#include "report/plot.h"

namespace trimtab {
namespace {

/// Schedules with different arenas, by limits between the smallest arena and the fastest schedule's in equal ratios.
std::vector<Schedule> schedules_between(const Pricer& pricer, const Program& program, int most) {
  const auto within = [&](std::int64_t limit) { return pricer.schedule_of(program, {.arena_bytes = limit}); };
  std::vector<Schedule> schedules{within(0), within(std::numeric_limits<std::int64_t>::max())};
  const auto least = static_cast<double>(std::max<std::int64_t>(schedules[0].arena_bytes, 1));
  const auto ratio = static_cast<double>(schedules[1].arena_bytes) / least;
  for (int i = 1; i + 1 < most; ++i)
    schedules.push_back(within(std::llround(least * std::pow(ratio, double(i) / (most - 1)))));
  std::ranges::sort(schedules, {}, &Schedule::arena_bytes);
  const auto same = std::ranges::unique(schedules, {}, &Schedule::arena_bytes);
  schedules.erase(same.begin(), same.end());
  return schedules;
}

std::int32_t tallest_strip(const Schedule& schedule, const Program& program) {
  std::int32_t tallest = 0;
  const std::vector<std::int32_t> rows = strip_rows(schedule);
  for (std::size_t s = 0; s < rows.size(); ++s) {
    if (rows[s] < nth(program.buffers, program.steps[s].output).height) tallest = std::max(tallest, rows[s]);
  }
  return tallest;
}

}  // namespace

std::vector<FrontierPoint> memory_frontier(const Pricer& pricer, const Program& program, int most_points) {
  const std::vector<Schedule> schedules = schedules_between(pricer, program, most_points);
  std::vector<std::optional<FrontierPoint>> measured(schedules.size());
  parallel_for(std::ssize(schedules), [&](std::int64_t index) {
    const auto i = static_cast<std::size_t>(index);
    try {
      FrontierPoint& point = measured[i].emplace();
      point.strip_rows = tallest_strip(schedules[i], program);
      point.deployment = pricer.measure({program, schedules[i]});
      if (!point.deployment.cycles.has_value()) {
        pricer.estimate_cycles({program, schedules[i]}, point.deployment);
      }
    } catch (const Error& error) {
      if (error.code() != ExitCode::bound_not_met) throw;
      measured[i].reset();
    }
  });
  std::vector<FrontierPoint> points;
  for (auto& point : measured) {
    if (point.has_value()) points.push_back(std::move(*point));
  }
  const auto time_of = [&](const FrontierPoint& point) {
    return std::pair(latency_of(pricer.target(), point.deployment).held_ms(), point.deployment.instructions());
  };
  std::ranges::stable_sort(
      points, {}, [&](const FrontierPoint& point) { return std::pair(point.deployment.ram_bytes(), time_of(point)); });
  std::vector<FrontierPoint> frontier;
  for (FrontierPoint& point : points) {
    if (frontier.empty() || time_of(point) < time_of(frontier.back())) frontier.push_back(std::move(point));
  }
  return frontier;
}

nlohmann::ordered_json frontier_json(const Target& target, std::span<const FrontierPoint> frontier) {
  auto points = nlohmann::ordered_json::array();
  for (const FrontierPoint& point : frontier) {
    nlohmann::ordered_json json = {{"ram_bytes", point.deployment.ram_bytes()},
                                   {"arena_bytes", point.deployment.arena_bytes},
                                   {"flash_bytes", point.deployment.flash_bytes()},
                                   {"instructions", point.deployment.instructions()},
                                   {"strip_rows", point.strip_rows}};
    add_latency(json, target, point.deployment);
    points.push_back(std::move(json));
  }
  return points;
}

std::string describe_frontier(const Target& target, std::span<const FrontierPoint> frontier) {
  std::string text = "RAM against time, each measured:\n";
  for (const FrontierPoint& point : frontier) {
    const Deployment& deployment = point.deployment;
    text +=
        fmt::format("  {:>8} of RAM, {:>8} of flash, {:>7} instructions, {}, {}\n",
                    format_bytes(deployment.ram_bytes()), format_bytes(deployment.flash_bytes()),
                    format_count(deployment.instructions()), describe_latency(target, deployment),
                    point.strip_rows == 0 ? "whole maps" : fmt::format("strips of up to {} rows", point.strip_rows));
  }
  return text;
}

void draw_frontier(const Target& target, std::span<const FrontierPoint> frontier, const std::filesystem::path& folder) {
  const bool timed =
      std::ranges::all_of(frontier, [](const FrontierPoint& point) { return point.deployment.cycles.has_value(); });
  Plot plot;
  plot.title = fmt::format("one program on {} with less or more RAM", target.name);
  plot.x_label = "RAM, KB";
  plot.y_label = timed ? "estimated latency, ms" : "million instructions";
  plot.y_from_zero = true;
  Curve curve;
  curve.steps = true;
  for (const FrontierPoint& point : frontier) {
    curve.x.push_back(double(point.deployment.ram_bytes()) / 1024);
    curve.y.push_back(timed ? *latency_of(target, point.deployment).expected_ms
                            : double(point.deployment.instructions()) / 1e6);
  }
  plot.curves.push_back(curve);
  curve.steps = false;
  curve.points = true;
  curve.colour = 0;
  plot.curves.push_back(std::move(curve));
  draw(folder / "frontier.svg", {plot});
}

}  // namespace trimtab
