#include "program/schedule.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <optional>

#include "base/index.h"
#include "program/arena.h"
#include "program/overlap.h"
#include "trimtab/pooled_convolution.h"

namespace trimtab {
namespace {

/// The outermost buffer that holds this one, and where in it this one starts.
struct Place {
  BufferId owner;
  std::int64_t offset;  ///< bytes
};

Place place_of(const Program& program, BufferId id) {
  Place place{id, 0};
  while (nth(program.buffers, place.owner).parent.has_value()) {
    const Buffer& buffer = nth(program.buffers, place.owner);
    place.offset += std::int64_t{buffer.parent_channel} * buffer.grid.bits / 8;
    place.owner = *buffer.parent;
  }
  return place;
}

/// The pool of a step: its window and its images, or nothing where the step is no pool.
struct PoolImages {
  const runtime::Window& window;
  const runtime::Image& input;
  const runtime::Image& output;
};
std::optional<PoolImages> pool_of(const Step& step) {
  if (const auto* max = std::get_if<MaxPoolStep>(&step.operation))
    return PoolImages{max->pool.window, max->pool.input, max->pool.output};
  if (const auto* average = std::get_if<AveragePoolStep>(&step.operation))
    return PoolImages{average->pool.window, average->pool.input, average->pool.output};
  return std::nullopt;
}

std::int64_t band_bytes_of(const PoolImages& pool, std::int32_t rows) {
  return aligned(runtime::pooled_convolution_band_bytes(pool.input, pool.window, rows));
}

/// By step: whether it runs together with the pool of the next one.
using PooledSteps = std::vector<bool>;

/// The convolutions whose output nobody reads but the pool of the next step, which never needs all of it at once.
PooledSteps poolable_steps(const Program& program) {
  std::vector<int> uses(program.buffers.size());
  ++nth(uses, program.output);
  for (const Step& step : program.steps) {
    for (const BufferId input : step.inputs) ++nth(uses, input);
  }
  for (const Buffer& buffer : program.buffers) {
    if (buffer.parent.has_value()) ++nth(uses, *buffer.parent);
  }
  PooledSteps poolable(program.steps.size());
  for (std::size_t s = 0; s + 1 < program.steps.size(); ++s) {
    const Step& step = program.steps[s];
    const std::optional<PoolImages> pool = pool_of(program.steps[s + 1]);
    poolable[s] = std::holds_alternative<ConvolutionStep>(step.operation) && pool.has_value() &&
                  program.steps[s + 1].inputs[0] == step.output && nth(uses, step.output) == 1 &&
                  !nth(program.buffers, step.output).parent.has_value() &&
                  runtime::pooled_convolution_band_rows(pool->input, pool->window, 1) < pool->input.height;
  }
  return poolable;
}

/// One block of memory for every buffer that is no part of another (the parts' blocks stay empty), alive from the step
/// that first writes it or a part of it to the last that reads it. The input is alive before the first step, the output
/// after the last. What only a band is made of has none, and the pool's output is written by the convolution's step.
std::vector<Block> buffer_blocks(const Program& program, const PooledSteps& pooled) {
  const auto steps = static_cast<std::int64_t>(program.steps.size());
  std::vector<Block> blocks(program.buffers.size(), Block{0, steps, -1});
  const auto touch = [&](BufferId id, std::int64_t step) {
    const BufferId owner = place_of(program, id).owner;
    Block& block = nth(blocks, owner);
    block.bytes = nth(program.buffers, owner).bytes();
    block.first = std::min(block.first, step);
    block.last = std::max(block.last, step);
  };
  for (std::size_t s = 0; s < program.steps.size(); ++s) {
    const auto at = static_cast<std::int64_t>(s);
    if (!pooled[s]) touch(program.steps[s].output, at);
    if (s > 0 && pooled[s - 1]) {
      touch(program.steps[s].output, at - 1);
      continue;
    }
    for (const BufferId input : program.steps[s].inputs) touch(input, at);
  }
  touch(program.input, -1);
  touch(program.output, steps);
  return blocks;
}

/// A step's kernel, and how many rows of the next step's pool run with it at a time (0: none). The scratch memory then
/// begins with the band.
struct Choice {
  Kernel kernel;
  std::int32_t pooled_rows = 0;
};

/// Where a step's output may overlap one of its inputs. A kernel that works element by element may do so with any input
/// that is laid out like its output; others say how far they need to be ahead of their first input. `written` is
/// its output, or that of the pool behind it.
void add_overlaps(const Program& program, const Step& step, BufferId written, const Choice& choice, std::int64_t s,
                  const std::vector<Block>& blocks, std::vector<Overlap>& overlaps) {
  const auto output = static_cast<std::size_t>(written);
  const Kernel& kernel = choice.kernel;
  if (program.buffers[output].parent.has_value() || blocks[output].first != s) return;
  const runtime::Image out = image_of(program, written);
  for (std::size_t i = 0; i < step.inputs.size(); ++i) {
    const auto input = static_cast<std::size_t>(step.inputs[i]);
    if (program.buffers[input].parent.has_value() || blocks[input].last != s || input == output) continue;
    const runtime::Image in = image_of(program, step.inputs[i]);
    const bool alike = in.height == out.height && in.width == out.width && in.pixel_stride == out.pixel_stride;
    // a convolution's kernel has looked at the layouts itself; its channels stay where they are only in the same place
    const bool convolution = std::holds_alternative<ConvolutionStep>(step.operation);
    if (kernel.in_place && choice.pooled_rows == 0 && (alike || convolution)) {
      overlaps.push_back({input, output, 0, convolution});
    } else if (kernel.overlap_lead_bytes.has_value() && i == 0) {
      overlaps.push_back({input, output, *kernel.overlap_lead_bytes});
    }
  }
}

/// The step's kernel, alone or with the pool of the next step, a row at a time. With a pool, weights that have to be
/// decoded take the scratch memory that they are decoded in at once: the band saves more, and a kernel that decodes
/// them several times would do so for every row.
Choice choose_at(const Program& program, std::size_t s, bool pooled, Core core, Optimize optimize,
                 std::int64_t scratch_limit) {
  const Step& step = program.steps[s];
  if (!pooled) return {choose_kernel(step, core, optimize, scratch_limit), 0};
  const std::optional<PoolImages> pool = pool_of(program.steps[s + 1]);
  const runtime::Convolution& convolution = std::get<ConvolutionStep>(step.operation).convolution;
  const std::int64_t limit = stored_bits(std::get<ConvolutionStep>(step.operation)) >= 8
                                 ? scratch_limit - band_bytes_of(*pool, 1)
                                 : std::numeric_limits<std::int64_t>::max();
  Choice choice{choose_kernel(step, core, optimize, limit), 1};
  choice.kernel.overlap_lead_bytes = overlap_lead_bytes(convolution, pool->output, pool->window);
  choice.kernel.scratch_bytes += band_bytes_of(*pool, 1);
  return choice;
}

/// More of the pool's rows at a time, as many as `room` bytes of scratch memory allow.
void take_room(Choice& choice, const Step& pool_step, std::int64_t room) {
  Kernel& kernel = choice.kernel;
  const std::optional<PoolImages> pool = pool_of(pool_step);
  const std::int64_t own = kernel.scratch_bytes - band_bytes_of(*pool, choice.pooled_rows);
  while (choice.pooled_rows < pool->output.height && own + band_bytes_of(*pool, choice.pooled_rows + 1) <= room) {
    ++choice.pooled_rows;
  }
  kernel.scratch_bytes = own + band_bytes_of(*pool, choice.pooled_rows);
  kernel.reason += fmt::format("; with the pool behind it, {} of whose {} rows are made at a time", choice.pooled_rows,
                               pool->output.height);
}

/// The first round of choices: kernels with at most so much scratch memory beyond their least, and the arena.
struct Round {
  PooledSteps pooled;
  std::vector<Choice> choices;
  std::vector<Block> blocks;  ///< buffers, then the steps' scratch memory
  Arena arena;
};

Round first_round(const Program& program, Core core, Optimize optimize, const PooledSteps& pooled,
                  std::int64_t scratch_limit, int tries) {
  Round round;
  round.pooled = pooled;
  round.blocks = buffer_blocks(program, pooled);
  std::vector<Overlap> overlaps;
  for (std::size_t s = 0; s < program.steps.size(); ++s) {
    const auto at = static_cast<std::int64_t>(s);
    const Choice& choice = round.choices.emplace_back(choose_at(program, s, pooled[s], core, optimize, scratch_limit));
    if (s == 0 || !pooled[s - 1]) {
      const BufferId written = program.steps[pooled[s] ? s + 1 : s].output;
      add_overlaps(program, program.steps[s], written, choice, at, round.blocks, overlaps);
    }
    round.blocks.push_back({choice.kernel.scratch_bytes, at, at});
  }
  round.arena = plan_arena(round.blocks, overlaps, 8, tries);
  return round;
}

/// Of the convolutions that could run together with the pools behind them those that have to for the smallest arena.
/// Some make it larger, as they decode all their weights at once: so from all of them, and from none, adding what does
/// no harm; then those go that are not needed. Of very many all are taken or none.
Round with_pools(const Program& program, Core core, Optimize optimize, Round none) {
  const PooledSteps poolable = poolable_steps(program);
  const auto count = std::ranges::count(poolable, true);
  if (core == Core::host || count == 0) return none;
  constexpr int tries = 400;
  constexpr int most_pools = 64;
  Round best = first_round(program, core, optimize, poolable, 0, tries);
  if (count > most_pools) return best.arena.bytes < none.arena.bytes ? best : none;
  Round grown = none;
  // twice: a step may help only once another has
  for (std::size_t i = 0; i < 2 * poolable.size(); ++i) {
    const std::size_t s = i % poolable.size();
    PooledSteps pooled = grown.pooled;
    if (!poolable[s] || pooled[s]) continue;
    pooled[s] = true;
    Round with = first_round(program, core, optimize, pooled, 0, tries);
    if (with.arena.bytes <= grown.arena.bytes) grown = std::move(with);
  }
  if (grown.arena.bytes < best.arena.bytes) best = std::move(grown);
  if (best.arena.bytes >= none.arena.bytes) return none;
  for (std::size_t s = 0; s < poolable.size(); ++s) {
    PooledSteps pooled = best.pooled;
    if (!pooled[s]) continue;
    pooled[s] = false;
    Round without = first_round(program, core, optimize, pooled, 0, tries);
    if (without.arena.bytes <= best.arena.bytes) best = std::move(without);
  }
  return best;
}

/// All rows of a step, with the pool behind it where that runs with it.
ScheduledOperation operation_for(const Program& program, std::size_t s, const Choice& choice, std::int64_t scratch) {
  ScheduledOperation operation;
  operation.step = s;
  operation.kernel = choice.kernel;
  operation.rows = nth(program.buffers, program.steps[s].output).height;
  operation.scratch = scratch;
  if (choice.pooled_rows > 0) {
    ScheduledPool& pool = operation.pool.emplace();
    pool.step = s + 1;
    pool.rows_at_a_time = choice.pooled_rows;
    pool.band_bytes = band_bytes_of(*pool_of(program.steps[s + 1]), choice.pooled_rows);
  }
  return operation;
}

}  // namespace

const ScheduledOperation* operation_of(const Schedule& schedule, std::size_t step) {
  const auto found = std::ranges::lower_bound(schedule.operations, step, {}, &ScheduledOperation::step);
  return found == schedule.operations.end() || found->step != step ? nullptr : &*found;
}

const Kernel& kernel_of(const Schedule& schedule, std::size_t step) {
  if (const ScheduledOperation* operation = operation_of(schedule, step)) return operation->kernel;
  return operation_of(schedule, step - 1)->pool->kernel;
}

Schedule schedule(const Program& program, Core core, Optimize optimize) {
  Schedule result;
  result.core = core;
  result.optimize = optimize;
  // More scratch memory lets some kernels write their output over their input: the arena may even become smaller.
  Round best = with_pools(program, core, optimize,
                          first_round(program, core, optimize, PooledSteps(program.steps.size()), 0, 4000));
  for (const std::int64_t limit : {1 << 10, 2 << 10, 4 << 10, 6 << 10, 8 << 10, 12 << 10, 16 << 10, 24 << 10}) {
    Round round = first_round(program, core, optimize, best.pooled, limit, 400);
    if (round.arena.bytes < best.arena.bytes) best = std::move(round);
  }
  std::vector<Block>& blocks = best.blocks;
  const Arena& arena = best.arena;
  const std::size_t first_scratch = blocks.size() - program.steps.size();
  for (std::size_t id = 0; id < program.buffers.size(); ++id) {
    const Place place = place_of(program, static_cast<BufferId>(id));
    result.offsets.push_back(nth(arena.offsets, place.owner) + place.offset);
    result.lifetimes.push_back({blocks[id].first, blocks[id].last});
  }
  const Gaps gaps(blocks, arena);
  // A second round: kernels that are faster with more scratch memory take what the arena leaves free at their step.
  for (std::size_t s = 0; s < program.steps.size(); ++s) {
    const auto at = static_cast<std::int64_t>(s);
    Block& scratch = blocks[first_scratch + s];
    scratch.bytes = 0;
    const Gap gap = gaps.largest(at);  // at least what the first round reserved
    Choice choice = choose_at(program, s, best.pooled[s], core, optimize, gap.bytes);
    if (best.pooled[s]) {
      take_room(choice, program.steps[s + 1], gap.bytes);
      nth(result.offsets, program.steps[s].output) = gap.offset;
    }
    scratch.bytes = choice.kernel.scratch_bytes;
    if (s > 0 && best.pooled[s - 1]) {
      result.operations.back().pool->kernel = std::move(choice.kernel);
    } else {
      result.operations.push_back(operation_for(program, s, choice, gap.offset));
    }
  }
  result.arena_bytes = arena.bytes;
  result.lower_bound_bytes = arena.lower_bound_bytes;
  return result;
}

}  // namespace trimtab
