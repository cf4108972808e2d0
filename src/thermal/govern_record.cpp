#include "thermal/govern_record.h"

#include <algorithm>

namespace trimtab::thermal {
namespace {

constexpr std::size_t most_windows = 600;

RecordWindow joined(const RecordWindow& a, const RecordWindow& b) {
  const double seconds = a.seconds + b.seconds;
  const auto mean = [&](double x, double y) { return seconds > 0 ? (x * a.seconds + y * b.seconds) / seconds : x; };
  return {seconds,
          mean(a.celsius, b.celsius),
          std::min(a.lowest_c, b.lowest_c),
          std::max(a.highest_c, b.highest_c),
          mean(a.ambient_c, b.ambient_c),
          mean(a.mhz, b.mhz),
          mean(a.rate, b.rate)};
}

}  // namespace

void GovernRecord::add(double now_s, std::optional<double> celsius, double ambient_c, std::size_t point) {
  if (celsius) peak_c_ = std::max(peak_c_.value_or(*celsius), *celsius);
  if (last_s_ && now_s > *last_s_) {
    const double seconds = now_s - *last_s_;
    const ThermalPoint& ran = points_.at(last_point_);
    seconds_at_[last_point_] += seconds;
    const double reading = celsius.value_or(windows_.empty() ? ambient_c : windows_.back().celsius);
    const RecordWindow piece{seconds, reading, reading, reading, ambient_c, ran.opp.mhz, ran.rate};
    if (windows_.empty() || windows_.back().seconds >= window_s_) {
      windows_.push_back(piece);
    } else {
      windows_.back() = joined(windows_.back(), piece);
    }
    if (windows_.size() > most_windows) merge_pairs();
  }
  last_s_ = now_s;
  last_point_ = point;
}

void GovernRecord::merge_pairs() {
  std::vector<RecordWindow> half;
  for (std::size_t i = 0; i + 1 < windows_.size(); i += 2) half.push_back(joined(windows_[i], windows_[i + 1]));
  if (windows_.size() % 2 == 1) half.push_back(windows_.back());
  windows_ = std::move(half);
  window_s_ *= 2;
}

nlohmann::ordered_json GovernRecord::to_json() const {
  nlohmann::ordered_json json;
  if (peak_c_) json["peak_c"] = *peak_c_;
  double all = 0;
  double inferences = 0;
  double right = 0;
  for (std::size_t i = 0; i < points_.size(); ++i) {
    all += seconds_at_[i];
    inferences += seconds_at_[i] * points_[i].rate;
    right += seconds_at_[i] * points_[i].rate * points_[i].accuracy;
  }
  json["seconds"] = all;
  if (inferences > 0) json["accuracy"] = right / inferences;
  json["shares"] = nlohmann::ordered_json::array();
  for (std::size_t i = 0; i < points_.size(); ++i) {
    if (seconds_at_[i] <= 0) continue;
    json["shares"].push_back({{"variant", points_[i].variant},
                              {"cores", points_[i].cores},
                              {"mhz", points_[i].opp.mhz},
                              {"time_fraction", seconds_at_[i] / all},
                              {"latency_ms", points_[i].latency_s * 1e3}});
  }
  json["trace"] = nlohmann::ordered_json::array();
  double begin = 0;
  for (const RecordWindow& window : windows_) {
    json["trace"].push_back({{"from_s", begin},
                             {"to_s", begin + window.seconds},
                             {"celsius", window.celsius},
                             {"lowest_c", window.lowest_c},
                             {"highest_c", window.highest_c},
                             {"ambient_c", window.ambient_c},
                             {"mhz", window.mhz},
                             {"rate_per_s", window.rate}});
    begin += window.seconds;
  }
  return json;
}

}  // namespace trimtab::thermal
