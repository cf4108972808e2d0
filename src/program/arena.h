#pragma once

#include <cstddef>
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

/// A step that reads `input` for the last time while it writes `output`, and writes no faster than it reads: the two
/// may overlap if the output begins at least `lead` bytes before the input (0: at the same place). `exact`: only at the
/// same place.
struct Overlap {
  std::size_t input = 0;
  std::size_t output = 0;
  std::int64_t lead = 0;
  bool exact = false;
};

struct Arena {
  std::vector<std::int64_t> offsets;  ///< by block, multiples of `alignment`
  std::int64_t bytes = 0;
  std::int64_t lower_bound_bytes = 0;  ///< the most that is needed at one step, each block rounded up to `alignment`
  std::int64_t comparisons = 0;        ///< of two blocks, that planning took
};

/// Offsets such that blocks alive at the same step do not overlap, but for the overlaps allowed: every block at the
/// lowest place that is free, in several orders and then in seeded exchanges of the best one, until the lower bound is
/// met or `tries` are used up, fewer where there are very many blocks. Steps count from -1. A try takes time in
/// proportion to the pairs of blocks that are alive together.
[[nodiscard]] Arena plan_arena(std::span<const Block> blocks, std::span<const Overlap> overlaps = {},
                               std::int64_t alignment = 8, int tries = 4000);

/// A part of a shape: bytes that are needed from one time to another, both included, at a fixed place in their shape.
struct ArenaPiece {
  std::size_t shape = 0;
  std::int64_t offset = 0;  ///< in the shape
  std::int64_t bytes = 0;
  std::int64_t first = 0;
  std::int64_t last = 0;
};

/// Places for shapes such that pieces alive at the same time do not overlap: Arena::offsets are by shape. Every shape
/// at the lowest place that is free, in several orders; then what sticks out is moved forward, until `lower_bound` is
/// met or `tries` are used up. Each order is tried from either end of the arena: the pieces of a large shape that is
/// given up piece by piece join the free memory at one of them. O(tries * pairs of pieces that meet).
[[nodiscard]] Arena place_pieces(std::span<const ArenaPiece> pieces, std::int64_t lower_bound,
                                 std::int64_t alignment = 8, int tries = 1500);

struct Gap {
  std::int64_t offset = 0;
  std::int64_t bytes = 0;
};

/// What a planned arena leaves free. The bytes of the blocks may change after it is made, their lifetimes may not.
class Gaps {
 public:
  Gaps(std::span<const Block> blocks, const Arena& arena, std::int64_t alignment = 8);

  /// The largest gap at a step.
  [[nodiscard]] Gap largest(std::int64_t step) const;

 private:
  std::span<const Block> blocks_;
  const Arena* arena_;
  std::int64_t alignment_;
  std::vector<std::vector<std::uint32_t>> alive_;  ///< blocks by step, from -1
};

}  // namespace trimtab
