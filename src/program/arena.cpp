#include "program/arena.h"

#include <algorithm>
#include <functional>
#include <numeric>
#include <utility>

#include "base/index.h"
#include "base/random.h"

namespace trimtab {
namespace {

std::int64_t round_up(std::int64_t bytes, std::int64_t alignment) {
  return (bytes + alignment - 1) / alignment * alignment;
}

/// Offsets that a block may not have because of another one: those strictly between `low` and `high`.
struct Forbidden {
  std::int64_t low;
  std::int64_t high;
};

class Planner {
 public:
  Planner(std::span<const Block> blocks, std::span<const Overlap> overlaps, std::int64_t alignment)
      : blocks_(blocks.begin(), blocks.end()), leads_(blocks.size()), exact_(blocks.size()) {
    for (Block& block : blocks_) block.bytes = round_up(block.bytes, alignment);
    for (const Overlap& overlap : overlaps) {
      leads_[overlap.output].emplace_back(overlap.input, round_up(overlap.lead, alignment));
      if (overlap.exact) exact_[overlap.output].push_back(overlap.input);
    }
  }

  [[nodiscard]] std::size_t size() const { return blocks_.size(); }
  [[nodiscard]] const Block& block(std::size_t index) const { return blocks_[index]; }

  [[nodiscard]] std::int64_t lower_bound() const {
    std::int64_t last = 0;
    for (const Block& block : blocks_) last = std::max(last, block.last);
    std::int64_t bound = 0;
    for (std::int64_t step = -1; step <= last; ++step) bound = std::max(bound, needed_at(step));
    return bound;
  }

  /// Places the blocks in that order. Returns the bytes used.
  std::int64_t place(std::span<const std::size_t> order, std::vector<std::int64_t>& offsets) const {
    std::int64_t used = 0;
    std::vector<Forbidden> forbidden;
    for (std::size_t position = 0; position < order.size(); ++position) {
      const std::size_t index = order[position];
      const Block& block = blocks_[index];
      forbidden.clear();
      for (std::size_t earlier = 0; earlier < position; ++earlier) {
        const std::size_t other = order[earlier];
        if (block.bytes > 0 && blocks_[other].bytes > 0 && meet(block, blocks_[other])) {
          if (only_exact(index, other)) {  // all but the very same place
            forbidden.push_back({offsets[other] - block.bytes, offsets[other]});
            forbidden.push_back({offsets[other], offsets[other] + blocks_[other].bytes});
          } else {
            forbidden.push_back(between(index, other, offsets[other]));
          }
        }
      }
      std::sort(forbidden.begin(), forbidden.end(),
                [](const Forbidden& a, const Forbidden& b) { return a.low < b.low; });
      std::int64_t offset = 0;
      for (const Forbidden& range : forbidden) {
        if (range.low < offset && offset < range.high) offset = range.high;
      }
      offsets[index] = offset;
      used = std::max(used, offset + block.bytes);
    }
    return used;
  }

 private:
  static bool meet(const Block& a, const Block& b) { return a.first <= b.last && b.first <= a.last; }

  /// Lead with which `output` may overlap `input`, or -1.
  [[nodiscard]] std::int64_t lead(std::size_t input, std::size_t output) const {
    for (const auto& [block, bytes] : leads_[output]) {
      if (block == input) return bytes;
    }
    return -1;
  }

  [[nodiscard]] bool only_exact(std::size_t a, std::size_t b) const {
    const auto holds = [](const std::vector<std::size_t>& inputs, std::size_t input) {
      return std::find(inputs.begin(), inputs.end(), input) != inputs.end();
    };
    return holds(exact_[a], b) || holds(exact_[b], a);
  }

  [[nodiscard]] Forbidden between(std::size_t index, std::size_t other, std::int64_t offset) const {
    Forbidden range{offset - blocks_[index].bytes, offset + blocks_[other].bytes};
    if (const std::int64_t bytes = lead(other, index); bytes >= 0) range.low = std::max(range.low, offset - bytes);
    if (const std::int64_t bytes = lead(index, other); bytes >= 0) range.high = std::min(range.high, offset + bytes);
    return range;
  }

  [[nodiscard]] std::int64_t needed_at(std::int64_t step) const {
    std::int64_t bytes = 0;
    for (const Block& block : blocks_) bytes += block.first <= step && step <= block.last ? block.bytes : 0;
    std::int64_t saved =
        0;  // at most: an output lies over its inputs' bytes behind the lead, and never more than once over its own
    for (std::size_t output = 0; output < blocks_.size(); ++output) {
      if (blocks_[output].first != step) continue;
      std::int64_t shared = 0;
      for (const auto& [input, lead] : leads_[output]) {
        if (blocks_[input].last == step)
          shared += std::clamp<std::int64_t>(blocks_[output].bytes - lead, 0, blocks_[input].bytes);
      }
      saved += std::min(shared, blocks_[output].bytes);
    }
    return bytes - saved;
  }

  std::vector<Block> blocks_;
  std::vector<std::vector<std::pair<std::size_t, std::int64_t>>> leads_;  // by output: input and lead
  std::vector<std::vector<std::size_t>> exact_;  // by output: inputs that it may only lie over exactly
};

}  // namespace

Arena plan_arena(std::span<const Block> blocks, std::span<const Overlap> overlaps, std::int64_t alignment, int tries) {
  const Planner planner(blocks, overlaps, alignment);
  Arena arena;
  arena.lower_bound_bytes = planner.lower_bound();
  std::vector<std::size_t> best(blocks.size());
  std::iota(best.begin(), best.end(), 0);
  arena.offsets.resize(blocks.size());
  arena.bytes = planner.place(best, arena.offsets);
  if (blocks.empty()) return arena;

  std::vector<std::int64_t> offsets(blocks.size());
  const auto attempt = [&](const std::vector<std::size_t>& order) {
    const std::int64_t bytes = planner.place(order, offsets);
    if (bytes > arena.bytes) return;  // an equal order is taken as well, to walk along plateaus
    arena.bytes = bytes;
    arena.offsets = offsets;
    best = order;
  };
  const auto sorted_by = [&](const std::function<std::int64_t(const Block&)>& key) {
    std::vector<std::size_t> order(blocks.size());
    std::iota(order.begin(), order.end(), 0);
    std::stable_sort(order.begin(), order.end(),
                     [&](std::size_t a, std::size_t b) { return key(planner.block(a)) > key(planner.block(b)); });
    return order;
  };
  attempt(sorted_by([](const Block& block) { return block.bytes; }));
  attempt(sorted_by([](const Block& block) { return block.bytes * (block.last - block.first + 1); }));
  attempt(sorted_by([](const Block& block) { return block.last - block.first; }));
  attempt(sorted_by([](const Block& block) { return block.last; }));

  Random random(1);
  const auto last = static_cast<std::int64_t>(blocks.size()) - 1;
  for (int i = 0; i < tries && arena.bytes > arena.lower_bound_bytes; ++i) {
    std::vector<std::size_t> order = best;
    std::swap(nth(order, random.integer(0, last)), nth(order, random.integer(0, last)));
    attempt(order);
  }
  return arena;
}

Gap largest_gap(std::span<const Block> blocks, const Arena& arena, std::int64_t step, std::int64_t alignment) {
  std::vector<Gap> taken;
  for (std::size_t i = 0; i < blocks.size(); ++i) {
    if (blocks[i].first <= step && step <= blocks[i].last && blocks[i].bytes > 0)
      taken.push_back({arena.offsets[i], round_up(blocks[i].bytes, alignment)});
  }
  taken.push_back({arena.bytes, 0});
  std::sort(taken.begin(), taken.end(), [](const Gap& a, const Gap& b) { return a.offset < b.offset; });
  Gap largest;
  std::int64_t free = 0;
  for (const Gap& block : taken) {
    if (block.offset - free > largest.bytes) largest = {free, block.offset - free};
    free = std::max(free, block.offset + block.bytes);
  }
  return largest;
}

}  // namespace trimtab
