#pragma once

#include <cstdint>
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

/// A program bound to a core: kernels, packed weights, and places in one static arena.
struct Schedule {
  Core core = Core::generic;
  std::vector<Kernel> kernels;  ///< by step
  /// By buffer, in the arena, multiples of 8 (parts of a concatenation: their own start; what a convolution with pooled
  /// rows makes: the band).
  std::vector<std::int64_t> offsets;
  /// By buffer; parts of a concatenation, and what is only a band, have none of their own (last < first).
  std::vector<Lifetime> lifetimes;
  std::vector<std::int64_t> scratch;  ///< by step: offset in the arena
  std::int64_t arena_bytes = 0;
  std::int64_t lower_bound_bytes = 0;  ///< no arena can be smaller: the most that is alive at one step
};

/// Bytes of the band that the scratch memory of a convolution with pooled rows begins with, a multiple of 8. 0 for
/// other steps.
[[nodiscard]] std::int64_t band_bytes(const Program& program, const Schedule& schedule, std::size_t step);

/// Chooses kernels and plans the arena from the liveness of the buffers (exact where the search proves it, else within
/// the printed bound). Except on the host, convolutions run together with the pools behind them where the arena becomes
/// smaller.
[[nodiscard]] Schedule schedule(const Program& program, Core core, Optimize optimize = Optimize::speed);

}  // namespace trimtab
