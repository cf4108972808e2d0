#include "program/arena.h"

#include <algorithm>
#include <functional>
#include <numeric>

#include "base/random.h"

namespace trimtab {
namespace {

bool meet(const Block& a, const Block& b) { return a.first <= b.last && b.first <= a.last; }

/// Places the blocks one after the other, each at the lowest offset where it fits. Returns the bytes used.
std::int64_t first_fit(std::span<const Block> blocks, std::span<const std::size_t> order,
                       std::vector<std::int64_t>& offsets) {
  std::int64_t used = 0;
  std::vector<std::size_t> placed;  // by offset
  placed.reserve(order.size());
  for (const std::size_t index : order) {
    const Block& block = blocks[index];
    std::int64_t offset = 0;
    for (const std::size_t other : placed) {
      if (!meet(block, blocks[other]) || blocks[other].bytes == 0) continue;
      if (offset + block.bytes <= offsets[other]) break;
      offset = std::max(offset, offsets[other] + blocks[other].bytes);
    }
    offsets[index] = offset;
    used = std::max(used, offset + block.bytes);
    const auto position =
        std::find_if(placed.begin(), placed.end(), [&](std::size_t other) { return offsets[other] > offset; });
    placed.insert(position, index);
  }
  return used;
}

}  // namespace

Arena plan_arena(std::span<const Block> given, std::int64_t alignment, int tries) {
  std::vector<Block> blocks(given.begin(), given.end());
  std::int64_t last = 0;
  for (Block& block : blocks) {
    block.bytes = (block.bytes + alignment - 1) / alignment * alignment;
    last = std::max(last, block.last);
  }
  Arena arena;
  for (std::int64_t step = -1; step <= last; ++step) {
    std::int64_t alive = 0;
    for (const Block& block : blocks) alive += block.first <= step && step <= block.last ? block.bytes : 0;
    arena.lower_bound_bytes = std::max(arena.lower_bound_bytes, alive);
  }
  if (blocks.empty()) return arena;

  std::vector<std::size_t> best(blocks.size());
  std::iota(best.begin(), best.end(), 0);
  arena.offsets.resize(blocks.size());
  arena.bytes = first_fit(blocks, best, arena.offsets);
  std::vector<std::int64_t> offsets(blocks.size());
  const auto attempt = [&](const std::vector<std::size_t>& order) {
    const std::int64_t bytes = first_fit(blocks, order, offsets);
    if (bytes > arena.bytes) return;  // an equal order is taken as well, to walk along plateaus
    arena.bytes = bytes;
    arena.offsets = offsets;
    best = order;
  };

  const auto sorted_by = [&](const std::function<std::int64_t(const Block&)>& key) {
    std::vector<std::size_t> order(blocks.size());
    std::iota(order.begin(), order.end(), 0);
    std::stable_sort(order.begin(), order.end(),
                     [&](std::size_t a, std::size_t b) { return key(blocks[a]) > key(blocks[b]); });
    return order;
  };
  attempt(sorted_by([](const Block& block) { return block.bytes; }));
  attempt(sorted_by([](const Block& block) { return block.bytes * (block.last - block.first + 1); }));
  attempt(sorted_by([](const Block& block) { return block.last - block.first; }));

  Random random(1);
  for (int i = 0; i < tries && arena.bytes > arena.lower_bound_bytes; ++i) {
    std::vector<std::size_t> order = best;
    const auto most = static_cast<std::int64_t>(order.size()) - 1;
    std::swap(order[static_cast<std::size_t>(random.integer(0, most))],
              order[static_cast<std::size_t>(random.integer(0, most))]);
    attempt(order);
  }
  return arena;
}

}  // namespace trimtab
