#include "learn/histogram.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <tuple>

#include "base/index.h"

namespace trimtab {

Histogram::Histogram(float low, float high, int bins) : low_(std::min(low, 0.0F)), high_(std::max(high, 0.0F)) {
  width_ = std::max((high_ - low_) / static_cast<float>(bins - 2), 1e-30F);
  zero_ = static_cast<std::int64_t>(std::floor(-low_ / width_ + 0.5F));
  counts_.assign(static_cast<std::size_t>(bins), 0);
}

void Histogram::add(std::span<const float> numbers) {
  const float inverse = 1 / width_;
  const float offset = static_cast<float>(zero_) + 0.5F;
  const float last = static_cast<float>(counts_.size() - 1);
  for (const float number : numbers) {
    // the clamp also puts numbers outside of the range into the outermost bins
    const float bin = std::clamp(number * inverse + offset, 0.0F, last);
    ++counts_[static_cast<std::size_t>(bin)];
  }
}

Histogram::Occupied Histogram::occupied() const {
  Occupied bins;
  for (std::size_t i = 0; i < counts_.size(); ++i) {
    if (counts_[i] == 0) continue;
    bins.centre.push_back(static_cast<double>(static_cast<std::int64_t>(i) - zero_) * static_cast<double>(width_));
    bins.count.push_back(static_cast<double>(counts_[i]));
  }
  bins.total = std::accumulate(bins.count.begin(), bins.count.end(), 0.0);
  return bins;
}

/// At least `limit` where it stops early, as no grid with so large an error is wanted.
double Histogram::squared_error(const Occupied& bins, const ActivationGrid& grid, double limit) {
  constexpr std::size_t between_checks = 64;
  const double low = grid.lowest_step();
  const double high = grid.highest_step();
  const double scale = grid.scale;
  double sum = 0;
  for (std::size_t i = 0; i < bins.centre.size(); ++i) {
    if (i % between_checks == 0 && sum / bins.total >= limit) break;
    const double real = bins.centre[i];
    // the ends are whole numbers, so that it does not matter whether a number is clamped or rounded first
    const double step = std::clamp(real / scale + 0.5, low, high);
    const auto whole = static_cast<double>(static_cast<std::int32_t>(step));
    const double level = whole > step ? whole - 1 : whole;
    const double error = real - level * scale;
    sum += bins.count[i] * error * error;
  }
  return bins.total > 0 ? sum / bins.total : 0;
}

double Histogram::squared_error(const ActivationGrid& grid) const { return squared_error(occupied(), grid); }

ActivationGrid Histogram::grid_with_zero_point(int bits, bool is_signed) const {
  const auto grid_of = [&](float low, float high) {
    ActivationGrid grid{1, bits, is_signed};
    grid.scale = (high - low) / static_cast<float>(grid.maximum() - grid.minimum());
    if (!(grid.scale > 0)) return ActivationGrid{1, bits, is_signed};
    const float zero = std::floor(-low / grid.scale + 0.5F) + static_cast<float>(grid.minimum());
    grid.zero_point = std::clamp(static_cast<std::int32_t>(zero), grid.minimum(), grid.maximum());
    return grid;
  };
  const Occupied bins = occupied();
  float low = low_;
  float high = high_;
  ActivationGrid best = grid_of(low, high);
  double least = squared_error(bins, best);
  const auto attempt = [&](float from, float to) {
    const ActivationGrid grid = grid_of(from, to);
    const double error = squared_error(bins, grid, least);
    if (error >= least) return;
    std::tie(best, least, low, high) = std::tie(grid, error, from, to);
  };
  // Both ends together, then each alone, from what has been reached.
  constexpr int steps = 64;
  for (int step = 1; step < steps; ++step) {
    const float share = std::pow(20.0F, -static_cast<float>(step) / steps);
    attempt(low_ * share, high_ * share);
  }
  const float first_low = low;
  for (int step = 1; step < steps; ++step) attempt(first_low * (1 - static_cast<float>(step) / steps), high);
  const float first_high = high;
  for (int step = 1; step < steps; ++step) attempt(low, first_high * (1 - static_cast<float>(step) / steps));
  return best;
}

float Histogram::scale(int bits, bool is_signed, RangeMethod method, double fraction) const {
  ActivationGrid grid{1, bits, is_signed};
  const auto top = static_cast<float>(grid.maximum());
  const auto scale_for = [&](float low, float high) {
    return is_signed ? std::max(high / top, -low / (top + 1)) : high / top;
  };
  const float whole = scale_for(low_, high_);
  if (!(whole > 0)) {
    return 1;
  }
  // So fine a grid has bins to spare: keep clear of numbers that calibration has not seen.
  if (bits > 8) {
    return 2 * whole;
  }
  if (method == RangeMethod::percentile) {
    std::int64_t total = 0;
    for (const std::int64_t count : counts_) {
      total += count;
    }
    const auto allowed = static_cast<std::int64_t>((1 - fraction) * static_cast<double>(total));
    // Numbers leave from whichever end is farther out until the allowed share has gone.
    auto first = std::int64_t{0};
    auto last = static_cast<std::int64_t>(counts_.size()) - 1;
    std::int64_t gone = 0;
    while (first < zero_ || last > zero_) {
      const bool from_below = is_signed && zero_ - first > last - zero_;
      const std::int64_t count = nth(counts_, from_below ? first : last);
      if (gone + count > allowed || (!from_below && last == zero_)) {
        break;
      }
      gone += count;
      from_below ? ++first : --last;
    }
    const float low = static_cast<float>(first - zero_) * width_;
    const float high = static_cast<float>(last - zero_) * width_;
    return std::max(std::min(scale_for(low, high), whole), width_ / (top + 1));
  }
  if (method == RangeMethod::min_max) {
    return whole;
  }
  float best = whole;
  const Occupied bins = occupied();
  grid.scale = whole;
  double least = squared_error(bins, grid);
  constexpr int steps = 128;
  for (int step = 1; step < steps; ++step) {
    // geometric from the whole range down to 1/50 of it: heavy tails at 2 bits want to lose most of it
    grid.scale = whole * std::pow(50.0F, -static_cast<float>(step) / steps);
    const double error = squared_error(bins, grid, least);
    if (error < least) {
      least = error;
      best = grid.scale;
    }
  }
  return best;
}

}  // namespace trimtab
