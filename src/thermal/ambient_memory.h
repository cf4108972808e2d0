#pragma once

#include <cstdint>
#include <vector>

namespace trimtab::thermal {

/// The highest value of the last `window_s`, to a twelfth of it.
class RecentHighest {
 public:
  explicit RecentHighest(double window_s) : bucket_s_(window_s / 12), highest_(13, none) {}
  void see(double now_s, double value);
  [[nodiscard]] double value() const;
  static constexpr double none = -1000;

 private:
  double bucket_s_;
  std::int64_t bucket_ = -1;
  std::vector<double> highest_;  ///< by bucket, modulo their number
};

/// The highest ambient temperatures of the last day and of the last minutes. A sensor that drifts downwards looks like
/// a room that cools. So the room is believed to be colder than the day's highest by no more than `trusted_fall_k`. A
/// drift can then raise the true temperature by no more than this fall, times the gain of the leakage. A room that does
/// cool more costs speed.
class AmbientMemory {
 public:
  static constexpr double trusted_fall_k = 2.5;
  static constexpr double fast_fall_k = 10;
  static constexpr double fast_fall_s = 600;

  /// An estimate made at `now_s` that nothing speaks against; `dt` is the time since the last one.
  void see(double now_s, double dt, double ambient_c);
  /// No plan may believe that the room is colder.
  [[nodiscard]] double coldest_believed() const { return day_.value() - trusted_fall_k; }
  /// The estimate has fallen by more than fast_fall_k within fast_fall_s, as rooms do not.
  [[nodiscard]] bool falls_fast() const { return minutes_.value() - smooth_ > fast_fall_k; }

 private:
  static constexpr double smoothing_s = 20;
  RecentHighest day_{86400};
  RecentHighest minutes_{fast_fall_s};
  double smooth_ = RecentHighest::none;
};

}  // namespace trimtab::thermal
