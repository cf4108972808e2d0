#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "program/kernels.h"
#include "program/program.h"

namespace trimtab {

/// One call: some rows of a step's output.
struct ScheduledOperation {
  std::size_t step = 0;  ///< index into Program::steps
  std::int32_t first_row = 0;
  std::int32_t rows = 0;
  std::int64_t scratch = 0;   ///< offset in the arena
  std::int32_t variant = -1;  ///< index into Schedule::variants; -1: the step's own kernel
};

/// Another kernel of a step, which makes some of its strips. It reads the same packed weights.
struct KernelVariant {
  std::size_t step = 0;
  Kernel kernel;
};

/// Where the rows of a value lie in the arena: row r at `offset + 8 * row_tables[table][r]`. Without a table they
/// follow each other from `offset` on.
struct RowPlaces {
  std::int64_t offset = 0;  ///< parts of a concatenation: of their own first channel
  std::int32_t table = -1;
};

/// Bytes of the arena that are used from one operation to another, both included: rows of a value, or scratch memory.
/// -1 and the number of operations stand for before and after the run.
struct ArenaUse {
  BufferId buffer = -1;  ///< -1: scratch memory
  std::int64_t offset = 0;
  std::int64_t bytes = 0;
  std::int64_t first = 0;
  std::int64_t last = 0;
};

/// How a program gets its input.
enum class InputForm {
  whole,  ///< it lies in the arena before the run
  pushed  ///< its rows come one after the other, and only those that are still needed lie in the arena
};

/// "whole" or "rows", as options and files say it.
[[nodiscard]] std::string name_of(InputForm input);
[[nodiscard]] InputForm parse_input_form(const std::string& word);

/// A program bound to a core: operations in their order, and places in one static arena. The same for all operating
/// points. A step whose operation makes all of its rows needs no more than one.
struct Schedule {
  Core core = Core::generic;
  Optimize optimize = Optimize::speed;
  std::vector<Kernel> kernels;  ///< by step
  std::vector<KernelVariant> variants;
  std::vector<ScheduledOperation> operations;
  std::vector<RowPlaces> places;                       ///< by buffer
  std::vector<std::vector<std::uint16_t>> row_tables;  ///< by table, in units of 8 bytes
  std::vector<ArenaUse> uses;
  /// Of pushed rows: by row of the input, how many operations have run when its push ends. A row is written between two
  /// pushes. Empty: the input is whole.
  std::vector<std::size_t> pushes;
  std::int64_t arena_bytes = 0;
  std::int64_t lower_bound_bytes = 0;  ///< no arena of this order can be smaller: the most that is alive at one time

  [[nodiscard]] const Kernel& kernel_of(const ScheduledOperation& operation) const;
  /// The names of the kernels that make some strips of a step beside its own.
  [[nodiscard]] std::vector<std::string> other_kernels(std::size_t step) const;

  [[nodiscard]] InputForm input_form() const { return pushes.empty() ? InputForm::whole : InputForm::pushed; }

  /// Appends an operation that makes all rows of the next step.
  void add_whole(const Program& program, Kernel kernel, std::int64_t scratch);
};

/// Whether programs for the core make some values strip by strip; others make whole maps only.
[[nodiscard]] bool makes_strips(Core core);

/// Whether each step is one operation, in the order of the program.
[[nodiscard]] bool has_whole_maps(const Schedule& schedule, const Program& program);
/// Of pushed rows: by row of the input, the multiply-accumulates of its push; a part of a layer counts by its rows.
[[nodiscard]] std::vector<std::int64_t> push_products(const Schedule& schedule, const Program& program);
/// By step, the most rows that are made at a time.
[[nodiscard]] std::vector<std::int32_t> strip_rows(const Schedule& schedule);

struct ScheduleLimits {
  /// The arena should keep within so many bytes; 0: be as small as possible. Without it, within those of whole maps,
  /// less those of an input that is pushed.
  std::optional<std::int64_t> arena_bytes = std::nullopt;
  std::int64_t room_bytes = INT64_MAX;  ///< that there are for the arena
  /// Only one kernel for every step, the one of choose_kernel(): less code.
  bool one_kernel_each = false;
  /// All strips of one step are made alike. Such a schedule is found ten times sooner.
  bool alike = false;
};

/// Chooses kernels, the rows that are made at a time, and places in the arena. Where whole maps keep within the limits,
/// strips are taken if they are clearly faster by estimate, or as fast and much smaller; where not, the fastest that
/// were found within them, or the smallest. A schedule is made once for a program, a core and a setting, and passed on.
/// Where rows are pushed, strips are taken wherever they keep within the limits and are smaller than whole maps, of
/// which the last push makes all.
[[nodiscard]] Schedule schedule(const Program& program, Core core, Optimize optimize = Optimize::speed,
                                const ScheduleLimits& limits = {}, InputForm input = InputForm::whole);

}  // namespace trimtab
