#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "thermal/workload.h"

namespace trimtab::thermal {

/// Means over a piece of a daemon's time.
struct RecordWindow {
  double seconds = 0;
  double celsius = 0;  ///< of the readings; the lowest and the highest beside it
  double lowest_c = 0;
  double highest_c = 0;
  double ambient_c = 0;  ///< as estimated
  double mhz = 0;
  double rate = 0;  ///< inferences per second
};

/// What a daemon did, for its report. It takes a bounded memory however long the daemon runs: when there are too many
/// windows, each two become one.
class GovernRecord {
 public:
  explicit GovernRecord(std::vector<ThermalPoint> points) : points_(std::move(points)), seconds_at_(points_.size()) {}

  /// The board is at the point from now on. `celsius`: the reading, where there was one.
  void add(double now_s, std::optional<double> celsius, double ambient_c, std::size_t point);
  /// The keys of result.json beside those of every run (docs/sustain.md): peak_c, accuracy, shares, trace.
  [[nodiscard]] nlohmann::ordered_json to_json() const;
  [[nodiscard]] const std::vector<RecordWindow>& windows() const { return windows_; }

 private:
  void merge_pairs();

  std::vector<ThermalPoint> points_;
  std::vector<double> seconds_at_;
  std::vector<RecordWindow> windows_;
  double window_s_ = 1;
  std::optional<double> last_s_;
  std::size_t last_point_ = 0;
  std::optional<double> peak_c_;
};

}  // namespace trimtab::thermal
