#include <fmt/format.h>

#include <algorithm>
#include <memory>

#include "cli/sustain.h"
#include "thermal/sysfs.h"

namespace trimtab::cli {
namespace {

using nlohmann::ordered_json;

void run(const std::string& root, const CommonOptions& common) {
  const thermal::BoardView board = thermal::look_at_board(root);
  ordered_json json{{"policies", ordered_json::array()},
                    {"zones", ordered_json::array()},
                    {"cooling_devices", ordered_json::array()}};
  std::string text;
  for (const thermal::CpuPolicy& policy : board.policies) {
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
  for (const thermal::ThermalZone& zone : board.zones) {
    ordered_json trips = ordered_json::array();
    for (const thermal::ThermalTrip& trip : zone.trips) {
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
  for (const thermal::CoolingDevice& device : board.cooling) {
    json["cooling_devices"].push_back(
        {{"name", device.name}, {"type", device.type}, {"state", device.state}, {"max_state", device.max_state}});
    text += fmt::format("{}: {}, state {} of {}\n", device.name, device.type, device.state, device.max_state);
  }
  for (const thermal::Sensor& sensor : board.powers) {
    json["powers"].push_back({{"chip", sensor.chip}, {"name", sensor.name}, {"watts", sensor.value}});
    text += fmt::format("{} {}: {:.3f} W\n", sensor.chip, sensor.name, sensor.value);
  }
  for (const thermal::Sensor& sensor : board.fans) {
    json["fans"].push_back({{"chip", sensor.chip}, {"name", sensor.name}, {"rpm", sensor.value}});
    text += fmt::format("{} {}: {:.0f} rpm\n", sensor.chip, sensor.name, sensor.value);
  }
  json["energy_model"] = board.energy_model;
  for (const thermal::Finding& finding : examine_board(board)) {
    const char* kind = finding.severity == thermal::Severity::problem ? "problem"
                       : finding.severity == thermal::Severity::note  ? "note"
                                                                      : "fine";
    json["findings"].push_back({{"severity", kind}, {"text", finding.text}});
    text += fmt::format("{}: {}\n", kind, finding.text);
  }
  print_result(json, text, common.json);
}

}  // namespace

void add_sustain_doctor(CLI::App& sustain) {
  const auto root = std::make_shared<std::string>("/sys");
  const auto common = std::make_shared<CommonOptions>();
  CLI::App* command = sustain.add_subcommand("doctor", "what this board offers and what is misconfigured");
  command->add_option("--sysfs-root", *root, "sysfs of the board")->capture_default_str();
  add_common_options(*command, *common, "trimtab sustain doctor");
  command->callback([root, common] { run(*root, *common); });
}

}  // namespace trimtab::cli
