#pragma once

#include <cstdint>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <span>
#include <string>
#include <vector>

#include "cost/pricer.h"
#include "emit/deploy.h"
#include "program/program.h"
#include "target/target.h"

namespace trimtab {

/// A program with one of the schedules that it can have: its numbers are the same, its RAM and its time are not. The
/// deployment was measured on one sample.
struct FrontierPoint {
  Deployment deployment;
  std::int32_t strip_rows = 0;  ///< the tallest strip of a map that is not made at once; 0: all maps are whole
};

/// How much time a program takes with less or more RAM on the pricer's target: schedules with arenas from the smallest
/// to the fastest schedule's, linked and run, from the least RAM to the most. A point that takes as much RAM as a
/// faster one is left out, and so is an image that is larger than the part. At most `most_points` images are made,
/// several at a time. Throws what deploy() throws.
[[nodiscard]] std::vector<FrontierPoint> memory_frontier(const Pricer& pricer, const Program& program,
                                                         int most_points = 10);

/// A list of points: ram_bytes, arena_bytes, flash_bytes, instructions, strip_rows and the keys of add_latency().
[[nodiscard]] nlohmann::ordered_json frontier_json(const Target& target, std::span<const FrontierPoint> frontier);

/// A table with a line per point.
[[nodiscard]] std::string describe_frontier(const Target& target, std::span<const FrontierPoint> frontier);

/// Draws time over RAM as frontier.svg into `folder`. Throws what draw() throws.
void draw_frontier(const Target& target, std::span<const FrontierPoint> frontier, const std::filesystem::path& folder);

}  // namespace trimtab
