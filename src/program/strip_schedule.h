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
/// found for an arena of at most `limit_bytes`, and of nearly as fast ones the smallest. Where nothing keeps within the
/// limit, the smallest that was found. Strip heights and algorithms are chosen by descent. The search ends when it
/// has priced some ten million rows. Nothing where one round of it would take more.
[[nodiscard]] std::optional<StripSchedule> schedule_strips(const Program& program, Core core, Optimize optimize,
                                                           std::int64_t limit_bytes, bool one_kernel_each,
                                                           InputForm input = InputForm::whole);

/// The schedule in strips of given heights, by step: the lowest strips that a kernel allows and that have at least so
/// many rows, of the powers of two and the whole height.
[[nodiscard]] Schedule schedule_in_strips(const Program& program, Core core, Optimize optimize,
                                          std::span<const std::int32_t> rows, InputForm input = InputForm::whole);

}  // namespace trimtab
