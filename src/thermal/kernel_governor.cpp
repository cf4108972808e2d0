#include "thermal/kernel_governor.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <regex>

#include "base/error.h"
#include "thermal/table.h"

namespace trimtab::thermal {
namespace {

constexpr int fraction_bits = 10;
std::int64_t to_fraction(std::int64_t value) { return value * (std::int64_t{1} << fraction_bits); }
std::int64_t to_integer(std::int64_t value) { return value >> fraction_bits; }
std::int64_t multiply(std::int64_t a, std::int64_t b) { return (a * b) >> fraction_bits; }

/// The first group of `pattern` in the comments, as a number.
int number_in(const std::string& text, const std::string& pattern, const std::string& path) {
  std::smatch match;
  if (!std::regex_search(text, match, std::regex(pattern))) {
    throw bad_input("{} says nothing like '{}' in its header; it is no trace of this governor", path, pattern);
  }
  return static_cast<int>(std::strtol(match[1].str().c_str(), nullptr, 10));
}

}  // namespace

int StepWise::decide(int reported_mC) {
  const int trend = !last_mC_ ? 0 : (reported_mC > *last_mC_) - (reported_mC < *last_mC_);
  last_mC_ = reported_mC;
  for (std::size_t i = 0; i < bindings_.size(); ++i) {
    const Binding& trip = bindings_[i];
    const bool throttle = reported_mC >= trip.trip_mC;
    std::optional<int>& target = targets_[i];
    if (!initialized_[i]) {
      target = throttle ? std::optional(std::clamp(state_ + 1, trip.lower, trip.upper)) : std::nullopt;
    } else if (trend > 0 && throttle) {
      target = std::clamp(state_ + 1, trip.lower, trip.upper);
    } else if (trend < 0 && !throttle) {
      if (state_ <= trip.lower) {
        target.reset();
      } else {
        target = std::min(state_ - 1, trip.upper);
      }
    }
    initialized_[i] = true;
    // The device follows after every trip, so that the next trip sees the state that this one has set.
    state_ = 0;
    for (const std::optional<int>& wish : targets_) state_ = std::max(state_, wish.value_or(0));
  }
  return state_;
}

PowerAllocator::PowerAllocator(const Parameters& parameters, std::vector<int> power_mW)
    : parameters_(parameters), power_(std::move(power_mW)) {
  const std::int64_t range = parameters_.control_mC - parameters_.switch_on_mC;
  if (range <= 0 || power_.empty()) {
    throw bad_input(
        "power_allocator has its switch-on trip at {} mC and its control trip at {} mC; the first must be lower",
        parameters_.switch_on_mC, parameters_.control_mC);
  }
  if (parameters_.k_po == 0) parameters_.k_po = to_fraction(parameters_.sustainable_mW) / range;
  if (parameters_.k_pu == 0) parameters_.k_pu = to_fraction(2LL * parameters_.sustainable_mW) / range;
  if (parameters_.k_i == 0) parameters_.k_i = std::max<std::int64_t>(1, parameters_.k_pu / 10);
}

std::int64_t PowerAllocator::pid(int reported_mC) {
  const std::int64_t highest = power_.back();
  const std::int64_t error = to_fraction(parameters_.control_mC - reported_mC);
  const std::int64_t proportional = multiply(error < 0 ? parameters_.k_po : parameters_.k_pu, error);
  std::int64_t integral = multiply(parameters_.k_i, error_integral_);
  if (error < to_fraction(parameters_.integral_cutoff_mC)) {
    const std::int64_t next = integral + multiply(parameters_.k_i, error);
    if (std::abs(next) < to_fraction(highest)) {
      integral = next;
      error_integral_ += error;
    }
  }
  const std::int64_t derivative =
      to_fraction(multiply(parameters_.k_d, error - previous_error_)) / to_fraction(parameters_.poll_ms);
  previous_error_ = error;
  const std::int64_t range = parameters_.sustainable_mW + to_integer(proportional + integral + derivative);
  return std::clamp<std::int64_t>(range, 0, highest);
}

int PowerAllocator::decide(int reported_mC, int load_percent) {
  if (reported_mC < parameters_.switch_on_mC) {
    error_integral_ = 0;
    previous_error_ = 0;
    granted_ = power_.back();
    return 0;
  }
  granted_ = pid(reported_mC);
  const std::int64_t at_full_load = granted_ * 100 / std::max(1, load_percent);
  std::size_t level = power_.size() - 1;
  while (level > 0 && power_[level] > at_full_load) --level;
  return static_cast<int>(power_.size() - 1 - level);
}

Replay replay_kernel_trace(const std::filesystem::path& path, int load_percent) {
  const Table table = read_table(path);
  std::string header;
  for (const std::string& comment : table.comments) header += comment + "\n";
  std::smatch match;
  if (!std::regex_search(header, match, std::regex("governor (step_wise|power_allocator)"))) {
    throw bad_input("{} does not say 'governor step_wise' or 'governor power_allocator' in its header", table.path);
  }
  Replay replay;
  replay.governor = match[1].str();
  const std::vector<double> times = table.numbers("time_ms");
  const std::vector<double> reported = table.numbers("reported_mC");
  const std::vector<double> mhz = table.numbers("freq_MHz");
  check_mhz(table, "freq_MHz", mhz);

  double step_mhz = 100;
  std::vector<int> model(times.size());
  if (replay.governor == "step_wise") {
    std::vector<StepWise::Binding> bindings;
    const std::regex trip("trip \\d+ at (\\d+) mC bound to (?:cooling )?states (\\d+)\\.\\.(\\d+)");
    for (std::sregex_iterator it(header.begin(), header.end(), trip), end; it != end; ++it) {
      bindings.push_back({std::stoi((*it)[1]), std::stoi((*it)[2]), std::stoi((*it)[3])});
    }
    if (bindings.empty()) throw bad_input("{} names no trip with its cooling states in its header", table.path);
    const int top = number_in(header, "state k = (\\d+)-\\d+k MHz", table.path);
    step_mhz = number_in(header, "state k = \\d+-(\\d+)k MHz", table.path);
    StepWise governor(bindings);
    for (std::size_t i = 0; i < times.size(); ++i) {
      model[i] = top - static_cast<int>(step_mhz) * governor.decide(static_cast<int>(reported[i]));
    }
  } else {
    PowerAllocator::Parameters parameters;
    parameters.poll_ms = number_in(header, "poll (\\d+) ms", table.path);
    parameters.switch_on_mC = number_in(header, "switch_on trip (\\d+) mC", table.path);
    parameters.control_mC = number_in(header, "control trip (\\d+) mC", table.path);
    parameters.sustainable_mW = number_in(header, "sustainable_power (\\d+) mW", table.path);
    const int coefficient = number_in(header, "power\\(f\\) = (\\d+)\\*\\d+\\*f_MHz", table.path);
    const int cores = number_in(header, "power\\(f\\) = \\d+\\*(\\d+)\\*f_MHz", table.path);
    step_mhz = number_in(header, "mV per (\\d+) MHz step", table.path);
    const int first = number_in(header, "MHz step from (\\d+):", table.path);
    std::vector<int> power;
    const std::size_t list = header.find("step from");
    const std::regex digits("\\d+");
    const std::string millivolts = header.substr(header.find(':', list));
    for (std::sregex_iterator it(millivolts.begin(), millivolts.end(), digits), end; it != end; ++it) {
      const std::int64_t f = first + static_cast<int>(step_mhz) * static_cast<int>(power.size());
      const std::int64_t v = std::stoi(it->str());
      power.push_back(static_cast<int>(coefficient * cores * f / 1000 * v / 1000 * v / 1000));
    }
    PowerAllocator governor(parameters, power);
    const int top = first + static_cast<int>(step_mhz) * (static_cast<int>(power.size()) - 1);
    for (std::size_t i = 0; i < times.size(); ++i) {
      model[i] = top - static_cast<int>(step_mhz) * governor.decide(static_cast<int>(reported[i]), load_percent);
    }
  }
  for (std::size_t i = 0; i + 1 < times.size(); ++i) {
    const int kernel = static_cast<int>(mhz[i + 1]);
    replay.rows.push_back({times[i] * 1e-3, static_cast<int>(reported[i]), kernel, model[i]});
    ++replay.decisions;
    if (kernel == model[i]) ++replay.equal;
    replay.largest_difference_opps = std::max(replay.largest_difference_opps, std::abs(kernel - model[i]) / step_mhz);
  }
  return replay;
}

}  // namespace trimtab::thermal
