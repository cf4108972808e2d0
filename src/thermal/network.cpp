#include "thermal/network.h"

#include <Eigen/Dense>
#include <bit>
#include <cmath>
#include <limits>
#include <unsupported/Eigen/MatrixFunctions>

#include "base/error.h"
#include "base/index.h"

namespace trimtab::thermal {
namespace {

std::uint64_t mix(std::uint64_t hash, double value) {
  hash ^= std::bit_cast<std::uint64_t>(value) + 0x9e3779b97f4a7c15U + (hash << 6U) + (hash >> 2U);
  return hash * 0xbf58476d1ce4e5b9U;
}

}  // namespace

Eigen::MatrixXd state_matrix(const Network& network, bool fan) {
  const auto count = static_cast<Eigen::Index>(network.capacity.size());
  Eigen::MatrixXd a = Eigen::MatrixXd::Zero(count, count);
  for (Eigen::Index i = 0; i < count; ++i) {
    const double c = nth(network.capacity, i);
    if (i + 1 < count) {
      const double g = 1 / nth(network.resistance, i);
      const double next = nth(network.capacity, i + 1);
      a(i, i) -= g / c;
      a(i, i + 1) += g / c;
      a(i + 1, i + 1) -= g / next;
      a(i + 1, i) += g / next;
    } else {
      a(i, i) -= 1 / (resistance_behind(network, network.resistance.size() - 1, fan) * c);
    }
  }
  return a;
}

Plant::Plant(const Network& network, const PowerModel& power, double other_w, double ambient_c, double start_c)
    : network_(network),
      power_(power),
      heat_(network.capacity.size(), 0.0),
      ambient_(ambient_c),
      state_(Eigen::VectorXd::Constant(static_cast<Eigen::Index>(network.capacity.size()), start_c)),
      peak_(start_c) {
  heat_.back() = other_w;
}

const Plant::Step& Plant::step(double seconds, const Load& load, int degree) {
  std::uint64_t key = mix(mix(mix(mix(mix(1, seconds), load.fixed_w), load.volts), degree), ambient_);
  key = mix(key, fan_ ? 1 : 0);
  for (const double watts : heat_) key = mix(key, watts);
  const auto found = steps_.find(key);
  if (found != steps_.end()) return found->second;
  if (steps_.size() > 20000) steps_.clear();

  Step step;
  step.slope = leakage_slope(power_, load.volts, degree);
  step.leakage = leakage_w(power_, load.volts, degree) - step.slope * degree;
  // State: node temperatures above ambient, the integral of node 0, and the constant 1.
  const auto count = static_cast<Eigen::Index>(network_.capacity.size());
  Eigen::MatrixXd system = Eigen::MatrixXd::Zero(count + 2, count + 2);
  system.topLeftCorner(count, count) = state_matrix(network_, fan_);
  system(0, 0) += step.slope / network_.capacity[0];
  system(0, count + 1) += (load.fixed_w + step.leakage + step.slope * ambient_) / network_.capacity[0];
  for (Eigen::Index i = 0; i < count; ++i) system(i, count + 1) += nth(heat_, i) / nth(network_.capacity, i);
  system(count, 0) = 1;
  const Eigen::MatrixXd whole = (system * seconds).exp();
  step.transition.resize(count, count + 1);
  step.transition << whole.topLeftCorner(count, count), whole.topRightCorner(count, 1);
  step.integral.resize(count + 1);
  step.integral << whole.row(count).head(count), whole(count, count + 1);
  return steps_.emplace(key, std::move(step)).first->second;
}

double Plant::advance(double seconds, const Load& load) {
  double energy = 0;
  double left = seconds;
  double attempt = seconds;
  const auto count = state_.size();
  Eigen::VectorXd extended(count + 1);
  extended(count) = 1;
  while (left > 0) {
    attempt = std::min(attempt, left);
    const int degree = static_cast<int>(std::lround(std::clamp(state_(0), -100.0, 400.0)));
    const Step& s = step(attempt, load, degree);
    extended.head(count) = state_.array() - ambient_;
    const Eigen::VectorXd next = s.transition * extended;
    const double reached = next(0) + ambient_;
    if (std::abs(reached - degree) > 1.5 && attempt > 1e-4 && reached < 400) {
      attempt /= 2;
      continue;
    }
    energy += (load.fixed_w + s.leakage) * attempt + s.slope * (s.integral.dot(extended) + ambient_ * attempt);
    state_ = next.array() + ambient_;
    peak_ = std::max(peak_, state_(0));
    if (!(state_(0) < 1000)) break;  // ran away; no chip is left to simulate
    left -= attempt;
    if (left < 1e-9 * seconds) break;
  }
  return energy;
}

Equilibrium equilibrium(const Network& network, const PowerModel& power, double other_w, double ambient_c,
                        const Load& load, bool fan) {
  const double r = total_resistance(network, fan);
  const double base =
      ambient_c + r * load.fixed_w + resistance_behind(network, network.resistance.size() - 1, fan) * other_w;
  const auto excess = [&](double t) { return base + r * leakage_w(power, load.volts, t) - t; };
  Equilibrium point;
  constexpr double infinity = std::numeric_limits<double>::infinity();
  if (power.leakage <= 0 || power.leakage_per_kelvin <= 0 || load.volts <= 0) {
    point.celsius = base + r * leakage_w(power, load.volts, 60);
    point.critical_c = infinity;
    return point;
  }
  // The convex excess() is least where r L'(T) = 1.
  const double scale = r * leakage_slope(power, load.volts, 60);
  const double lowest = std::min(400.0, 60 - std::log(scale) / power.leakage_per_kelvin);
  if (lowest <= ambient_c || excess(lowest) > 0) {
    point.stability = Stability::runaway;
    point.celsius = std::numeric_limits<double>::quiet_NaN();
    point.critical_c = std::numeric_limits<double>::quiet_NaN();
    return point;
  }
  const auto bisect = [&](double positive, double negative) {
    for (int i = 0; i < 80; ++i) {
      const double middle = 0.5 * (positive + negative);
      (excess(middle) > 0 ? positive : negative) = middle;
    }
    return 0.5 * (positive + negative);
  };
  point.celsius = bisect(std::min(base - 1, lowest), lowest);
  point.critical_c = excess(400.0) > 0 ? bisect(400.0, lowest) : infinity;
  return point;
}

}  // namespace trimtab::thermal
