#include "thermal/sensor_trust.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace trimtab::thermal {
namespace {

constexpr double high_pass_s = 3;     ///< slower changes are the room's, not those of switching
constexpr double gain_memory_s = 20;  ///< of the estimate of the gain
constexpr double impossible = 1e-8;   ///< probability below which a run of equal readings is no chance
constexpr std::int64_t shortest_run = 4;
constexpr std::size_t most_lags = 9;

}  // namespace

SensorTrust::SensorTrust(double period_s, double longest_delay_s) : period_s_(period_s) {
  const auto steps = static_cast<std::size_t>(std::ceil(longest_delay_s / period_s));
  lag_stride_ = steps / most_lags + 1;
  products_.assign(steps / lag_stride_ + 1, 0.0);
  squares_.assign(products_.size(), 0.0);
}

double SensorTrust::quantum_k() const { return steps_seen_ < 3 ? 0 : smallest_step_; }

double SensorTrust::spread() const {
  // The differences that the noise is learned from hold some of the quantization already.
  return std::max({noise_, quantum_k() / std::sqrt(12.0), 0.05});
}

double SensorTrust::gain() const {
  double best = -1;
  for (std::size_t i = 0; i < products_.size(); ++i) best = std::max(best, products_[i] / (squares_[i] + 1e-9));
  return best;
}

double SensorTrust::gain_uncertainty() const {
  const double least = *std::min_element(squares_.begin(), squares_.end());
  return spread() / std::sqrt(least + 1e-9);
}

void SensorTrust::forget_gain() {
  std::fill(products_.begin(), products_.end(), 0.0);
  std::fill(squares_.begin(), squares_.end(), 0.0);
}

bool SensorTrust::identical_for_too_long(double reading) {
  if (!last_reading_ || reading != *last_reading_) {
    if (last_reading_) {
      const double step = std::abs(reading - *last_reading_);
      smallest_step_ = std::min(smallest_step_, step);
      ++steps_seen_;
      compared_ += static_cast<double>(run_);
      identical_ += static_cast<double>(run_ - 1);
      if (compared_ > 2000) {
        compared_ /= 2;
        identical_ /= 2;
      }
    }
    run_ = 1;
    return false;
  }
  ++run_;
  if (run_ < shortest_run || compared_ < 50) return false;
  const double usual = (identical_ + 1) / (compared_ + 2);
  return static_cast<double>(run_) * std::log(usual) < std::log(impossible);
}

void SensorTrust::learn_noise(double reading, const Model& model, bool steady) {
  // A late reading shows a temperature that the model had a moment ago.
  const double error = reading - std::clamp(reading, model.coldest, model.hottest);
  if (steady) {
    // The mean of |x - y| of two normal numbers is 2 sigma / sqrt(pi). One outlier counts for little.
    const double difference = std::min(std::abs(error - last_error_), 6 * noise_ + 1);
    noise_ += 0.02 * (0.8862 * difference - noise_);
    noise_ = std::max(noise_, 0.02);
  }
  last_error_ = error;
}

void SensorTrust::correlate(double reading, double model) {
  const double share = std::min(1.0, period_s_ / high_pass_s);
  if (!last_reading_) {
    model_mean_ = model;
    reading_mean_ = reading;
  }
  const double change = model - model_mean_;
  const double seen = reading - reading_mean_;
  model_mean_ += share * change;
  reading_mean_ += share * seen;
  changes_.push_front(change);
  if (changes_.size() > products_.size() * lag_stride_) changes_.pop_back();
  const double keep = std::exp(-period_s_ / gain_memory_s);
  for (std::size_t i = 0; i < products_.size(); ++i) {
    products_[i] *= keep;
    squares_[i] *= keep;
    const std::size_t lag = i * lag_stride_;
    if (lag >= changes_.size()) continue;
    products_[i] += changes_[lag] * seen;
    squares_[i] += changes_[lag] * changes_[lag];
  }
}

std::optional<std::string> SensorTrust::see(double reading, const Model& model, bool steady) {
  correlate(reading, model.celsius);
  learn_noise(reading, model, steady);
  const bool identical = identical_for_too_long(reading);
  last_reading_ = reading;
  if (identical) {
    return fmt::format("the sensor is stuck at {:.1f} degrees: it has shown the same {} times in a row", reading, run_);
  }
  if (!wants_probe() && gain() + 3 * gain_uncertainty() < least_gain) {
    return fmt::format("the sensor at {:.1f} degrees does not follow the changes of power", reading);
  }
  return std::nullopt;
}

}  // namespace trimtab::thermal
