#include "thermal/sysfs.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cmath>
#include <cstring>
#include <sstream>

#include "base/error.h"

namespace trimtab::thermal {
namespace {

namespace fs = std::filesystem;

std::string text_or(const fs::path& path, const std::string& otherwise = "") {
  return read_attribute(path).value_or(otherwise);
}

/// Entries of a folder whose name begins with `prefix`, sorted by number and name.
std::vector<fs::path> entries(const fs::path& folder, const std::string& prefix) {
  std::vector<fs::path> found;
  std::error_code error;
  for (fs::directory_iterator it(folder, error), end; !error && it != end; it.increment(error)) {
    if (it->path().filename().string().starts_with(prefix)) found.push_back(it->path());
  }
  std::sort(found.begin(), found.end(), [](const fs::path& a, const fs::path& b) {
    const std::string x = a.filename().string();
    const std::string y = b.filename().string();
    return std::pair(x.size(), x) < std::pair(y.size(), y);
  });
  return found;
}

CpuPolicy read_policy(const fs::path& path) {
  CpuPolicy policy;
  policy.path = path;
  policy.name = path.filename().string();
  std::istringstream list(text_or(path / "scaling_available_frequencies"));
  for (double khz = 0; list >> khz;) policy.mhz.push_back(khz / 1000);
  std::sort(policy.mhz.begin(), policy.mhz.end());
  policy.min_mhz = read_attribute_number(path / "cpuinfo_min_freq").value_or(0) / 1000;
  policy.max_mhz = read_attribute_number(path / "cpuinfo_max_freq").value_or(0) / 1000;
  policy.limit_mhz = read_attribute_number(path / "scaling_max_freq").value_or(0) / 1000;
  policy.governor = text_or(path / "scaling_governor");
  policy.cpus = text_or(path / "related_cpus");
  policy.writable = ::access((path / "scaling_max_freq").c_str(), W_OK) == 0;
  return policy;
}

ThermalZone read_zone(const fs::path& path) {
  ThermalZone zone;
  zone.path = path;
  zone.name = path.filename().string();
  zone.type = text_or(path / "type");
  zone.policy = text_or(path / "policy");
  zone.mode = text_or(path / "mode");
  if (const std::optional<double> reading = read_attribute_number(path / "temp")) zone.celsius = *reading / 1000;
  zone.sustainable_mw = read_attribute_number(path / "sustainable_power").value_or(0);
  for (int i = 0; i < 64; ++i) {
    const std::string stem = fmt::format("trip_point_{}_", i);
    const std::optional<double> celsius = read_attribute_number(path / (stem + "temp"));
    if (!celsius) break;
    zone.trips.push_back({*celsius / 1000, read_attribute_number(path / (stem + "hyst")).value_or(0) / 1000,
                          text_or(path / (stem + "type"))});
  }
  for (int i = 0; i < 64; ++i) {
    const fs::path device = path / fmt::format("cdev{}", i);
    std::error_code error;
    if (!fs::exists(device, error)) break;
    zone.bound.push_back(text_or(device / "type", "unknown"));
  }
  return zone;
}

bool is_cpufreq(const std::string& type) { return type.find("cpufreq") != std::string::npos || type.find("cpu") == 0; }

}  // namespace

std::optional<std::string> impossible_celsius(double celsius) {
  if (celsius > 0 && celsius < 1) {
    return fmt::format("reads {} degrees: its driver seems to report degrees instead of millidegrees", celsius);
  }
  if (!(celsius >= -40 && celsius <= 150)) return fmt::format("reads {} degrees, which no running chip has", celsius);
  return std::nullopt;
}

std::optional<std::string> read_attribute(const fs::path& path) {
  const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (file < 0) return std::nullopt;
  std::array<char, 4096> block{};
  const ssize_t count = ::read(file, block.data(), block.size());
  ::close(file);
  if (count < 0) return std::nullopt;
  std::string text(block.data(), static_cast<std::size_t>(count));
  const std::size_t end = text.find('\n');
  if (end != std::string::npos) text.resize(end);
  while (!text.empty() && text.back() == ' ') text.pop_back();
  return text;
}

std::optional<double> read_attribute_number(const std::filesystem::path& path) {
  const std::optional<std::string> text = read_attribute(path);
  if (!text) return std::nullopt;
  double value = 0;
  const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), value);
  if (error != std::errc{} || end == text->data() || !std::isfinite(value)) return std::nullopt;
  return value;
}

void write_attribute(const fs::path& path, const std::string& value) {
  const int file = ::open(path.c_str(), O_WRONLY | O_CLOEXEC | O_TRUNC);
  if (file < 0) {
    throw bad_input("{} cannot be written: {}; run as root or give the user the right to write it", path.string(),
                    std::strerror(errno));
  }
  const std::string line = value + "\n";
  const ssize_t count = ::write(file, line.data(), line.size());
  const int reason = errno;
  ::close(file);
  if (count != static_cast<ssize_t>(line.size())) {
    throw bad_input("{} does not take the value {}: {}", path.string(), value, std::strerror(reason));
  }
}

BoardView look_at_board(const fs::path& root) {
  std::error_code error;
  if (!fs::is_directory(root, error)) {
    throw bad_input("{} is no folder; --sysfs-root must be a sysfs, usually /sys", root.string());
  }
  BoardView board;
  for (const fs::path& path : entries(root / "devices/system/cpu/cpufreq", "policy")) {
    board.policies.push_back(read_policy(path));
  }
  for (const fs::path& path : entries(root / "class/thermal", "thermal_zone")) board.zones.push_back(read_zone(path));
  for (const fs::path& path : entries(root / "class/thermal", "cooling_device")) {
    board.cooling.push_back({path.filename().string(), text_or(path / "type"),
                             static_cast<int>(read_attribute_number(path / "max_state").value_or(0)),
                             static_cast<int>(read_attribute_number(path / "cur_state").value_or(0))});
  }
  for (const fs::path& path : entries(root / "class/hwmon", "hwmon")) {
    const std::string chip = text_or(path / "name", path.filename().string());
    for (int i = 1; i < 32; ++i) {
      if (const auto watts = read_attribute_number(path / fmt::format("power{}_input", i))) {
        board.powers.push_back({chip, fmt::format("power{}", i), *watts * 1e-6});
      }
      if (const auto rpm = read_attribute_number(path / fmt::format("fan{}_input", i))) {
        board.fans.push_back({chip, fmt::format("fan{}", i), *rpm});
      }
    }
  }
  for (const fs::path& path : entries(root / "class/regulator", "regulator")) {
    if (read_attribute_number(path / "microvolts") && text_or(path / "name").find("cpu") != std::string::npos)
      board.voltages = true;
    if (read_attribute_number(path / "microvolts") && text_or(path / "name").find("arm") != std::string::npos)
      board.voltages = true;
  }
  board.debugfs_visible = fs::is_directory(root / "kernel/debug", error) && !entries(root / "kernel/debug", "").empty();
  board.energy_model = !entries(root / "kernel/debug/energy_model", "").empty();
  return board;
}

std::vector<Finding> examine_board(const BoardView& board) {
  std::vector<Finding> findings;
  const auto add = [&](Severity severity, std::string text) { findings.push_back({severity, std::move(text)}); };
  if (board.policies.empty()) {
    add(Severity::problem,
        "there is no cpufreq policy: frequencies cannot be changed, only measured (a virtual machine?)");
  }
  for (const CpuPolicy& policy : board.policies) {
    if (policy.mhz.empty()) {
      add(Severity::note, fmt::format("{} does not list its frequencies ({} to {} MHz): give them in a SoC file",
                                      policy.name, policy.min_mhz, policy.max_mhz));
    }
    if (policy.limit_mhz > 0 && policy.limit_mhz < policy.max_mhz) {
      add(Severity::problem,
          fmt::format("{} is already limited to {} of {} MHz by scaling_max_freq: a thermal cap in force, or "
                      "one that somebody forgot",
                      policy.name, policy.limit_mhz, policy.max_mhz));
    }
    if (policy.governor == "powersave") {
      add(Severity::problem,
          fmt::format("{} runs the governor powersave, which holds the lowest frequency", policy.name));
    }
    if (!policy.writable) {
      add(Severity::problem,
          fmt::format("{} may not be written by this user: profile and govern need root or the right to "
                      "write scaling_max_freq",
                      policy.name));
    }
  }
  if (board.zones.empty()) add(Severity::problem, "there is no thermal zone: no temperature can be read");
  bool cpu_cooling = false;
  for (const CoolingDevice& device : board.cooling) cpu_cooling = cpu_cooling || is_cpufreq(device.type);
  for (const ThermalZone& zone : board.zones) {
    if (!zone.celsius) {
      add(Severity::problem, fmt::format("{} ({}) cannot be read", zone.name, zone.type));
    } else if (const auto fault = impossible_celsius(*zone.celsius)) {
      add(Severity::problem, fmt::format("{} ({}) {}", zone.name, zone.type, *fault));
    }
    if (zone.mode == "disabled") {
      add(Severity::problem, fmt::format("{} ({}) is disabled: its trips do nothing", zone.name, zone.type));
    }
    bool passive = false;
    double critical = 1e9;
    for (const ThermalTrip& trip : zone.trips) {
      if (trip.type == "critical") critical = std::min(critical, trip.celsius);
    }
    for (const ThermalTrip& trip : zone.trips) {
      passive = passive || trip.type == "passive";
      if (trip.type != "critical" && trip.celsius >= critical) {
        add(Severity::problem,
            fmt::format("{} ({}) has a {} trip at {} degrees, not below its critical trip at {}: the board "
                        "shuts down before it throttles",
                        zone.name, zone.type, trip.type, trip.celsius, critical));
      }
      if (trip.celsius > 115 && trip.type == "passive") {
        add(Severity::problem,
            fmt::format("{} ({}) throttles from {} degrees only", zone.name, zone.type, trip.celsius));
      }
    }
    const bool bound = std::any_of(zone.bound.begin(), zone.bound.end(), is_cpufreq);
    if (passive && !bound) {
      add(Severity::problem,
          fmt::format("{} ({}) has a passive trip but no cpufreq cooling device is bound to it: it never "
                      "throttles the cores",
                      zone.name, zone.type));
    }
    if (zone.policy == "power_allocator") {
      if (bound && !board.energy_model) {
        add(board.debugfs_visible ? Severity::problem : Severity::note,
            fmt::format(
                "{} ({}) is governed by power_allocator, but its cpufreq cooling device {} energy model: without one "
                "it is no power actor and power_allocator never throttles; add dynamic-power-coefficient to the "
                "cores in the device tree, or choose step_wise",
                zone.name, zone.type,
                board.debugfs_visible ? "has no" : "may have no (look into /sys/kernel/debug/energy_model as root)"));
      }
      if (zone.sustainable_mw <= 0) {
        add(Severity::note,
            fmt::format("{} ({}) has no sustainable_power: power_allocator estimates it from the lowest OPPs, "
                        "mostly far too low or high",
                        zone.name, zone.type));
      }
      if (zone.trips.size() < 2) {
        add(Severity::problem, fmt::format("{} ({}) has {} trip: power_allocator needs a switch-on and a control trip",
                                           zone.name, zone.type, zone.trips.size()));
      }
    }
  }
  if (!board.zones.empty() && !cpu_cooling) {
    add(Severity::problem,
        "no cooling device is a cpufreq device: the kernel cannot throttle the cores; nothing is the safety "
        "net but a critical trip");
  }
  for (const CoolingDevice& device : board.cooling) {
    if (device.state > 0) {
      add(Severity::note, fmt::format("{} ({}) is throttling now: state {} of {}", device.name, device.type,
                                      device.state, device.max_state));
    }
  }
  if (board.fans.empty()) {
    add(Severity::note,
        "no fan reports its speed: if one turns with temperature, log it by hand, the thermal network cannot "
        "be told from it otherwise");
  }
  if (board.powers.empty()) {
    add(Severity::note,
        "there is no power sensor: latency and steady temperatures can be measured, power cannot; take a SoC "
        "file's coefficients or an external meter");
  }
  if (!board.voltages) {
    add(Severity::note, "voltages are hidden: the power model needs opps_v from a SoC file or the device tree");
  }
  const bool problems =
      std::any_of(findings.begin(), findings.end(), [](const Finding& f) { return f.severity == Severity::problem; });
  const bool writable =
      std::any_of(board.policies.begin(), board.policies.end(), [](const CpuPolicy& p) { return p.writable; });
  const bool readable =
      std::any_of(board.zones.begin(), board.zones.end(), [](const ThermalZone& z) { return z.celsius.has_value(); });
  add(Severity::fine,
      fmt::format("here the tool can: {}{}{}", readable ? "measure temperature" : "not measure temperature",
                  board.powers.empty() ? "" : ", measure power",
                  writable && readable ? ", profile and govern"
                  : writable           ? ", set frequencies"
                                       : ""));
  if (!problems) add(Severity::fine, "nothing is misconfigured as far as can be seen");
  std::stable_sort(findings.begin(), findings.end(),
                   [](const Finding& a, const Finding& b) { return a.severity > b.severity; });
  return findings;
}

}  // namespace trimtab::thermal
