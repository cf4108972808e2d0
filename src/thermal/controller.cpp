#include "thermal/controller.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <unsupported/Eigen/MatrixFunctions>

#include "base/error.h"
#include "base/index.h"
#include "thermal/sysfs.h"

namespace trimtab::thermal {
namespace {

constexpr double strange_k = 6;        ///< a reading this far from the model, beyond its noise, cannot be true ...
constexpr double strange_s = 2;        ///< ... when it stays so for this long
constexpr double model_wrong_s = 60;   ///< a disagreement that lasts is the model's
constexpr double distrust_s = 15;      ///< time that a sensor must behave before it is believed again
constexpr double ramp_w_per_s = 0.25;  ///< after trouble power may rise this fast, so that a lie shows before it hurts
constexpr double sensor_delay_s = 2;   ///< readings may be this late
constexpr double cooling_k_per_s = 0.1;  ///< the ambient's estimate falls no faster: a lie must not raise power quickly
constexpr double guard_k = 1;            ///< no step may be predicted to end less than this below the limit
constexpr double integral_rate = 0.004;  ///< K per K s
constexpr double largest_quantum_k = 6;
constexpr double probe_s = 8;        ///< between two steps of less power that test the sensor
constexpr double probe_worth_k = 2;  ///< no test where it would move the temperature by less
constexpr double longest_doubt_s = 3600;
constexpr double foreign_hold_s = 60;            ///< the fallback is held for so long after a foreign raise ...
constexpr double longest_foreign_hold_s = 3600;  ///< ... and twice as long after each that follows soon
constexpr double quiet_noise_k = 0.7;            ///< more noise than this makes the observer slower

}  // namespace

Controller::Controller(const Soc& soc, const Cluster& cluster, std::vector<ThermalPoint> points,
                       const GovernOptions& options)
    : soc_(soc),
      cluster_(cluster),
      points_(std::move(points)),
      options_(options),
      model_(soc.network, cluster.power, soc.other_w, 25, 25),
      dither_(std::vector<double>(points_.size(), 0.0)),
      trust_(options.period_s, sensor_delay_s) {
  check_options(options_);
  if (points_.empty()) throw bad_input("there is no thermal point to govern with");
  const double fallback = fallback_mhz(soc, cluster, points_, options_);
  for (std::size_t i = 0; i < points_.size(); ++i) {
    if (power(i) < power(lowest_)) lowest_ = i;
  }
  // The fallback keeps the accuracy where a variant can, and takes the least power of those that do.
  double best_accuracy = 0;
  for (const ThermalPoint& point : points_) best_accuracy = std::max(best_accuracy, point.accuracy);
  const double floor = std::min(best_accuracy, options_.accuracy_floor);
  fallback_ = points_.size();
  for (std::size_t i = 0; i < points_.size(); ++i) {
    if (points_[i].opp.mhz != fallback || points_[i].accuracy < floor) continue;
    if (fallback_ == points_.size() || power(i) < power(fallback_)) fallback_ = i;
  }
  if (fallback_ == points_.size()) fallback_ = lowest_;
  current_ = fallback_;
  held_point_ = fallback_;
  allowed_w_ = power(fallback_);
  // How far one watt lifts node 0 within two periods, from a linear plant without leakage.
  PowerModel none;
  Plant linear(soc.network, none, 0, 0, 0);
  linear.advance(2 * options.period_s, {1, 0});
  rise_per_watt_ = linear.celsius();
  const Eigen::MatrixXd system = state_matrix(soc.network, false);
  transition_ = (system * options.period_s).exp().row(0);
  Plant once(soc.network, none, 0, 0, 0);
  once.advance(options.period_s, {1, 0});
  next_per_watt_ = once.celsius();
  // The ambient acts through the last node, whose time constant tells how fast an observer of it can be. Poles at three
  // times that speed, damping 0.8: fast enough for a room, slow enough for noise of half a kelvin.
  double capacity = 0;
  for (const double c : soc.network.capacity) capacity += c;
  const double slowest_s = capacity * soc.network.resistance.back();
  ambient_gain_ = 9 / slowest_s;
  state_gain_ = std::max(0.1, 3.8 / slowest_s);
}

double Controller::power(std::size_t point) const { return point_power(cluster_, points_[point], options_.limit_c); }

double Controller::predicted(std::size_t point) const {
  const Eigen::VectorXd above = model_.state().array() - ambient_;
  return ambient_ + transition_.dot(above) + next_per_watt_ * point_power(cluster_, points_[point], model_.celsius());
}

std::size_t Controller::guarded(std::size_t wish) const {
  const double highest = options_.limit_c - guard_k;
  if (predicted(wish) <= highest) return wish;
  std::size_t best = lowest_;
  double fastest = -1;
  for (std::size_t i = 0; i < points_.size(); ++i) {
    if (points_[i].variant != points_[wish].variant || points_[i].rate > points_[wish].rate) continue;
    if (points_[i].rate <= fastest || predicted(i) > highest) continue;
    fastest = points_[i].rate;
    best = i;
  }
  return best;
}

std::size_t Controller::slowest_of_variant(std::size_t point) const {
  std::size_t slowest = point;
  for (std::size_t i = 0; i < points_.size(); ++i) {
    if (points_[i].variant == points_[point].variant && power(i) < power(slowest)) slowest = i;
  }
  return slowest;
}

double Controller::aim() const {
  // A reading of a coarse sensor is between half a step too high and a whole step too low.
  const double coarse = 0.75 * std::min(trust_.quantum_k(), largest_quantum_k) + 0.5;
  return options_.limit_c - std::max(options_.margin_k, coarse) - std::min(ripple_k_, 6.0);
}

std::size_t Controller::ramped(std::size_t wish, double dt) {
  allowed_w_ += ramp_w_per_s * dt;
  if (power(wish) <= allowed_w_) return wish;
  std::size_t best = lowest_;
  double most = 0;
  for (std::size_t i = 0; i < points_.size(); ++i) {
    const double watts = power(i);
    if (watts > allowed_w_ || watts < most || points_[i].variant != points_[wish].variant) continue;
    most = watts;
    best = i;
  }
  return best;
}

void Controller::resynchronise(double celsius) {
  // Steady state under the present load explains a reading best when nothing else is known.
  const double r = total_resistance(soc_.network);
  const double watts = point_power(cluster_, points_[current_], celsius);
  ambient_ = std::clamp(celsius - r * watts - soc_.network.resistance.back() * soc_.other_w, options_.lowest_ambient_c,
                        options_.highest_ambient_c);
  Eigen::VectorXd state(static_cast<Eigen::Index>(soc_.network.capacity.size()));
  double at = celsius;
  for (Eigen::Index i = 0; i < state.size(); ++i) {
    state(i) = at;
    at -= watts * nth(soc_.network.resistance, i);
  }
  model_.set_state(state);
  filtered_ = celsius;
  recent_.clear();
  recent_.emplace_back(now_, celsius);
  synchronised_ = true;
  strange_since_s_.reset();
  trust_.forget_gain();
}

void Controller::replan() {
  PlanRequest request;
  request.ambient_c = std::max({ambient_, memory_.coldest_believed(), options_.lowest_ambient_c});
  const double over = std::max(0.0, filtered_ - aim());
  request.limit_c = std::max(request.ambient_c + 0.5, aim() + integral_ - over);
  request.accuracy_floor = options_.accuracy_floor;
  std::vector<double> fractions(points_.size(), 0.0);
  try {
    const SustainedPlan plan = make_plan(soc_, cluster_, points_, request);
    double hottest = 0;
    for (const PlanShare& share : plan.shares) {
      fractions[share.point] = share.fraction;
      hottest = std::max(hottest, point_power(cluster_, points_[share.point], plan.steady_c));
    }
    ripple_k_ = rise_per_watt_ * std::max(0.0, hottest - plan.power_w);
  } catch (const Error&) {  // not even the lowest point is cool enough
    fractions[lowest_] = 1;
    ripple_k_ = 0;
  }
  dither_.set(std::move(fractions));
}

std::size_t Controller::hold(std::size_t point, std::string why, double seconds) {
  trouble_ = std::move(why);
  hold_until_s_ = std::max(hold_until_s_, now_ + seconds);
  held_point_ = point;
  allowed_w_ = power(point);
  return held();
}

std::size_t Controller::held() {
  // Where the model sees the limit near, even the fallback is too much.
  current_ = guarded(held_point_);
  // A sensor in doubt gets its test here, where it does no harm.
  if (doubt_until_s_ >= now_ && now_ >= next_probe_s_) {
    next_probe_s_ = now_ + probe_s;
    current_ = slowest_of_variant(current_);
  }
  return current_;
}

void Controller::doubt() {
  if (doubt_until_s_ >= now_) return;
  doubt_until_s_ = now_ + doubt_s_;
  doubt_s_ = std::min(2 * doubt_s_, longest_doubt_s);
}

Controller::Reading Controller::hottest(const std::vector<std::optional<double>>& celsius) {
  Reading reading{std::nullopt, "the sensor cannot be read"};
  for (const std::optional<double>& one : celsius) {
    if (!one) continue;
    if (const auto impossible = impossible_celsius(*one)) {
      reading.why = "the sensor " + *impossible;
    } else if (!reading.celsius || *one > *reading.celsius) {
      reading.celsius = one;
    }
  }
  return reading;
}

void Controller::live_on(double dt, double mhz) {
  std::size_t running = current_;
  if (mhz > 0 && std::abs(mhz - points_[current_].opp.mhz) > 0.5) {
    for (std::size_t i = 0; i < points_.size(); ++i) {
      if (points_[i].variant != points_[current_].variant || points_[i].opp.mhz > mhz + 0.5) continue;
      if (points_[running].opp.mhz > mhz + 0.5 || points_[i].opp.mhz > points_[running].opp.mhz) running = i;
    }
  }
  if (synchronised_ && dt > 0) {
    // A tenth of a degree is fine enough, and keeps the model's table of step matrices small.
    model_.set_ambient(std::round(ambient_ * 10) / 10);
    model_.advance(dt, points_[running].load);
  }
  recent_.emplace_back(now_, model_.celsius());
  while (recent_.front().first < now_ - sensor_delay_s) recent_.pop_front();
}

void Controller::notice_foreign_writes(double mhz) {
  foreign_write_.clear();
  const double ours = points_[current_].opp.mhz;
  if (mhz <= 0 || !last_step_s_ || std::abs(mhz - ours) <= 0.5) return;
  if (mhz < ours) {
    foreign_write_ =
        fmt::format("the kernel or another process limits to {:g} MHz, below the {:g} MHz that are allowed", mhz, ours);
    return;
  }
  foreign_write_ = fmt::format("another process raised the limit to {:g} MHz; {:g} MHz is in force again", mhz, ours);
  const bool soon = now_ < foreign_until_s_ + foreign_hold_s_;
  foreign_hold_s_ = soon ? std::min(2 * foreign_hold_s_, longest_foreign_hold_s) : foreign_hold_s;
  foreign_until_s_ = now_ + foreign_hold_s_;
}

SensorTrust::Model Controller::recent_model() const {
  SensorTrust::Model model{model_.celsius(), model_.celsius(), model_.celsius()};
  for (const auto& [time, value] : recent_) {
    model.coldest = std::min(model.coldest, value);
    model.hottest = std::max(model.hottest, value);
  }
  return model;
}

std::optional<std::string> Controller::observe(double celsius, double dt) {
  // A late reading shows the model's temperature of a moment ago. A reading is strange if the model had it at no time
  // of that moment. The observer compares with the mean over the moment.
  const auto [now_c, coldest, hottest] = recent_model();
  double mean = 0;
  for (const auto& [time, value] : recent_) mean += value / static_cast<double>(recent_.size());
  const double quantum = std::min(trust_.quantum_k(), largest_quantum_k);
  const double tolerance = strange_k + 4 * trust_.noise_k() + quantum;
  const double strangeness = celsius - std::clamp(celsius, coldest, hottest);
  const double innovation = hottest - coldest > tolerance ? 0 : celsius + quantum / 4 - mean;
  if (std::abs(strangeness) > tolerance) {
    if (!strange_since_s_) strange_since_s_ = now_;
    const double since = now_ - *strange_since_s_;
    std::string why = fmt::format("the sensor reads {:.1f} where the model says {:.1f} degrees", celsius, now_c);
    if (since > model_wrong_s) {
      // The model may be what is wrong: believe the sensor again, from the fallback.
      resynchronise(celsius);
      return why;
    }
    if (since >= strange_s || strangeness > 0) return why;
    return std::nullopt;
  }
  strange_since_s_.reset();
  // With more noise the observer's poles are slower, so that the estimate stays as quiet.
  const double slower = std::clamp(quiet_noise_k / trust_.noise_k(), 0.15, 1.0);
  Eigen::VectorXd state = model_.state();
  state.array() += std::min(1.0, slower * state_gain_ * dt) * innovation;
  model_.set_state(state);
  ambient_ += std::max(std::min(1.0, slower * slower * ambient_gain_ * dt) * innovation, -cooling_k_per_s * dt);
  ambient_ = std::clamp(ambient_, options_.lowest_ambient_c, options_.highest_ambient_c);
  filtered_ += std::min(1.0, dt / 2) * (celsius + quantum / 4 - filtered_);
  if (ambient_ <= options_.lowest_ambient_c && strangeness < -strange_k / 2) {
    resynchronise(celsius);
    return "the sensor reads less than any ambient explains";
  }
  return std::nullopt;
}

bool Controller::at_the_limit(double celsius) {
  // As many readings as their noise needs for a mean that is good to half a kelvin; never one alone.
  const double noise = trust_.noise_k() / 0.5;
  const auto wanted = static_cast<std::size_t>(std::clamp(std::ceil(noise * noise), 2.0, 30.0));
  readings_.push_front(celsius);
  while (readings_.size() > wanted) readings_.pop_back();
  if (readings_.size() < wanted) return false;
  double mean = 0;
  for (const double reading : readings_) mean += reading / static_cast<double>(wanted);
  const double quantum = std::min(trust_.quantum_k(), largest_quantum_k);
  return mean >= options_.limit_c - 0.5 + quantum / 2;
}

std::size_t Controller::step(double now_s, const Observation& seen) {
  const double dt = last_step_s_ ? std::clamp(now_s - *last_step_s_, 0.0, 60.0) : 0.0;
  now_ = now_s;
  notice_foreign_writes(seen.mhz);
  last_step_s_ = now_s;
  live_on(dt, seen.mhz);
  const Reading reading = hottest(seen.celsius);
  reading_ = reading.celsius;
  if (!reading.celsius) return hold(fallback_, reading.why, 5);
  const double celsius = *reading.celsius;
  if (!synchronised_) {
    resynchronise(celsius);
    next_plan_s_ = now_s;
  }
  const auto unbelieved = trust_.see(celsius, recent_model(), !strange_since_s_);
  const auto strange = observe(celsius, dt);
  if (at_the_limit(celsius)) {
    const double allowed = allowed_w_;
    const std::size_t point = hold(lowest_, fmt::format("{:.1f} degrees is at the limit", celsius), 4);
    allowed_w_ = std::min(allowed, 0.4 * power(points_.size() - 1));
    return point;
  }
  if (unbelieved) {
    doubt();
    return hold(fallback_, *unbelieved, 5);
  }
  if (strange) return hold(fallback_, *strange, distrust_s);
  if (now_s < foreign_until_s_) return hold(fallback_, "another process raised the limit and may do so again", 5);
  if (doubt_until_s_ >= now_s) {
    if (!trust_.follows()) return hold(fallback_, trouble_, 5);
    doubt_until_s_ = -1;
    doubt_s_ = 60;
  }
  memory_.see(now_s, dt, ambient_);
  if (memory_.falls_fast()) {
    return hold(fallback_,
                fmt::format("the sensor reads as if the room had cooled by {:g} K within {:g} minutes",
                            AmbientMemory::fast_fall_k, AmbientMemory::fast_fall_s / 60),
                5);
  }
  if (now_s < hold_until_s_) return held();
  trouble_.clear();
  const double error = aim() - filtered_;
  if (std::abs(error) < 15)
    integral_ = std::clamp(integral_ + integral_rate * error * dt, -10.0, options_.margin_k / 2);
  if (now_s >= next_plan_s_ || error < -0.7) {
    replan();
    next_plan_s_ = now_s + options_.replan_s;
  }
  current_ = guarded(ramped(dither_.next(), dt));
  if (trust_.wants_probe() && now_s >= next_probe_s_) {
    const std::size_t slow = slowest_of_variant(current_);
    if (rise_per_watt_ * (power(current_) - power(slow)) >= probe_worth_k) {
      next_probe_s_ = now_s + probe_s;
      current_ = slow;
    }
  }
  return current_;
}

}  // namespace trimtab::thermal
