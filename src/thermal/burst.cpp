#include "thermal/burst.h"

#include <Eigen/Dense>
#include <algorithm>
#include <cmath>
#include <unsupported/Eigen/MatrixFunctions>

#include "base/error.h"
#include "base/index.h"
#include "thermal/governor.h"
#include "thermal/linear_program.h"
#include "thermal/network.h"

namespace trimtab::thermal {
namespace {

/// A variable of the linear program: a share of one cluster's time, in each part of the burst.
struct BurstColumn {
  std::size_t cluster = 0;
  std::size_t point = 0;
  double watts = 0;  ///< with the leakage at the limit
};

/// Whether another point of the cluster is at least as good in rate, accuracy, power and deadline. A best plan does
/// without such a point.
bool is_beaten(const BurstColumn& column, const std::vector<BurstColumn>& columns,
               const std::vector<ClusterPoints>& clusters, const PlanRequest& request) {
  const ThermalPoint& own = clusters[column.cluster].points[column.point];
  return std::ranges::any_of(columns, [&](const BurstColumn& other) {
    if (other.cluster != column.cluster || other.point == column.point) return false;
    const ThermalPoint& rival = clusters[other.cluster].points[other.point];
    const bool no_worse = rival.rate >= own.rate && rival.accuracy >= own.accuracy && other.watts <= column.watts &&
                          (!request.is_late(rival) || request.is_late(own));
    const bool better = rival.rate > own.rate || rival.accuracy > own.accuracy || other.watts < column.watts;
    return no_worse && (better || other.point < column.point);
  });
}

std::vector<BurstColumn> columns_of(const std::vector<ClusterPoints>& clusters, const PlanRequest& request) {
  std::vector<BurstColumn> all;
  for (std::size_t c = 0; c < clusters.size(); ++c) {
    for (std::size_t p = 0; p < clusters[c].points.size(); ++p) {
      all.push_back({c, p, point_power(clusters[c].cluster, clusters[c].points[p], request.limit_c)});
    }
  }
  std::vector<BurstColumn> columns;
  std::ranges::copy_if(all, std::back_inserter(columns),
                       [&](const BurstColumn& column) { return !is_beaten(column, all, clusters, request); });
  return columns;
}

/// The board with all its clusters. One of them is the plant's own; the others heat it as the state at the beginning of
/// each step says.
class Board {
 public:
  Board(const Soc& soc, const std::vector<ClusterPoints>& clusters, const PlanRequest& request)
      : clusters_(clusters),
        other_w_(soc.other_w),
        plant_(soc.network, clusters.front().cluster.power, soc.other_w, request.ambient_c, request.ambient_c) {
    plant_.set_fan(request.fan);
  }

  /// Every cluster at the point of that index, for a short while. Returns the energy of all, J.
  double advance(double seconds, const std::vector<const ThermalPoint*>& points) {
    const auto nodes = static_cast<std::size_t>(plant_.state().size());
    std::vector<double> heat(nodes, 0.0);
    heat.back() = other_w_;
    double watts = 0;
    for (std::size_t c = 0; c < clusters_.size(); ++c) {
      const std::size_t node = clusters_[c].cluster.node;
      const double own = point_power(clusters_[c].cluster, *points[c], plant_.state()(static_cast<Eigen::Index>(node)));
      heat[node] += own;
      watts += own;
    }
    for (std::size_t n = 0; n < nodes; ++n) plant_.set_heat(n, heat[n]);
    plant_.advance(seconds, {0, 0});
    return watts * seconds;
  }

  /// The steady state of the idle points of the lowest OPPs.
  void cool_down() {
    std::vector<ThermalPoint> idle;
    std::vector<const ThermalPoint*> points;
    idle.reserve(clusters_.size());
    for (const ClusterPoints& cluster : clusters_) {
      idle.push_back(idle_point(cluster.cluster, cluster.cluster.opps.front()));
      points.push_back(&idle.back());
    }
    for (int second = 0; second < 3600; ++second) advance(1, points);
    plant_.reset_peak();
  }

  [[nodiscard]] const Plant& plant() const { return plant_; }

 private:
  const std::vector<ClusterPoints>& clusters_;
  double other_w_;
  Plant plant_;
};

class BurstPlanner {
 public:
  BurstPlanner(const Soc& soc, const std::vector<ClusterPoints>& clusters, const PlanRequest& request,
               double duration_s, int slots, double step_s)
      : soc_(soc),
        clusters_(clusters),
        request_(request),
        slots_(static_cast<std::size_t>(slots)),
        slot_s_(duration_s / slots),
        step_s_(step_s),
        columns_(columns_of(clusters, request)),
        start_(soc, clusters, request) {
    start_.cool_down();
  }

  [[nodiscard]] Burst plan() const {
    // The switching between points swings the temperature around the program's: its limit goes down by the excess.
    double limit = request_.limit_c;
    for (int attempt = 0; attempt < 12; ++attempt) {
      Burst burst = plan_below(limit);
      simulate(burst);
      if (burst.peak_c <= request_.limit_c + 0.005) return burst;
      limit -= burst.peak_c - request_.limit_c + 0.01;
    }
    throw failure("no burst was found whose ripple stays below the limit");
  }

 private:
  [[nodiscard]] const ThermalPoint& at(const BurstColumn& column) const {
    return clusters_[column.cluster].points[column.point];
  }

  /// Rise of node 0 at the ends of slots 0, 1, ... after one watt into the node during slot 0, K/W.
  [[nodiscard]] std::vector<double> response(std::size_t node) const {
    const Eigen::Index count = start_.plant().state().size();
    const auto [transition, input] = discrete();
    Eigen::VectorXd state = input.col(static_cast<Eigen::Index>(node));
    std::vector<double> rises;
    for (std::size_t k = 0; k < slots_; ++k) {
      rises.push_back(state(0));
      state = transition.topLeftCorner(count, count) * state;
    }
    return rises;
  }

  struct Discrete {
    Eigen::MatrixXd transition;  ///< of the temperatures above ambient over one slot
    Eigen::MatrixXd input;       ///< by node: state after one slot of one watt
  };
  [[nodiscard]] Discrete discrete() const {
    const Eigen::Index count = start_.plant().state().size();
    Eigen::MatrixXd system = Eigen::MatrixXd::Zero(2 * count, 2 * count);
    system.topLeftCorner(count, count) = state_matrix(soc_.network, request_.fan);
    for (Eigen::Index n = 0; n < count; ++n) system(n, count + n) = 1 / nth(soc_.network.capacity, n);
    const Eigen::MatrixXd whole = (system * slot_s_).exp();
    return {whole.topLeftCorner(count, count), whole.topRightCorner(count, count)};
  }

  /// Temperature of node 0 at the ends of the slots where no cluster takes any power.
  [[nodiscard]] std::vector<double> without_power() const {
    const auto [transition, input] = discrete();
    Eigen::VectorXd state = start_.plant().state().array() - request_.ambient_c;
    std::vector<double> celsius;
    for (std::size_t k = 0; k < slots_; ++k) {
      state = transition * state + input.col(input.cols() - 1) * soc_.other_w;
      celsius.push_back(state(0) + request_.ambient_c);
    }
    return celsius;
  }

  [[nodiscard]] Burst plan_below(double limit_c) const {
    const std::size_t width = columns_.size();
    const std::size_t variables = slots_ * width;
    std::vector<double> rates(variables);
    LinearRow accuracy{std::vector<double>(variables), RowKind::at_least, 0};
    LinearRow late{std::vector<double>(variables), RowKind::at_most, 0};
    LinearRow power{std::vector<double>(variables), RowKind::at_most, request_.mean_w * static_cast<double>(slots_)};
    for (std::size_t i = 0; i < variables; ++i) {
      const BurstColumn& column = columns_[i % width];
      const ThermalPoint& point = at(column);
      rates[i] = point.rate * slot_s_;
      accuracy.coefficients[i] = request_.accuracy_surplus(point);
      late.coefficients[i] = request_.late_surplus(point);
      power.coefficients[i] = column.watts;
    }
    std::vector<LinearRow> rows;
    if (request_.accuracy_floor > 0) rows.push_back(accuracy);
    if (std::isfinite(request_.deadline_s)) rows.push_back(late);
    if (std::isfinite(request_.mean_w)) rows.push_back(power);
    std::vector<std::vector<double>> responses;
    for (const ClusterPoints& cluster : clusters_) responses.push_back(response(cluster.cluster.node));
    const std::vector<double> idle = without_power();
    for (std::size_t k = 0; k < slots_; ++k) {
      LinearRow heat{std::vector<double>(variables), RowKind::at_most, limit_c - idle[k]};
      for (std::size_t i = 0; i < (k + 1) * width; ++i) {
        const BurstColumn& column = columns_[i % width];
        heat.coefficients[i] = responses[column.cluster][k - i / width] * column.watts;
      }
      rows.push_back(std::move(heat));
      for (std::size_t c = 0; c < clusters_.size(); ++c) {
        LinearRow time{std::vector<double>(variables), RowKind::equal, 1};
        for (std::size_t j = 0; j < width; ++j) {
          if (columns_[j].cluster == c) time.coefficients[k * width + j] = 1;
        }
        rows.push_back(std::move(time));
      }
    }
    const std::optional<LinearSolution> solution = maximise(rates, rows);
    if (!solution)
      throw bound_not_met("no burst of {:g} s stays within the bounds", slot_s_ * static_cast<double>(slots_));
    return burst_of(*solution);
  }

  [[nodiscard]] Burst burst_of(const LinearSolution& solution) const {
    Burst burst;
    double correct = 0;
    const std::size_t width = columns_.size();
    for (std::size_t k = 0; k < slots_; ++k) {
      BurstSlot slot;
      slot.from_s = slot_s_ * static_cast<double>(k);
      slot.to_s = slot.from_s + slot_s_;
      for (std::size_t j = 0; j < width; ++j) {
        const double share = solution.x[k * width + j];
        if (share < 1e-9) continue;
        slot.shares.push_back({columns_[j].point, share, columns_[j].cluster});
        const double done = share * at(columns_[j]).rate * slot_s_;
        slot.rate += share * at(columns_[j]).rate;
        burst.inferences += done;
        correct += done * at(columns_[j]).accuracy;
      }
      burst.slots.push_back(std::move(slot));
    }
    burst.accuracy = burst.inferences > 0 ? correct / burst.inferences : 0;
    return burst;
  }

  /// Peak and energy of the dithered shares.
  void simulate(Burst& burst) const {
    Board board = start_;
    std::vector<Dither> dithers;
    for (const ClusterPoints& cluster : clusters_)
      dithers.emplace_back(std::vector<double>(cluster.points.size(), 0.0));
    std::vector<const ThermalPoint*> points(clusters_.size());
    burst.energy_j = 0;
    const auto steps = std::max<std::int64_t>(1, std::llround(slot_s_ / step_s_));
    for (BurstSlot& slot : burst.slots) {
      for (std::size_t c = 0; c < clusters_.size(); ++c) {
        std::vector<double> fractions(clusters_[c].points.size(), 0.0);
        for (const PlanShare& share : slot.shares) {
          if (share.cluster == c) fractions[share.point] = share.fraction;
        }
        dithers[c].set(std::move(fractions));
      }
      for (std::int64_t step = 0; step < steps; ++step) {
        for (std::size_t c = 0; c < clusters_.size(); ++c) points[c] = &clusters_[c].points[dithers[c].next()];
        burst.energy_j += board.advance(slot_s_ / static_cast<double>(steps), points);
      }
      slot.celsius = board.plant().celsius();
    }
    burst.peak_c = board.plant().peak();
  }

  const Soc& soc_;
  const std::vector<ClusterPoints>& clusters_;
  const PlanRequest& request_;
  std::size_t slots_;
  double slot_s_;
  double step_s_;
  std::vector<BurstColumn> columns_;
  Board start_;
};

}  // namespace

Burst make_burst(const Soc& soc, const std::vector<ClusterPoints>& clusters, const PlanRequest& request,
                 double duration_s, int slots, double step_s) {
  const double for_ever = make_plan(soc, clusters, request).rate;  // and the reasons why nothing can be planned
  Burst burst = BurstPlanner(soc, clusters, request, duration_s, slots, step_s).plan();
  burst.sustained_inferences = for_ever * duration_s;
  return burst;
}

}  // namespace trimtab::thermal
