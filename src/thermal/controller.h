#pragma once

#include <deque>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "thermal/ambient_memory.h"
#include "thermal/fallback.h"
#include "thermal/governor.h"
#include "thermal/sensor_trust.h"

namespace trimtab::thermal {

/// All that the daemon sees of the board at a step.
struct Observation {
  std::vector<std::optional<double>> celsius;  ///< one per sensor; empty where it could not be read
  double mhz = 0;                              ///< the limit that was in force until now; 0: as the last step decided
};

/// The daemon's decisions, without a clock and without files: the daemon and the simulations step the same object. An
/// observer (the SoC's model, corrected by each reading) estimates the ambient temperature. Every error of the model
/// appears there, a stuck fan too. Every few seconds the plan for that ambient is computed. Its shares are dithered. A
/// point is not taken if the model predicts that it passes the limit within the period. A slow integral on the
/// temperature moves the limit that is planned for.
///
/// Of several sensors the hottest counts, so that one that reads low does no harm. If a reading is missing, impossible,
/// far from any value that the model can explain, or not believed by SensorTrust, the answer is the fallback at once.
/// AmbientMemory bounds the harm of lies that look like a colder room.
class Controller {
 public:
  /// Throws Error (bad input) for options that check_options() refuses.
  Controller(const Soc& soc, const Cluster& cluster, std::vector<ThermalPoint> points, const GovernOptions& options);

  /// Returns the index of the point for the next period.
  std::size_t step(double now_s, const Observation& seen);

  [[nodiscard]] double ambient_c() const { return ambient_; }
  /// Of the hottest sensor at the last step, believed or not.
  [[nodiscard]] const std::optional<double>& reading_c() const { return reading_; }
  /// Empty while all is well; otherwise why the fallback or the lowest point is held.
  [[nodiscard]] const std::string& trouble() const { return trouble_; }
  /// Empty, or that another process has changed the limit since the last step.
  [[nodiscard]] const std::string& foreign_write() const { return foreign_write_; }
  [[nodiscard]] std::size_t lowest() const { return lowest_; }
  [[nodiscard]] std::size_t fallback() const { return fallback_; }
  [[nodiscard]] const std::vector<ThermalPoint>& points() const { return points_; }
  [[nodiscard]] const SensorTrust& trust() const { return trust_; }

 private:
  struct Reading {
    std::optional<double> celsius;
    std::string why;  ///< it is missing
  };
  [[nodiscard]] static Reading hottest(const std::vector<std::optional<double>>& celsius);
  void live_on(double dt, double mhz);
  void notice_foreign_writes(double mhz);
  void resynchronise(double celsius);
  [[nodiscard]] SensorTrust::Model recent_model() const;
  /// Corrects the observer. Returns why the reading cannot be true.
  [[nodiscard]] std::optional<std::string> observe(double celsius, double dt);
  [[nodiscard]] bool at_the_limit(double celsius);
  void replan();
  [[nodiscard]] double aim() const;  ///< mean temperature to hold: limit less margin less ripple
  std::size_t ramped(std::size_t wish, double dt);
  [[nodiscard]] double predicted(std::size_t point) const;  ///< node 0 after one more period at the point
  [[nodiscard]] std::size_t guarded(std::size_t wish) const;
  [[nodiscard]] double power(std::size_t point) const;
  [[nodiscard]] std::size_t slowest_of_variant(std::size_t point) const;
  std::size_t hold(std::size_t point, std::string why, double seconds);
  std::size_t held();
  void doubt();

  Soc soc_;
  Cluster cluster_;
  std::vector<ThermalPoint> points_;
  GovernOptions options_;
  Plant model_;
  Dither dither_;
  SensorTrust trust_;
  AmbientMemory memory_;
  std::size_t lowest_ = 0;
  std::size_t fallback_ = 0;
  std::size_t current_ = 0;
  std::size_t held_point_ = 0;
  double ambient_ = 25;
  double integral_ = 0;
  double ripple_k_ = 0;            ///< of node 0 above its mean, from switching between the planned points
  double rise_per_watt_ = 0;       ///< of node 0 within two periods
  double next_per_watt_ = 0;       ///< within one
  Eigen::RowVectorXd transition_;  ///< of node 0 over one period
  double state_gain_ = 0;          ///< of the observer, 1/s
  double ambient_gain_ = 0;        ///< of the observer, 1/s
  std::deque<std::pair<double, double>> recent_;  ///< the model's last temperatures, with their times
  std::deque<double> readings_;                   ///< the last ones
  double allowed_w_ = 0;
  double filtered_ = 0;
  std::optional<double> reading_;
  std::optional<double> last_step_s_;
  double next_plan_s_ = 0;
  double hold_until_s_ = 0;
  double next_probe_s_ = 0;
  double doubt_until_s_ = -1;  ///< the sensor must show that it follows; after this time it gets another chance
  double doubt_s_ = 60;        ///< how long the next doubt lasts
  double now_ = 0;
  std::optional<double> strange_since_s_;
  double foreign_until_s_ = -1;  ///< another process has raised the limit; it may do so again
  double foreign_hold_s_ = 0;
  bool synchronised_ = false;
  std::string trouble_;
  std::string foreign_write_;
};

}  // namespace trimtab::thermal
