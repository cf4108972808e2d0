#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include "program/schedule.h"

namespace trimtab {

struct StripSchedule {
  Schedule schedule;
  double instructions = 0;       ///< by estimate (strip_cost.h)
  std::int64_t rows_priced = 0;  ///< what the search took: rows of all choices that were compared
};

/// The schedule in which values are made strip by strip (strips.h): the fewest instructions, by estimate, that were
/// found for an arena of at most `limit_bytes`, and of nearly as fast ones the smallest. Strips of one step are made by
/// different kernels where that takes clearly fewer instructions within the same bytes and `limits` allow it. Where
/// nothing keeps within the limit, the smallest that was found. Strip heights and algorithms are chosen by descent. The
/// search ends when it has priced some ten million rows. Nothing where one round of it would take more.
[[nodiscard]] std::optional<StripSchedule> schedule_strips(const Program& program, Core core, Optimize optimize,
                                                           std::int64_t limit_bytes, const ScheduleLimits& limits,
                                                           InputForm input = InputForm::whole);

/// The schedule in strips of given heights, by step: the lowest strips that a kernel allows and that have at least so
/// many rows, of the powers of two and the whole height.
[[nodiscard]] Schedule schedule_in_strips(const Program& program, Core core, Optimize optimize,
                                          std::span<const std::int32_t> rows, InputForm input = InputForm::whole);

/// The same with low strips, of which those of one step are made by different kernels at random where it has several.
[[nodiscard]] Schedule schedule_in_mixed_strips(const Program& program, Core core, std::uint64_t seed,
                                                InputForm input = InputForm::whole);

}  // namespace trimtab
