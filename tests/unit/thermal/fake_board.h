#pragma once

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <deque>
#include <filesystem>
#include <fstream>
#include <string>

#include "base/file.h"
#include "base/random.h"
#include "thermal/govern.h"
#include "thermal/sysfs.h"

namespace trimtab::thermal {

inline std::filesystem::path source(const std::string& path) {
  return std::filesystem::path(TRIMTAB_SOURCE_DIR) / path;
}

/// A sysfs tree in a temporary folder whose temperature comes from a plant that differs from the model (more thermal
/// resistance, more leakage) and whose sensor is noisy, late, and at times missing or lying. It is the clock, too: to
/// sleep is to let the plant live on.
class FakeBoard : public Clock {
 public:
  struct Faults {
    double noise_k = 0.5;
    int delay_steps = 2;
    bool dropouts = true;
    bool lies = true;
    bool ambient_steps = true;
    bool stuck_fan = true;
  };

  FakeBoard(const Soc& soc, const Cluster& cluster, std::vector<OperatingPoint> points, double hours,
            const Faults& faults)
      : soc_(wrong(soc)),
        cluster_(wrong(cluster)),
        points_(std::move(points)),
        end_s_(hours * 3600),
        faults_(faults),
        plant_(soc_.network, cluster_.power, soc_.other_w, 25, 25),
        random_(7) {
    const auto cpu = root() / "devices/system/cpu/cpufreq/policy0";
    const auto zone = root() / "class/thermal/thermal_zone0";
    std::filesystem::create_directories(cpu);
    std::filesystem::create_directories(zone);
    put(cpu / "scaling_max_freq", "2000000");
    put(zone / "temp", "25000");
    frequency_ = cpu / "scaling_max_freq";
    temperature_ = zone / "temp";
  }

  [[nodiscard]] std::filesystem::path root() const { return folder_.path(); }
  [[nodiscard]] std::filesystem::path frequency() const { return frequency_; }
  [[nodiscard]] double now_s() override { return now_; }
  [[nodiscard]] double peak() const { return peak_; }    ///< settled
  [[nodiscard]] double worst() const { return worst_; }  ///< also while settling
  [[nodiscard]] double peak_at_s() const { return peak_at_s_; }
  [[nodiscard]] double mean_rate() const { return rate_ / now_; }
  [[nodiscard]] double seconds_at_lowest() const { return lowest_s_; }
  [[nodiscard]] const Cluster& true_cluster() const { return cluster_; }
  [[nodiscard]] const Soc& true_soc() const { return soc_; }

  [[nodiscard]] bool sleep_until(double time_s) override {
    const double dt = time_s - now_;
    const double mhz = std::stod(read_attribute(frequency_).value_or("0")) / 1000;
    const OperatingPoint* point = &points_.front();
    for (const OperatingPoint& p : points_) {
      if (p.opp.mhz <= mhz + 0.5) point = &p;
    }
    plant_.advance(dt, point->load);
    now_ = time_s;
    rate_ += point->rate * dt;
    if (point == &points_.front()) lowest_s_ += dt;
    if (now_ > 600) worst_ = std::max(worst_, plant_.celsius());
    if (now_ > unsettled_until_s_ && plant_.celsius() > peak_) {
      peak_ = plant_.celsius();
      peak_at_s_ = now_;
    }
    disturb();
    return now_ < end_s_;
  }

 private:
  static Soc wrong(Soc soc) {
    for (double& r : soc.network.resistance) r *= 1.1;
    return soc;
  }
  static Cluster wrong(Cluster cluster) {
    cluster.power.leakage *= 1.15;
    cluster.power.cycles *= 0.95;
    return cluster;
  }
  static void put(const std::filesystem::path& path, const std::string& text) { std::ofstream(path) << text << "\n"; }

  void disturb() {
    const auto second = static_cast<std::int64_t>(now_);
    if (faults_.ambient_steps) {
      constexpr double ambients[] = {25, 38, 18, 30, 5, 35};
      const double ambient = ambients[second / 7200 % 6];
      if (ambient != ambient_) unsettled_until_s_ = now_ + settling_s;
      ambient_ = ambient;
      plant_.set_ambient(ambient);
    }
    // In the last third of every fourth hour the fan sticks: the board cools worse by half.
    const bool stuck = faults_.stuck_fan && second / 3600 % 4 == 3 && second % 3600 > 2400;
    if (stuck != stuck_) {
      Network network = soc_.network;
      if (stuck) network.resistance.back() *= 1.5;
      plant_.set_network(network);
      unsettled_until_s_ = now_ + settling_s;
      stuck_ = stuck;
    }
    late_.push_back(plant_.celsius() + faults_.noise_k * random_.normal());
    if (static_cast<int>(late_.size()) > faults_.delay_steps + 1) late_.pop_front();
    double reading = late_.front();
    const std::int64_t in_hour = second % 3600;
    if (faults_.lies && in_hour >= 1000 && in_hour < 1300) reading = 40;   // stuck
    if (faults_.lies && in_hour >= 2000 && in_hour < 2010) reading = 0;    // zero
    if (faults_.lies && in_hour >= 2100 && in_hour < 2105) reading = 300;  // nonsense
    const bool gone = faults_.dropouts && in_hour >= 3000 && in_hour < 3060;
    if (gone && !gone_) std::filesystem::remove(temperature_);
    gone_ = gone;
    if (!gone) put(temperature_, fmt::format("{:.0f}", reading * 1000));
  }

  /// In memory where the system offers it: a day is half a million writes.
  static TemporaryDirectory in_memory() {
    if (std::filesystem::is_directory("/dev/shm")) ::setenv("TMPDIR", "/dev/shm", 0);
    return TemporaryDirectory();
  }

  TemporaryDirectory folder_ = in_memory();
  Soc soc_;
  Cluster cluster_;
  std::vector<OperatingPoint> points_;
  double end_s_;
  Faults faults_;
  Plant plant_;
  Random random_;
  std::filesystem::path frequency_;
  std::filesystem::path temperature_;
  std::deque<double> late_;
  double now_ = 0;
  static constexpr double settling_s = 300;  ///< after the start, a step of the ambient, a change of the fan
  double unsettled_until_s_ = 600;
  double ambient_ = 25;
  double worst_ = 0;
  double peak_ = 0;
  double peak_at_s_ = 0;
  double rate_ = 0;
  double lowest_s_ = 0;
  bool stuck_ = false;
  bool gone_ = false;
};

}  // namespace trimtab::thermal
