#include "thermal/simulate.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"

namespace trimtab::thermal {

Simulation simulate(const Soc& soc, const Cluster& cluster, const std::vector<ThermalPoint>& points, Governor& governor,
                    const SimulationOptions& options) {
  if (points.empty()) throw bad_input("there is no thermal point to simulate");
  const double start = options.start_c < -273 ? options.ambient_c : options.start_c;
  Plant plant(soc.network, cluster.power, soc.other_w, options.ambient_c, start);
  plant.set_fan(options.fan);
  Simulation result;
  const double period = governor.period_s();
  const auto steps = static_cast<std::int64_t>(std::ceil(options.duration_s / period));
  std::size_t point = points.size();
  double inferences = 0;
  double correct = 0;
  double joules = 0;
  double measured = 0;
  double next_sample = 0;
  double sampled = 0;
  const auto close_sample = [&] {
    Sample& sample = result.samples.back();
    sample.celsius /= sampled;
    sample.mhz /= sampled;
    sample.rate /= sampled;
    sampled = 0;
  };
  for (std::int64_t i = 0; i < steps; ++i) {
    const double time = static_cast<double>(i) * period;
    double reading = plant.celsius();
    if (options.sensor_step_k > 0) reading = std::floor(reading / options.sensor_step_k) * options.sensor_step_k;
    const std::size_t chosen = std::min(governor.decide(reading), points.size() - 1);
    const bool changed = point < points.size() && points[chosen].opp.mhz != points[point].opp.mhz;
    const bool steady = time >= options.measure_from_s;
    if (steady && point < points.size() && chosen != point) ++result.changes;
    point = chosen;
    if (time >= next_sample) {
      if (sampled > 0) close_sample();
      result.samples.push_back({time, 0, plant.celsius(), plant.celsius(), 0, 0});
      next_sample += options.sample_s;
    }
    const double energy = plant.advance(period, points[point].load);
    Sample& sample = result.samples.back();
    sample.celsius += plant.celsius() * period;
    sample.lowest_c = std::min(sample.lowest_c, plant.celsius());
    sample.highest_c = std::max(sample.highest_c, plant.celsius());
    sample.mhz += points[point].opp.mhz * period;
    sample.rate += points[point].rate * period;
    sampled += period;
    if (plant.celsius() > options.limit_c + 150) {
      result.runaway = true;
      break;
    }
    if (plant.celsius() > options.limit_c) result.above_limit_s += period;
    if (!steady) continue;
    const double done = points[point].rate * (period - (changed ? std::min(cluster.transition_s, period) : 0.0));
    inferences += done;
    correct += done * points[point].accuracy;
    joules += energy;
    measured += period;
    result.mean_c += plant.celsius() * period;
    result.mean_mhz += points[point].opp.mhz * period;
  }
  if (sampled > 0) close_sample();
  result.peak_c = plant.peak();
  if (measured > 0) {
    result.rate = inferences / measured;
    result.mean_c /= measured;
    result.mean_mhz /= measured;
    result.power_w = joules / measured;
  }
  if (inferences > 0) {
    result.latency_s = measured / inferences;
    result.accuracy = correct / inferences;
    result.energy_j = joules / inferences;
  }
  return result;
}

Tuned tune_to_peak(const Soc& soc, const Cluster& cluster, const std::vector<ThermalPoint>& points,
                   const KnobbedGovernor& make, double low, double high, const SimulationOptions& options) {
  const auto run = [&](double knob) {
    const std::unique_ptr<Governor> governor = make(knob);
    return simulate(soc, cluster, points, *governor, options);
  };
  Tuned best{high, run(high)};
  if (best.simulation.peak_c <= options.limit_c) return best;
  const double range = high - low;
  best = {low, run(low)};
  for (int i = 0; i < 18 && best.simulation.peak_c < options.limit_c - 0.01; ++i) {
    const double middle = 0.5 * (low + high);
    Simulation tried = run(middle);
    if (tried.peak_c <= options.limit_c) {
      low = middle;
      best = {middle, std::move(tried)};
    } else {
      high = middle;
    }
  }
  // The peak of a policy that switches jumps with its knob, and may fall again: bisection can stop below the best.
  if (best.simulation.peak_c < options.limit_c - 0.05) {
    const double from = best.knob;
    for (int i = 1; i <= 40; ++i) {
      const double knob = from + i * range / 600;
      Simulation tried = run(knob);
      if (tried.peak_c <= options.limit_c && tried.peak_c > best.simulation.peak_c) best = {knob, std::move(tried)};
    }
  }
  return best;
}

}  // namespace trimtab::thermal
