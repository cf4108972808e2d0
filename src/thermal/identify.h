#pragma once

#include <filesystem>
#include <set>
#include <string>
#include <vector>

#include "thermal/soc.h"
#include "thermal/table.h"

namespace trimtab::thermal {

/// A parameter with its standard deviation.
struct Estimate {
  std::string name;
  double value = 0;
  double deviation = 0;  ///< standard deviation in the unit of the value; infinite: not determined by the data
};

struct Errors {
  std::int64_t samples = 0;
  double mean = 0;  ///< of the absolute error
  double p95 = 0;
  double worst = 0;
};

// ---- Latency ------------------------------------------------------------------------------------------------------

/// A measured time of one program at one frequency.
struct Timing {
  std::string program;
  double mhz = 0;
  double seconds = 0;
};

/// Reads tables program,mhz,latency_s (as `profile` writes them), or NAME.runs.csv (program,start_s,end_s) with the
/// frequency from the column ending with _MHz of NAME.csv beside it (`prefix` selects the cluster, "a15").
[[nodiscard]] std::vector<Timing> read_timings(const std::vector<std::filesystem::path>& paths,
                                               const std::string& prefix);

struct LatencyFit {
  std::string program;
  double gcycles = 0;  ///< a of t = a/f + b, 1e9 cycles
  double fixed_s = 0;  ///< b
  double gcycles_deviation = 0;
  double fixed_deviation = 0;
  std::int64_t samples = 0;
};

/// Takes the median of the repeats of a frequency, then weighted least squares on relative error. (Least absolute
/// deviations would need no tuning, but repeats are few.) Throws Error (bad input), naming the undetermined parameter,
/// where a program ran at one frequency only.
[[nodiscard]] std::vector<LatencyFit> fit_latency(const std::vector<Timing>& timings);

struct LatencyCheck {
  std::string program;
  double mhz = 0;
  double measured_s = 0;
  double predicted_s = 0;
  double pure_s = 0;  ///< of t = a/f, fitted to the lowest frequency alone
};
/// Fits each program on its lowest and highest frequency and predicts the others.
[[nodiscard]] std::vector<LatencyCheck> check_latency(const std::vector<Timing>& timings);

// ---- Power --------------------------------------------------------------------------------------------------------

struct PowerRow {
  std::string workload;
  std::string setting;  ///< further distinction of rows: the cores that the workload ran on
  double mhz = 0;
  double volts = 0;
  double watts = 0;
  double celsius = 0;        ///< mean of the cluster's sensors
  double hottest = 0;        ///< highest of the cluster's sensors
  double gcycles = 0;        ///< active cycles of all cores, 1e9/s
  std::vector<double> work;  ///< rates of work of all cores, 1e9/s
};

struct PowerColumns {
  std::string prefix = "a15";
  std::vector<std::string> work = {"inst_spec_per_s", "l2_refill_read_per_s"};  ///< columns that end so are summed
};
/// Throws Error (bad input) where columns, units or ranges are wrong; a table without voltages is refused by name.
[[nodiscard]] std::vector<PowerRow> read_power(const std::filesystem::path& path, const PowerColumns& columns);

/// Power coefficients that all workloads share. The switching of a workload's work is its own number.
struct PowerFit {
  PowerModel model;
  std::vector<double> work;  ///< W/(V^2 1e9/s), for rates after the first
  std::vector<Estimate> estimates;
  /// W/(V^2 1e9/s) of the first rate, for each workload the fit has seen, and over all of them.
  std::vector<std::pair<std::string, double>> first_work;
  double first_work_mean = 0;
  Errors training;  ///< relative, percent
};

/// Robust (soft L1) nonlinear least squares on relative error. `own_work`: each workload has its own coefficient of the
/// first rate of work; without, all share one. Throws Error (bad input) naming parameters that the data leaves
/// undetermined (one frequency, one temperature, too few rows).
[[nodiscard]] PowerFit fit_power(const std::vector<PowerRow>& rows, bool own_work);

[[nodiscard]] double predict_power(const PowerFit& fit, const PowerRow& row, double first_work);

/// The coefficient of a new workload's first rate of work from a few of its rows (least squares on relative error).
[[nodiscard]] double calibrate_work(const PowerFit& fit, const std::vector<PowerRow>& rows);

struct PowerCheck {
  PowerFit fit;
  Errors errors;                                            ///< relative, percent, over the held-out rows
  std::vector<std::pair<std::string, double>> by_workload;  ///< mean error, percent
};
/// Splits the workloads (sorted by name) in two halves, every second one. Fits on one half and tests on the other at
/// all frequencies and core counts. `calibrated`: each held-out workload's own coefficient comes from its rows at the
/// lowest and the highest frequency on all cores. These rows are left out of the test. Otherwise the fit knows nothing
/// of the held-out workloads.
[[nodiscard]] PowerCheck check_power(const std::vector<PowerRow>& rows, bool calibrated, bool second_half);
/// The same for any workloads held out.
[[nodiscard]] PowerCheck check_power(const std::vector<PowerRow>& rows, bool calibrated,
                                     const std::set<std::string>& held_out);

/// Differences that no model of the counters can explain. The twin of a row is the row of another workload at the same
/// frequency whose counters (cycles and rates of work per clock) are nearest. The `share` of the rows with the nearest
/// twins is taken. Errors are the relative difference of the twins' powers, in percent.
struct Twins {
  Errors errors;
  double largest_distance = 0;  ///< between the counters of twins, in standard deviations
};
[[nodiscard]] Twins counter_twins(const std::vector<PowerRow>& rows, double share);

/// The rise of the hottest sensor with the cluster's power, in steady workloads.
struct HotRise {
  double resistance = 0;  ///< K/W
  double deviation = 0;   ///< K/W
  double intercept_c = 0;
  double residual_k = 0;
  std::int64_t rows = 0;
};
/// Line through the rows that use all cores and are hotter than `above_c` (where a fan that turns with temperature no
/// longer changes). Throws Error (bad input) where fewer than 8 such rows exist.
[[nodiscard]] HotRise fit_hot_rise(const std::vector<PowerRow>& rows, double above_c = 60);

// ---- Thermal ------------------------------------------------------------------------------------------------------

struct ThermalRun {
  std::string name;
  std::vector<double> seconds;
  std::vector<double> celsius;
  std::vector<double> cluster_w;
  std::vector<double> other_w;
};

struct ThermalColumns {
  std::string sensor = "a15_C";
  std::string power = "a15_W";
  std::vector<std::string> other = {"a7_W", "gpu_W", "ram_W"};
};
/// Throws Error (bad input) for gaps, wrong units, a temperature that stays constant, too few rows.
[[nodiscard]] ThermalRun read_thermal(const std::filesystem::path& path, const ThermalColumns& columns);

struct ThermalFit {
  Network network;
  double other_at_sensor = 0;  ///< share of the other power that heats node 0; the rest heats the last node
  double idle_w = 0;           ///< power of the cluster before the runs, from which they started
  std::vector<Estimate> estimates;
  double training_rmse_k = 0;
};

/// Identifies a chain of `nodes` (1 or 2) nodes. The ambient temperature and the state at the start of each run are
/// unknown too and solved for linearly inside (variable projection); Huber weights keep outliers out. Throws Error (bad
/// input) naming the parameters that the runs leave undetermined.
[[nodiscard]] ThermalFit fit_thermal(const std::vector<ThermalRun>& runs, int nodes);

struct ThermalCheck {
  std::string name;
  double ambient_c = 0;  ///< estimated from the first `known_s` seconds; unmeasured heat included
  double rmse_k = 0;     ///< after the first `known_s` seconds
  double bias_k = 0;
  std::vector<double> predicted;
};
/// Predicts the sensor from the measured powers, knowing the temperature of the first `known_s` seconds only.
[[nodiscard]] ThermalCheck check_thermal(const ThermalFit& fit, const ThermalRun& run, double known_s = 60);

[[nodiscard]] Errors summarize(std::vector<double> absolute);

}  // namespace trimtab::thermal
