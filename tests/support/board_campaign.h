#pragma once

#include <deque>
#include <functional>
#include <optional>
#include <string>

#include "base/random.h"
#include "support/independent_plant.h"
#include "thermal/controller.h"

namespace trimtab::thermal {

/// How a sensor lies. All but `truth` and `foreign` may be wrong by more than 2 K.
enum class Lie {
  truth,
  stuck,        ///< the same bits
  stuck_noisy,  ///< a constant with the sensor's own noise
  drift,        ///< downwards, 0.5 to 5 K/min
  slow_drift,   ///< downwards, 0.1 to 2 K/h
  low,          ///< by 3 to 30 K, at once
  high,         ///< by 3 to 30 K, at once
  zero,
  nonsense,
  degrees,  ///< instead of millidegrees
  missing,
  noisy,    ///< 6 K
  coarse,   ///< steps of 5 K, rounded down
  foreign,  ///< no lie: another process writes the highest frequency every 3 to 20 s
  count
};
[[nodiscard]] inline const char* name_of(Lie lie) {
  constexpr const char* names[] = {
      "truth", "stuck",    "stuck, with noise", "drift",   "slow drift", "low",       "high",
      "zero",  "nonsense", "degrees",           "missing", "6 K noise",  "5 K steps", "foreign writes"};
  return names[static_cast<int>(lie)];
}

/// A controller on an independent plant, stepped in simulated time.
class SteppedBoard {
 public:
  SteppedBoard(const Soc& soc, const Cluster& cluster, std::vector<ThermalPoint> points, const GovernOptions& options,
               const IndependentPlant::Parameters& parameters, double ambient_c, std::uint64_t seed)
      : points_(std::move(points)),
        controller_(soc, cluster, points_, options),
        plant_(parameters, ambient_c),
        random_(seed),
        period_s_(options.period_s) {}

  // The sensor, when it tells the truth.
  double noise_k = 0.3;  ///< clipped, so that noise and bias together are within 2 K
  double bias_k = 0;
  double quantum_k = 0.001;
  int delay_steps = 0;
  double power_factor = 1;
  // The lie in force.
  Lie lie = Lie::truth;
  double lie_size = 0;
  double lie_since_s = 0;

  /// One period. Returns the highest temperature in it.
  double step() {
    std::optional<double> reading = sensor();
    const double before = limit_mhz_;
    const double seen = std::abs(before - points_[point_].opp.mhz) > 0.5 ? before : 0;
    point_ = controller_.step(now_, {{reading}, now_ > 0 ? seen : 0});
    limit_mhz_ = points_[point_].opp.mhz;
    if (lie == Lie::foreign && now_ >= next_write_s_) {
      limit_mhz_ = points_.back().opp.mhz;
      next_write_s_ = now_ + lie_size;
    }
    const ThermalPoint* running = &points_[point_];
    for (const ThermalPoint& one : points_) {
      if (one.variant == running->variant && one.opp.mhz == limit_mhz_) running = &one;
    }
    plant_.advance(period_s_, running->load, power_factor);
    inferences_ += running->rate * period_s_;
    now_ += period_s_;
    return plant_.take_peak();
  }
  void run(double until_s, const std::function<void(double peak)>& each = {}) {
    while (now_ < until_s) {
      const double peak = step();
      if (each) each(peak);
    }
  }
  void begin(Lie kind, double size) {
    lie = kind;
    lie_size = size;
    lie_since_s = now_;
    stuck_at_ = last_true_;
    next_write_s_ = now_;
  }
  void write_once(double mhz) { limit_mhz_ = mhz; }

  [[nodiscard]] double now_s() const { return now_; }
  [[nodiscard]] IndependentPlant& plant() { return plant_; }
  [[nodiscard]] const Controller& controller() const { return controller_; }
  [[nodiscard]] const ThermalPoint& point() const { return points_[point_]; }
  [[nodiscard]] double inferences() const { return inferences_; }
  Random& random() { return random_; }

 private:
  std::optional<double> sensor() {
    late_.push_back(plant_.celsius());
    while (static_cast<int>(late_.size()) > delay_steps + 1) late_.pop_front();
    const double noise =
        lie == Lie::noisy ? 6 * random_.normal() : std::clamp(noise_k * random_.normal(), -2 - bias_k, 2 - bias_k);
    double value = late_.front() + bias_k + noise;
    const double minutes = (now_ - lie_since_s) / 60;
    switch (lie) {
      case Lie::stuck:
        return stuck_at_;
      case Lie::stuck_noisy:
        value = stuck_at_ + noise;
        break;
      case Lie::drift:
        value -= lie_size * minutes;
        break;
      case Lie::slow_drift:
        value -= lie_size * minutes / 60;
        break;
      case Lie::low:
        value -= lie_size;
        break;
      case Lie::high:
        value += lie_size;
        break;
      case Lie::zero:
        return 0.0;
      case Lie::nonsense:
        return 300.0;
      case Lie::degrees:
        value = std::round(value) / 1000;
        break;
      case Lie::missing:
        return std::nullopt;
      case Lie::coarse:
        value = std::floor(value / 5) * 5;
        break;
      default:
        break;
    }
    if (quantum_k > 0 && lie != Lie::degrees) value = std::round(value / quantum_k) * quantum_k;
    if (lie == Lie::truth) last_true_ = value;
    return value;
  }

  std::vector<ThermalPoint> points_;
  Controller controller_;
  IndependentPlant plant_;
  Random random_;
  double period_s_;
  double now_ = 0;
  std::size_t point_ = 0;
  double limit_mhz_ = 0;
  double next_write_s_ = 0;
  double inferences_ = 0;
  double stuck_at_ = 25;
  double last_true_ = 25;
  std::deque<double> late_;
};

/// The worst of a campaign's day, in K above the limit.
struct CampaignDay {
  double truthful_k = -1000;                          ///< the sensor has told the truth within 2 K for `settling_s`
  double lying_k[static_cast<int>(Lie::count)] = {};  ///< in a time of this lie or within settling_s behind it
  int lies[static_cast<int>(Lie::count)] = {};
  double rate = 0;
  static constexpr double settling_s = 600;
};

/// A sensor that lies so reads as in a colder room.
[[nodiscard]] inline bool looks_colder(Lie lie) {
  return lie == Lie::drift || lie == Lie::slow_drift || lie == Lie::low;
}

/// Random faults on a random plant for `hours`: everything follows from the seed. One lie at a time; the room warms and
/// cools and the fan fails at any time, also while the sensor lies. A lie that looks like a colder room hides a room
/// that warms by as much, which nobody can tell without a second sensor: the surroundings change during such a lie only
/// with `hidden_warming`.
[[nodiscard]] inline CampaignDay campaign_day(const Soc& soc, const Cluster& cluster,
                                              const std::vector<ThermalPoint>& points, const GovernOptions& options,
                                              double hours, std::uint64_t seed, bool hidden_warming = false) {
  Random random(seed * 7919 + 17);
  IndependentPlant::Parameters p = plant_of(soc, cluster);
  for (double& r : p.resistance) r *= random.uniform(0.9, 1.1);
  for (double& c : p.capacity) c *= random.uniform(0.85, 1.15);
  p.leakage *= random.uniform(0.85, 1.15);
  const double base = random.uniform(10, 38);
  SteppedBoard board(soc, cluster, points, options, p, base, seed);
  board.power_factor = random.uniform(0.95, 1.05);
  board.noise_k = random.uniform(0, 0.6);
  board.bias_k = random.uniform(-1, 1);
  constexpr double quanta[] = {0.001, 0.001, 0.1, 0.25, 0.5, 1};
  board.quantum_k = quanta[random.integer(0, 5)];
  board.delay_steps = static_cast<int>(random.integer(0, 3));
  const double swing = random.uniform(0, 5);

  CampaignDay day;
  std::fill(std::begin(day.lying_k), std::end(day.lying_k), -1000.0);
  double room = base;
  double room_wanted = base;
  double room_time_s = 300;
  double next_room_s = random.uniform(600, 7200);
  double fan_until_s = -1;
  double next_fan_s = random.uniform(1800, 14400);
  double next_lie_s = random.uniform(600, 3600);
  double lie_until_s = -1;
  double truthful_since_s = 0;
  double lied_s = -1e9;
  Lie last = Lie::truth;
  while (board.now_s() < hours * 3600) {
    const double now = board.now_s();
    const bool still = !hidden_warming && looks_colder(last) && now - lied_s < CampaignDay::settling_s;
    if (now >= next_room_s && !still) {
      room_wanted = std::clamp(base + random.uniform(-12, 12), 5.0, 45.0);
      room_time_s = random.uniform(120, 900);
      next_room_s = now + random.uniform(1800, 14400);
    }
    if (!still) {
      room += options.period_s / room_time_s * (room_wanted - room);
      board.plant().set_ambient(room + swing * std::sin(now / 86400 * 2 * 3.14159265358979));
    }
    if (now >= next_fan_s && !still) {
      fan_until_s = now + random.uniform(300, 3600);
      next_fan_s = fan_until_s + random.uniform(1800, 14400);
    }
    if (!still) board.plant().fail_fan(now < fan_until_s);
    if (lie_until_s < 0 && now >= next_lie_s) {
      last = static_cast<Lie>(random.integer(1, static_cast<int>(Lie::count) - 1));
      double size = random.uniform(3, 30);
      if (last == Lie::drift) size = random.uniform(0.5, 5);
      if (last == Lie::slow_drift) size = random.uniform(0.1, 2);
      if (last == Lie::foreign) size = random.uniform(3, 20);
      board.begin(last, size);
      lie_until_s = now + (last == Lie::slow_drift ? random.uniform(3600, 36000) : random.uniform(60, 7200));
      ++day.lies[static_cast<int>(last)];
    }
    if (lie_until_s >= 0 && now >= lie_until_s) {
      board.begin(Lie::truth, 0);
      lie_until_s = -1;
      truthful_since_s = now;
      next_lie_s = now + random.uniform(900, 7200);
    }
    if (lie_until_s >= 0) lied_s = now;
    const double over = board.step() - options.limit_c;
    if (lie_until_s < 0 && now - truthful_since_s > CampaignDay::settling_s) {
      day.truthful_k = std::max(day.truthful_k, over);
    } else {
      double& worst = day.lying_k[static_cast<int>(last)];
      worst = std::max(worst, over);
    }
  }
  day.rate = board.inferences() / board.now_s();
  return day;
}

}  // namespace trimtab::thermal
