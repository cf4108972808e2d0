#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "program/arena.h"
#include "program/program.h"
#include "program/schedule.h"

namespace trimtab {

/// How a step makes its output: so many rows at a time (its whole height at most), with so much scratch memory.
struct StripChoice {
  std::int32_t rows = 1;
  std::int64_t scratch_bytes = 0;
  bool whole_maps = false;   ///< all rows at once, from rows and to rows that lie densely
  bool reads_first = false;  ///< it has read all rows of its inputs before it writes the first of its output
  bool in_place =
      false;  ///< rows of the output may take the places of rows of an input that are read for the last time
  /// Where strips of the step differ: a choice for every `group_rows` rows of the output, which the caller keeps. None
  /// makes whole maps, and no strip crosses the end of a group.
  std::span<const StripChoice> groups = {};
  std::int32_t group_rows = 0;

  /// That of the strip that begins with a row.
  [[nodiscard]] const StripChoice& at(std::int32_t row) const;
};

inline const StripChoice& StripChoice::at(std::int32_t row) const {
  return groups.empty() ? *this : groups[static_cast<std::size_t>(row / group_rows)];
}

/// Rows first_row .. first_row + rows - 1 of a step's output.
struct StripOperation {
  std::size_t step = 0;
  std::int32_t first_row = 0;
  std::int32_t rows = 0;
};

/// A program in strips: its operations in order, and the memory that they need. Operation t reads from time 2t on and
/// writes until time 2t + 1; -1 is before the run, and twice the number of operations after it.
struct StripPlan {
  std::vector<StripOperation> operations;
  std::vector<std::size_t> pushes;  ///< as Schedule::pushes
  /// Rows of values and scratch memory. Rows that follow each other without gaps are pieces of one shape.
  std::vector<ArenaPiece> pieces;
  std::vector<std::vector<std::int64_t>>
      row_shapes;                            ///< by buffer and row: its shape; empty: part of another, or unused
  std::vector<bool> dense;                   ///< by buffer: whether its rows follow each other
  std::vector<std::int64_t> scratch_shapes;  ///< by operation; -1: none
};

/// The memory that strips need, without places.
struct StripMemory {
  std::vector<StripOperation> operations;
  std::vector<std::size_t> pushes;        ///< as Schedule::pushes
  std::vector<std::int64_t> first, last;  ///< by row of all values: the times of its first and last use
  /// By row of all values: the row whose place it takes, which ends before it begins; -1: none.
  std::vector<std::int32_t> place_of;
  std::vector<bool> dense;                ///< by buffer
  std::vector<std::int64_t> alive_bytes;  ///< by time, from -1 on

  /// The most that is alive at one time: no arena can be smaller.
  [[nodiscard]] std::int64_t most_alive() const { return std::ranges::max(alive_bytes); }
};

/// Orders the strips of a program. The order is *pull*: to make rows of the last value, the rows that they need are
/// made first, in the order of the step's inputs. Nothing is made twice. The program's input lies there as a whole, or
/// its rows are pushed when the next operation needs them; it is given up row by row. The output is left as a whole.
class StripPlanner {
 public:
  /// The program must outlive the planner.
  explicit StripPlanner(const Program& program, InputForm input = InputForm::whole);

  /// The strips for a choice by step, and the memory that they need. The result is written over `memory`, whose storage
  /// is used again. O(rows of all values * rows of a window).
  void find_memory(std::span<const StripChoice> choices, StripMemory& memory) const;
  /// The same with blocks to be placed.
  [[nodiscard]] StripPlan plan(std::span<const StripChoice> choices) const;

  /// Rows that a step makes in all: fewer than its output has where it fills a part of it.
  [[nodiscard]] std::int32_t rows_of(std::size_t step) const { return steps_[step].end - steps_[step].first; }

  /// Calls visit(input, row) for the rows of each of the step's inputs that an operation reads; some more than once.
  template <typename Visit>
  void for_read_rows(const StripOperation& operation, Visit visit) const {
    const std::vector<Need>& needs = steps_[operation.step].needs;
    for (std::size_t input = 0; input < needs.size(); ++input)
      for_needed_rows(needs[input], operation, [&](std::int32_t row) { visit(input, row); });
  }
  /// By row of the input, how many operations can run before the next row is needed.
  void find_pushes(std::span<const StripOperation> operations, std::vector<std::size_t>& pushes) const;

 private:
  /// The rows of an operand that row r needs: r * stride - pad + k * dilation for k below `kernel`, or all of them.
  struct Need {
    std::size_t value = 0;  // the owner
    std::int32_t kernel = 1, stride = 1, dilation = 1, pad = 0;
    bool all = false;
    bool alike = false;  // laid out like the output, which may take its place
  };
  struct StepRows {
    std::size_t output = 0;  // the owner
    std::int32_t first = 0, end = 0;
    std::vector<Need> needs;
  };
  struct Value {
    std::size_t first_row = 0;  // in the rows of all values
    std::int32_t height = 0;    // 0: a part of another
    std::int64_t row_bytes = 0;
  };
  class Order;

  [[nodiscard]] Need need_of(const Step& step, std::size_t input) const;
  template <typename Visit>
  void for_needed_rows(const Need& need, const StripOperation& operation, Visit visit) const {
    const std::int32_t height = values_[need.value].height;
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
  void find_dense_values(std::span<const StripChoice> choices, StripMemory& memory) const;
  void find_times(std::span<const StripChoice> choices, StripMemory& memory) const;
  void find_places(std::span<const StripChoice> choices, StripMemory& memory) const;
  void count_alive(std::span<const StripChoice> choices, StripMemory& memory) const;

  const Program& program_;
  InputForm input_form_;
  std::vector<Value> values_;   // by buffer
  std::size_t input_, output_;  // owners
  std::size_t rows_ = 0;        // of all values
  std::vector<StepRows> steps_;
  std::vector<std::vector<std::size_t>> producers_;  // by owner
};

}  // namespace trimtab
