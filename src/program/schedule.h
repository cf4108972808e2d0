#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "program/kernels.h"
#include "program/program.h"

namespace trimtab {

/// Steps from the first that writes a buffer to the last that reads it; -1 and the number of steps stand for before and
/// after the run.
struct Lifetime {
  std::int64_t first = 0;
  std::int64_t last = -1;
};

/// The pool of the next step that a convolution runs together with (runtime/trimtab/pooled_convolution.h). The
/// convolution's own output is then a band of rows, which begins the scratch memory.
struct ScheduledPool {
  std::size_t step = 0;
  Kernel kernel;
  std::int32_t rows_at_a_time = 0;
  std::int64_t band_bytes = 0;  ///< a multiple of 8
};

/// One call: some rows of a step's output by one algorithm. Today every operation makes all rows of its step.
struct ScheduledOperation {
  std::size_t step = 0;  ///< index into Program::steps
  Kernel kernel;
  std::int32_t first_row = 0;
  std::int32_t rows = 0;
  std::int64_t scratch = 0;  ///< offset in the arena

  std::optional<ScheduledPool> pool;  ///< not empty: the convolution runs together with it
};

/// A program bound to a core: the operations in their order, and places in one static arena. The same for all operating
/// points.
struct Schedule {
  Core core = Core::generic;
  Optimize optimize = Optimize::speed;
  std::vector<ScheduledOperation> operations;
  /// By buffer, in the arena, multiples of 8 (parts of a concatenation: their own start; what a convolution with pooled
  /// rows makes: the band).
  std::vector<std::int64_t> offsets;
  /// By buffer; parts of a concatenation, and what is only a band, have none of their own (last < first).
  std::vector<Lifetime> lifetimes;
  std::int64_t arena_bytes = 0;
  std::int64_t lower_bound_bytes = 0;  ///< no arena can be smaller: the most that is alive at one step
};

/// The kernel that runs a step, alone or within another's operation.
[[nodiscard]] const Kernel& kernel_of(const Schedule& schedule, std::size_t step);
/// The operation that begins with the step; null for a pool that runs within the one before it.
[[nodiscard]] const ScheduledOperation* operation_of(const Schedule& schedule, std::size_t step);

/// Chooses kernels and plans the arena from the liveness of the buffers (exact where the search proves it, else within
/// the printed bound). Except on the host, convolutions run together with the pools behind them where the arena becomes
/// smaller. A schedule is made once for a program, a core and a setting, and passed on.
[[nodiscard]] Schedule schedule(const Program& program, Core core, Optimize optimize = Optimize::speed);

}  // namespace trimtab
