#pragma once

#include <limits>
#include <vector>

#include "thermal/workload.h"

namespace trimtab::thermal {

enum class Objective {
  throughput,  ///< most inferences per second
  energy,      ///< least power at a required rate
};

struct PlanRequest {
  Objective objective = Objective::throughput;
  double ambient_c = 25;
  double limit_c = 85;
  double accuracy_floor = 0;  ///< percent, mean over inferences
  double rate = 0;            ///< inferences per second, for Objective::energy
  bool fan = false;
  double deadline_s = std::numeric_limits<double>::infinity();  ///< of an inference
  double miss_share = 0;  ///< share of the inferences that may take longer than the deadline
  double mean_w = std::numeric_limits<double>::infinity();  ///< bound on the mean power of all clusters

  [[nodiscard]] bool is_late(const ThermalPoint& point) const { return point.latency_s > deadline_s; }
  /// Right answers per second above those that the floor asks for, in percent of an answer: at least 0 on the mean.
  [[nodiscard]] double accuracy_surplus(const ThermalPoint& point) const {
    return point.rate * (point.accuracy - accuracy_floor);
  }
  /// Late inferences per second above those that are allowed: at most 0 on the mean.
  [[nodiscard]] double late_surplus(const ThermalPoint& point) const {
    return point.rate * ((is_late(point) ? 1 : 0) - miss_share);
  }
};

/// A cluster and the points that it can be at. The clusters of a plan compute at the same time, each its own
/// inferences; one that need not work has idle points, too.
struct ClusterPoints {
  Cluster cluster;
  std::vector<ThermalPoint> points;
};

struct PlanShare {
  std::size_t point = 0;
  double fraction = 0;      ///< of time
  std::size_t cluster = 0;  ///< index of the ClusterPoints
};

struct SustainedPlan {
  std::vector<PlanShare> shares;  ///< by cluster, rising power; those of a cluster add up to 1
  double rate = 0;                ///< inferences per second, of all clusters
  double power_w = 0;             ///< of the clusters at the steady temperature
  double accuracy = 0;            ///< mean over inferences
  double steady_c = 0;            ///< of node 0; simulated
  double late_share = 0;          ///< of the inferences: those that take longer than the deadline
  double rate_per_kelvin = 0;     ///< inferences/s gained per kelvin of headroom (dual of the temperature's constraint)
  double rate_per_point = 0;      ///< inferences/s gained per point of accuracy given up (dual of the floor)
};

/// Chooses shares of time by a linear program (GLPK's simplex). Switching is fast against the thermal time constants,
/// so that the mean power counts. The leakage is taken at the limit. The map from temperature to temperature rises, so
/// that its fixed point is below the limit exactly if its value at the limit is. The constraint is thus exact where it
/// binds and safe where it does not. It is safe, too, for a cluster that heats another node: that node is never hotter
/// than node 0. Where power counts (Objective::energy, mean_w), its leakage is that of the plan's own steady
/// temperature, within 0.01 K. Throws Error (bad input) for a limit at or below the ambient. Throws Error (bound not
/// met), naming the nearest that can be met, where no share satisfies limit, accuracy floor, deadline, power and rate.
[[nodiscard]] SustainedPlan make_plan(const Soc& soc, const std::vector<ClusterPoints>& clusters,
                                      const PlanRequest& request);
/// Of one cluster.
[[nodiscard]] SustainedPlan make_plan(const Soc& soc, const Cluster& cluster, const std::vector<ThermalPoint>& points,
                                      const PlanRequest& request);

/// The most time, as a share, in which nothing is computed since a cluster changes its frequency, where shares are
/// spread over steps of `step_s` seconds.
[[nodiscard]] double switching_loss(const std::vector<ClusterPoints>& clusters, const SustainedPlan& plan,
                                    double step_s);

struct Sprint {
  std::size_t point = 0;
  double seconds = 0;  ///< infinite where the point is sustainable
};

/// The time that each point may run until node 0 reaches the limit. The board starts in the steady state of the idle
/// point of the lowest OPP. Simulated; stops looking after an hour, which counts as for ever.
[[nodiscard]] std::vector<Sprint> sprint_times(const Soc& soc, const Cluster& cluster,
                                               const std::vector<ThermalPoint>& points, double ambient_c,
                                               double limit_c);

}  // namespace trimtab::thermal
