#include "thermal/plan.h"

#include <glpk.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>
#include <optional>

#include "base/error.h"
#include "base/index.h"

namespace trimtab::thermal {
namespace {

struct Row {
  std::vector<double> coefficients;
  int kind = GLP_UP;  ///< GLP_UP: at most, GLP_LO: at least, GLP_FX: equal
  double bound = 0;
};

struct Solution {
  std::vector<double> x;
  std::vector<double> duals;
  double value = 0;
};

/// Maximises c x over x >= 0 under rows; nothing where they contradict each other.
std::optional<Solution> maximise(const std::vector<double>& c, const std::vector<Row>& rows) {
  const std::unique_ptr<glp_prob, decltype(&glp_delete_prob)> problem(glp_create_prob(), &glp_delete_prob);
  glp_prob* lp = problem.get();
  glp_set_obj_dir(lp, GLP_MAX);
  const int columns = static_cast<int>(c.size());
  glp_add_cols(lp, columns);
  for (int j = 1; j <= columns; ++j) {
    glp_set_col_bnds(lp, j, GLP_LO, 0, 0);
    glp_set_obj_coef(lp, j, nth(c, j - 1));
  }
  glp_add_rows(lp, static_cast<int>(rows.size()));
  std::vector<int> indices(c.size() + 1);
  std::vector<double> values(c.size() + 1);
  for (int i = 1; i <= static_cast<int>(rows.size()); ++i) {
    const Row& row = nth(rows, i - 1);
    glp_set_row_bnds(lp, i, row.kind, row.bound, row.bound);
    for (int j = 1; j <= columns; ++j) {
      nth(indices, j) = j;
      nth(values, j) = nth(row.coefficients, j - 1);
    }
    glp_set_mat_row(lp, i, columns, indices.data(), values.data());
  }
  glp_smcp parameters;
  glp_init_smcp(&parameters);
  parameters.msg_lev = GLP_MSG_OFF;
  if (glp_simplex(lp, &parameters) != 0 || glp_get_status(lp) != GLP_OPT) return std::nullopt;
  Solution solution;
  solution.value = glp_get_obj_val(lp);
  for (int j = 1; j <= columns; ++j) solution.x.push_back(std::max(0.0, glp_get_col_prim(lp, j)));
  for (int i = 1; i <= static_cast<int>(rows.size()); ++i) solution.duals.push_back(glp_get_row_dual(lp, i));
  return solution;
}

/// Steady temperature of mean shares: the fixed point of the mixed leakage, by iteration from the limit downwards (the
/// map rises, so that the iteration falls monotonically onto the stable fixed point).
double steady_celsius(const Soc& soc, const Cluster& cluster, const std::vector<ThermalPoint>& points,
                      const std::vector<PlanShare>& shares, const PlanRequest& request) {
  const double r = total_resistance(soc.network, request.fan);
  const double last =
      request.fan && soc.network.fan_resistance > 0 ? soc.network.fan_resistance : soc.network.resistance.back();
  double celsius = request.limit_c;
  for (int i = 0; i < 200; ++i) {
    double power = 0;
    for (const PlanShare& share : shares) power += share.fraction * point_power(cluster, points[share.point], celsius);
    celsius = request.ambient_c + r * power + last * soc.other_w;
  }
  return celsius;
}

}  // namespace

SustainedPlan make_plan(const Soc& soc, const Cluster& cluster, const std::vector<ThermalPoint>& points,
                        const PlanRequest& request) {
  if (points.empty()) throw bad_input("there is no thermal point to plan with");
  if (!(request.limit_c > request.ambient_c)) {
    throw bad_input(
        "the limit of {} degrees is not above the ambient of {}; no computer can be cooler than its ambient",
        request.limit_c, request.ambient_c);
  }
  const double r = total_resistance(soc.network, request.fan);
  const double last =
      request.fan && soc.network.fan_resistance > 0 ? soc.network.fan_resistance : soc.network.resistance.back();
  const double budget = (request.limit_c - request.ambient_c - last * soc.other_w) / r;

  std::vector<double> rates;
  Row power{{}, GLP_UP, budget};
  Row accuracy{{}, GLP_LO, 0};
  Row time{{}, GLP_FX, 1};
  Row required{{}, GLP_LO, request.rate};
  for (const ThermalPoint& point : points) {
    rates.push_back(point.rate);
    power.coefficients.push_back(point_power(cluster, point, request.limit_c));
    accuracy.coefficients.push_back(point.rate * (point.accuracy - request.accuracy_floor));
    time.coefficients.push_back(1);
    required.coefficients.push_back(point.rate);
  }
  std::vector<Row> rows{power, time};
  const bool floor = request.accuracy_floor > 0;
  if (floor) rows.push_back(accuracy);
  std::vector<double> objective = rates;
  if (request.objective == Objective::energy) {
    rows.push_back(required);
    for (std::size_t i = 0; i < objective.size(); ++i) objective[i] = -power.coefficients[i];
  }
  const std::optional<Solution> solution = maximise(objective, rows);
  if (!solution) {
    const double coolest = *std::min_element(power.coefficients.begin(), power.coefficients.end());
    if (coolest > budget) {
      throw bound_not_met(
          "even the point of least power keeps {} above the limit of {} degrees at an ambient of {}; the lowest limit "
          "that "
          "can be met is {:.1f}",
          soc.name, request.limit_c, request.ambient_c, request.ambient_c + last * soc.other_w + r * coolest);
    }
    double best = 0;
    for (const ThermalPoint& point : points) best = std::max(best, point.accuracy);
    if (floor && best < request.accuracy_floor) {
      throw bound_not_met("no variant reaches a mean accuracy of {} %; the best has {} %", request.accuracy_floor,
                          best);
    }
    const std::optional<Solution> fastest = maximise(rates, {rows.begin(), rows.begin() + (floor ? 3 : 2)});
    throw bound_not_met(
        "{} inferences per second cannot be kept below {} degrees at an ambient of {}; the most is {:.2f}",
        request.rate, request.limit_c, request.ambient_c, fastest ? fastest->value : 0.0);
  }
  SustainedPlan plan;
  double correct = 0;
  for (std::size_t i = 0; i < points.size(); ++i) {
    if (solution->x[i] < 1e-9) continue;
    plan.shares.push_back({i, solution->x[i]});
    plan.rate += solution->x[i] * points[i].rate;
    correct += solution->x[i] * points[i].rate * points[i].accuracy;
  }
  std::sort(plan.shares.begin(), plan.shares.end(), [&](const PlanShare& a, const PlanShare& b) {
    return power.coefficients[a.point] < power.coefficients[b.point];
  });
  plan.accuracy = plan.rate > 0 ? correct / plan.rate : 0;
  plan.steady_c = steady_celsius(soc, cluster, points, plan.shares, request);
  for (const PlanShare& share : plan.shares) {
    plan.power_w += share.fraction * point_power(cluster, points[share.point], plan.steady_c);
  }
  if (request.objective == Objective::throughput) {
    plan.rate_per_kelvin = solution->duals[0] / r;
    if (floor) plan.rate_per_point = -solution->duals[2] * plan.rate;
  }
  return plan;
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
