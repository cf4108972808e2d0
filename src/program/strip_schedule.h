#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include "program/schedule.h"

namespace trimtab {

/// The schedule in which values are made strip by strip (strips.h) with the smallest arena that was found, among those
/// that cost at most `most_cost` times the instructions of whole maps by estimate. Strip heights are chosen by descent
/// from the best of several starts; nothing where the network is so large that the search would take long.
[[nodiscard]] std::optional<Schedule> schedule_strips(const Program& program, Core core, Optimize optimize,
                                                      double most_cost);

/// The schedule in strips of given heights, by step: the lowest strips that a kernel allows and that have at least so
/// many rows, of the powers of two and the whole height.
[[nodiscard]] Schedule schedule_in_strips(const Program& program, Core core, Optimize optimize,
                                          std::span<const std::int32_t> rows);

}  // namespace trimtab
