#include "program/strips.h"

#include <algorithm>
#include <numeric>
#include <optional>
#include <utility>

#include "base/index.h"

namespace trimtab {
namespace {

/// The window over its first input that a step has, or nothing where it works element by element.
std::optional<runtime::Window> window_of(const Operation& operation) {
  if (const auto* convolution = std::get_if<ConvolutionStep>(&operation)) return convolution->convolution.window;
  if (const auto* max = std::get_if<MaxPoolStep>(&operation)) return max->pool.window;
  if (const auto* average = std::get_if<AveragePoolStep>(&operation)) return average->pool.window;
  return std::nullopt;
}

}  // namespace

StripPlanner::Need StripPlanner::need_of(const Step& step, std::size_t input) const {
  const BufferId id = step.inputs[input];
  const Buffer& from = nth(program_.buffers, id);
  const Buffer& to = nth(program_.buffers, step.output);
  Need need;
  need.value = static_cast<std::size_t>(place_in_owner(program_, id).owner);
  if (const std::optional<runtime::Window> window = window_of(step.operation)) {
    need.kernel = window->kernel_height;
    need.stride = window->stride_rows;
    need.dilation = window->dilation_rows;
    need.pad = window->pad_top;
  } else {
    need.all = std::holds_alternative<MovementStep>(step.operation) || from.height != to.height;
  }
  const bool whole = !from.parent.has_value() && !to.parent.has_value();
  const bool convolution = std::holds_alternative<ConvolutionStep>(step.operation);
  const runtime::Image in = image_of(program_, id);
  const runtime::Image out = image_of(program_, step.output);
  need.alike = whole && !need.all && in.pixel_stride == out.pixel_stride && out.width <= in.width &&
               (convolution ? input == 0 : in.width == out.width);
  return need;
}

StripPlanner::StripPlanner(const Program& program, InputForm input)
    : program_(program),
      input_form_(input),
      input_(static_cast<std::size_t>(place_in_owner(program, program.input).owner)),
      output_(static_cast<std::size_t>(place_in_owner(program, program.output).owner)),
      producers_(program.buffers.size()) {
  for (std::size_t v = 0; v < program.buffers.size(); ++v) {
    Value& value = values_.emplace_back();
    if (program.buffers[v].parent.has_value()) continue;
    const runtime::Image image = image_of(program, static_cast<BufferId>(v));
    value = {rows_, image.height, std::int64_t{image.width} * image.pixel_stride};
    rows_ += static_cast<std::size_t>(value.height);
  }
  for (std::size_t s = 0; s < program.steps.size(); ++s) {
    const Step& step = program.steps[s];
    StepRows rows;
    rows.output = static_cast<std::size_t>(place_in_owner(program, step.output).owner);
    rows.end = nth(program.buffers, step.output).height;
    if (const auto* movement = std::get_if<MovementStep>(&step.operation)) {
      rows.first = movement->movement.box.top;
      rows.end = rows.first + movement->movement.box.height;
    }
    for (std::size_t i = 0; i < step.inputs.size(); ++i) rows.needs.push_back(need_of(step, i));
    producers_[rows.output].push_back(s);
    steps_.push_back(std::move(rows));
  }
}

/// The operations, pulled from the program's output.
class StripPlanner::Order {
 public:
  Order(const StripPlanner& planner, std::span<const StripChoice> choices, std::vector<StripOperation>& operations)
      : planner_(planner), choices_(choices), made_(planner.steps_.size()), operations_(operations) {
    operations_.clear();
    for (std::size_t s = 0; s < made_.size(); ++s) made_[s] = planner.steps_[s].first;
    make(planner.output_, planner.values_[planner.output_].height);
    for (std::size_t s = 0; s < made_.size(); ++s) {  // steps that the output does not need
      if (made_[s] > planner.steps_[s].first) continue;
      while (made_[s] < planner.steps_[s].end) make_strip(s);
    }
  }

 private:
  /// Makes the rows of a value below `end`, as far as they are not made yet.
  void make(std::size_t value, std::int32_t end) {
    for (const std::size_t step : planner_.producers_[value]) {
      while (made_[step] < std::min(end, planner_.steps_[step].end)) make_strip(step);
    }
  }

  void make_strip(std::size_t step) {
    const StepRows& rows = planner_.steps_[step];
    const StripChoice& of_step = choices_[step];
    const StripChoice& choice = of_step.at(made_[step]);
    StripOperation operation{step, made_[step], rows.end - made_[step]};
    if (!choice.whole_maps) operation.rows = std::min(operation.rows, choice.rows);
    if (!of_step.groups.empty())
      operation.rows = std::min(operation.rows, of_step.group_rows - made_[step] % of_step.group_rows);
    for (const Need& need : rows.needs) {
      std::int32_t last = need.all ? planner_.values_[need.value].height - 1 : -1;
      if (!need.all) planner_.for_needed_rows(need, operation, [&](std::int32_t row) { last = std::max(last, row); });
      make(need.value, last + 1);
    }
    operations_.push_back(operation);
    made_[step] += operation.rows;
  }

  const StripPlanner& planner_;
  std::span<const StripChoice> choices_;
  std::vector<std::int32_t> made_;  // by step: its next row
  std::vector<StripOperation>& operations_;
};

namespace {

constexpr std::int64_t never = -2;

std::int64_t begin_of(std::size_t operation) { return 2 * static_cast<std::int64_t>(operation); }
std::int64_t end_time(const StripMemory& memory) { return begin_of(memory.operations.size()); }
std::int64_t whole_units(std::int64_t bytes) { return (bytes + 7) / 8 * 8; }

}  // namespace

void StripPlanner::find_dense_values(std::span<const StripChoice> choices, StripMemory& memory) const {
  memory.dense.assign(values_.size(), false);
  memory.dense[input_] = input_form_ == InputForm::whole;
  memory.dense[output_] = true;
  for (std::size_t s = 0; s < steps_.size(); ++s) {
    if (!choices[s].whole_maps) continue;
    memory.dense[steps_[s].output] = true;
    for (const Need& need : steps_[s].needs) memory.dense[need.value] = true;
  }
}

void StripPlanner::find_pushes(std::span<const StripOperation> operations, std::vector<std::size_t>& pushes) const {
  // by row: the first operation that reads it or a later one
  pushes.assign(static_cast<std::size_t>(values_[input_].height), operations.size());
  for (std::size_t t = operations.size(); t-- > 0;) {
    for (const Need& need : steps_[operations[t].step].needs) {
      if (need.value != input_) continue;
      for_needed_rows(need, operations[t], [&](std::int32_t row) { nth(pushes, row) = t; });
    }
  }
  for (std::size_t row = pushes.size() - 1; row > 0; --row) pushes[row - 1] = std::min(pushes[row - 1], pushes[row]);
  std::rotate(pushes.begin(), pushes.begin() + 1, pushes.end());
  pushes.back() = operations.size();
}

/// From when to when each row is needed.
void StripPlanner::find_times(std::span<const StripChoice> choices, StripMemory& memory) const {
  memory.first.assign(rows_, never);
  memory.last.assign(rows_, never);
  const auto touch = [&](std::size_t value, std::int32_t row, std::int64_t first, std::int64_t last) {
    const std::size_t index = values_[value].first_row + static_cast<std::size_t>(row);
    if (memory.first[index] == never) memory.first[index] = first;
    memory.last[index] = std::max(memory.last[index], last);
  };
  memory.pushes.clear();
  if (input_form_ == InputForm::pushed) find_pushes(memory.operations, memory.pushes);
  for (std::int32_t row = 0; row < values_[input_].height; ++row) {
    // a row is written before the operation that its push begins with
    const std::int64_t time = input_form_ == InputForm::whole || row == 0 ? -1 : begin_of(nth(memory.pushes, row - 1));
    touch(input_, row, time, time);
  }
  for (std::size_t t = 0; t < memory.operations.size(); ++t) {
    const StripOperation& operation = memory.operations[t];
    const StepRows& rows = steps_[operation.step];
    const std::int64_t begin = begin_of(t);
    const bool reads_first = choices[operation.step].at(operation.first_row).reads_first;
    const std::int64_t last_read = reads_first ? begin : begin + 1;
    const std::int64_t first_write = reads_first ? begin + 1 : begin;
    for (const Need& need : rows.needs) {
      for_needed_rows(need, operation, [&](std::int32_t row) { touch(need.value, row, begin, last_read); });
    }
    for (std::int32_t r = 0; r < operation.rows; ++r) {
      touch(rows.output, operation.first_row + r, first_write, begin + 1);
    }
  }
  const std::int64_t end = end_time(memory);
  for (std::int32_t row = 0; row < values_[output_].height; ++row) touch(output_, row, end, end);
}

/// Rows that take the places of rows that are read for the last time while they are made.
void StripPlanner::find_places(std::span<const StripChoice> choices, StripMemory& memory) const {
  memory.place_of.assign(rows_, -1);
  for (std::size_t t = 0; t < memory.operations.size(); ++t) {
    const StripOperation& operation = memory.operations[t];
    const StepRows& rows = steps_[operation.step];
    const Value& to = values_[rows.output];
    if (!choices[operation.step].at(operation.first_row).in_place || memory.dense[rows.output] ||
        producers_[rows.output].size() > 1)
      continue;
    for (const Need& need : rows.needs) {
      const Value& from = values_[need.value];
      if (!need.alike || memory.dense[need.value] || whole_units(from.row_bytes) < whole_units(to.row_bytes)) continue;
      for (std::int32_t r = operation.first_row; r < operation.first_row + operation.rows; ++r) {
        const std::size_t source = from.first_row + static_cast<std::size_t>(r);
        const std::size_t made = to.first_row + static_cast<std::size_t>(r);
        if (memory.last[source] != begin_of(t) + 1 || memory.place_of[made] >= 0) continue;
        memory.place_of[made] = static_cast<std::int32_t>(source);
        memory.first[made] = memory.last[source] + 1;
      }
      break;  // of two inputs that die, the first gives its place
    }
  }
}

void StripPlanner::count_alive(std::span<const StripChoice> choices, StripMemory& memory) const {
  std::vector<std::int64_t>& alive = memory.alive_bytes;
  alive.assign(static_cast<std::size_t>(end_time(memory) + 4), 0);
  const auto add = [&](std::int64_t bytes, std::int64_t first, std::int64_t last) {
    nth(alive, first + 1) += bytes;
    nth(alive, last + 2) -= bytes;
  };
  for (std::size_t v = 0; v < values_.size(); ++v) {
    const Value& value = values_[v];
    const std::int64_t bytes = memory.dense[v] ? value.row_bytes : whole_units(value.row_bytes);
    for (std::size_t row = value.first_row; row < value.first_row + static_cast<std::size_t>(value.height); ++row) {
      if (memory.first[row] != never) add(bytes, memory.first[row], memory.last[row]);
    }
  }
  for (std::size_t t = 0; t < memory.operations.size(); ++t) {
    const StripOperation& operation = memory.operations[t];
    const std::int64_t bytes = choices[operation.step].at(operation.first_row).scratch_bytes;
    if (bytes > 0) add(bytes, begin_of(t), begin_of(t) + 1);
  }
  std::partial_sum(alive.begin(), alive.end(), alive.begin());
}

void StripPlanner::find_memory(std::span<const StripChoice> choices, StripMemory& memory) const {
  const Order order(*this, choices, memory.operations);
  find_dense_values(choices, memory);
  find_times(choices, memory);
  find_places(choices, memory);
  count_alive(choices, memory);
}

StripPlan StripPlanner::plan(std::span<const StripChoice> choices) const {
  StripMemory memory;
  find_memory(choices, memory);
  StripPlan plan;
  plan.operations = memory.operations;
  plan.pushes = memory.pushes;
  plan.dense = memory.dense;
  plan.row_shapes.resize(values_.size());
  std::size_t shapes = 0;
  const auto add_piece = [&](std::int64_t offset, std::int64_t bytes, std::int64_t first, std::int64_t last) {
    plan.pieces.push_back({shapes, offset, bytes, first, last});
  };
  std::vector<std::size_t> piece_of(rows_);
  // in the order of time, so that a row whose place another takes has its piece already
  std::vector<std::pair<std::size_t, std::int32_t>> rows;
  for (std::size_t v = 0; v < values_.size(); ++v) {
    const Value& value = values_[v];
    const auto is_used = [&](std::int32_t row) {
      return memory.first[value.first_row + static_cast<std::size_t>(row)] != never;
    };
    bool used = false;
    for (std::int32_t row = 0; row < value.height; ++row) used = used || is_used(row);
    if (!used) continue;
    plan.row_shapes[v].assign(static_cast<std::size_t>(value.height), -1);
    for (std::int32_t row = 0; row < value.height; ++row) {
      if (!memory.dense[v]) {
        if (is_used(row)) rows.emplace_back(v, row);
        continue;
      }
      const std::size_t index = value.first_row + static_cast<std::size_t>(row);
      nth(plan.row_shapes[v], row) = static_cast<std::int64_t>(shapes);
      // rows that nobody uses have their place all the same
      add_piece(row * value.row_bytes, value.row_bytes, is_used(row) ? memory.first[index] : -1,
                is_used(row) ? memory.last[index] : -1);
    }
    if (memory.dense[v]) ++shapes;
  }
  const auto index_of = [&](const auto& one) {
    return values_[one.first].first_row + static_cast<std::size_t>(one.second);
  };
  std::ranges::stable_sort(rows, {}, [&](const auto& one) { return memory.first[index_of(one)]; });
  for (const auto& one : rows) {
    const std::size_t index = index_of(one);
    std::int64_t& shape = nth(plan.row_shapes[one.first], one.second);
    if (const std::int32_t source = memory.place_of[index]; source >= 0) {
      piece_of[index] = nth(piece_of, source);
      plan.pieces[piece_of[index]].last = memory.last[index];
      shape = static_cast<std::int64_t>(plan.pieces[piece_of[index]].shape);
      continue;
    }
    piece_of[index] = plan.pieces.size();
    shape = static_cast<std::int64_t>(shapes);
    add_piece(0, whole_units(values_[one.first].row_bytes), memory.first[index], memory.last[index]);
    ++shapes;
  }
  for (std::size_t t = 0; t < plan.operations.size(); ++t) {
    const StripOperation& operation = plan.operations[t];
    const std::int64_t bytes = choices[operation.step].at(operation.first_row).scratch_bytes;
    plan.scratch_shapes.push_back(bytes > 0 ? static_cast<std::int64_t>(shapes) : -1);
    if (bytes > 0) {
      add_piece(0, bytes, begin_of(t), begin_of(t) + 1);
      ++shapes;
    }
  }
  return plan;
}

}  // namespace trimtab
