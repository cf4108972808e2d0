#pragma once

#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "thermal/controller.h"

namespace trimtab::thermal {

/// The files that the daemon touches.
struct BoardFiles {
  std::filesystem::path root = "/sys";
  std::string policy = "policy0";
  std::vector<std::string> zones{"thermal_zone0"};  ///< all of the same cluster
  std::filesystem::path operating_point;            ///< tells the application which variant to run; may be empty

  [[nodiscard]] std::filesystem::path limit() const;
  [[nodiscard]] std::filesystem::path temperature(const std::string& zone) const;
};

/// Some temperatures, one scaling_max_freq, and a file that tells the application which variant to run.
class SysfsDevice {
 public:
  /// Throws Error (bad input) where a file is missing or may not be written, where a sensor reads what no running chip
  /// has, where a zone's critical trip is not above the limit, and where the operating-point file is there but not
  /// `own_operating_point`. Writes nothing.
  SysfsDevice(BoardFiles files, double limit_c, bool own_operating_point = false);

  [[nodiscard]] Observation observe() const;
  /// Writes the frequency where it is not in force, and the variant where it is another one.
  void apply(const ThermalPoint& point);
  /// Puts scaling_max_freq back and removes the operating-point file: a clean end. Throws Error where it may not.
  void restore(const std::string& original_khz);
  /// Holds a frequency, for an end that is not clean. The operating-point file stays, since the application runs on.
  void hold(const std::string& khz) noexcept;
  [[nodiscard]] const BoardFiles& files() const { return files_; }
  /// scaling_max_freq as it was found.
  [[nodiscard]] const std::string& found_khz() const { return found_khz_; }

 private:
  BoardFiles files_;
  std::string found_khz_;
  std::string written_;  ///< what was written last, ...
  std::string taken_;    ///< ... and what the kernel made of it
  std::string variant_;
};

/// Time as the daemon sees it; tests put a virtual one here.
class Clock {
 public:
  Clock() = default;
  virtual ~Clock() = default;
  Clock(const Clock&) = delete;
  Clock& operator=(const Clock&) = delete;
  Clock(Clock&&) = delete;
  Clock& operator=(Clock&&) = delete;
  [[nodiscard]] virtual double now_s() = 0;
  /// Returns false when the daemon shall end.
  [[nodiscard]] virtual bool sleep_until(double time_s) = 0;
};

/// Runs until the clock ends it. Calls `each` after every step (heartbeat of the watchdog, log). Restores nothing.
void govern(Controller& controller, SysfsDevice& device, Clock& clock, double period_s,
            const std::function<void(double now_s, std::size_t point)>& each);

/// The lines of `govern --check`: every setting with its origin, and all faults of the board that stand against it.
[[nodiscard]] std::vector<std::string> describe_settings(const BoardFiles& files, const Soc& soc,
                                                         const Cluster& cluster,
                                                         const std::vector<ThermalPoint>& points,
                                                         const GovernOptions& options);

}  // namespace trimtab::thermal
