#include "emit/explain.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/index.h"
#include "base/random.h"
#include "base/units.h"
#include "emit/deploy.h"

namespace trimtab {
namespace {

/// Multiply-accumulates of a step, or nothing where it makes none.
std::string per_product(std::int64_t instructions, std::int64_t products) {
  return products > 0 && instructions > 0
             ? fmt::format("{:.2f}", static_cast<double>(instructions) / static_cast<double>(products))
             : "";
}

std::string cycles(const std::optional<CycleEstimate>& estimate) {
  if (!estimate.has_value()) return "";
  return format_count(std::llround(estimate->expected));
}

}  // namespace

void add_cycles(nlohmann::ordered_json& json, const CycleEstimate& cycles) {
  json["estimated_cycles"] = std::llround(cycles.expected);
  json["estimated_cycles_least"] = std::llround(cycles.least);
  json["estimated_cycles_most"] = std::llround(cycles.most);
  json["estimated_cycles_without_waits"] = std::llround(cycles.without_waits);
}

std::vector<StepCost> measure_steps(const Program& program, const Schedule& schedule, const Target& target,
                                    std::size_t point) {
  Random random(5);
  std::vector<std::uint8_t> input(static_cast<std::size_t>(nth(program.buffers, program.input).bytes()));
  for (std::uint8_t& byte : input) byte = static_cast<std::uint8_t>(random.bits());
  std::vector<StepCost> costs;
  for (const std::vector<ExecutedBlock>& blocks : profile_steps(program, schedule, target, input, point)) {
    const std::optional<CycleEstimate> estimate = estimate_cycles(blocks, target);
    StepCost& cost = costs.emplace_back(StepCost{count_instructions(blocks), std::nullopt});
    if (blocks.empty() || !estimate.has_value()) continue;
    cost.cycles = estimate;
    if (!target.power.has_value()) continue;
    for (const PowerClock& clock : target.power->clocks)
      cost.clock_cycles.push_back(*estimate_cycles(blocks, at_clock(target, clock)));
  }
  return costs;
}

std::optional<CycleEstimate> sum_cycles(const std::vector<StepCost>& costs) {
  std::optional<CycleEstimate> sum;
  for (const StepCost& cost : costs) {
    if (!cost.cycles.has_value()) continue;
    sum = sum.has_value() ? *sum + *cost.cycles : *cost.cycles;
  }
  return sum;
}

std::vector<CycleEstimate> sum_clock_cycles(const std::vector<StepCost>& costs) {
  std::vector<CycleEstimate> sums;
  for (const StepCost& cost : costs) {
    sums.resize(std::max(sums.size(), cost.clock_cycles.size()));
    for (std::size_t c = 0; c < cost.clock_cycles.size(); ++c) sums[c] = sums[c] + cost.clock_cycles[c];
  }
  return sums;
}

std::string describe_costs(const Program& program, const Schedule& schedule, const Target& target,
                           const std::vector<StepCost>& costs) {
  std::size_t layer = 5;
  std::size_t kernel = 6;
  for (std::size_t s = 0; s < program.steps.size(); ++s) {
    layer = std::max(layer, program.steps[s].name.size());
    kernel = std::max(kernel, schedule.kernels[s].name.size());
  }
  layer = std::min<std::size_t>(layer, 40);
  constexpr auto row = "{:<{}}  {:<{}}  {:>12}  {:>7}  {:>24}\n";
  std::string text = fmt::format(row, "layer", layer, "kernel", kernel, "instructions", "per MAC", "estimated cycles");
  std::int64_t instructions = 0;
  std::int64_t products = 0;
  for (std::size_t s = 0; s < program.steps.size(); ++s) {
    const StepCost& cost = costs[s];
    const std::int64_t macs = program.steps[s].multiply_accumulates();
    text += fmt::format(row, program.steps[s].name, layer, schedule.kernels[s].name, kernel,
                        format_count(cost.instructions), per_product(cost.instructions, macs), cycles(cost.cycles));
    text += fmt::format("{:<{}}  {}\n", "", layer, schedule.kernels[s].reason);
    for (const std::string& other : schedule.other_kernels(s))
      text += fmt::format("{:<{}}  some strips by {}\n", "", layer, other);
    instructions += cost.instructions;
    products += macs;
  }
  const std::string model = cycle_model(target.processor);
  const std::optional<CycleEstimate> sum = sum_cycles(costs);
  text += fmt::format(row, "all", layer, "", kernel, format_count(instructions), per_product(instructions, products),
                      cycles(sum));
  text += "\nInstructions are counted in the emulator. ";
  if (sum.has_value()) {
    const auto milliseconds = [&](double count) { return count / static_cast<double>(target.clock_hz.value) * 1e3; };
    text += fmt::format(
        "Cycles are an estimate, not a measurement: {}; {}. At {} that is {:.1f} ms, {:.1f} to {:.1f} ms over what is "
        "not documented, and {:.1f} ms without wait states. See docs/cycles.md.\n",
        model, flash_model(target), format_frequency(static_cast<double>(target.clock_hz.value)),
        milliseconds(sum->expected), milliseconds(sum->least), milliseconds(sum->most),
        milliseconds(sum->without_waits));
  } else {
    text += fmt::format("There is no estimate of cycles for the {}: no timings of it are published.\n",
                        name_of(target.processor));
  }
  return text;
}

void add_costs(nlohmann::ordered_json& json, const Program& program, const Target& target,
               const std::vector<StepCost>& costs) {
  for (std::size_t s = 0; s < costs.size(); ++s) {
    nlohmann::ordered_json& layer = json["layers"][s];
    const std::int64_t macs = program.steps[s].multiply_accumulates();
    layer["instructions"] = costs[s].instructions;
    if (macs > 0) {
      layer["instructions_per_mac"] = static_cast<double>(costs[s].instructions) / static_cast<double>(macs);
    }
    if (costs[s].cycles.has_value()) {
      add_cycles(layer, *costs[s].cycles);
    }
  }
  json["cycle_model"] = cycle_model(target.processor);
  json["flash_model"] = flash_model(target);
}

}  // namespace trimtab
