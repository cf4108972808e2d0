#include "program/whole_maps.h"

#include <algorithm>
#include <utility>

#include "base/index.h"
#include "program/arena.h"
#include "program/overlap.h"
#include "program/strips.h"

namespace trimtab {
namespace {

/// One block of memory for every buffer that is no part of another (the parts' blocks stay empty), alive from the step
/// that first writes it or a part of it to the last that reads it. The input is alive before the first step, the output
/// after the last.
std::vector<Block> buffer_blocks(const Program& program) {
  const auto steps = static_cast<std::int64_t>(program.steps.size());
  std::vector<Block> blocks(program.buffers.size(), Block{0, steps, -1});
  const auto touch = [&](BufferId id, std::int64_t step) {
    const BufferId owner = place_in_owner(program, id).owner;
    Block& block = nth(blocks, owner);
    block.bytes = nth(program.buffers, owner).bytes();
    block.first = std::min(block.first, step);
    block.last = std::max(block.last, step);
  };
  for (std::size_t s = 0; s < program.steps.size(); ++s) {
    const auto at = static_cast<std::int64_t>(s);
    touch(program.steps[s].output, at);
    for (const BufferId input : program.steps[s].inputs) touch(input, at);
  }
  touch(program.input, -1);
  touch(program.output, steps);
  return blocks;
}

/// Where a step's output may overlap one of its inputs. A kernel that works element by element may do so with any input
/// that is laid out like its output; others say how far they need to be ahead of their first input.
void add_overlaps(const Program& program, const Step& step, const Kernel& kernel, std::int64_t s,
                  const std::vector<Block>& blocks, std::vector<Overlap>& overlaps) {
  const auto output = static_cast<std::size_t>(step.output);
  if (program.buffers[output].parent.has_value() || blocks[output].first != s) return;
  const runtime::Image out = image_of(program, step.output);
  for (std::size_t i = 0; i < step.inputs.size(); ++i) {
    const auto input = static_cast<std::size_t>(step.inputs[i]);
    if (program.buffers[input].parent.has_value() || blocks[input].last != s || input == output) continue;
    const runtime::Image in = image_of(program, step.inputs[i]);
    const bool alike = in.height == out.height && in.width == out.width && in.pixel_stride == out.pixel_stride;
    // a convolution's kernel has looked at the layouts itself; its channels stay where they are only in the same place
    const bool convolution = std::holds_alternative<ConvolutionStep>(step.operation);
    if (kernel.in_place && (alike || convolution)) {
      overlaps.push_back({input, output, 0, convolution});
    } else if (kernel.overlap_lead_bytes.has_value() && i == 0) {
      overlaps.push_back({input, output, *kernel.overlap_lead_bytes});
    }
  }
}

/// The first round of choices: kernels with at most so much scratch memory beyond their least, and the arena.
struct Round {
  std::vector<Block> blocks;  ///< buffers, then the steps' scratch memory
  Arena arena;
};

Round first_round(const Program& program, Core core, Optimize optimize, std::int64_t scratch_limit, int tries) {
  Round round;
  round.blocks = buffer_blocks(program);
  std::vector<Overlap> overlaps;
  for (std::size_t s = 0; s < program.steps.size(); ++s) {
    const auto at = static_cast<std::int64_t>(s);
    const Step& step = program.steps[s];
    const Kernel kernel = choose_kernel(step, core, optimize, scratch_limit);
    add_overlaps(program, step, kernel, at, round.blocks, overlaps);
    round.blocks.push_back({kernel.scratch_bytes, at, at});
  }
  round.arena = plan_arena(round.blocks, overlaps, 8, tries);
  return round;
}

}  // namespace

Schedule schedule_whole_maps(const Program& program, Core core, Optimize optimize, InputForm input) {
  Schedule result;
  result.core = core;
  result.optimize = optimize;
  // More scratch memory lets some kernels write their output over their input: the arena may even become smaller.
  Round best = first_round(program, core, optimize, 0, 4000);
  for (const std::int64_t limit : {1 << 10, 2 << 10, 4 << 10, 6 << 10, 8 << 10, 12 << 10, 16 << 10, 24 << 10}) {
    Round round = first_round(program, core, optimize, limit, 400);
    if (round.arena.bytes < best.arena.bytes) best = std::move(round);
  }
  std::vector<Block>& blocks = best.blocks;
  const Arena& arena = best.arena;
  const std::size_t first_scratch = blocks.size() - program.steps.size();
  for (std::size_t id = 0; id < program.buffers.size(); ++id) {
    const PlaceInOwner place = place_in_owner(program, static_cast<BufferId>(id));
    result.places.push_back({nth(arena.offsets, place.owner) + place.offset, -1});
    if (blocks[id].first > blocks[id].last) continue;
    result.uses.push_back(
        {static_cast<BufferId>(id), arena.offsets[id], blocks[id].bytes, blocks[id].first, blocks[id].last});
  }
  const Gaps gaps(blocks, arena);
  // A second round: kernels that are faster with more scratch memory take what the arena leaves free at their step.
  for (std::size_t s = 0; s < program.steps.size(); ++s) {
    const auto at = static_cast<std::int64_t>(s);
    Block& scratch = blocks[first_scratch + s];
    scratch.bytes = 0;
    const Gap gap = gaps.largest(at);  // at least what the first round reserved
    Kernel kernel = choose_kernel(program.steps[s], core, optimize, gap.bytes);
    scratch.bytes = kernel.scratch_bytes;
    if (scratch.bytes > 0) result.uses.push_back({-1, gap.offset, scratch.bytes, at, at});
    result.add_whole(program, std::move(kernel), gap.offset);
  }
  if (input == InputForm::pushed) {
    std::vector<StripOperation> operations;
    for (const ScheduledOperation& one : result.operations) operations.push_back({one.step, one.first_row, one.rows});
    StripPlanner(program, input).find_pushes(operations, result.pushes);
  }
  result.arena_bytes = arena.bytes;
  result.lower_bound_bytes = arena.lower_bound_bytes;
  return result;
}

}  // namespace trimtab
