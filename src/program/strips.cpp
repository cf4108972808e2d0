#include "program/strips.h"

#include <algorithm>
#include <optional>

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

StripPlanner::StripPlanner(const Program& program) : program_(program), producers_(program.buffers.size()) {
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

/// Calls visit(row) for the rows of the operand that the operation reads; some more than once.
template <typename Visit>
void StripPlanner::for_needed_rows(const Need& need, const StripOperation& operation, Visit visit) const {
  const std::int32_t height = program_.buffers[need.value].height;
  if (need.all) {
    for (std::int32_t row = 0; row < height; ++row) visit(row);
    return;
  }
  for (std::int32_t r = operation.first_row; r < operation.first_row + operation.rows; ++r) {
    for (std::int32_t k = 0; k < need.kernel; ++k) {
      const std::int32_t row = r * need.stride - need.pad + k * need.dilation;
      if (row >= 0 && row < height) visit(row);
    }
  }
}

/// The operations, pulled from the program's output.
class StripPlanner::Order {
 public:
  Order(const StripPlanner& planner, std::span<const StripChoice> choices)
      : planner_(planner), choices_(choices), made_(planner.steps_.size()), operations_of_(made_.size()) {
    for (std::size_t s = 0; s < made_.size(); ++s) made_[s] = planner.steps_[s].first;
    const Program& program = planner.program_;
    const auto output = static_cast<std::size_t>(place_in_owner(program, program.output).owner);
    make(output, program.buffers[output].height);
    for (std::size_t s = 0; s < made_.size(); ++s) {  // steps that the output does not need
      if (operations_of_[s] > 0) continue;
      while (made_[s] < planner.steps_[s].end) make_strip(s);
    }
  }

  [[nodiscard]] std::vector<StripOperation> take() { return std::move(operations_); }

 private:
  /// Makes the rows of a value below `end`, as far as they are not made yet.
  void make(std::size_t value, std::int32_t end) {
    for (const std::size_t step : planner_.producers_[value]) {
      while (made_[step] < std::min(end, planner_.steps_[step].end)) make_strip(step);
    }
  }

  void make_strip(std::size_t step) {
    const StepRows& rows = planner_.steps_[step];
    const StripChoice& choice = choices_[step];
    StripOperation operation{step, made_[step], rows.end - made_[step]};
    if (!choice.whole_maps) operation.rows = std::min(operation.rows, choice.rows);
    for (const Need& need : rows.needs) {
      std::int32_t last = need.all ? planner_.program_.buffers[need.value].height - 1 : -1;
      if (!need.all) planner_.for_needed_rows(need, operation, [&](std::int32_t row) { last = std::max(last, row); });
      make(need.value, last + 1);
    }
    operations_.push_back(operation);
    ++operations_of_[step];
    made_[step] += operation.rows;
  }

  const StripPlanner& planner_;
  std::span<const StripChoice> choices_;
  std::vector<std::int32_t> made_;           // by step: its next row
  std::vector<std::int64_t> operations_of_;  // by step
  std::vector<StripOperation> operations_;
};

/// From when to when each row is needed, and which rows share memory.
class StripPlanner::Memory {
 public:
  Memory(const StripPlanner& planner, std::span<const StripChoice> choices, StripPlan& plan)
      : planner_(planner),
        choices_(choices),
        plan_(plan),
        first_(planner.program_.buffers.size()),
        last_(first_.size()) {
    find_dense_values();
    find_times();
    make_row_pieces();
    make_scratch_pieces();
    plan_.lower_bound_bytes = most_alive();
  }

 private:
  static constexpr std::int64_t never = -2;

  [[nodiscard]] std::int64_t end_time() const { return 2 * std::ssize(plan_.operations); }
  [[nodiscard]] std::size_t owner_of(BufferId id) const {
    return static_cast<std::size_t>(place_in_owner(planner_.program_, id).owner);
  }

  void find_dense_values() {
    plan_.dense.assign(first_.size(), false);
    plan_.dense[owner_of(planner_.program_.input)] = true;
    plan_.dense[owner_of(planner_.program_.output)] = true;
    for (std::size_t s = 0; s < planner_.steps_.size(); ++s) {
      if (!choices_[s].whole_maps) continue;
      plan_.dense[planner_.steps_[s].output] = true;
      for (const Need& need : planner_.steps_[s].needs) plan_.dense[need.value] = true;
    }
  }

  void touch(std::size_t value, std::int32_t row, std::int64_t first, std::int64_t last) {
    std::int64_t& begin = nth(first_[value], row);
    if (begin == never) begin = first;
    std::int64_t& end = nth(last_[value], row);
    end = std::max(end, last);
  }

  void find_times() {
    const Program& program = planner_.program_;
    for (std::size_t v = 0; v < first_.size(); ++v) {
      first_[v].assign(static_cast<std::size_t>(program.buffers[v].height), never);
      last_[v] = first_[v];
    }
    const std::size_t input = owner_of(program.input);
    for (std::int32_t row = 0; row < program.buffers[input].height; ++row) touch(input, row, -1, -1);
    for (std::size_t t = 0; t < plan_.operations.size(); ++t) {
      const StripOperation& operation = plan_.operations[t];
      const StepRows& rows = planner_.steps_[operation.step];
      const auto begin = 2 * static_cast<std::int64_t>(t);
      const bool reads_first = choices_[operation.step].reads_first;
      const std::int64_t last_read = reads_first ? begin : begin + 1;
      const std::int64_t first_write = reads_first ? begin + 1 : begin;
      for (const Need& need : rows.needs) {
        planner_.for_needed_rows(need, operation, [&](std::int32_t row) { touch(need.value, row, begin, last_read); });
      }
      for (std::int32_t r = 0; r < operation.rows; ++r) {
        touch(rows.output, operation.first_row + r, first_write, begin + 1);
      }
    }
    const std::size_t output = owner_of(program.output);
    for (std::int32_t row = 0; row < program.buffers[output].height; ++row) touch(output, row, end_time(), end_time());
  }

  [[nodiscard]] std::int64_t row_bytes(std::size_t value) const {
    const runtime::Image image = image_of(planner_.program_, static_cast<BufferId>(value));
    return std::int64_t{image.width} * image.pixel_stride;
  }

  std::int64_t add_piece(std::int64_t offset, std::int64_t bytes, std::int64_t first, std::int64_t last) {
    plan_.pieces.push_back({shapes_, offset, bytes, first, last});
    return static_cast<std::int64_t>(shapes_);
  }

  void make_row_pieces() {
    plan_.row_shapes.resize(first_.size());
    piece_of_.resize(first_.size());
    for (std::size_t v = 0; v < first_.size(); ++v) {
      if (!plan_.dense[v] || is_unused(v)) continue;
      for (std::size_t row = 0; row < first_[v].size(); ++row) {
        const auto offset = static_cast<std::int64_t>(row) * row_bytes(v);
        plan_.row_shapes[v].push_back(add_piece(offset, row_bytes(v), first_[v][row], last_[v][row]));
      }
      ++shapes_;
    }
    // in the order in which the rows are made, so that the rows whose places they take have pieces already
    for (std::size_t t = 0; t < plan_.operations.size(); ++t) {
      const StripOperation& operation = plan_.operations[t];
      const std::size_t value = planner_.steps_[operation.step].output;
      if (plan_.dense[value]) continue;
      plan_.row_shapes[value].resize(first_[value].size(), -1);
      piece_of_[value].resize(first_[value].size(), 0);
      for (std::int32_t r = operation.first_row; r < operation.first_row + operation.rows; ++r) {
        if (nth(plan_.row_shapes[value], r) < 0) make_row_piece(value, r, operation.step, t);
      }
    }
  }

  void make_row_piece(std::size_t value, std::int32_t row, std::size_t step, std::size_t t) {
    const std::int64_t bytes = (row_bytes(value) + 7) / 8 * 8;
    if (choices_[step].in_place && planner_.producers_[value].size() == 1) {
      for (const Need& need : planner_.steps_[step].needs) {
        if (!need.alike || plan_.dense[need.value]) continue;
        if (nth(last_[need.value], row) != 2 * static_cast<std::int64_t>(t) + 1) continue;
        const std::size_t piece = nth(piece_of_[need.value], row);
        if (plan_.pieces[piece].bytes < bytes || plan_.pieces[piece].last != nth(last_[need.value], row)) continue;
        plan_.pieces[piece].last = nth(last_[value], row);
        nth(piece_of_[value], row) = piece;
        nth(plan_.row_shapes[value], row) = static_cast<std::int64_t>(plan_.pieces[piece].shape);
        return;
      }
    }
    nth(piece_of_[value], row) = plan_.pieces.size();
    nth(plan_.row_shapes[value], row) = add_piece(0, bytes, nth(first_[value], row), nth(last_[value], row));
    ++shapes_;
  }

  void make_scratch_pieces() {
    for (std::size_t t = 0; t < plan_.operations.size(); ++t) {
      const std::int64_t bytes = choices_[plan_.operations[t].step].scratch_bytes;
      const auto begin = 2 * static_cast<std::int64_t>(t);
      plan_.scratch_shapes.push_back(bytes > 0 ? add_piece(0, bytes, begin, begin + 1) : -1);
      if (bytes > 0) ++shapes_;
    }
  }

  [[nodiscard]] bool is_unused(std::size_t value) const {
    return std::ranges::all_of(first_[value], [](std::int64_t time) { return time == never; });
  }

  [[nodiscard]] std::int64_t most_alive() const {
    std::vector<std::int64_t> change(static_cast<std::size_t>(end_time() + 3));
    for (const ArenaPiece& piece : plan_.pieces) {
      nth(change, piece.first + 1) += piece.bytes;
      nth(change, piece.last + 2) -= piece.bytes;
    }
    std::int64_t most = 0;
    std::int64_t alive = 0;
    for (const std::int64_t bytes : change) {
      alive += bytes;
      most = std::max(most, alive);
    }
    return most;
  }

  const StripPlanner& planner_;
  std::span<const StripChoice> choices_;
  StripPlan& plan_;
  std::vector<std::vector<std::int64_t>> first_, last_;  // by buffer and row
  std::vector<std::vector<std::size_t>> piece_of_;       // by buffer and row
  std::size_t shapes_ = 0;
};

StripPlan StripPlanner::plan(std::span<const StripChoice> choices) const {
  StripPlan plan;
  plan.operations = Order(*this, choices).take();
  const Memory memory(*this, choices, plan);
  return plan;
}

}  // namespace trimtab
