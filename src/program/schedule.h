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
  std::vector<std::int64_t>
      offsets;  ///< by buffer, in the arena, multiples of 8 (parts of a concatenation: their own start)
  std::vector<Lifetime> lifetimes;    ///< by buffer; parts of a concatenation have none of their own (last < first)
  std::vector<std::int64_t> scratch;  ///< by step: offset in the arena
  std::int64_t arena_bytes = 0;
  std::int64_t lower_bound_bytes = 0;  ///< no arena can be smaller: the most that is alive at one step
};

/// Chooses kernels and plans the arena from the liveness of the buffers (exact where the search proves it, else within
/// the printed bound).
[[nodiscard]] Schedule schedule(const Program& program, Core core, Optimize optimize = Optimize::speed);

}  // namespace trimtab
