#include "thermal/govern.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <unsupported/Eigen/MatrixFunctions>

#include "base/error.h"
#include "base/file.h"
#include "base/index.h"
#include "thermal/sysfs.h"

namespace trimtab::thermal {
namespace {

constexpr double strange_k = 12;       ///< a reading this far from the model cannot be true ...
constexpr double strange_s = 2;        ///< ... when it stays so for this long
constexpr double distrust_s = 15;      ///< time that a sensor must behave before it is believed again
constexpr double ramp_w_per_s = 0.25;  ///< after trouble power may rise this fast, so that a lie shows before it hurts
constexpr double sensor_delay_s = 2;   ///< readings may be this late
constexpr double frozen_k = 5;         ///< a sensor that shows the same while the model moves by this much ...
constexpr double frozen_s = 3;         ///< ... for longer than this is stuck
constexpr double cooling_k_per_s = 0.1;  ///< the ambient's estimate falls no faster: a lie must not raise power quickly
constexpr double guard_k = 1;            ///< no step may be predicted to end less than this below the limit
constexpr double integral_rate = 0.004;  ///< K per K s

}  // namespace

Controller::Controller(const Soc& soc, const Cluster& cluster, std::vector<ThermalPoint> points,
                       const GovernOptions& options)
    : soc_(soc),
      cluster_(cluster),
      points_(std::move(points)),
      options_(options),
      model_(soc.network, cluster.power, soc.other_w, 25, 25),
      dither_(std::vector<double>(points_.size(), 0.0)) {
  if (points_.empty()) throw bad_input("there is no thermal point to govern with");
  if (options.limit_c - options.margin_k <= options.lowest_ambient_c) {
    throw bad_input("the limit of {} degrees is not above any ambient; give a higher one", options.limit_c);
  }
  for (std::size_t i = 1; i < points_.size(); ++i) {
    if (point_power(cluster_, points_[i], options_.limit_c) <
        point_power(cluster_, points_[lowest_], options_.limit_c)) {
      lowest_ = i;
    }
  }
  current_ = lowest_;
  allowed_w_ = point_power(cluster_, points_[lowest_], options_.limit_c);
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
    if (points_[i].variant != points_[wish].variant || points_[i].rate <= fastest || predicted(i) > highest) continue;
    fastest = points_[i].rate;
    best = i;
  }
  return best;
}

double Controller::aim() const { return options_.limit_c - options_.margin_k - std::min(ripple_k_, 6.0); }

std::size_t Controller::ramped(std::size_t wish, double dt) {
  allowed_w_ += ramp_w_per_s * dt;
  if (point_power(cluster_, points_[wish], options_.limit_c) <= allowed_w_) return wish;
  std::size_t best = lowest_;
  double most = 0;
  for (std::size_t i = 0; i < points_.size(); ++i) {
    const double power = point_power(cluster_, points_[i], options_.limit_c);
    if (power > allowed_w_ || power < most || points_[i].variant != points_[wish].variant) continue;
    most = power;
    best = i;
  }
  return best;
}

void Controller::resynchronise(double celsius) {
  // Steady state under the present load explains a reading best when nothing else is known.
  const double r = total_resistance(soc_.network);
  const double power = point_power(cluster_, points_[current_], celsius);
  ambient_ = std::clamp(celsius - r * power - soc_.network.resistance.back() * soc_.other_w, options_.lowest_ambient_c,
                        options_.highest_ambient_c);
  Eigen::VectorXd state(static_cast<Eigen::Index>(soc_.network.capacity.size()));
  double at = celsius;
  for (Eigen::Index i = 0; i < state.size(); ++i) {
    state(i) = at;
    at -= power * nth(soc_.network.resistance, i);
  }
  model_.set_state(state);
  filtered_ = celsius;
  recent_.clear();
  recent_.emplace_back(now_, celsius);
  synchronised_ = true;
  strange_since_s_.reset();
}

void Controller::replan() {
  PlanRequest request;
  request.ambient_c = ambient_;
  const double over = std::max(0.0, filtered_ - aim());
  request.limit_c = std::max(ambient_ + 0.5, aim() + integral_ - over);
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

bool Controller::stuck(double celsius) {
  const double model = model_.celsius();
  if (celsius != last_reading_) {
    last_reading_ = celsius;
    same_since_s_ = now_;
    same_lowest_ = same_highest_ = model;
  }
  same_lowest_ = std::min(same_lowest_, model);
  same_highest_ = std::max(same_highest_, model);
  return same_highest_ - same_lowest_ > frozen_k && now_ - same_since_s_ > frozen_s;
}

std::size_t Controller::hold_lowest(std::string why, double seconds) {
  trouble_ = std::move(why);
  hold_until_s_ = std::max(hold_until_s_, now_ + seconds);
  allowed_w_ = point_power(cluster_, points_[lowest_], options_.limit_c);
  current_ = lowest_;
  return current_;
}

std::size_t Controller::step(double now_s, std::optional<double> celsius) {
  const double dt = last_step_s_ ? std::clamp(now_s - *last_step_s_, 0.0, 60.0) : 0.0;
  last_step_s_ = now_s;
  now_ = now_s;
  if (synchronised_ && dt > 0) {
    // A tenth of a degree is fine enough, and keeps the model's table of step matrices small.
    model_.set_ambient(std::round(ambient_ * 10) / 10);
    model_.advance(dt, points_[current_].load);
  }
  recent_.emplace_back(now_s, model_.celsius());
  while (recent_.front().first < now_s - sensor_delay_s) recent_.pop_front();
  if (!celsius) return hold_lowest("the sensor cannot be read", 5);
  if (!(*celsius > -30 && *celsius < 130)) return hold_lowest(fmt::format("the sensor reads {} degrees", *celsius), 5);
  if (!synchronised_) {
    resynchronise(*celsius);
    next_plan_s_ = now_s;
  }

  if (stuck(*celsius)) return hold_lowest(fmt::format("the sensor is stuck at {} degrees", *celsius), 5);

  // A late reading shows the model's temperature of a moment ago. A reading is strange if the model had it at no time
  // of that moment. The observer compares with the mean over the moment.
  double coldest = model_.celsius();
  double hottest = coldest;
  double mean = 0;
  for (const auto& [time, value] : recent_) {
    coldest = std::min(coldest, value);
    hottest = std::max(hottest, value);
    mean += value / static_cast<double>(recent_.size());
  }
  const double strangeness = *celsius - std::clamp(*celsius, coldest, hottest);
  const double innovation = hottest - coldest > strange_k ? 0 : *celsius - mean;
  if (std::abs(strangeness) > strange_k) {
    if (!strange_since_s_) strange_since_s_ = now_s;
    const double since = now_s - *strange_since_s_;
    if (since > 60) {
      // The model may be what is wrong: believe the sensor again, from the lowest point.
      resynchronise(*celsius);
      return hold_lowest("the sensor and the model disagree", distrust_s);
    }
    if (since >= strange_s || strangeness > 0) {
      return hold_lowest(
          fmt::format("the sensor reads {:.1f} where the model says {:.1f} degrees", *celsius, model_.celsius()),
          distrust_s);
    }
  } else {
    strange_since_s_.reset();
    Eigen::VectorXd state = model_.state();
    state.array() += std::min(1.0, state_gain_ * dt) * innovation;
    model_.set_state(state);
    ambient_ += std::max(std::min(1.0, ambient_gain_ * dt) * innovation, -cooling_k_per_s * dt);
    ambient_ = std::clamp(ambient_, options_.lowest_ambient_c, options_.highest_ambient_c);
    filtered_ += std::min(1.0, dt / 2) * (*celsius - filtered_);
    if (ambient_ <= options_.lowest_ambient_c && strangeness < -3) {
      resynchronise(*celsius);
      return hold_lowest("the sensor reads less than any ambient explains", distrust_s);
    }
  }

  above_ = *celsius >= options_.limit_c - 0.5 ? above_ + 1 : 0;
  if (above_ >= 2) {
    const double allowed = allowed_w_;
    const std::size_t lowest = hold_lowest(fmt::format("{:.1f} degrees is at the limit", *celsius), 4);
    allowed_w_ = std::min(allowed, 0.4 * point_power(cluster_, points_.back(), options_.limit_c));
    return lowest;
  }
  if (now_s < hold_until_s_) {
    current_ = lowest_;
    return current_;
  }
  trouble_.clear();
  const double error = aim() - filtered_;
  if (std::abs(error) < 15)
    integral_ = std::clamp(integral_ + integral_rate * error * dt, -10.0, options_.margin_k / 2);
  if (now_s >= next_plan_s_ || error < -0.7) {
    replan();
    next_plan_s_ = now_s + options_.replan_s;
  }
  current_ = guarded(ramped(dither_.next(), dt));
  return current_;
}

SysfsDevice::SysfsDevice(const std::filesystem::path& root, const std::string& policy, const std::string& zone,
                         std::filesystem::path operating_point_file)
    : temperature_path_(root / "class/thermal" / zone / "temp"),
      limit_path_(root / "devices/system/cpu/cpufreq" / policy / "scaling_max_freq"),
      operating_point_file_(std::move(operating_point_file)) {
  const std::optional<std::string> limit = read_attribute(limit_path_);
  if (!limit || limit->empty()) {
    throw bad_input("{} cannot be read; --policy must name a cpufreq policy of this board", limit_path_.string());
  }
  if (!read_celsius()) {
    throw bad_input("{} cannot be read; --zone must name a thermal zone of this board", temperature_path_.string());
  }
  original_ = *limit;
  write_attribute(limit_path_, original_);  // finds out now whether it may be written
  written_ = original_;
}

std::optional<double> SysfsDevice::read_celsius() const {
  const std::optional<std::string> text = read_attribute(temperature_path_);
  if (!text) return std::nullopt;
  double value = 0;
  const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), value);
  if (error != std::errc{} || end == text->data()) return std::nullopt;
  return value / 1000;
}

void SysfsDevice::apply(const ThermalPoint& point) {
  const std::string khz = fmt::format("{:.0f}", point.opp.mhz * 1000);
  if (khz != written_) {
    write_attribute(limit_path_, khz);
    written_ = khz;
  }
  if (!operating_point_file_.empty() && point.variant != variant_) {
    write_file(operating_point_file_, point.variant + "\n");
    variant_ = point.variant;
  }
}

void SysfsDevice::restore() noexcept {
  if (!operating_point_file_.empty()) {
    std::error_code error;
    std::filesystem::remove(operating_point_file_, error);
    variant_.clear();
  }
  try {
    write_attribute(limit_path_, original_);
    written_ = original_;
  } catch (...) {  // nothing is left to try; the kernel's trips remain
  }
}

void govern(Controller& controller, SysfsDevice& device, Clock& clock, double period_s,
            const std::function<void(std::size_t)>& each) {
  try {
    double next = clock.now_s();
    do {
      const std::size_t point = controller.step(clock.now_s(), device.read_celsius());
      device.apply(controller.points()[point]);
      if (each) each(point);
      // After a pause (suspend, a stopped process) time goes on from now instead of catching up.
      next = std::max(next + period_s, clock.now_s());
    } while (clock.sleep_until(next));
  } catch (...) {
    device.restore();
    throw;
  }
  device.restore();
}

}  // namespace trimtab::thermal
