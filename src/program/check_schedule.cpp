#include "program/check_schedule.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

#include "base/boundary.h"
#include "base/index.h"
#include "program/strips.h"

namespace trimtab {
namespace {

class ScheduleCheck {
 public:
  ScheduleCheck(const Program& program, const Schedule& schedule)
      : program_(program),
        schedule_(schedule),
        planner_(program, schedule.input_form()),
        marks_(static_cast<std::size_t>(schedule.arena_bytes), nothing) {}

  void run() {
    const std::int32_t rows = nth(program_.buffers, program_.input).height;
    std::size_t next = 0;
    const std::vector<std::size_t>& pushes = schedule_.pushes;
    const bool in_order =
        std::ssize(pushes) == rows && std::ranges::is_sorted(pushes) && pushes.back() == schedule_.operations.size();
    if (schedule_.input_form() == InputForm::pushed && !in_order)
      fail("the input", "its pushes do not run all operations in their order");
    for (std::int32_t row = 0; row < rows; ++row) {
      mark(program_.input, row);
      if (schedule_.input_form() == InputForm::whole) continue;
      for (; next < nth(pushes, row); ++next) run(schedule_.operations[next]);
    }
    for (; next < schedule_.operations.size(); ++next) run(schedule_.operations[next]);
    for (std::int32_t row = 0; row < nth(program_.buffers, program_.output).height; ++row) {
      if (!is_there(program_.output, row)) fail("the output", "a row of it is not there in the end");
    }
  }

 private:
  static constexpr std::int64_t nothing = -1;
  static constexpr std::int64_t scratch = -2;

  [[noreturn]] static void fail(const std::string& where, const char* what) {
    throw internal_fault(fmt::format("the schedule of {} is wrong: {}", where, what));
  }

  /// Calls visit(first, end) for the ranges of bytes that a row of a value takes. A part of another value takes one for
  /// each pixel.
  template <typename Visit>
  void for_bytes(BufferId id, std::int32_t row, Visit visit) const {
    const RowPlaces& places = nth(schedule_.places, id);
    const runtime::Image image = image_of(program_, id);
    const std::int64_t pitch = std::int64_t{image.width} * image.pixel_stride;
    const std::int64_t begin =
        places.offset + (places.table < 0 ? row * pitch : 8 * nth(nth(schedule_.row_tables, places.table), row));
    const std::int64_t pixel = runtime::pixel_bytes(image.channels, image.format.bits);
    if (begin < 0 || begin + pitch - image.pixel_stride + pixel > std::ssize(marks_))
      fail(nth(program_.buffers, id).name, "a row of it lies outside of the arena");
    if (pixel == image.pixel_stride) return visit(begin, begin + pitch);
    for (std::int64_t x = begin; x < begin + pitch; x += image.pixel_stride) visit(x, x + pixel);
  }

  [[nodiscard]] std::int64_t mark_of(BufferId id, std::int32_t row) const {
    return (std::int64_t{place_in_owner(program_, id).owner} << 32) + row;
  }
  void mark(BufferId id, std::int32_t row) {
    const std::int64_t own = mark_of(id, row);
    for_bytes(id, row, [&](std::int64_t first, std::int64_t end) {
      std::fill(marks_.begin() + first, marks_.begin() + end, own);
    });
  }
  [[nodiscard]] bool is_there(BufferId id, std::int32_t row) const {
    const std::int64_t own = mark_of(id, row);
    bool there = true;
    for_bytes(id, row, [&](std::int64_t first, std::int64_t end) {
      there = there && std::all_of(marks_.begin() + first, marks_.begin() + end,
                                   [&](std::int64_t found) { return found == own; });
    });
    return there;
  }

  void check_inputs(const StripOperation& operation, const char* what) const {
    const Step& step = program_.steps[operation.step];
    planner_.for_read_rows(operation, [&](std::size_t input, std::int32_t row) {
      if (!is_there(step.inputs[input], row)) fail(step.name, what);
    });
  }

  void run(const ScheduledOperation& scheduled) {
    const StripOperation operation{scheduled.step, scheduled.first_row, scheduled.rows};
    const Step& step = program_.steps.at(scheduled.step);
    const Kernel& kernel = schedule_.kernel_of(scheduled);
    if (!(kernel.layout == schedule_.kernels.at(scheduled.step).layout))
      fail(step.name, "its kernels read different layouts of weights");
    if (scheduled.variant >= 0 && nth(schedule_.variants, scheduled.variant).step != scheduled.step)
      fail(step.name, "a kernel of another step makes some of its rows");
    check_inputs(operation, "a row that it reads is not there any more");
    if (scheduled.scratch < 0 || scheduled.scratch + kernel.scratch_bytes > std::ssize(marks_))
      fail(step.name, "its scratch memory lies outside of the arena");
    const auto begin = marks_.begin() + scheduled.scratch;
    const auto end = begin + kernel.scratch_bytes;
    std::fill(begin, end, scratch);
    check_inputs(operation, "its scratch memory lies over a row that it reads");
    for (std::int32_t r = operation.first_row; r < operation.first_row + operation.rows; ++r) mark(step.output, r);
    if (std::any_of(begin, end, [](std::int64_t found) { return found != scratch; }))
      fail(step.name, "its output lies over its scratch memory");
    std::fill(begin, end, nothing);
    const bool may_overlap = kernel.in_place || kernel.overlap_lead_bytes.has_value() || kernel.reads_before_writing;
    if (!may_overlap) check_inputs(operation, "its output lies over a row that it reads");
  }

  const Program& program_;
  const Schedule& schedule_;
  StripPlanner planner_;
  std::vector<std::int64_t> marks_;  // by byte of the arena
};

}  // namespace

void check_schedule(const Program& program, const Schedule& schedule) { ScheduleCheck(program, schedule).run(); }

}  // namespace trimtab
