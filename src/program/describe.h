#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "program/program.h"
#include "program/schedule.h"

namespace trimtab {

/// The steps of a program as a table: layer, output, bits, multiply-accumulates, bytes of constants and the kernel;
/// with `explain` also why that kernel was chosen.
[[nodiscard]] std::string describe_steps(const Program& program, const Schedule& schedule, bool explain);

/// Of pushed rows: the longest push and the work after the last row, in multiply-accumulates. Else nothing.
[[nodiscard]] std::string describe_pushes(const Program& program, const Schedule& schedule);

/// The arena over time, one line a step: columns are addresses, letters the buffers (listed below), '+' scratch memory,
/// '*' where a result is written over an input, '.' free memory.
[[nodiscard]] std::string draw_arena(const Program& program, const Schedule& schedule);

/// The same facts for machines, and by layer the layers that it reads (-1: the input); of pushed rows "push_macs".
[[nodiscard]] nlohmann::ordered_json to_json(const Program& program, const Schedule& schedule);

/// The working memory over time: "arena_bytes", "arena_lower_bound_bytes", "operations" (by operation the index of its
/// layer) and "values", each with "name", "layer" (index; -1: the input), "scratch" and "uses": [offset, bytes, first
/// operation, last operation], both included.
[[nodiscard]] nlohmann::ordered_json memory_json(const Program& program, const Schedule& schedule);

/// A table of a program's operating points with what was measured of them; the one at `shown` is marked.
[[nodiscard]] std::string describe_points(const Program& program, std::size_t shown);

/// Adds the points to what to_json() gave.
void add_points(nlohmann::ordered_json& json, const Program& program, std::size_t shown);

}  // namespace trimtab
