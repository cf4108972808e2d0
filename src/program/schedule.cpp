#include "program/schedule.h"

#include <algorithm>
#include <numeric>

#include "program/arena.h"

namespace trimtab {
namespace {

/// Buffers that share memory (parts of a concatenation, results written over an input) form one block of the arena.
class Blocks {
 public:
  explicit Blocks(const Program& program)
      : program_(program), owner_(program.buffers.size()), life_(program.buffers.size()) {
    std::iota(owner_.begin(), owner_.end(), BufferId{0});
    const auto steps = static_cast<std::int64_t>(program.steps.size());
    for (std::size_t id = 0; id < life_.size(); ++id) life_[id] = {program.buffers[id].bytes(), steps, -1};
    for (std::int64_t s = 0; s < steps; ++s) {
      const Step& step = program.steps[static_cast<std::size_t>(s)];
      touch(step.output, s);
      for (const BufferId input : step.inputs) touch(input, s);
    }
    touch(program.input, -1);
    touch(program.output, steps);
    for (std::size_t id = 0; id < life_.size(); ++id) {
      if (program.buffers[id].parent.has_value()) join(static_cast<BufferId>(id), *program.buffers[id].parent);
    }
  }

  [[nodiscard]] BufferId owner(BufferId id) const {
    while (owner_[static_cast<std::size_t>(id)] != id) id = owner_[static_cast<std::size_t>(id)];
    return id;
  }

  [[nodiscard]] const Block& block(BufferId id) const { return life_[static_cast<std::size_t>(owner(id))]; }

  /// Lets the output of step `s` lie where one of its inputs lies, if that input ends there and both are laid out
  /// alike.
  void try_in_place(std::int64_t s) {
    const Step& step = program_.steps[static_cast<std::size_t>(s)];
    const runtime::Image output = image_of(program_, step.output);
    for (const BufferId input : step.inputs) {
      const runtime::Image image = image_of(program_, input);
      const bool alike =
          image.height == output.height && image.width == output.width && image.pixel_stride == output.pixel_stride;
      const bool whole = !program_.buffers[static_cast<std::size_t>(input)].parent.has_value() &&
                         !program_.buffers[static_cast<std::size_t>(step.output)].parent.has_value();
      if (!alike || !whole || block(input).last != s || block(step.output).first != s) continue;
      join(step.output, input);
      return;
    }
  }

 private:
  void touch(BufferId id, std::int64_t s) {
    Block& life = life_[static_cast<std::size_t>(id)];
    life.first = std::min(life.first, s);
    life.last = std::max(life.last, s);
  }

  void join(BufferId member, BufferId into) {
    const BufferId from = owner(member);
    const BufferId to = owner(into);
    if (from == to) return;
    owner_[static_cast<std::size_t>(from)] = to;
    const Block& a = life_[static_cast<std::size_t>(from)];
    Block& b = life_[static_cast<std::size_t>(to)];
    b = {std::max(a.bytes, b.bytes), std::min(a.first, b.first), std::max(a.last, b.last)};
  }

  const Program& program_;
  std::vector<BufferId> owner_;
  std::vector<Block> life_;
};

/// Bytes from the start of the outermost buffer that holds this one.
std::int64_t offset_in_parents(const Program& program, BufferId id) {
  std::int64_t offset = 0;
  for (const Buffer* buffer = &program.buffers[static_cast<std::size_t>(id)]; buffer->parent.has_value();
       buffer = &program.buffers[static_cast<std::size_t>(*buffer->parent)]) {
    offset += std::int64_t{buffer->parent_channel} * buffer->grid.bits / 8;
  }
  return offset;
}

}  // namespace

Schedule schedule(const Program& program, Core core, Optimize optimize) {
  Schedule result;
  result.core = core;
  Blocks memory(program);
  for (std::size_t s = 0; s < program.steps.size(); ++s) {
    result.kernels.push_back(choose_kernel(program.steps[s], core, optimize));
    if (result.kernels.back().in_place) memory.try_in_place(static_cast<std::int64_t>(s));
  }

  std::vector<Block> blocks;
  std::vector<std::int64_t> block_of(program.buffers.size(), -1);
  for (std::size_t id = 0; id < program.buffers.size(); ++id) {
    const auto buffer = static_cast<BufferId>(id);
    if (memory.owner(buffer) != buffer) continue;
    block_of[id] = static_cast<std::int64_t>(blocks.size());
    blocks.push_back(memory.block(buffer));
  }
  const std::size_t first_scratch = blocks.size();
  for (std::size_t s = 0; s < program.steps.size(); ++s) {
    blocks.push_back({result.kernels[s].scratch_bytes, static_cast<std::int64_t>(s), static_cast<std::int64_t>(s)});
  }

  const Arena arena = plan_arena(blocks);
  for (std::size_t id = 0; id < program.buffers.size(); ++id) {
    const auto buffer = static_cast<BufferId>(id);
    const auto block = static_cast<std::size_t>(block_of[static_cast<std::size_t>(memory.owner(buffer))]);
    result.offsets.push_back(arena.offsets[block] + offset_in_parents(program, buffer));
  }
  result.scratch.assign(arena.offsets.begin() + static_cast<std::ptrdiff_t>(first_scratch), arena.offsets.end());
  result.arena_bytes = arena.bytes;
  result.lower_bound_bytes = arena.lower_bound_bytes;
  return result;
}

}  // namespace trimtab
