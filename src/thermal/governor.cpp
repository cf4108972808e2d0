#include "thermal/governor.h"

#include <algorithm>
#include <cmath>

namespace trimtab::thermal {
namespace {

int millidegrees(double celsius) { return static_cast<int>(std::floor(celsius * 1000)); }

class Hysteresis : public Governor {
 public:
  explicit Hysteresis(const HysteresisOptions& options) : options_(options) {}
  std::size_t decide(double celsius) override {
    if (celsius >= options_.trip_c) hot_ = true;
    if (celsius <= options_.trip_c - options_.hysteresis_k) hot_ = false;
    return hot_ ? options_.dropped : options_.normal;
  }
  [[nodiscard]] double period_s() const override { return options_.period_s; }

 private:
  HysteresisOptions options_;
  bool hot_ = false;
};

class Fixed : public Governor {
 public:
  explicit Fixed(std::size_t point) : point_(point) {}
  std::size_t decide(double /*celsius*/) override { return point_; }
  [[nodiscard]] double period_s() const override { return 1; }

 private:
  std::size_t point_;
};

class Mix : public Governor {
 public:
  Mix(std::vector<double> fractions, double period_s) : dither_(std::move(fractions)), period_(period_s) {}
  std::size_t decide(double /*celsius*/) override { return dither_.next(); }
  [[nodiscard]] double period_s() const override { return period_; }

 private:
  Dither dither_;
  double period_;
};

class Pi : public Governor {
 public:
  explicit Pi(const PiOptions& options) : options_(options), integral_(static_cast<double>(options.points) - 1) {}
  std::size_t decide(double celsius) override {
    const double top = static_cast<double>(options_.points) - 1;
    const double error = options_.setpoint_c - celsius;
    // Anti-windup: the integral loses the part that the proportional part already saturates.
    const double highest = std::clamp(top - options_.proportional * error, 0.0, top);
    integral_ = std::clamp(integral_ + options_.integral * error * options_.period_s, 0.0, highest);
    const double level = std::clamp(integral_ + options_.proportional * error, 0.0, top);
    carry_ += level - std::floor(level);
    const double up = carry_ >= 1 ? 1 : 0;
    carry_ -= up;
    return static_cast<std::size_t>(std::min(std::floor(level) + up, top));
  }
  [[nodiscard]] double period_s() const override { return options_.period_s; }

 private:
  PiOptions options_;
  double integral_;
  double carry_ = 0.5;
};

class StepWisePolicy : public Governor {
 public:
  StepWisePolicy(std::vector<StepWise::Binding> bindings, std::size_t points, double period_s)
      : model_(std::move(bindings)), points_(points), period_(period_s) {}
  std::size_t decide(double celsius) override {
    const auto state = static_cast<std::size_t>(model_.decide(millidegrees(celsius)));
    return state >= points_ ? 0 : points_ - 1 - state;
  }
  [[nodiscard]] double period_s() const override { return period_; }

 private:
  StepWise model_;
  std::size_t points_;
  double period_;
};

class PowerAllocatorPolicy : public Governor {
 public:
  PowerAllocatorPolicy(const PowerAllocator::Parameters& parameters, const std::vector<int>& power)
      : model_(parameters, power), points_(power.size()), period_(parameters.poll_ms * 1e-3) {}
  std::size_t decide(double celsius) override {
    return points_ - 1 - static_cast<std::size_t>(model_.decide(millidegrees(celsius)));
  }
  [[nodiscard]] double period_s() const override { return period_; }

 private:
  PowerAllocator model_;
  std::size_t points_;
  double period_;
};

}  // namespace

std::size_t Dither::next() {
  std::size_t best = credit_.size();
  for (std::size_t i = 0; i < credit_.size(); ++i) {
    credit_[i] += fractions_[i];
    if (fractions_[i] > 0 && (best == credit_.size() || credit_[i] > credit_[best])) best = i;
  }
  if (best == credit_.size()) return 0;
  credit_[best] -= 1;
  return best;
}

void Dither::set(std::vector<double> fractions) {
  fractions_ = std::move(fractions);
  credit_.resize(fractions_.size(), 0.0);
  // A point without a share must not get the time that it was owed under the old shares: one step at the highest
  // frequency is a pulse of ten and more kelvin.
  for (std::size_t i = 0; i < credit_.size(); ++i)
    credit_[i] = fractions_[i] > 0 ? std::clamp(credit_[i], -1.0, 1.0) : 0.0;
}

std::unique_ptr<Governor> make_hysteresis(const HysteresisOptions& options) {
  return std::make_unique<Hysteresis>(options);
}

std::unique_ptr<Governor> make_bang_bang(double trip_c, double hysteresis_k, std::size_t points, double period_s) {
  return std::make_unique<Hysteresis>(HysteresisOptions{trip_c, hysteresis_k, 0, points - 1, period_s});
}

std::unique_ptr<Governor> make_fixed(std::size_t point) { return std::make_unique<Fixed>(point); }

std::unique_ptr<Governor> make_mix(std::vector<double> fractions, double period_s) {
  return std::make_unique<Mix>(std::move(fractions), period_s);
}

std::unique_ptr<Governor> make_pi(const PiOptions& options) { return std::make_unique<Pi>(options); }

std::unique_ptr<Governor> make_step_wise(std::vector<StepWise::Binding> bindings, std::size_t points, double period_s) {
  return std::make_unique<StepWisePolicy>(std::move(bindings), points, period_s);
}

std::unique_ptr<Governor> make_power_allocator(const PowerAllocator::Parameters& parameters,
                                               const std::vector<int>& power_mW) {
  return std::make_unique<PowerAllocatorPolicy>(parameters, power_mW);
}

}  // namespace trimtab::thermal
