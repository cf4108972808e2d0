#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "program/schedule.h"
#include "target/cycles.h"

namespace trimtab {

/// The cost of a step on a core, measured in the emulator.
struct StepCost {
  std::int64_t instructions = 0;        ///< 0: it runs with the step before it
  std::optional<CycleEstimate> cycles;  ///< on the real core; nothing where there is no model of it
  /// The same at the clocks of the target's power, in their order; empty where it has none, or there is no model.
  std::vector<CycleEstimate> clock_cycles{};
};

/// Builds the program with a mark after every step, runs one random sample at an operating point in the emulator, and
/// counts. By step. Throws Error as profile_steps().
[[nodiscard]] std::vector<StepCost> measure_steps(const Program& program, const Schedule& schedule,
                                                  const Target& target, std::size_t point = 0);

/// Of all steps together; nothing where there is no model of the core.
[[nodiscard]] std::optional<CycleEstimate> sum_cycles(const std::vector<StepCost>& costs);

/// Of all steps together, by clock of the target's power; empty where it has none, or there is no model of the core.
[[nodiscard]] std::vector<CycleEstimate> sum_clock_cycles(const std::vector<StepCost>& costs);

/// A table: layer, kernel, instructions, instructions per multiply-accumulate, estimated cycles, and under each why
/// that kernel was chosen; then the totals, and what the estimate rests on.
[[nodiscard]] std::string describe_costs(const Program& program, const Schedule& schedule, const Target& target,
                                         const std::vector<StepCost>& costs);

/// Adds an estimate: estimated_cycles (as expected), and the same with _least, _most and _without_waits behind it.
void add_cycles(nlohmann::ordered_json& json, const CycleEstimate& cycles);

/// Adds them to the layers that to_json (program/describe.h) made: instructions, instructions_per_mac and add_cycles();
/// and cycle_model and flash_model to the whole.
void add_costs(nlohmann::ordered_json& json, const Program& program, const Target& target,
               const std::vector<StepCost>& costs);

}  // namespace trimtab
