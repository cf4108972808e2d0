#include <ceres/ceres.h>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <set>

#include "base/error.h"
#include "base/index.h"
#include "thermal/identify.h"

namespace trimtab::thermal {
namespace {

constexpr int max_extra_work = 3;
// Shared parameters: clock, cycles, leakage, per volt, per kelvin, constant, extra work ...
constexpr int shared_count = 6 + max_extra_work;
constexpr const char* shared_names[] = {"clock_w_per_v2_ghz", "cycles_w_per_v2_ghz", "leakage_w_per_v",
                                        "leakage_per_v",      "leakage_per_k",       "constant_w",
                                        "work2_w_per_v2",     "work3_w_per_v2",      "work4_w_per_v2"};

/// Relative error of one row.
struct PowerResidual {
  PowerRow row;

  template <typename T>
  bool operator()(const T* const p, const T* const q, T* residual) const {
    using std::exp;
    const double v2 = row.volts * row.volts;
    T switched = p[0] * (row.mhz / 1000) + p[1] * row.gcycles;
    if (!row.work.empty()) switched += q[0] * row.work[0];
    for (std::size_t i = 1; i < row.work.size(); ++i) switched += p[5 + i] * row.work[i];
    const T leakage = p[2] * row.volts * exp(p[3] * (row.volts - 1) + p[4] * (row.celsius - 60));
    residual[0] = (v2 * switched + leakage + p[5]) / row.watts - 1.0;
    return true;
  }
};

void require_spread(const std::vector<PowerRow>& rows) {
  std::set<double> mhz;
  double coldest = 1e9;
  double hottest = -1e9;
  for (const PowerRow& row : rows) {
    mhz.insert(row.mhz);
    coldest = std::min(coldest, row.celsius);
    hottest = std::max(hottest, row.celsius);
  }
  if (rows.size() < 20) {
    throw bad_input("{} rows are too few to identify the power model's 6 or more parameters; 20 are the least",
                    rows.size());
  }
  if (mhz.size() < 3) {
    throw bad_input(
        "the rows have {} frequencies, which leaves clock_w_per_v2_ghz and leakage_per_v undetermined; 3 or more are "
        "needed",
        mhz.size());
  }
  if (hottest - coldest < 3) {
    throw bad_input(
        "the temperature stays within {:.1f} K, which leaves leakage_per_k undetermined; let it vary by 3 K or more",
        hottest - coldest);
  }
}

}  // namespace

std::vector<PowerRow> read_power(const std::filesystem::path& path, const PowerColumns& columns) {
  const Table table = read_table(path);
  const std::string& prefix = columns.prefix;
  if (!table.has(prefix + "_V")) {
    throw bad_input(
        "{} has no column '{}_V'; without voltages (boards such as BCM2711 hide them) V^2 f and the leakage cannot be "
        "told "
        "apart: only the latency and the thermal network can be identified",
        path.string(), prefix);
  }
  const std::vector<double> mhz = table.numbers(prefix + "_MHz");
  const std::vector<double> volts = table.numbers(prefix + "_V");
  const std::vector<double> watts = table.numbers(prefix + "_W");
  check_mhz(table, prefix + "_MHz", mhz);
  check_watts(table, prefix + "_W", watts);
  for (std::size_t i = 0; i < volts.size(); ++i) {
    if (volts[i] < 0.3 || volts[i] > 2) {
      throw bad_input("{} has {} in row {}, column '{}_V'; a core runs between 0.3 and 2 V", path.string(), volts[i],
                      i + 1, prefix);
    }
    if (watts[i] <= 0) throw bad_input("{} has no power in row {}", path.string(), i + 1);
  }
  std::vector<double> celsius(mhz.size(), 0.0);
  std::vector<double> hottest(mhz.size(), -100.0);
  std::vector<std::string> sensors = table.ending("_C");
  if (sensors.empty()) throw bad_input("{} has no column that ends with _C, a temperature", path.string());
  for (const std::string& sensor : sensors) {
    const std::vector<double> values = table.numbers(sensor);
    check_celsius(table, sensor, values);
    for (std::size_t i = 0; i < values.size(); ++i) {
      celsius[i] += values[i] / static_cast<double>(sensors.size());
      hottest[i] = std::max(hottest[i], values[i]);
    }
  }
  const auto sum_ending = [&](const std::string& suffix) {
    std::vector<double> sum(mhz.size(), 0.0);
    const std::vector<std::string> names = table.ending(suffix);
    if (names.empty()) throw bad_input("{} has no column that ends with '{}'", path.string(), suffix);
    for (const std::string& name : names) {
      const std::vector<double> values = table.numbers(name);
      for (std::size_t i = 0; i < values.size(); ++i) sum[i] += values[i] * 1e-9;
    }
    return sum;
  };
  if (columns.work.size() > max_extra_work + 1)
    throw bad_input("at most {} rates of work can be used", max_extra_work + 1);
  const std::vector<double> cycles = sum_ending("cycles_per_s");
  std::vector<std::vector<double>> work;
  for (const std::string& suffix : columns.work) work.push_back(sum_ending(suffix));
  const std::vector<std::string> workloads = table.text("workload");
  const std::vector<std::string> settings =
      table.has("core_mask") ? table.text("core_mask") : std::vector<std::string>(mhz.size());
  std::vector<PowerRow> rows;
  for (std::size_t i = 0; i < mhz.size(); ++i) {
    PowerRow row{workloads[i], settings[i], mhz[i], volts[i], watts[i], celsius[i], hottest[i], cycles[i], {}};
    for (const auto& rate : work) row.work.push_back(rate[i]);
    rows.push_back(std::move(row));
  }
  return rows;
}

double predict_power(const PowerFit& fit, const PowerRow& row, double first_work) {
  double switched = fit.model.clock * row.mhz / 1000 + fit.model.cycles * row.gcycles;
  if (!row.work.empty()) switched += first_work * row.work[0];
  for (std::size_t i = 1; i < row.work.size(); ++i) switched += fit.work[i - 1] * row.work[i];
  return row.volts * row.volts * switched + leakage_w(fit.model, row.volts, row.celsius) + fit.model.constant;
}

PowerFit fit_power(const std::vector<PowerRow>& rows, bool own_work) {
  require_spread(rows);
  double p[shared_count] = {0.15, 0.15, 0.2, 3, 0.03, 0.01, 2, 0.1, 0.1};
  std::map<std::string, double> q;
  for (const PowerRow& row : rows) q[own_work ? row.workload : std::string()] = 0.1;

  ceres::Problem problem;
  for (const PowerRow& row : rows) {
    problem.AddResidualBlock(new ceres::AutoDiffCostFunction<PowerResidual, 1, shared_count, 1>(new PowerResidual{row}),
                             new ceres::SoftLOneLoss(0.02), p, &q[own_work ? row.workload : std::string()]);
  }
  const auto extra = static_cast<int>(rows[0].work.empty() ? 0 : rows[0].work.size() - 1);
  std::vector<int> unused;
  for (int i = 6 + extra; i < shared_count; ++i) {
    p[i] = 0;
    unused.push_back(i);
  }
  if (!unused.empty()) problem.SetManifold(p, new ceres::SubsetManifold(shared_count, unused));
  for (int i = 0; i < 5; ++i) problem.SetParameterLowerBound(p, i, 0);
  problem.SetParameterUpperBound(p, 3, 15);
  problem.SetParameterUpperBound(p, 4, 0.15);
  ceres::Solver::Options options;
  options.linear_solver_type = ceres::DENSE_QR;
  options.max_num_iterations = 300;
  options.function_tolerance = 1e-12;
  options.logging_type = ceres::SILENT;
  ceres::Solver::Summary summary;
  ceres::Solve(options, &problem, &summary);
  if (!summary.IsSolutionUsable()) throw failure("the power model could not be fitted: {}", summary.message);

  PowerFit fit;
  fit.model = {p[0], p[1], p[2], p[3], p[4], p[5]};
  for (int i = 0; i < extra; ++i) fit.work.push_back(p[6 + i]);
  for (const auto& [name, value] : q) {
    fit.first_work.emplace_back(name, value);
    fit.first_work_mean += value / static_cast<double>(q.size());
  }
  std::vector<double> errors;
  double squares = 0;
  for (const PowerRow& row : rows) {
    const double e = predict_power(fit, row, q[own_work ? row.workload : std::string()]) / row.watts - 1;
    errors.push_back(100 * std::abs(e));
    squares += e * e;
  }
  fit.training = summarize(errors);

  const double freedom = static_cast<double>(rows.size()) - 6 - extra - static_cast<double>(q.size());
  const double variance = squares / std::max(1.0, freedom);
  ceres::Covariance::Options covariance_options;
  covariance_options.algorithm_type = ceres::DENSE_SVD;
  covariance_options.null_space_rank = -1;
  ceres::Covariance covariance(covariance_options);
  std::vector<double> matrix(shared_count * shared_count, 0.0);
  const std::vector<std::pair<const double*, const double*>> blocks{{p, p}};
  const bool computed = covariance.Compute(blocks, &problem) && covariance.GetCovarianceBlock(p, p, matrix.data());
  for (int i = 0; i < 6 + extra; ++i) {
    const double v = nth(matrix, i * shared_count + i);
    const double deviation = computed && v > 0 ? std::sqrt(v * variance) : std::numeric_limits<double>::infinity();
    fit.estimates.push_back({shared_names[i], p[i], deviation});
  }
  return fit;
}

HotRise fit_hot_rise(const std::vector<PowerRow>& rows, double above_c) {
  std::string widest;
  for (const PowerRow& row : rows) {
    if (row.setting.size() > widest.size()) widest = row.setting;
  }
  double n = 0;
  double sx = 0;
  double sy = 0;
  double sxx = 0;
  double sxy = 0;
  double syy = 0;
  for (const PowerRow& row : rows) {
    if (row.setting != widest || row.hottest < above_c) continue;
    n += 1;
    sx += row.watts;
    sy += row.hottest;
    sxx += row.watts * row.watts;
    sxy += row.watts * row.hottest;
    syy += row.hottest * row.hottest;
  }
  if (n < 8) {
    throw bad_input(
        "{:.0f} rows on all cores are hotter than {} degrees; 8 are needed to tell how the hottest sensor rises", n,
        above_c);
  }
  HotRise rise;
  rise.rows = static_cast<std::int64_t>(n);
  const double spread = sxx - sx * sx / n;
  rise.resistance = (sxy - sx * sy / n) / spread;
  rise.intercept_c = (sy - rise.resistance * sx) / n;
  const double squares = std::max(0.0, syy - sy * sy / n - rise.resistance * rise.resistance * spread);
  rise.residual_k = std::sqrt(squares / (n - 2));
  rise.deviation = rise.residual_k / std::sqrt(spread);
  return rise;
}

double calibrate_work(const PowerFit& fit, const std::vector<PowerRow>& rows) {
  double numerator = 0;
  double denominator = 0;
  for (const PowerRow& row : rows) {
    if (row.work.empty()) continue;
    const double gain = row.volts * row.volts * row.work[0] / row.watts;
    numerator += gain * (1 - predict_power(fit, row, 0) / row.watts);
    denominator += gain * gain;
  }
  if (!(denominator > 0)) throw bad_input("the workload does no work in the rows to calibrate it with");
  return numerator / denominator;
}

PowerCheck check_power(const std::vector<PowerRow>& rows, bool calibrated, bool second_half) {
  std::set<std::string> names;
  for (const PowerRow& row : rows) names.insert(row.workload);
  if (names.size() < 4)
    throw bad_input("{} workloads are too few to hold half of them out; 4 are the least", names.size());
  std::set<std::string> held;
  bool take = second_half;
  for (const std::string& name : names) {
    if (!take) held.insert(name);
    take = !take;
  }
  return check_power(rows, calibrated, held);
}

PowerCheck check_power(const std::vector<PowerRow>& rows, bool calibrated, const std::set<std::string>& held) {
  std::set<double> mhz;
  std::string widest;
  std::vector<PowerRow> training;
  for (const PowerRow& row : rows) {
    mhz.insert(row.mhz);
    if (row.setting.size() > widest.size()) widest = row.setting;  // the longest list of cores
    if (!held.contains(row.workload)) training.push_back(row);
  }
  PowerCheck check;
  check.fit = fit_power(training, calibrated);
  std::vector<double> errors;
  for (const std::string& name : held) {
    std::vector<PowerRow> known;
    std::vector<PowerRow> unknown;
    for (const PowerRow& row : rows) {
      if (row.workload != name) continue;
      const bool end = row.mhz == *mhz.begin() || row.mhz == *mhz.rbegin();
      (calibrated && end && row.setting == widest ? known : unknown).push_back(row);
    }
    const double work = calibrated ? calibrate_work(check.fit, known) : check.fit.first_work_mean;
    double sum = 0;
    for (const PowerRow& row : unknown) {
      const double e = 100 * std::abs(predict_power(check.fit, row, work) / row.watts - 1);
      errors.push_back(e);
      sum += e;
    }
    check.by_workload.emplace_back(name, sum / static_cast<double>(unknown.size()));
  }
  check.errors = summarize(errors);
  return check;
}

Twins counter_twins(const std::vector<PowerRow>& rows, double share) {
  if (rows.empty()) throw bad_input("there are no rows to compare");
  // Per clock, so that frequencies do not matter; logarithms of the rarer events; scaled by the deviation over all
  // rows.
  std::vector<std::vector<double>> counters;
  for (const PowerRow& row : rows) {
    const double ghz = row.mhz / 1000;
    std::vector<double> point{row.gcycles / ghz};
    for (std::size_t i = 0; i < row.work.size(); ++i) {
      point.push_back(i == 0 ? row.work[i] / ghz : std::log(1e-4 + row.work[i] / ghz));
    }
    counters.push_back(std::move(point));
  }
  const auto n = static_cast<double>(rows.size());
  for (std::size_t k = 0; k < counters[0].size(); ++k) {
    double sum = 0;
    double squares = 0;
    for (const auto& point : counters) {
      sum += point[k];
      squares += point[k] * point[k];
    }
    const double deviation = std::sqrt(std::max(1e-30, squares / n - sum / n * sum / n));
    for (auto& point : counters) point[k] /= deviation;
  }
  std::vector<std::pair<double, double>> twins;  // distance, difference in percent
  for (std::size_t i = 0; i < rows.size(); ++i) {
    double nearest = std::numeric_limits<double>::infinity();
    std::size_t twin = i;
    for (std::size_t j = 0; j < rows.size(); ++j) {
      if (rows[j].workload == rows[i].workload || rows[j].mhz != rows[i].mhz) continue;
      double squares = 0;
      for (std::size_t k = 0; k < counters[i].size(); ++k) {
        const double d = counters[i][k] - counters[j][k];
        squares += d * d;
      }
      if (squares < nearest) {
        nearest = squares;
        twin = j;
      }
    }
    if (twin != i) twins.emplace_back(std::sqrt(nearest), 100 * std::abs(rows[twin].watts / rows[i].watts - 1));
  }
  std::sort(twins.begin(), twins.end());
  twins.resize(std::min(twins.size(), static_cast<std::size_t>(std::max(1.0, share * n))));
  Twins result;
  std::vector<double> errors;
  for (const auto& [distance, error] : twins) errors.push_back(error);
  result.largest_distance = twins.empty() ? 0 : twins.back().first;
  result.errors = summarize(errors);
  return result;
}

}  // namespace trimtab::thermal
