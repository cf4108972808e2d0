#include "program/arena.h"

#include <algorithm>
#include <functional>
#include <numeric>
#include <utility>

#include "base/index.h"
#include "base/random.h"

namespace trimtab {
namespace {

/// Of blocks, in all tries together: a network of many layers gets fewer tries.
constexpr std::int64_t most_comparisons = 20'000'000;

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
      : blocks_(blocks.begin(), blocks.end()),
        leads_(blocks.size()),
        exact_(blocks.size()),
        neighbours_(blocks.size()),
        placed_(blocks.size()) {
    for (Block& block : blocks_) block.bytes = round_up(block.bytes, alignment);
    find_neighbours();
    for (const Overlap& overlap : overlaps) {
      leads_[overlap.output].emplace_back(overlap.input, round_up(overlap.lead, alignment));
      if (overlap.exact) exact_[overlap.output].push_back(overlap.input);
    }
  }

  [[nodiscard]] std::size_t size() const { return blocks_.size(); }
  [[nodiscard]] const Block& block(std::size_t index) const { return blocks_[index]; }

  /// How often place() compares two blocks, at most.
  [[nodiscard]] std::int64_t comparisons() const {
    std::int64_t count = std::ssize(blocks_);
    for (const std::vector<std::uint32_t>& others : neighbours_) count += std::ssize(others);
    return count;
  }

  /// The most that is needed at a step: what is alive, less what outputs may share with inputs that end there.
  [[nodiscard]] std::int64_t lower_bound() const {
    std::int64_t last = 0;
    for (const Block& block : blocks_) last = std::max(last, block.last);
    std::vector<std::int64_t> change(static_cast<std::size_t>(last + 3));  // from step -1
    std::vector<std::int64_t> saved(static_cast<std::size_t>(last + 3));
    for (std::size_t index = 0; index < blocks_.size(); ++index) {
      const Block& block = blocks_[index];
      if (block.last < block.first) continue;
      nth(change, block.first + 1) += block.bytes;
      nth(change, block.last + 2) -= block.bytes;
      nth(saved, block.first + 1) += shared_with_inputs(index);
    }
    std::int64_t bound = 0;
    std::int64_t alive = 0;
    for (std::size_t step = 0; step < change.size(); ++step) {
      alive += change[step];
      bound = std::max(bound, alive - saved[step]);
    }
    return bound;
  }

  /// Places the blocks in that order. Returns the bytes used.
  std::int64_t place(std::span<const std::size_t> order, std::vector<std::int64_t>& offsets) {
    std::int64_t used = 0;
    std::fill(placed_.begin(), placed_.end(), false);
    std::vector<Forbidden> forbidden;
    for (const std::size_t index : order) {
      const Block& block = blocks_[index];
      forbidden.clear();
      for (const std::size_t other : neighbours_[index]) {
        if (!placed_[other]) continue;
        if (only_exact(index, other)) {  // all but the very same place
          forbidden.push_back({offsets[other] - block.bytes, offsets[other]});
          forbidden.push_back({offsets[other], offsets[other] + blocks_[other].bytes});
        } else {
          forbidden.push_back(between(index, other, offsets[other]));
        }
      }
      placed_[index] = true;
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
  /// Blocks with bytes that are alive at a step together, found in the order of their first steps.
  void find_neighbours() {
    std::vector<std::uint32_t> order;
    for (std::size_t index = 0; index < blocks_.size(); ++index) {
      const Block& block = blocks_[index];
      if (block.bytes > 0 && block.first <= block.last) order.push_back(static_cast<std::uint32_t>(index));
    }
    std::ranges::stable_sort(order, {}, [&](std::uint32_t index) { return blocks_[index].first; });
    std::vector<std::uint32_t> alive;
    for (const std::uint32_t index : order) {
      std::erase_if(alive, [&](std::uint32_t other) { return blocks_[other].last < blocks_[index].first; });
      for (const std::uint32_t other : alive) {
        neighbours_[index].push_back(other);
        neighbours_[other].push_back(index);
      }
      alive.push_back(index);
    }
  }

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

  /// An output lies at most over its inputs' bytes behind the lead, and never more than once over its own.
  [[nodiscard]] std::int64_t shared_with_inputs(std::size_t output) const {
    std::int64_t shared = 0;
    for (const auto& [input, lead] : leads_[output]) {
      if (blocks_[input].last == blocks_[output].first)
        shared += std::clamp<std::int64_t>(blocks_[output].bytes - lead, 0, blocks_[input].bytes);
    }
    return std::min(shared, blocks_[output].bytes);
  }

  std::vector<Block> blocks_;
  std::vector<std::vector<std::pair<std::size_t, std::int64_t>>> leads_;  // by output: input and lead
  std::vector<std::vector<std::size_t>> exact_;  // by output: inputs that it may only lie over exactly
  std::vector<std::vector<std::uint32_t>> neighbours_;
  std::vector<bool> placed_;
};

}  // namespace

Arena plan_arena(std::span<const Block> blocks, std::span<const Overlap> overlaps, std::int64_t alignment, int tries) {
  Planner planner(blocks, overlaps, alignment);
  Arena arena;
  arena.lower_bound_bytes = planner.lower_bound();
  std::vector<std::size_t> best(blocks.size());
  std::iota(best.begin(), best.end(), 0);
  arena.offsets.resize(blocks.size());
  arena.bytes = planner.place(best, arena.offsets);
  if (blocks.empty()) return arena;

  std::vector<std::int64_t> offsets(blocks.size());
  const auto attempt = [&](const std::vector<std::size_t>& order) {
    arena.comparisons += planner.comparisons();
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
  for (int i = 0; i < tries && arena.bytes > arena.lower_bound_bytes && arena.comparisons < most_comparisons; ++i) {
    std::vector<std::size_t> order = best;
    std::swap(nth(order, random.integer(0, last)), nth(order, random.integer(0, last)));
    attempt(order);
  }
  return arena;
}

Gaps::Gaps(std::span<const Block> blocks, const Arena& arena, std::int64_t alignment)
    : blocks_(blocks), arena_(&arena), alignment_(alignment) {
  for (std::size_t i = 0; i < blocks.size(); ++i) {
    for (std::int64_t step = blocks[i].first; step <= blocks[i].last; ++step) {
      const auto place = static_cast<std::size_t>(step + 1);
      if (alive_.size() <= place) alive_.resize(place + 1);
      alive_[place].push_back(static_cast<std::uint32_t>(i));
    }
  }
}

Gap Gaps::largest(std::int64_t step) const {
  std::vector<Gap> taken;
  if (step + 1 < std::ssize(alive_)) {
    for (const std::uint32_t i : nth(alive_, step + 1)) {
      if (blocks_[i].bytes > 0) taken.push_back({arena_->offsets[i], round_up(blocks_[i].bytes, alignment_)});
    }
  }
  taken.push_back({arena_->bytes, 0});
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
