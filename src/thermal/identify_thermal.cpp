#include <ceres/ceres.h>
#include <fmt/format.h>

#include <Eigen/Dense>
#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>
#include <unsupported/Eigen/MatrixFunctions>

#include "base/error.h"
#include "base/index.h"
#include "thermal/identify.h"
#include "thermal/network.h"

namespace trimtab::thermal {
namespace {

constexpr double sensor_deviation = 0.4;  ///< K: whole degrees (0.29) and a little noise
constexpr double start_deviation = 1.0;   ///< K: how far a run may start from the steady state of idling

double sigmoid(double x) { return 1 / (1 + std::exp(-x)); }

/// Parameters as the solver sees them: logarithms of the resistances and capacities, the logit of the share of the
/// other power that heats node 0, the logarithm of the idle power.
ThermalFit decode(const double* z, int nodes) {
  ThermalFit fit;
  const char* const names[] = {"die", "board"};
  for (int i = 0; i < nodes; ++i) {
    fit.network.resistance.push_back(std::exp(z[i]));
    fit.network.capacity.push_back(std::exp(z[nodes + i]));
    fit.network.nodes.emplace_back(names[i]);
  }
  fit.other_at_sensor = sigmoid(z[2 * nodes]);
  fit.idle_w = std::exp(z[2 * nodes + 1]);
  return fit;
}

struct Prediction {
  Eigen::VectorXd celsius;
  double ambient = 0;
};

/// The run's temperature, linear in the unknown ambient and start state, which are solved for from the first `known`
/// samples with a prior on the start state.
Prediction predict(const ThermalFit& fit, const ThermalRun& run, std::size_t known,
                   const std::vector<double>* weights) {
  const auto nodes = static_cast<Eigen::Index>(fit.network.capacity.size());
  const auto samples = static_cast<Eigen::Index>(run.seconds.size());
  const Eigen::MatrixXd a = state_matrix(fit.network, false);
  // Input matrix: cluster power into node 0, other power shared between node 0 and the last.
  Eigen::MatrixXd b = Eigen::MatrixXd::Zero(nodes, 2);
  b(0, 0) = 1 / fit.network.capacity.front();
  b(0, 1) += fit.other_at_sensor / fit.network.capacity.front();
  b(nodes - 1, 1) += (1 - fit.other_at_sensor) / fit.network.capacity.back();

  const double usual = (run.seconds.back() - run.seconds.front()) / static_cast<double>(samples - 1);
  const Eigen::MatrixXd usual_step = (a * usual).exp();
  const Eigen::MatrixXd a_inverse = a.inverse();
  const Eigen::MatrixXd identity = Eigen::MatrixXd::Identity(nodes, nodes);

  Eigen::VectorXd forced = Eigen::VectorXd::Zero(nodes);
  Eigen::MatrixXd free = identity;
  // Columns: ambient, start state of each node above ambient.
  Eigen::MatrixXd basis(samples, nodes + 1);
  Eigen::VectorXd response(samples);
  for (Eigen::Index k = 0; k < samples; ++k) {
    const auto i = static_cast<std::size_t>(k);
    if (k > 0) {
      // A reading of power is the mean since the reading before.
      const double dt = run.seconds[i] - run.seconds[i - 1];
      const Eigen::MatrixXd step = std::abs(dt - usual) < 0.02 * usual ? usual_step : Eigen::MatrixXd((a * dt).exp());
      const Eigen::Vector2d power(run.cluster_w[i], run.other_w[i]);
      forced = step * forced + a_inverse * (step - identity) * (b * power);
      free = step * free;
    }
    response(k) = forced(0);
    basis(k, 0) = 1;
    basis.block(k, 1, 1, nodes) = free.row(0);
  }
  double other = 0;
  const std::size_t first = std::min<std::size_t>(4, run.other_w.size());
  for (std::size_t i = 0; i < first; ++i) other += run.other_w[i] / static_cast<double>(first);
  const Eigen::VectorXd idle = -a_inverse * (b * Eigen::Vector2d(fit.idle_w, other));

  const auto rows = static_cast<Eigen::Index>(std::min(known, run.seconds.size()));
  Eigen::MatrixXd m = Eigen::MatrixXd::Zero(rows + nodes, nodes + 1);
  Eigen::VectorXd target(rows + nodes);
  for (Eigen::Index k = 0; k < rows; ++k) {
    const double w = (weights != nullptr ? nth((*weights), k) : 1.0) / sensor_deviation;
    m.row(k) = basis.row(k) * w;
    target(k) = (nth(run.celsius, k) - response(k)) * w;
  }
  m.block(rows, 1, nodes, nodes) = identity / start_deviation;
  target.tail(nodes) = idle / start_deviation;
  const Eigen::VectorXd solution = m.colPivHouseholderQr().solve(target);
  return {response + basis * solution, solution(0)};
}

struct RunResidual {
  const ThermalRun* run;
  const std::vector<double>* weights;
  int nodes;
  bool operator()(double const* const* z, double* residuals) const {
    const Prediction p = predict(decode(z[0], nodes), *run, run->seconds.size(), weights);
    for (std::size_t i = 0; i < run->seconds.size(); ++i) {
      const double e = p.celsius(static_cast<Eigen::Index>(i)) - run->celsius[i];
      residuals[i] = std::isfinite(e) ? e * (*weights)[i] : 1e3;
    }
    return true;
  }
};

}  // namespace

ThermalRun read_thermal(const std::filesystem::path& path, const ThermalColumns& columns) {
  const Table table = read_table(path);
  ThermalRun run;
  run.name = path.stem().string();
  run.seconds = table.numbers("time_s");
  run.celsius = table.numbers(columns.sensor);
  run.cluster_w = table.numbers(columns.power);
  check_times(table, run.seconds);
  check_celsius(table, columns.sensor, run.celsius);
  check_watts(table, columns.power, run.cluster_w);
  run.other_w.assign(run.seconds.size(), 0.0);
  for (const std::string& name : columns.other) {
    const std::vector<double> values = table.numbers(name);
    check_watts(table, name, values);
    for (std::size_t i = 0; i < values.size(); ++i) run.other_w[i] += values[i];
  }
  const auto [coldest, hottest] = std::minmax_element(run.celsius.begin(), run.celsius.end());
  if (*hottest - *coldest < 1e-9) {
    throw bad_input(
        "{} has the same temperature, {} degrees, in all {} rows; this leaves every resistance and capacity "
        "undetermined "
        "(is the sensor stuck?)",
        table.path, *coldest, run.seconds.size());
  }
  if (run.seconds.size() < 60 || run.seconds.back() - run.seconds.front() < 60) {
    throw bad_input(
        "{} has {} rows over {:.0f} s, too few to identify a thermal network: the capacities stay undetermined below "
        "60 "
        "rows and 60 s",
        table.path, run.seconds.size(), run.seconds.back() - run.seconds.front());
  }
  return run;
}

ThermalFit fit_thermal(const std::vector<ThermalRun>& runs, int nodes) {
  if (runs.empty()) throw bad_input("there is no run to identify the thermal network from");
  if (nodes < 1 || nodes > 2) throw bad_input("{} nodes cannot be identified from one sensor; 1 or 2 can", nodes);
  const int count = 2 * nodes + 2;
  std::vector<double> z;
  if (nodes == 1) {
    z = {std::log(8.0), std::log(8.0)};
  } else {
    z = {std::log(3.0), std::log(3.0), std::log(0.6), std::log(20.0)};
  }
  z.push_back(0);
  z.push_back(std::log(0.3));
  std::vector<std::vector<double>> weights;
  std::size_t samples = 0;
  for (const ThermalRun& run : runs) {
    weights.emplace_back(run.seconds.size(), 1.0);
    samples += run.seconds.size();
  }
  std::vector<double> covariance_diagonal(static_cast<std::size_t>(count), 0.0);
  bool covariance_known = false;
  ThermalFit fit;
  double variance = 0;
  // Iteratively reweighted: the residuals of a run share its inner solution, so that a loss per residual block would
  // judge whole runs instead of samples.
  for (int round = 0; round < 3; ++round) {
    ceres::Problem problem;
    for (std::size_t r = 0; r < runs.size(); ++r) {
      auto* cost = new ceres::DynamicNumericDiffCostFunction<RunResidual, ceres::CENTRAL>(
          new RunResidual{&runs[r], &weights[r], nodes});
      cost->AddParameterBlock(count);
      cost->SetNumResiduals(static_cast<int>(runs[r].seconds.size()));
      problem.AddResidualBlock(cost, nullptr, z.data());
    }
    for (int i = 0; i < 2 * nodes; ++i) {
      problem.SetParameterLowerBound(z.data(), i, -4);
      problem.SetParameterUpperBound(z.data(), i, i < nodes ? 4 : 8);
    }
    problem.SetParameterLowerBound(z.data(), 2 * nodes, -8);
    problem.SetParameterUpperBound(z.data(), 2 * nodes, 8);
    problem.SetParameterLowerBound(z.data(), 2 * nodes + 1, -4);
    problem.SetParameterUpperBound(z.data(), 2 * nodes + 1, 1);
    ceres::Solver::Options options;
    options.linear_solver_type = ceres::DENSE_QR;
    options.max_num_iterations = 60;
    options.function_tolerance = 1e-8;
    options.logging_type = ceres::SILENT;
    ceres::Solver::Summary summary;
    ceres::Solve(options, &problem, &summary);
    if (!summary.IsSolutionUsable()) throw failure("the thermal network could not be fitted: {}", summary.message);

    fit = decode(z.data(), nodes);
    double squares = 0;
    double lagged = 0;
    for (std::size_t r = 0; r < runs.size(); ++r) {
      const Prediction p = predict(fit, runs[r], runs[r].seconds.size(), &weights[r]);
      double previous = 0;
      for (std::size_t i = 0; i < runs[r].seconds.size(); ++i) {
        const double e = p.celsius(static_cast<Eigen::Index>(i)) - runs[r].celsius[i];
        squares += e * e;
        lagged += i > 0 ? e * previous : 0;
        previous = e;
        weights[r][i] = std::sqrt(std::min(1.0, 1.5 / std::max(1e-9, std::abs(e))));
      }
    }
    fit.training_rmse_k = std::sqrt(squares / static_cast<double>(samples));
    // Residuals follow each other: count them as the effective number of an AR(1) process.
    const double rho = std::clamp(lagged / std::max(1e-12, squares), 0.0, 0.99);
    variance = squares / std::max(1.0, static_cast<double>(samples) - count) * (1 + rho) / (1 - rho);
    if (round == 2) {
      ceres::Covariance::Options covariance_options;
      covariance_options.algorithm_type = ceres::DENSE_SVD;
      covariance_options.null_space_rank = -1;
      ceres::Covariance covariance(covariance_options);
      std::vector<double> matrix(static_cast<std::size_t>(count * count));
      const std::vector<std::pair<const double*, const double*>> blocks{{z.data(), z.data()}};
      covariance_known =
          covariance.Compute(blocks, &problem) && covariance.GetCovarianceBlock(z.data(), z.data(), matrix.data());
      for (int i = 0; i < count; ++i) {
        nth(covariance_diagonal, i) = nth(matrix, i * count + i);
      }
    }
  }
  constexpr double infinity = std::numeric_limits<double>::infinity();
  const auto relative = [&](int i) {
    const double v = nth(covariance_diagonal, i);
    return covariance_known && v > 0 ? std::sqrt(v * variance) : infinity;
  };
  std::string undetermined;
  for (int i = 0; i < nodes; ++i) {
    const auto index = static_cast<std::size_t>(i);
    const std::string r = fmt::format("R_{}", fit.network.nodes[index]);
    const std::string c = fmt::format("C_{}", fit.network.nodes[index]);
    fit.estimates.push_back({r, fit.network.resistance[index], fit.network.resistance[index] * relative(i)});
    fit.estimates.push_back({c, fit.network.capacity[index], fit.network.capacity[index] * relative(nodes + i)});
    for (const auto& [name, at] : {std::pair{r, i}, std::pair{c, nodes + i}}) {
      if (relative(at) > 1) undetermined += (undetermined.empty() ? "" : ", ") + name;
    }
  }
  // Near a bound the share has no curvature: it says "all" or "none", which is an answer.
  fit.estimates.push_back({"other_at_sensor", fit.other_at_sensor,
                           fit.other_at_sensor * (1 - fit.other_at_sensor) * std::min(relative(2 * nodes), 1e3)});
  fit.estimates.push_back({"idle_w", fit.idle_w, fit.idle_w * relative(2 * nodes + 1)});
  if (!undetermined.empty()) {
    throw bad_input(
        "the runs leave {} undetermined (standard deviation above 100 %); use runs in which the power changes more, or "
        "fewer "
        "nodes",
        undetermined);
  }
  return fit;
}

ThermalCheck check_thermal(const ThermalFit& fit, const ThermalRun& run, double known_s) {
  const auto end =
      std::find_if(run.seconds.begin(), run.seconds.end(), [&](double s) { return s - run.seconds.front() > known_s; });
  const auto known = static_cast<std::size_t>(end - run.seconds.begin());
  if (known >= run.seconds.size()) {
    throw bad_input("the run {} is shorter than the {} s from which its ambient is estimated", run.name, known_s);
  }
  const Prediction p = predict(fit, run, known, nullptr);
  ThermalCheck check;
  check.name = run.name;
  check.ambient_c = p.ambient;
  double squares = 0;
  for (std::size_t i = known; i < run.seconds.size(); ++i) {
    const double e = p.celsius(static_cast<Eigen::Index>(i)) - run.celsius[i];
    squares += e * e;
    check.bias_k += e;
  }
  const auto tested = static_cast<double>(run.seconds.size() - known);
  check.rmse_k = std::sqrt(squares / tested);
  check.bias_k /= tested;
  check.predicted.assign(p.celsius.begin(), p.celsius.end());
  return check;
}

}  // namespace trimtab::thermal
