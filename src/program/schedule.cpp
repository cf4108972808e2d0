#include "program/schedule.h"

#include <algorithm>
#include <utility>

#include "base/index.h"
#include "program/check_schedule.h"
#include "program/strip_cost.h"
#include "program/strip_schedule.h"
#include "program/whole_maps.h"

namespace trimtab {

std::string name_of(InputForm input) { return input == InputForm::pushed ? "rows" : "whole"; }

InputForm parse_input_form(const std::string& word) { return word == "rows" ? InputForm::pushed : InputForm::whole; }

void Schedule::add_whole(const Program& program, Kernel kernel, std::int64_t scratch) {
  const std::size_t step = kernels.size();
  operations.push_back({step, 0, nth(program.buffers, program.steps[step].output).height, scratch});
  kernels.push_back(std::move(kernel));
}

bool makes_strips(Core core) {
  switch (core) {
    case Core::cortex_m0:
    case Core::cortex_m3:
    case Core::cortex_m4:
    case Core::cortex_m55:
    case Core::rv32imc:
      return true;
    case Core::host:
    case Core::generic:
    case Core::cortex_a15:
    case Core::cortex_a53:
    case Core::cortex_a76:
      return false;
  }
  return false;
}

bool has_whole_maps(const Schedule& schedule, const Program& program) {
  return schedule.operations.size() == program.steps.size();
}

std::vector<std::int64_t> push_products(const Schedule& schedule, const Program& program) {
  std::vector<std::int64_t> products;
  std::size_t next = 0;
  for (const std::size_t end : schedule.pushes) {
    std::int64_t& sum = products.emplace_back();
    for (; next < end; ++next) {
      const ScheduledOperation& operation = schedule.operations[next];
      const Step& step = program.steps[operation.step];
      sum += step.multiply_accumulates() / nth(program.buffers, step.output).height * operation.rows;
    }
  }
  return products;
}

const Kernel& Schedule::kernel_of(const ScheduledOperation& operation) const {
  return operation.variant < 0 ? kernels.at(operation.step) : nth(variants, operation.variant).kernel;
}

std::vector<std::string> Schedule::other_kernels(std::size_t step) const {
  std::vector<std::string> names;
  for (const KernelVariant& variant : variants) {
    const bool known =
        variant.kernel.name == kernels.at(step).name || std::ranges::find(names, variant.kernel.name) != names.end();
    if (variant.step == step && !known) names.push_back(variant.kernel.name);
  }
  return names;
}

std::vector<std::int32_t> strip_rows(const Schedule& schedule) {
  std::vector<std::int32_t> rows(schedule.kernels.size());
  for (const ScheduledOperation& operation : schedule.operations) {
    rows[operation.step] = std::max(rows[operation.step], operation.rows);
  }
  return rows;
}

namespace {

Schedule choose_schedule(const Program& program, Core core, Optimize optimize, const ScheduleLimits& limits,
                         InputForm input) {
  Schedule whole = schedule_whole_maps(program, core, optimize, input);
  if (!makes_strips(core)) return whole;
  const std::int64_t not_there = input == InputForm::pushed ? nth(program.buffers, program.input).bytes() : 0;
  const std::int64_t limit = std::min(limits.arena_bytes.value_or(whole.arena_bytes - not_there), limits.room_bytes);
  std::optional<StripSchedule> strips = schedule_strips(program, core, optimize, limit, limits, input);
  if (!strips.has_value()) return whole;
  const std::int64_t bytes = strips->schedule.arena_bytes;
  if (whole.arena_bytes > limit) return bytes < whole.arena_bytes ? std::move(strips->schedule) : std::move(whole);
  if (input == InputForm::pushed) return bytes <= limit ? std::move(strips->schedule) : std::move(whole);
  double whole_cost = 0;
  for (std::size_t s = 0; s < program.steps.size(); ++s) {
    whole_cost += whole_map_cost(program.steps[s], whole.kernels[s], core);
  }
  // Estimates err by some percent, and strips take more code: they have to be clearly faster, or much smaller.
  constexpr double clearly = 1.1;
  constexpr double equally = 1.02;
  constexpr double much = 0.75;
  const bool better = strips->instructions * clearly < whole_cost ||
                      (strips->instructions < whole_cost * equally &&
                       static_cast<double>(bytes) < much * static_cast<double>(whole.arena_bytes));
  return bytes <= limit && better ? std::move(strips->schedule) : std::move(whole);
}

}  // namespace

Schedule schedule(const Program& program, Core core, Optimize optimize, const ScheduleLimits& limits, InputForm input) {
  Schedule chosen = choose_schedule(program, core, optimize, limits, input);
  check_schedule(program, chosen);
  return chosen;
}

}  // namespace trimtab
