#include "thermal/plan.h"

#include <algorithm>
#include <cmath>
#include <optional>

#include "base/error.h"
#include "base/index.h"
#include "thermal/linear_program.h"

namespace trimtab::thermal {
namespace {

/// A variable of the linear program: a share of one cluster's time.
struct Column {
  std::size_t cluster = 0;
  std::size_t point = 0;
};

/// The linear program of a request over the points of all clusters.
class Planner {
 public:
  Planner(const Soc& soc, const std::vector<ClusterPoints>& clusters, const PlanRequest& request)
      : soc_(soc), clusters_(clusters), request_(request) {
    for (std::size_t c = 0; c < clusters.size(); ++c) {
      for (std::size_t p = 0; p < clusters[c].points.size(); ++p) columns_.push_back({c, p});
    }
  }

  [[nodiscard]] SustainedPlan plan() const {
    check();
    std::optional<SustainedPlan> plan = plan_with_leakage_at(request_.limit_c);
    const bool power_counts = request_.objective == Objective::energy || std::isfinite(request_.mean_w);
    if (power_counts) {
      // The leakage is that of the lowest temperature that the plan for it does not pass.
      double low = request_.ambient_c;
      double high = request_.limit_c;
      while (high - low > 0.01) {
        const double middle = 0.5 * (low + high);
        std::optional<SustainedPlan> cooler = plan_with_leakage_at(middle);
        if (cooler && cooler->steady_c > middle) {
          low = middle;
        } else {
          high = middle;
          if (cooler) plan = std::move(cooler);
        }
      }
    }
    if (!plan) refuse();
    return *plan;
  }

 private:
  /// The constraints but the rate's; the heat of node 0 is the first, and the accuracy the second where there is a
  /// floor.
  [[nodiscard]] std::vector<LinearRow> rows(double leakage_c, double mean_w) const {
    LinearRow heat{{}, RowKind::at_most, headroom_k()};
    LinearRow power{{}, RowKind::at_most, mean_w};
    LinearRow accuracy{{}, RowKind::at_least, 0};
    LinearRow late{{}, RowKind::at_most, 0};
    for (const Column& column : columns_) {
      const ThermalPoint& point = at(column);
      heat.coefficients.push_back(resistance(column.cluster) * watts(column, request_.limit_c));
      power.coefficients.push_back(watts(column, leakage_c));
      accuracy.coefficients.push_back(request_.accuracy_surplus(point));
      late.coefficients.push_back(request_.late_surplus(point));
    }
    std::vector<LinearRow> rows{heat};
    if (request_.accuracy_floor > 0) rows.push_back(accuracy);
    for (std::size_t c = 0; c < clusters_.size(); ++c) rows.push_back(all_of_the_time(c));
    if (std::isfinite(mean_w)) rows.push_back(power);
    if (std::isfinite(request_.deadline_s)) rows.push_back(late);
    return rows;
  }

  [[nodiscard]] std::vector<double> rates() const {
    std::vector<double> rates;
    for (const Column& column : columns_) rates.push_back(at(column).rate);
    return rates;
  }

  [[nodiscard]] std::optional<SustainedPlan> plan_with_leakage_at(double celsius) const {
    std::vector<LinearRow> rows = this->rows(celsius, request_.mean_w);
    std::vector<double> objective = rates();
    if (request_.objective == Objective::energy) {
      rows.push_back({objective, RowKind::at_least, request_.rate});
      for (std::size_t i = 0; i < objective.size(); ++i) objective[i] = -watts(columns_[i], celsius);
    }
    const std::optional<LinearSolution> solution = maximise(objective, rows);
    if (!solution) return std::nullopt;
    SustainedPlan plan = plan_of(*solution);
    if (request_.objective == Objective::throughput) {
      plan.rate_per_kelvin = solution->duals[0];
      if (request_.accuracy_floor > 0) plan.rate_per_point = -solution->duals[1] * plan.rate;
    }
    return plan;
  }

  [[nodiscard]] const ThermalPoint& at(const Column& column) const {
    return clusters_[column.cluster].points[column.point];
  }
  [[nodiscard]] double resistance(std::size_t cluster) const {
    return total_resistance(soc_.network, request_.fan, clusters_[cluster].cluster.node);
  }
  [[nodiscard]] double watts(const Column& column, double celsius) const {
    return point_power(clusters_[column.cluster].cluster, at(column), celsius);
  }
  /// What the rest of the board adds to the temperature of every node.
  [[nodiscard]] double board_k() const {
    return resistance_behind(soc_.network, soc_.network.resistance.size() - 1, request_.fan) * soc_.other_w;
  }
  [[nodiscard]] double headroom_k() const { return request_.limit_c - request_.ambient_c - board_k(); }

  [[nodiscard]] LinearRow all_of_the_time(std::size_t cluster) const {
    LinearRow row{{}, RowKind::equal, 1};
    for (const Column& column : columns_) row.coefficients.push_back(column.cluster == cluster ? 1 : 0);
    return row;
  }

  void check() const {
    if (clusters_.empty() ||
        std::ranges::any_of(clusters_, [](const ClusterPoints& cluster) { return cluster.points.empty(); })) {
      throw bad_input("there is no thermal point to plan with");
    }
    if (!(request_.limit_c > request_.ambient_c)) {
      throw bad_input(
          "the limit of {} degrees is not above the ambient of {}; no computer can be cooler than its ambient",
          request_.limit_c, request_.ambient_c);
    }
    double best = 0;
    for (const Column& column : columns_) best = std::max(best, at(column).accuracy);
    if (best < request_.accuracy_floor) {
      throw bound_not_met("no variant reaches a mean accuracy of {} %; the best has {} %", request_.accuracy_floor,
                          best);
    }
    double fastest_s = std::numeric_limits<double>::infinity();
    for (const Column& column : columns_) {
      if (at(column).rate > 0) fastest_s = std::min(fastest_s, at(column).latency_s);
    }
    if (fastest_s > request_.deadline_s && request_.miss_share < 1) {
      throw bound_not_met("no variant answers within {:g} ms at any OPP; the fastest takes {:.4g} ms",
                          request_.deadline_s * 1e3, fastest_s * 1e3);
    }
  }

  /// Least of all points, summed over the clusters.
  [[nodiscard]] double least(auto&& of_column) const {
    double sum = 0;
    for (std::size_t c = 0; c < clusters_.size(); ++c) {
      double value = std::numeric_limits<double>::infinity();
      for (const Column& column : columns_) {
        if (column.cluster == c) value = std::min(value, of_column(column));
      }
      sum += value;
    }
    return sum;
  }

  /// Throws the reason why the linear program has no solution, with the nearest that can be met.
  [[noreturn]] void refuse() const {
    const double coolest_k =
        least([&](const Column& column) { return resistance(column.cluster) * watts(column, request_.limit_c); });
    if (coolest_k > headroom_k()) {
      throw bound_not_met(
          "even the point of least power keeps {} above the limit of {} degrees at an ambient of {}; the lowest limit "
          "that can be met is {:.1f}",
          soc_.name, request_.limit_c, request_.ambient_c, request_.ambient_c + board_k() + coolest_k);
    }
    const std::vector<LinearRow> rows = this->rows(request_.ambient_c, request_.mean_w);
    const std::optional<LinearSolution> fastest = maximise(rates(), rows);
    if (!fastest) {
      throw bound_not_met("a mean power of {} W cannot be kept; the clusters take at least {:.3f} W", request_.mean_w,
                          least([&](const Column& column) { return watts(column, request_.ambient_c); }));
    }
    throw bound_not_met("{} inferences per second cannot be kept within the bounds; the most is {:.2f}", request_.rate,
                        fastest->value);
  }

  [[nodiscard]] SustainedPlan plan_of(const LinearSolution& solution) const {
    SustainedPlan plan;
    double correct = 0;
    double late = 0;
    for (std::size_t i = 0; i < columns_.size(); ++i) {
      if (solution.x[i] < 1e-9) continue;
      const ThermalPoint& point = at(columns_[i]);
      const double rate = solution.x[i] * point.rate;
      plan.shares.push_back({columns_[i].point, solution.x[i], columns_[i].cluster});
      plan.rate += rate;
      correct += rate * point.accuracy;
      if (request_.is_late(point)) late += rate;
    }
    std::ranges::stable_sort(plan.shares, [&](const PlanShare& a, const PlanShare& b) {
      if (a.cluster != b.cluster) return a.cluster < b.cluster;
      return watts({a.cluster, a.point}, request_.limit_c) < watts({b.cluster, b.point}, request_.limit_c);
    });
    plan.accuracy = plan.rate > 0 ? correct / plan.rate : 0;
    plan.late_share = plan.rate > 0 ? late / plan.rate : 0;
    settle(plan);
    return plan;
  }

  /// Steady temperature and power of mean shares: the fixed point of the mixed leakage, by iteration from the limit
  /// downwards (the map rises, so that the iteration falls monotonically onto the stable fixed point).
  void settle(SustainedPlan& plan) const {
    const std::size_t nodes = soc_.network.resistance.size();
    std::vector<double> celsius(nodes, request_.limit_c);
    for (int i = 0; i < 200; ++i) {
      std::vector<double> heat(nodes, 0.0);
      heat.back() += soc_.other_w;
      plan.power_w = 0;
      for (const PlanShare& share : plan.shares) {
        const Cluster& cluster = clusters_[share.cluster].cluster;
        const double watts =
            share.fraction * point_power(cluster, at({share.cluster, share.point}), celsius[cluster.node]);
        heat[cluster.node] += watts;
        plan.power_w += watts;
      }
      // The heat of a node and of all before it flows through the resistance behind it.
      double flow = 0;
      std::vector<double> rise(nodes);
      for (std::size_t n = 0; n < nodes; ++n) {
        flow += heat[n];
        rise[n] = flow * resistance_behind(soc_.network, n, request_.fan);
      }
      double above = request_.ambient_c;
      for (std::size_t n = nodes; n-- > 0;) celsius[n] = above += rise[n];
    }
    plan.steady_c = celsius.front();
  }

  const Soc& soc_;
  const std::vector<ClusterPoints>& clusters_;
  const PlanRequest& request_;
  std::vector<Column> columns_;
};

}  // namespace

SustainedPlan make_plan(const Soc& soc, const std::vector<ClusterPoints>& clusters, const PlanRequest& request) {
  return Planner(soc, clusters, request).plan();
}

SustainedPlan make_plan(const Soc& soc, const Cluster& cluster, const std::vector<ThermalPoint>& points,
                        const PlanRequest& request) {
  return make_plan(soc, {{cluster, points}}, request);
}

double switching_loss(const std::vector<ClusterPoints>& clusters, const SustainedPlan& plan, double step_s) {
  double largest = 0;
  for (std::size_t c = 0; c < clusters.size(); ++c) {
    double longest = 0;
    for (const PlanShare& share : plan.shares) {
      if (share.cluster == c) longest = std::max(longest, share.fraction);
    }
    // Every step away from the longest share costs a change there and one back.
    const double changes_per_step = std::min(1.0, 2 * (1 - longest));
    largest = std::max(largest, changes_per_step * clusters[c].cluster.transition_s / step_s);
  }
  return largest;
}

std::vector<Sprint> sprint_times(const Soc& soc, const Cluster& cluster, const std::vector<ThermalPoint>& points,
                                 double ambient_c, double limit_c) {
  if (!(limit_c > ambient_c)) {
    throw bad_input("the limit of {} degrees is not above the ambient of {}", limit_c, ambient_c);
  }
  std::vector<Sprint> sprints;
  const ThermalPoint idle = idle_point(cluster, cluster.opps.front());
  Plant cool(soc.network, cluster.power, soc.other_w, ambient_c, ambient_c);
  for (int i = 0; i < 3600; ++i) cool.advance(1, idle.load);
  for (std::size_t i = 0; i < points.size(); ++i) {
    Sprint sprint{i, std::numeric_limits<double>::infinity()};
    const Equilibrium end = equilibrium(soc.network, cluster.power, soc.other_w, ambient_c, points[i].load);
    if (end.stability == Stability::runaway || end.celsius > limit_c) {
      Plant plant = cool;
      double time = 0;
      constexpr double tick = 0.05;
      while (plant.celsius() < limit_c && time < 3600) {
        plant.advance(tick, points[i].load);
        time += tick;
      }
      if (plant.celsius() >= limit_c) sprint.seconds = time;
    }
    sprints.push_back(sprint);
  }
  return sprints;
}

}  // namespace trimtab::thermal
