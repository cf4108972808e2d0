#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace trimtab::thermal {

/// Linux's step_wise governor (drivers/thermal/gov_step_wise.c of 6.1, behaviour re-implemented). At every reading it
/// takes every trip in turn. The cooling state goes one up when the trip is reached and the temperature rises. It goes
/// one down when the trip is not reached and the temperature falls. The device takes the highest state that any trip
/// asks for. `reported_mC` is the driver's reading (ODROID: whole degrees). All state is inside; copy it to branch.
class StepWise {
 public:
  struct Binding {
    int trip_mC = 0;
    int lower = 0;  ///< cooling states that the trip may ask for
    int upper = 0;
  };
  explicit StepWise(std::vector<Binding> bindings) : bindings_(std::move(bindings)), targets_(bindings_.size()) {}

  /// The cooling state after this reading. State 0 is the highest frequency.
  int decide(int reported_mC);

 private:
  std::vector<Binding> bindings_;
  std::vector<std::optional<int>> targets_;
  std::vector<bool> initialized_ = std::vector<bool>(bindings_.size(), false);
  std::optional<int> last_mC_;
  int state_ = 0;
};

/// Linux's power_allocator governor (drivers/thermal/gov_power_allocator.c of 6.1, behaviour re-implemented) with one
/// cpufreq cooling device: a PID controller in 22.10 fixed point grants a power, which the cooling device turns into
/// the highest frequency whose power at the present load fits it.
class PowerAllocator {
 public:
  struct Parameters {
    int switch_on_mC = 70000;
    int control_mC = 85000;
    int sustainable_mW = 3500;
    int poll_ms = 100;
    // Gains in mW/mC as 22.10 fixed point; 0: the kernel's own estimate from sustainable_mW and the trips.
    std::int64_t k_po = 0;
    std::int64_t k_pu = 0;
    std::int64_t k_i = 0;
    std::int64_t k_d = 0;
    std::int64_t integral_cutoff_mC = 0;
  };
  /// `power_mW` of the cooling device at full load, frequencies rising.
  PowerAllocator(const Parameters& parameters, std::vector<int> power_mW);

  /// The cooling state (0 is the highest frequency) after this reading. `load_percent` is the load that the scheduler
  /// reports for the device. A CPU that is busy all the time reports 99: its utilisation saturates just below 1024.
  int decide(int reported_mC, int load_percent = 99);

  /// The power that the last call granted, mW.
  [[nodiscard]] std::int64_t granted_mW() const { return granted_; }

 private:
  [[nodiscard]] std::int64_t pid(int reported_mC);

  Parameters parameters_;
  std::vector<int> power_;
  std::int64_t error_integral_ = 0;
  std::int64_t previous_error_ = 0;
  std::int64_t granted_ = 0;
};

/// A recorded run of a real kernel: header comments that give the governor's parameters, then rows
/// time_ms,plant_mC,reported_mC,freq_MHz, where the frequency is the one in force at the reading.
struct Replay {
  std::string governor;
  std::int64_t decisions = 0;
  std::int64_t equal = 0;
  double largest_difference_opps = 0;
  struct Row {
    double time_s = 0;
    int reported_mC = 0;
    int kernel_mhz = 0;  ///< the kernel's decision at this reading
    int model_mhz = 0;
  };
  std::vector<Row> rows;
};

/// Feeds the recorded readings to the model and compares every decision. Throws Error (bad input) where the header or
/// the columns are not of this kind.
[[nodiscard]] Replay replay_kernel_trace(const std::filesystem::path& path, int load_percent = 99);

}  // namespace trimtab::thermal
