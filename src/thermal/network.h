#pragma once

#include <Eigen/Core>
#include <cstdint>
#include <unordered_map>
#include <vector>

#include "thermal/soc.h"

namespace trimtab::thermal {

/// The power that heats the network for a while: P(T) = fixed_w + leakage(V, T).
struct Load {
  double fixed_w = 0;  ///< everything that does not depend on temperature
  double volts = 0;    ///< for the leakage
};

/// The matrix A of dT/dt = A (T - ambient) + C^-1 P, 1/s.
[[nodiscard]] Eigen::MatrixXd state_matrix(const Network& network, bool fan);

/// Integrates the network under piecewise constant loads. Between events the linear network is integrated exactly
/// (matrix exponential). The leakage is the only nonlinear part. Its tangent at the nearest whole degree replaces it. A
/// step that leaves that degree by more than one is halved, so that the error of the tangent stays below
/// 1/2 L'' (1.5 K)^2 (about 4 mW for the Cortex-A15 at 85 degrees).
class Plant {
 public:
  Plant(const Network& network, const PowerModel& power, double other_w, double ambient_c, double start_c);

  /// Goes on by `seconds` under `load`. Returns the energy that the cluster took, J. Stops where thermal runaway has
  /// passed 1000 degrees.
  double advance(double seconds, const Load& load);

  [[nodiscard]] double celsius() const { return state_(0); }  ///< node 0, which the sensor reads
  [[nodiscard]] const Eigen::VectorXd& state() const { return state_; }
  /// Highest celsius() at any end of a step since the last reset_peak().
  [[nodiscard]] double peak() const { return peak_; }
  void reset_peak() { peak_ = state_(0); }
  void set_ambient(double celsius) { ambient_ = celsius; }
  void set_state(const Eigen::VectorXd& celsius) { state_ = celsius; }
  void set_network(const Network& network) {
    network_ = network;
    steps_.clear();
  }
  void set_fan(bool on) { fan_ = on; }
  /// Watts into a node from elsewhere than the cluster, from now on. The last node begins with the rest of the board.
  void set_heat(std::size_t node, double watts) { heat_.at(node) = watts; }

 private:
  struct Step {
    Eigen::MatrixXd transition;   ///< of the temperatures above ambient and the constant 1
    Eigen::RowVectorXd integral;  ///< of node 0 over the step, K s
    double leakage = 0;           ///< tangent: leakage(T) = leakage + slope T
    double slope = 0;
  };
  const Step& step(double seconds, const Load& load, int degree);

  Network network_;
  PowerModel power_;
  std::vector<double> heat_;  ///< by node, W, beside the cluster's
  double ambient_;
  bool fan_ = false;
  Eigen::VectorXd state_;
  double peak_;
  std::unordered_map<std::uint64_t, Step> steps_;
};

enum class Stability { stable, runaway };

/// A fixed point of T = ambient + R (P(T)) + R_last other_w.
struct Equilibrium {
  Stability stability = Stability::stable;
  double celsius = 0;     ///< the lower, stable fixed point; where it runs away, not a number
  double critical_c = 0;  ///< the upper, unstable fixed point: from above it the temperature runs away
};

/// Solves the scalar fixed point. The map is convex in T, so that it has two fixed points (the lower is stable) or none
/// (thermal runaway). Looks up to 400 degrees.
[[nodiscard]] Equilibrium equilibrium(const Network& network, const PowerModel& power, double other_w, double ambient_c,
                                      const Load& load, bool fan = false);

}  // namespace trimtab::thermal
