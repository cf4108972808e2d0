#pragma once

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <deque>
#include <filesystem>
#include <fstream>
#include <functional>
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
    bool ambients = true;  ///< another one at each step of the schedule
    std::vector<double> schedule_c = {25, 38, 18, 30, 5, 35};
    double schedule_step_s = 7200;
    double ambient_time_s = 0;  ///< time constant with which it comes; 0: at once, which no room does
    bool stuck_fan = true;      ///< at once
    bool wrong_model =
        true;  ///< the plant resists 10 % more, leaks 15 % more, and computes with 5 % less than the model
  };

  FakeBoard(const Soc& soc, const Cluster& cluster, std::vector<ThermalPoint> points, double hours,
            const Faults& faults)
      : soc_(faults.wrong_model ? wrong(soc) : soc),
        cluster_(faults.wrong_model ? wrong(cluster) : cluster),
        points_(std::move(points)),
        end_s_(hours * 3600),
        faults_(faults),
        plant_(soc_.network, cluster_.power, soc_.other_w, 25, 25),
        random_(7) {
    const auto cpu = root() / "devices/system/cpu/cpufreq/policy0";
    const auto zone = root() / "class/thermal/thermal_zone0";
    std::filesystem::create_directories(cpu);
    std::filesystem::create_directories(zone);
    frequency_ = cpu / "scaling_max_freq";
    temperature_ = zone / "temp";
    std::ofstream(frequency_) << "2000000\n";
    reader_ = ::open(frequency_.c_str(), O_RDONLY | O_CLOEXEC);
    show("25000");
  }
  ~FakeBoard() override {
    ::close(reader_);
    if (sensor_ >= 0) ::close(sensor_);
  }
  FakeBoard(const FakeBoard&) = delete;
  FakeBoard& operator=(const FakeBoard&) = delete;
  FakeBoard(FakeBoard&&) = delete;
  FakeBoard& operator=(FakeBoard&&) = delete;

  [[nodiscard]] std::filesystem::path root() const { return folder_.path(); }
  [[nodiscard]] std::filesystem::path frequency() const { return frequency_; }
  [[nodiscard]] std::filesystem::path variant_file() const { return root() / "variant"; }
  [[nodiscard]] double now_s() override { return now_; }
  [[nodiscard]] double worst() const { return worst_; }  ///< highest temperature of all
  [[nodiscard]] double worst_at_s() const { return worst_at_s_; }
  [[nodiscard]] double settled_peak() const { return settled_peak_; }  ///< later than settling_s after a disturbance
  [[nodiscard]] double mean_rate() const { return rate_ / now_; }
  [[nodiscard]] double seconds_at_lowest() const { return lowest_s_; }
  [[nodiscard]] double celsius() const { return plant_.celsius(); }
  [[nodiscard]] const Cluster& true_cluster() const { return cluster_; }
  [[nodiscard]] const Soc& true_soc() const { return soc_; }
  static constexpr double settling_s = 30;
  /// Called for every piece of time in which the application ran at a point.
  std::function<void(const ThermalPoint& point, double seconds)> on_run;

  [[nodiscard]] bool sleep_until(double time_s) override {
    const double dt = time_s - now_;
    const ThermalPoint& point = running();
    plant_.advance(dt, point.load);
    now_ = time_s;
    rate_ += point.rate * dt;
    if (on_run) on_run(point, dt);
    if (&point == &points_.front()) lowest_s_ += dt;
    const double since = now_ - disturbed_s_;
    if (plant_.celsius() > worst_) {
      worst_ = plant_.celsius();
      worst_at_s_ = now_;
    }
    if (since > settling_s) settled_peak_ = std::max(settled_peak_, plant_.celsius());
    disturb(dt);
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

  /// The variant that the application runs: the variant it is told (the first one otherwise) at the highest frequency
  /// allowed.
  [[nodiscard]] const ThermalPoint& running() const {
    char block[32] = {};
    const ssize_t count = ::pread(reader_, block, sizeof block - 1, 0);
    const double mhz = count > 0 ? std::strtod(block, nullptr) / 1000 : 0;
    const std::string variant = read_attribute(variant_file()).value_or(points_.front().variant);
    const ThermalPoint* point = &points_.front();
    for (const ThermalPoint& p : points_) {
      if (p.variant == variant && p.opp.mhz <= mhz + 0.5) point = &p;
    }
    return *point;
  }

  /// Writes the sensor's file; one that is open all the time is much quicker than a new one at each step.
  void show(const std::string& text) {
    if (sensor_ < 0) sensor_ = ::open(temperature_.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
    const std::string line = fmt::format("{:<7}\n", text);  // always as long, so that nothing has to be truncated
    if (::pwrite(sensor_, line.data(), line.size(), 0) < 0) std::abort();
  }
  void hide() {
    if (sensor_ >= 0) ::close(sensor_);
    sensor_ = -1;
    std::filesystem::remove(temperature_);
  }

  void disturb(double dt) {
    const auto second = static_cast<std::int64_t>(now_);
    if (faults_.ambients) {
      const auto step = static_cast<std::size_t>(now_ / faults_.schedule_step_s);
      const double ambient = faults_.schedule_c[step % faults_.schedule_c.size()];
      if (faults_.ambient_time_s > 0) {
        // To a tenth of a degree, so that the plant's table of step matrices stays small.
        ambient_ += (1 - std::exp(-dt / faults_.ambient_time_s)) * (ambient - ambient_);
        plant_.set_ambient(std::round(ambient_ * 10) / 10);
      } else if (ambient != ambient_) {
        disturbed_s_ = now_;
        ambient_ = ambient;
        plant_.set_ambient(ambient);
      }
    }
    // In the last third of every fourth hour the fan sticks: the board cools worse by half.
    const bool stuck = faults_.stuck_fan && second / 3600 % 4 == 3 && second % 3600 > 2400;
    if (stuck != stuck_) {
      Network network = soc_.network;
      if (stuck) network.resistance.back() *= 1.5;
      plant_.set_network(network);
      disturbed_s_ = now_;
      stuck_ = stuck;
    }
    late_.push_back(plant_.celsius() + faults_.noise_k * random_.normal());
    if (static_cast<int>(late_.size()) > faults_.delay_steps + 1) late_.pop_front();
    double reading = late_.front();
    const std::int64_t in_hour = second % 3600;
    if (faults_.lies && in_hour >= 1000 && in_hour < 1300) reading = 40;   // stuck
    if (faults_.lies && in_hour >= 2000 && in_hour < 2010) reading = 0;    // zero
    if (faults_.lies && in_hour >= 2100 && in_hour < 2105) reading = 300;  // nonsense
    if (faults_.dropouts && in_hour >= 3000 && in_hour < 3060) {
      hide();
    } else {
      show(fmt::format("{:.0f}", reading * 1000));
    }
  }

  /// In memory where the system offers it: a day is half a million writes.
  static TemporaryDirectory in_memory() {
    if (std::filesystem::is_directory("/dev/shm")) ::setenv("TMPDIR", "/dev/shm", 0);
    return TemporaryDirectory();
  }

  TemporaryDirectory folder_ = in_memory();
  Soc soc_;
  Cluster cluster_;
  std::vector<ThermalPoint> points_;
  double end_s_;
  Faults faults_;
  Plant plant_;
  Random random_;
  std::filesystem::path frequency_;
  std::filesystem::path temperature_;
  int reader_ = -1;
  int sensor_ = -1;
  std::deque<double> late_;
  double now_ = 0;
  double disturbed_s_ = 0;
  double ambient_ = 25;
  double worst_ = 0;
  double worst_at_s_ = 0;
  double settled_peak_ = 0;
  double rate_ = 0;
  double lowest_s_ = 0;
  bool stuck_ = false;
};

}  // namespace trimtab::thermal
