#include "emit/details.h"

#include "base/index.h"
#include "program/describe.h"

namespace trimtab {

nlohmann::ordered_json program_details(const Program& program, const Schedule& schedule,
                                       const std::optional<Target>& target, const std::vector<StepCost>& costs) {
  nlohmann::ordered_json json = to_json(program, schedule);
  if (target && !costs.empty()) add_costs(json, program, *target, costs);
  json.erase("arena_bytes");
  json.erase("arena_lower_bound_bytes");
  const Buffer& input = nth(program.buffers, program.input);
  json["input"] = {{"output_shape", {input.height, input.width, input.channels}}, {"activation_bits", input.grid.bits}};
  json["memory"] = memory_json(program, schedule);
  if (target) {
    json["target"] = {{"name", target->name},
                      {"description", target->description},
                      {"clock_hz", target->clock_hz.value},
                      {"flash_bytes", target->flash_bytes.value},
                      {"ram_bytes", target->ram_bytes.value}};
  }
  return json;
}

}  // namespace trimtab
