#pragma once

#include <chrono>
#include <deque>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "thermal/governor.h"
#include "thermal/plan.h"

namespace trimtab::thermal {

struct GovernOptions {
  double limit_c = 85;
  double margin_k = 2;  ///< peaks stay this far below the limit: noise, delay, model
  double accuracy_floor = 0;
  double period_s = 0.5;
  double replan_s = 5;
  double lowest_ambient_c = -10;  ///< a lower estimate is a lying sensor, not a cold room
  double highest_ambient_c = 65;
};

/// The daemon's decisions, without a clock and without files. An observer (the SoC's model, corrected by each reading)
/// estimates the ambient temperature. Every error of the model appears there, a stuck fan too. Every few seconds the
/// plan for that ambient is computed. Its shares are dithered. A point is not taken if the model predicts that it
/// passes the limit within the period. A slow integral on the temperature moves the limit that is planned for. If a
/// reading is missing, impossible, or far from any value that the model can explain, the answer is the point of least
/// power, at once.
class Controller {
 public:
  Controller(const Soc& soc, const Cluster& cluster, std::vector<ThermalPoint> points, const GovernOptions& options);

  /// `celsius` is empty where the sensor could not be read. Returns the index of the point for the next period.
  std::size_t step(double now_s, std::optional<double> celsius);

  [[nodiscard]] double ambient_c() const { return ambient_; }
  /// Empty while all is well; otherwise why the lowest point is held.
  [[nodiscard]] const std::string& trouble() const { return trouble_; }
  [[nodiscard]] std::size_t lowest() const { return lowest_; }
  [[nodiscard]] const std::vector<ThermalPoint>& points() const { return points_; }

 private:
  void resynchronise(double celsius);
  void replan();
  [[nodiscard]] double aim() const;  ///< mean temperature to hold: limit less margin less ripple
  std::size_t ramped(std::size_t wish, double dt);
  [[nodiscard]] double predicted(std::size_t point) const;  ///< node 0 after one more period at the point
  [[nodiscard]] std::size_t guarded(std::size_t wish) const;
  [[nodiscard]] bool stuck(double celsius);  ///< the reading does not change while the model does
  std::size_t hold_lowest(std::string why, double seconds);

  Soc soc_;
  Cluster cluster_;
  std::vector<ThermalPoint> points_;
  GovernOptions options_;
  Plant model_;
  Dither dither_;
  std::size_t lowest_ = 0;
  std::size_t current_ = 0;
  double ambient_ = 25;
  double integral_ = 0;
  double ripple_k_ = 0;            ///< of node 0 above its mean, from switching between the planned points
  double rise_per_watt_ = 0;       ///< of node 0 within two periods
  double next_per_watt_ = 0;       ///< within one
  Eigen::RowVectorXd transition_;  ///< of node 0 over one period
  double state_gain_ = 0;          ///< of the observer, 1/s
  double ambient_gain_ = 0;        ///< of the observer, 1/s
  std::deque<std::pair<double, double>> recent_;  ///< the model's last temperatures, with their times
  double allowed_w_ = 0;
  double filtered_ = 0;
  std::optional<double> last_step_s_;
  double next_plan_s_ = 0;
  double hold_until_s_ = 0;
  double now_ = 0;
  std::optional<double> strange_since_s_;
  double last_reading_ = -1000;
  double same_since_s_ = 0;  ///< since when it has been the same
  double same_lowest_ = 0;   ///< the model's range since then
  double same_highest_ = 0;
  int above_ = 0;
  bool synchronised_ = false;
  std::string trouble_;
};

/// The files that the daemon touches: one temperature, one scaling_max_freq, and a file that tells the application
/// which variant to run.
class SysfsDevice {
 public:
  /// Throws Error (bad input) where a file is missing or may not be written.
  SysfsDevice(const std::filesystem::path& root, const std::string& policy, const std::string& zone,
              std::filesystem::path operating_point_file);
  [[nodiscard]] std::optional<double> read_celsius() const;
  /// Writes a value only where it differs from the last call's.
  void apply(const ThermalPoint& point);
  /// Puts scaling_max_freq back as it was found and removes the `operating_point_file`.
  void restore() noexcept;
  [[nodiscard]] const std::filesystem::path& limit_path() const { return limit_path_; }
  [[nodiscard]] const std::string& original() const { return original_; }
  [[nodiscard]] const std::filesystem::path& operating_point_file() const { return operating_point_file_; }

 private:
  std::filesystem::path temperature_path_;
  std::filesystem::path limit_path_;
  std::filesystem::path operating_point_file_;
  std::string original_;
  std::string written_;
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

/// Runs until the clock ends it. Calls `each` after every step (heartbeat of the watchdog, log). Restores the device
/// also where an Error leaves it.
void govern(Controller& controller, SysfsDevice& device, Clock& clock, double period_s,
            const std::function<void(std::size_t point)>& each);

/// A child process that restores files when this process ends without saying goodbye (kill -9, crash). It also does so
/// when this process stops beating for `timeout_s`; then it ends this process first.
class Watchdog {
 public:
  struct Restore {
    std::filesystem::path path;
    std::string value;  ///< empty: remove the file
  };
  Watchdog(const std::vector<Restore>& files, double timeout_s);
  /// Says goodbye: the child ends without touching anything.
  ~Watchdog();
  Watchdog(const Watchdog&) = delete;
  Watchdog& operator=(const Watchdog&) = delete;
  Watchdog(Watchdog&&) = delete;
  Watchdog& operator=(Watchdog&&) = delete;
  void beat() noexcept;

 private:
  std::chrono::steady_clock::duration interval_;
  std::chrono::steady_clock::time_point next_beat_;
  int pipe_ = -1;
  int child_ = -1;
};

}  // namespace trimtab::thermal
