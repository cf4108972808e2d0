#include "thermal/govern.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstring>

#include "base/error.h"
#include "base/file.h"
#include "thermal/sysfs.h"

namespace trimtab::thermal {
namespace {

namespace fs = std::filesystem;

std::optional<double> celsius_of(const fs::path& temperature) {
  const std::optional<double> value = read_attribute_number(temperature);
  return value ? std::optional<double>(*value / 1000) : std::nullopt;
}

/// The lowest critical trip of a zone; infinite where it has none.
double critical_celsius(const fs::path& zone) {
  double critical = INFINITY;
  for (int i = 0; i < 64; ++i) {
    const std::optional<double> trip = celsius_of(zone / fmt::format("trip_point_{}_temp", i));
    if (!trip) break;
    if (read_attribute(zone / fmt::format("trip_point_{}_type", i)) == "critical") critical = std::min(critical, *trip);
  }
  return critical;
}

}  // namespace

fs::path BoardFiles::limit() const { return root / "devices/system/cpu/cpufreq" / policy / "scaling_max_freq"; }

fs::path BoardFiles::temperature(const std::string& zone) const { return root / "class/thermal" / zone / "temp"; }

SysfsDevice::SysfsDevice(BoardFiles files, double limit_c, bool own_operating_point) : files_(std::move(files)) {
  const fs::path limit = files_.limit();
  const std::optional<std::string> found = read_attribute(limit);
  const std::optional<double> khz = read_attribute_number(limit);
  if (!found || !khz || *khz < 10e3 || *khz > 10e6) {
    throw bad_input("{} cannot be read as kHz; --policy must name a cpufreq policy of this board", limit.string());
  }
  found_khz_ = *found;
  if (::access(limit.c_str(), W_OK) != 0) {
    throw bad_input("{} cannot be written: {}; run as root or give the user the right to write it", limit.string(),
                    std::strerror(errno));
  }
  for (const std::string& zone : files_.zones) {
    const fs::path path = files_.temperature(zone);
    const std::optional<double> celsius = celsius_of(path);
    if (!celsius) throw bad_input("{} cannot be read; --zone must name a thermal zone of this board", path.string());
    if (const auto impossible = impossible_celsius(*celsius)) throw bad_input("{} {}", path.string(), *impossible);
    if (const double critical = critical_celsius(path.parent_path()); limit_c >= critical) {
      throw bad_input("--temperature-limit is {}; the critical trip of {}, where the kernel switches off, is {}",
                      limit_c, zone, critical);
    }
  }
  std::error_code error;
  if (!files_.operating_point.empty() && !own_operating_point &&
      fs::symlink_status(files_.operating_point, error).type() != fs::file_type::not_found) {
    throw bad_input("{} exists; the daemon makes this file and removes it at its end: remove it or give another name",
                    files_.operating_point.string());
  }
}

Observation SysfsDevice::observe() const {
  Observation seen;
  for (const std::string& zone : files_.zones) seen.celsius.push_back(celsius_of(files_.temperature(zone)));
  // A frequency that the kernel rounded when it was written is still ours.
  const std::optional<std::string> khz = read_attribute(files_.limit());
  if (!written_.empty() && khz != taken_) seen.mhz = read_attribute_number(files_.limit()).value_or(0) / 1000;
  return seen;
}

void SysfsDevice::apply(const ThermalPoint& point) {
  const std::string khz = fmt::format("{:.0f}", point.opp.mhz * 1000);
  if (khz != written_ || read_attribute(files_.limit()) != taken_) {
    write_attribute(files_.limit(), khz);
    written_ = khz;
    taken_ = read_attribute(files_.limit()).value_or("");
  }
  if (!files_.operating_point.empty() && point.variant != variant_) {
    write_file(files_.operating_point, point.variant + "\n");
    variant_ = point.variant;
  }
}

void SysfsDevice::restore(const std::string& original_khz) {
  write_attribute(files_.limit(), original_khz);
  std::error_code error;
  if (!files_.operating_point.empty() && !variant_.empty()) fs::remove(files_.operating_point, error);
  written_.clear();
  variant_.clear();
}

void SysfsDevice::hold(const std::string& khz) noexcept {
  try {
    write_attribute(files_.limit(), khz);
  } catch (...) {  // nothing is left to try; the kernel's trips remain
  }
}

void govern(Controller& controller, SysfsDevice& device, Clock& clock, double period_s,
            const std::function<void(double, std::size_t)>& each) {
  double next = clock.now_s();
  do {
    const double now = clock.now_s();
    const std::size_t point = controller.step(now, device.observe());
    device.apply(controller.points()[point]);
    if (each) each(now, point);
    // After a pause (suspend, a stopped process) time goes on from now instead of catching up.
    next = std::max(next + period_s, clock.now_s());
  } while (clock.sleep_until(next));
}

std::vector<std::string> describe_settings(const BoardFiles& files, const Soc& soc, const Cluster& cluster,
                                           const std::vector<ThermalPoint>& points, const GovernOptions& options) {
  std::vector<std::string> lines;
  const auto add = [&]<typename... Arguments>(fmt::format_string<Arguments...> format, Arguments&&... arguments) {
    lines.push_back(fmt::format(format, std::forward<Arguments>(arguments)...));
  };
  add("limit: {:g} degrees; peaks stay {:g} K below it", options.limit_c, options.margin_k);
  add("cluster: {} of {}, {} thermal points, a decision every {:g} s", cluster.name, soc.name, points.size(),
      options.period_s);
  add("frequencies: {}, now limited to {:g} MHz", files.limit().string(),
      read_attribute_number(files.limit()).value_or(0) / 1000);
  for (const std::string& zone : files.zones) {
    const fs::path path = files.temperature(zone);
    add("sensor: {} ({}), now {:.1f} degrees", path.string(),
        read_attribute(path.parent_path() / "type").value_or("of no type"), celsius_of(path).value_or(NAN));
  }
  const BoardView board = look_at_board(files.root);
  if (files.zones.size() == 1) {
    std::string others;
    for (const ThermalZone& zone : board.zones) {
      if (zone.name != files.zones.front())
        others += fmt::format("{}{} ({})", others.empty() ? "" : ", ", zone.name, zone.type);
    }
    add("second sensor: none, so that one which reads low from the start cannot be told from a colder room{}",
        others.empty() ? "" : "; if one of these is on the same cluster, give it as a second --zone: " + others);
  }
  const double fallback = fallback_mhz(soc, cluster, points, options);
  const double sustainable = sustainable_mhz(soc, cluster, points, options);
  add("fallback: {:g} MHz{}", fallback,
      options.fallback_mhz == 0
          ? fmt::format(", the highest frequency that stays {:g} K below the limit at an ambient of {:g} degrees",
                        fallback_reserve_k, options.highest_ambient_c)
      : fallback > sustainable ? fmt::format(", which is NOT sustainable at an ambient of {:g} degrees ({:g} MHz is)",
                                             options.highest_ambient_c, sustainable)
                               : std::string(", as given"));
  add("ambient: {:g} to {:g} degrees are believed", options.lowest_ambient_c, options.highest_ambient_c);
  add("variants: {}", files.operating_point.empty()
                          ? "only " + points.front().variant + ", since there is no --operating-point file"
                          : "told by " + files.operating_point.string());
  for (const CpuPolicy& policy : board.policies) {
    if (policy.name != files.policy || policy.mhz.empty()) continue;
    for (const Opp& opp : cluster.opps) {
      const bool known =
          std::any_of(policy.mhz.begin(), policy.mhz.end(), [&](double mhz) { return std::abs(mhz - opp.mhz) <= 0.5; });
      if (!known) add("wrong: {} has no frequency of {:g} MHz, which {} names", files.policy, opp.mhz, soc.name);
    }
  }
  for (const Finding& finding : examine_board(board)) {
    if (finding.severity == Severity::problem) add("problem: {}", finding.text);
  }
  return lines;
}

}  // namespace trimtab::thermal
