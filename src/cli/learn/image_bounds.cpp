#include "cli/learn/image_bounds.h"

#include <cmath>

#include "base/error.h"
#include "base/units.h"
#include "cost/energy.h"

namespace trimtab::cli {
namespace {

std::int64_t memory_bound(const std::string& text, const std::string& option, const std::string& memory,
                          std::int64_t bytes, const Target& target) {
  if (text.empty()) return bytes;
  const std::int64_t bound = parse_bound(text, option);
  if (bound > bytes) {
    throw bad_input("{} is {} bytes; {} has {} bytes of {}, so give at most those or leave the option out", option,
                    bound, target.name, bytes, memory);
  }
  return bound;
}

}  // namespace

std::int64_t parse_bound(const std::string& text, const std::string& option) {
  const std::int64_t bytes = parse_bytes(text, option);
  if (bytes == 0) throw bad_input("{} is a bound of 0, which nothing meets; give bytes such as 64KB", option);
  return bytes;
}

Bounds image_bounds(const Target& target, const std::string& flash, const std::string& ram) {
  Bounds bounds;
  bounds.flash_bytes = memory_bound(flash, "--flash", "flash", target.flash_bytes.value, target);
  bounds.ram_bytes = memory_bound(ram, "--ram", "RAM", target.ram_bytes.value, target);
  return bounds;
}

void check_duty(const Bounds& bounds, const std::optional<Target>& target) {
  const auto check = [](const char* option, double value, const char* unit) {
    if (!(value >= 0) || !std::isfinite(value))
      throw bad_input("{} is {}; give {}, or 0 for none", option, value, unit);
  };
  const Duty& duty = bounds.duty;
  check("--deadline", duty.deadline_ms, "milliseconds");
  check("--period", duty.period_ms, "milliseconds");
  check("--max-energy", bounds.energy_uj, "microjoules");
  if (duty.period_ms > 0 && duty.deadline_ms > duty.period_ms) {
    throw bad_input("--deadline is {} ms and --period is {} ms; give a deadline of at most the period",
                    duty.deadline_ms, duty.period_ms);
  }
  if (!duty.is_given() && bounds.energy_uj <= 0) return;
  const char* given = duty.deadline_ms > 0 ? "--deadline" : duty.period_ms > 0 ? "--period" : "--max-energy";
  if (!target.has_value()) throw bad_input("{} chooses the clock of a microcontroller; give one with --target", given);
  if (const std::string reason = why_energy_is_unknown(*target); !reason.empty()) {
    throw bad_input("{} needs the energy of the target, and {}; leave the option out or describe a target with [power]",
                    given, reason);
  }
  if (duty.period_ms > 0 && !target->power->sleep.has_value()) {
    throw bad_input(
        "--period needs the power of the target's sleep, and the description of {} has no [power.sleep]; "
        "give --deadline instead or describe the sleep",
        target->name);
  }
}

}  // namespace trimtab::cli
