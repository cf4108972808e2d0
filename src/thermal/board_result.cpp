#include "thermal/board_result.h"

#include <fmt/format.h>

namespace trimtab::thermal {

using nlohmann::ordered_json;

Result describe(const BoardView& board) {
  ordered_json json{{"policies", ordered_json::array()},
                    {"zones", ordered_json::array()},
                    {"cooling_devices", ordered_json::array()}};
  std::string text;
  for (const CpuPolicy& policy : board.policies) {
    json["policies"].push_back({{"name", policy.name},
                                {"cpus", policy.cpus},
                                {"mhz", policy.mhz},
                                {"limit_mhz", policy.limit_mhz},
                                {"max_mhz", policy.max_mhz},
                                {"governor", policy.governor},
                                {"writable", policy.writable}});
    text +=
        fmt::format("{}: cpus {}, {} OPPs, limit {:g} of {:g} MHz, {}{}\n", policy.name, policy.cpus, policy.mhz.size(),
                    policy.limit_mhz, policy.max_mhz, policy.governor, policy.writable ? "" : ", read only");
  }
  for (const ThermalZone& zone : board.zones) {
    ordered_json trips = ordered_json::array();
    for (const ThermalTrip& trip : zone.trips) {
      trips.push_back({{"celsius", trip.celsius}, {"hysteresis_k", trip.hysteresis_k}, {"type", trip.type}});
    }
    json["zones"].push_back({{"name", zone.name},
                             {"type", zone.type},
                             {"policy", zone.policy},
                             {"mode", zone.mode},
                             {"trips", trips},
                             {"bound", zone.bound}});
    if (zone.celsius) json["zones"].back()["celsius"] = *zone.celsius;
    text += fmt::format("{}: {}, {}, {} trips, {}\n", zone.name, zone.type,
                        zone.celsius ? fmt::format("{:.1f} degrees", *zone.celsius) : "unreadable", zone.trips.size(),
                        zone.policy);
  }
  for (const CoolingDevice& device : board.cooling) {
    json["cooling_devices"].push_back(
        {{"name", device.name}, {"type", device.type}, {"state", device.state}, {"max_state", device.max_state}});
    text += fmt::format("{}: {}, state {} of {}\n", device.name, device.type, device.state, device.max_state);
  }
  for (const Sensor& sensor : board.powers) {
    json["powers"].push_back({{"chip", sensor.chip}, {"name", sensor.name}, {"watts", sensor.value}});
    text += fmt::format("{} {}: {:.3f} W\n", sensor.chip, sensor.name, sensor.value);
  }
  for (const Sensor& sensor : board.fans) {
    json["fans"].push_back({{"chip", sensor.chip}, {"name", sensor.name}, {"rpm", sensor.value}});
    text += fmt::format("{} {}: {:.0f} rpm\n", sensor.chip, sensor.name, sensor.value);
  }
  json["energy_model"] = board.energy_model;
  for (const Finding& finding : examine_board(board)) {
    const char* kind = finding.severity == Severity::problem ? "problem"
                       : finding.severity == Severity::note  ? "note"
                                                             : "fine";
    json["findings"].push_back({{"severity", kind}, {"text", finding.text}});
    text += fmt::format("{}: {}\n", kind, finding.text);
  }
  return {json, text};
}

}  // namespace trimtab::thermal
