#include <algorithm>
#include <cmath>
#include <limits>
#include <map>

#include "base/error.h"
#include "thermal/identify.h"

namespace trimtab::thermal {
namespace {

/// Median time per program and frequency.
std::map<std::string, std::map<double, std::vector<double>>> group(const std::vector<Timing>& timings) {
  std::map<std::string, std::map<double, std::vector<double>>> groups;
  for (const Timing& timing : timings) groups[timing.program][timing.mhz].push_back(timing.seconds);
  return groups;
}

struct Line {
  double slope = 0;
  double offset = 0;
  double slope_deviation = 0;
  double offset_deviation = 0;
};

/// Weighted least squares of y = slope x + offset with relative errors.
Line fit_line(const std::vector<double>& x, const std::vector<double>& y) {
  double sw = 0;
  double sx = 0;
  double sy = 0;
  double sxx = 0;
  double sxy = 0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    const double w = 1 / (y[i] * y[i]);
    sw += w;
    sx += w * x[i];
    sy += w * y[i];
    sxx += w * x[i] * x[i];
    sxy += w * x[i] * y[i];
  }
  const double determinant = sw * sxx - sx * sx;
  Line line;
  line.slope = (sw * sxy - sx * sy) / determinant;
  line.offset = (sxx * sy - sx * sxy) / determinant;
  line.slope_deviation = line.offset_deviation = std::numeric_limits<double>::quiet_NaN();
  if (x.size() > 2) {
    double variance = 0;
    for (std::size_t i = 0; i < x.size(); ++i) {
      const double e = (y[i] - line.slope * x[i] - line.offset) / y[i];
      variance += e * e;
    }
    variance /= static_cast<double>(x.size() - 2);
    line.slope_deviation = std::sqrt(variance * sw / determinant);
    line.offset_deviation = std::sqrt(variance * sxx / determinant);
  }
  return line;
}

}  // namespace

Errors summarize(std::vector<double> absolute) {
  Errors errors;
  errors.samples = static_cast<std::int64_t>(absolute.size());
  if (absolute.empty()) return errors;
  std::sort(absolute.begin(), absolute.end());
  for (const double e : absolute) errors.mean += e;
  errors.mean /= static_cast<double>(absolute.size());
  errors.p95 = absolute[static_cast<std::size_t>(std::ceil(0.95 * static_cast<double>(absolute.size()))) - 1];
  errors.worst = absolute.back();
  return errors;
}

std::vector<Timing> read_timings(const std::vector<std::filesystem::path>& paths, const std::string& prefix) {
  std::vector<Timing> timings;
  for (const std::filesystem::path& path : paths) {
    const Table table = read_table(path);
    const std::vector<std::string> programs = table.text("program");
    if (table.has("latency_s")) {
      const std::vector<double> mhz = table.numbers("mhz");
      const std::vector<double> seconds = table.numbers("latency_s");
      check_mhz(table, "mhz", mhz);
      for (std::size_t i = 0; i < programs.size(); ++i) timings.push_back({programs[i], mhz[i], seconds[i]});
    } else {
      const std::vector<double> start = table.numbers("start_s");
      const std::vector<double> end = table.numbers("end_s");
      std::string name = path.string();
      const std::size_t suffix = name.rfind(".runs.csv");
      if (suffix == std::string::npos) {
        throw bad_input(
            "{} has start_s and end_s but its name does not end with .runs.csv, so that its series of sensors "
            "cannot be found",
            name);
      }
      const Table series = read_table(name.substr(0, suffix) + ".csv");
      const std::vector<double> mhz = series.numbers(prefix + "_MHz");
      check_mhz(series, prefix + "_MHz", mhz);
      const double frequency = median(mhz);
      for (std::size_t i = 0; i < programs.size(); ++i) {
        timings.push_back({programs[i], frequency, end[i] - start[i]});
      }
    }
    for (const Timing& timing : timings) {
      if (!(timing.seconds > 0 && timing.seconds < 1e6)) {
        throw bad_input("{} has a time of {} s for '{}'; times must be above 0 and in s", path.string(), timing.seconds,
                        timing.program);
      }
    }
  }
  return timings;
}

std::vector<LatencyFit> fit_latency(const std::vector<Timing>& timings) {
  std::vector<LatencyFit> fits;
  for (const auto& [program, by_mhz] : group(timings)) {
    if (by_mhz.size() < 2) {
      throw bad_input(
          "'{}' was measured at {} MHz only, which leaves both the cycles (a) and the fixed time (b) of t = a/f + b "
          "undetermined; measure it at 2 or more frequencies",
          program, by_mhz.begin()->first);
    }
    std::vector<double> x;
    std::vector<double> y;
    LatencyFit fit;
    fit.program = program;
    for (const auto& [mhz, seconds] : by_mhz) {
      x.push_back(1000 / mhz);
      y.push_back(median(seconds));
      fit.samples += static_cast<std::int64_t>(seconds.size());
    }
    const Line line = fit_line(x, y);
    fit.gcycles = line.slope;
    fit.fixed_s = line.offset;
    fit.gcycles_deviation = line.slope_deviation;
    fit.fixed_deviation = line.offset_deviation;
    fits.push_back(fit);
  }
  return fits;
}

std::vector<LatencyCheck> check_latency(const std::vector<Timing>& timings) {
  std::vector<LatencyCheck> checks;
  for (const auto& [program, by_mhz] : group(timings)) {
    if (by_mhz.size() < 3) continue;
    const auto& [low, slow] = *by_mhz.begin();
    const auto& [high, fast] = *by_mhz.rbegin();
    const Line line = fit_line({1000 / low, 1000 / high}, {median(slow), median(fast)});
    for (auto it = std::next(by_mhz.begin()); it != std::prev(by_mhz.end()); ++it) {
      checks.push_back({program, it->first, median(it->second), line.slope * 1000 / it->first + line.offset,
                        median(slow) * low / it->first});
    }
  }
  if (checks.empty()) {
    throw bad_input(
        "no program was measured at 3 or more frequencies; a check needs one between the lowest and highest");
  }
  return checks;
}

}  // namespace trimtab::thermal
