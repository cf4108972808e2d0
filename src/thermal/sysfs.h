#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace trimtab::thermal {

/// A cpufreq policy as the kernel shows it below `root` (usually /sys). Missing files leave fields empty, here and in
/// the structs below.
struct CpuPolicy {
  std::filesystem::path path;
  std::string name;  ///< policy0
  std::vector<double> mhz;
  double min_mhz = 0;
  double max_mhz = 0;    ///< the most that the cores allow
  double limit_mhz = 0;  ///< scaling_max_freq now
  std::string governor;
  std::string cpus;
  bool writable = false;  ///< scaling_max_freq
};
struct ThermalTrip {
  double celsius = 0;
  double hysteresis_k = 0;
  std::string type;
};
struct ThermalZone {
  std::filesystem::path path;
  std::string name;
  std::string type;
  std::string policy;
  std::string mode;
  std::optional<double> celsius;  ///< empty: could not be read
  std::vector<ThermalTrip> trips;
  std::vector<std::string> bound;  ///< types of the cooling devices that its trips are bound to
  double sustainable_mw = 0;
};
struct CoolingDevice {
  std::string name;
  std::string type;
  int max_state = 0;
  int state = 0;
};
struct Sensor {
  std::string chip;
  std::string name;  ///< power1, temp1, fan1, ...
  double value = 0;  ///< W, degrees Celsius, revolutions per minute
};
struct BoardView {
  std::vector<CpuPolicy> policies;
  std::vector<ThermalZone> zones;
  std::vector<CoolingDevice> cooling;
  std::vector<Sensor> powers;
  std::vector<Sensor> fans;
  bool energy_model = false;     ///< kernel/debug/energy_model has an entry
  bool debugfs_visible = false;  ///< so that the absence of an energy model means something
  bool voltages = false;         ///< some regulator or OPP shows microvolts
};

/// Throws Error (bad input) where root is no folder.
[[nodiscard]] BoardView look_at_board(const std::filesystem::path& root);

enum class Severity { fine, note, problem };
struct Finding {
  Severity severity = Severity::note;
  std::string text;
};
/// The tool's possibilities on this board and its misconfigurations, problems first.
[[nodiscard]] std::vector<Finding> examine_board(const BoardView& board);

/// Why a temperature that a sensor reads cannot be true of a running chip; empty where it can be.
[[nodiscard]] std::optional<std::string> impossible_celsius(double celsius);

/// First line of a file of sysfs without its newline; empty where it cannot be read.
[[nodiscard]] std::optional<std::string> read_attribute(const std::filesystem::path& path);
/// The finite number that an attribute begins with, in the unit of the file; empty where there is none.
[[nodiscard]] std::optional<double> read_attribute_number(const std::filesystem::path& path);
/// Writes a value in one write(2), as sysfs needs it. Throws Error (bad input) naming the path where it may not.
void write_attribute(const std::filesystem::path& path, const std::string& value);

}  // namespace trimtab::thermal
