#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace trimtab {

/// Something that needs memory from one step to another, both included.
struct Block {
  std::int64_t bytes = 0;
  std::int64_t first = 0;
  std::int64_t last = 0;
};

struct Arena {
  std::vector<std::int64_t> offsets;  ///< by block, multiples of `alignment`
  std::int64_t bytes = 0;
  std::int64_t lower_bound_bytes = 0;  ///< the most that is alive at one step, each block rounded up to `alignment`
};

/// Offsets such that blocks alive at the same step do not overlap: first fit over several orders and then over seeded
/// exchanges of neighbours in the best order, until the lower bound is met or `tries` are used up. O(tries * blocks^2).
[[nodiscard]] Arena plan_arena(std::span<const Block> blocks, std::int64_t alignment = 8, int tries = 2000);

}  // namespace trimtab
