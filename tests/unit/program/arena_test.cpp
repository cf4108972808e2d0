#include "program/arena.h"

#include <gtest/gtest.h>

#include "base/random.h"

namespace trimtab {
namespace {

bool alive_together(const Block& a, const Block& b) { return a.first <= b.last && b.first <= a.last; }

/// Every pair, one by one.
void expect_valid(const std::vector<Block>& blocks, const std::vector<Overlap>& overlaps, const Arena& arena) {
  for (std::size_t i = 0; i < blocks.size(); ++i) {
    EXPECT_EQ(arena.offsets[i] % 8, 0);
    EXPECT_LE(arena.offsets[i] + blocks[i].bytes, arena.bytes);
    for (std::size_t j = 0; j < blocks.size(); ++j) {
      if (i == j || blocks[i].bytes == 0 || blocks[j].bytes == 0 || !alive_together(blocks[i], blocks[j])) continue;
      bool allowed = arena.offsets[i] + blocks[i].bytes <= arena.offsets[j] ||
                     arena.offsets[j] + blocks[j].bytes <= arena.offsets[i];
      for (const Overlap& overlap : overlaps) {
        const bool same = (overlap.input == i && overlap.output == j) || (overlap.input == j && overlap.output == i);
        allowed |= same && arena.offsets[overlap.output] + overlap.lead <= arena.offsets[overlap.input];
      }
      EXPECT_TRUE(allowed) << i << " and " << j;
    }
  }
  EXPECT_GE(arena.bytes, arena.lower_bound_bytes);
}

TEST(Arena, RandomBlocksNeverCollide) {
  Random random(7);
  for (int round = 0; round < 200; ++round) {
    std::vector<Block> blocks;
    for (int i = 0; i < 12; ++i) {
      const std::int64_t first = random.integer(-1, 8);
      blocks.push_back({random.integer(0, 1000), first, first + random.integer(0, 4)});
    }
    std::vector<Overlap> overlaps;
    for (std::size_t input = 0; input < blocks.size(); ++input) {
      for (std::size_t output = 0; output < blocks.size(); ++output) {
        if (input != output && blocks[input].last == blocks[output].first && random.uniform() < 0.5)
          overlaps.push_back({input, output, random.integer(0, 200)});
      }
    }
    expect_valid(blocks, overlaps, plan_arena(blocks, overlaps, 8, 50));
  }
}

TEST(Arena, AChainNeedsItsLargestPair) {
  const std::vector<Block> blocks{{3072, -1, 0}, {16384, 0, 1}, {8192, 1, 2}, {64, 2, 3}};
  const Arena arena = plan_arena(blocks);
  EXPECT_EQ(arena.bytes, 16384 + 8192);
  EXPECT_EQ(arena.lower_bound_bytes, arena.bytes);
}

TEST(Arena, InPlaceTakesNoMemoryOfItsOwn) {
  const std::vector<Block> blocks{{4096, -1, 0}, {4096, 0, 1}, {4096, 1, 2}};
  const std::vector<Overlap> overlaps{{0, 1, 0}, {1, 2, 0}};
  EXPECT_EQ(plan_arena(blocks, overlaps).bytes, 4096);
}

TEST(Arena, AnOutputMayRunIntoItsInputBehindItsLead) {
  const std::vector<Block> blocks{{1000, -1, 0}, {2000, 0, 1}};
  const std::vector<Overlap> overlaps{{0, 1, 1200}};
  EXPECT_EQ(plan_arena(blocks, overlaps).bytes, 2200);
}

TEST(Arena, AnExactOverlapIsAtTheSamePlaceOrNone) {
  // the third block pushes the input up: the output may follow it, but not begin before it
  const std::vector<Block> blocks{{64, 0, 1}, {64, 1, 2}, {32, 0, 1}};
  const std::vector<Overlap> overlaps{{0, 1, 0, true}};
  const Arena arena = plan_arena(blocks, overlaps);
  EXPECT_EQ(arena.bytes, 96);
  EXPECT_EQ(arena.offsets[0], arena.offsets[1]);
}

TEST(Arena, FindsThePackingOfAPuzzleThatFirstFitMisses) {
  // The optimum is 5 units high: a pinwheel over steps 0..3.
  const std::vector<Block> blocks{{800, 0, 1}, {800, 2, 3}, {1600, 0, 0}, {1600, 3, 3}, {1600, 1, 2}};
  const Arena arena = plan_arena(blocks);
  EXPECT_EQ(arena.bytes, arena.lower_bound_bytes);
}

TEST(Arena, TheLargestGapIsFree) {
  const std::vector<Block> blocks{{800, 0, 1}, {1600, 1, 2}, {100, 2, 2}};
  const Arena arena = plan_arena(blocks);
  const Gap gap = Gaps(blocks, arena).largest(2);
  EXPECT_EQ(gap.bytes, 2400 - 1600 - 104);
}

TEST(Arena, TheWorkOfAChainIsInProportionToItsLength) {
  const auto comparisons = [](std::int64_t length) {
    std::vector<Block> blocks;
    for (std::int64_t step = -1; step < length; ++step) blocks.push_back({64 + step % 7 * 8, step, step + 1});
    return plan_arena(blocks, {}, 8, 10).comparisons;
  };
  EXPECT_LT(comparisons(4000), 2.1 * static_cast<double>(comparisons(2000)));
}

}  // namespace
}  // namespace trimtab
